//! What pipe transports, and what is piped from Router to Router, are made with.

use crate::app_data::AppData;
use crate::options::{ListenInfo, SctpTransportOptions};
use crate::router::Router;
use serde::{Deserialize, Serialize};
use std::net::IpAddr;
use tureen_rtp_dictionaries::SrtpParameters;

/// The most bytes that wait to be sent on the pipe between two Routers: of all messages, so more than one endpoint has.
const SEND_BUFFER: u32 = 2_000_000;

/// How a pipe transport is made.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct PipeTransportOptions {
    /// Where packets come in; UDP only.
    pub listen_info: ListenInfo,
    /// Whether packets that are lost on the way are asked for and sent again (RFC 4585, RFC 4588). Default `false`.
    pub enable_rtx: bool,
    /// Whether packets are SRTP, under AEAD_AES_256_GCM (RFC 7714). Default `false`.
    pub enable_srtp: bool,
    /// SCTP, for messages; it is not protected, with SRTP neither. Default: not enabled.
    pub sctp: SctpTransportOptions,
    /// The shard that it lives on. Default: the one with the least on it.
    pub shard: Option<u8>,
    /// The program's own data. Default `()`.
    pub app_data: AppData,
}

impl PipeTransportOptions {
    /// Listens on `listen_info`, with defaults.
    pub fn new(listen_info: ListenInfo) -> Self {
        Self {
            listen_info,
            enable_rtx: false,
            enable_srtp: false,
            sctp: SctpTransportOptions::default(),
            shard: None,
            app_data: AppData::default(),
        }
    }
}

/// What a pipe transport's remote tells of itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PipeConnectOptions {
    /// The remote address.
    pub ip: IpAddr,
    /// The remote port, at least 1.
    pub port: u16,
    /// The remote's key; required exactly with SRTP. Its suite is AEAD_AES_256_GCM.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub srtp_parameters: Option<SrtpParameters>,
}

impl PipeConnectOptions {
    /// A remote without SRTP.
    pub fn to(ip: IpAddr, port: u16) -> Self {
        Self { ip, port, srtp_parameters: None }
    }
}

/// How something is piped to another Router of this process. All but `router` and `keep_id` is about the pair of pipe transports, and
/// counts for what makes it: the first that goes from one of the Routers to the other.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct PipeToRouterOptions {
    /// Where to.
    pub router: Router,
    /// Whether the far producer has the near one's id. Default `true`; Routers of one Worker need `false`.
    pub keep_id: bool,
    /// Where both transports listen. Default 127.0.0.1, on a port of the Worker's range.
    pub listen_info: ListenInfo,
    /// As [`PipeTransportOptions::enable_rtx`]. Default `false`.
    pub enable_rtx: bool,
    /// As [`PipeTransportOptions::enable_srtp`]. Default `false`.
    pub enable_srtp: bool,
    /// SCTP, for messages. Default enabled, with a send buffer of 2000000 bytes.
    pub sctp: SctpTransportOptions,
}

impl PipeToRouterOptions {
    /// To `router`, with defaults.
    pub fn new(router: &Router) -> Self {
        Self {
            router: router.clone(),
            keep_id: true,
            listen_info: ListenInfo::loopback(),
            enable_rtx: false,
            enable_srtp: false,
            sctp: SctpTransportOptions {
                sctp_send_buffer_size: SEND_BUFFER,
                ..SctpTransportOptions::enabled()
            },
        }
    }
}
