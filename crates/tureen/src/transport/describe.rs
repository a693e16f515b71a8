//! What transports tell of themselves: addresses, statistics, internals.

use serde::{Deserialize, Serialize};
use std::net::{IpAddr, SocketAddr};
use tureen_media_model as model;
use tureen_rtp_dictionaries::SrtpParameters;

/// What packets travel over.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum TransportProtocol {
    /// UDP.
    #[default]
    Udp,
}

/// A local address and, once known, a remote one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TransportTuple {
    /// The local address, or the one announced in its place.
    pub local_address: String,
    /// The local port.
    pub local_port: u16,
    /// The remote address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub remote_ip: Option<IpAddr>,
    /// The remote port.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub remote_port: Option<u16>,
    /// What packets travel over.
    pub protocol: TransportProtocol,
}

impl TransportTuple {
    pub(super) fn new(local: SocketAddr, announced: Option<&str>, remote: Option<SocketAddr>) -> Self {
        Self {
            local_address: announced.map_or_else(|| local.ip().to_string(), str::to_owned),
            local_port: local.port(),
            remote_ip: remote.map(|remote| remote.ip()),
            remote_port: remote.map(|remote| remote.port()),
            protocol: TransportProtocol::Udp,
        }
    }
}

/// Statistics of a transport.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct TransportStats {
    /// `plain-rtp-transport` or `direct-transport`.
    #[serde(rename = "type")]
    pub kind: &'static str,
    /// What all transports count.
    #[serde(flatten)]
    pub base: model::TransportStats,
    /// What plain transports add.
    #[serde(flatten)]
    pub plain: Option<PlainTransportStats>,
}

impl TransportStats {
    pub(super) fn new(base: model::TransportStats, plain: Option<PlainTransportStats>) -> Self {
        let kind = if plain.is_some() { "plain-rtp-transport" } else { "direct-transport" };
        Self { kind, base, plain }
    }
}

/// What statistics of plain transports add.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct PlainTransportStats {
    /// Whether RTP and RTCP share one port.
    pub rtcp_mux: bool,
    /// Whether the remote addresses are learned.
    pub comedia: bool,
    /// Addresses of RTP.
    pub tuple: TransportTuple,
    /// Addresses of RTCP, without multiplexing.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rtcp_tuple: Option<TransportTuple>,
}

/// A transport's internals.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct TransportDump {
    /// What all transports have.
    #[serde(flatten)]
    pub base: model::TransportDump,
    /// What plain transports add.
    #[serde(flatten)]
    pub plain: Option<PlainTransportDump>,
}

/// What the dump of a plain transport adds.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct PlainTransportDump {
    /// Whether RTP and RTCP share one port, whether addresses are learned, and the addresses.
    #[serde(flatten)]
    pub path: PlainTransportStats,
    /// Its own suite and key, with SRTP.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub srtp_parameters: Option<SrtpParameters>,
}
