//! What transports tell of themselves: addresses, statistics, internals.

use super::{PipeState, PlainState, TransportKind, WebRtcState};
use serde::{Deserialize, Serialize};
use std::net::{IpAddr, SocketAddr};
use tureen_media_model as model;
use tureen_rtp_dictionaries::{
    DtlsParameters, DtlsState, IceCandidate, IceParameters, IceRole, IceState, SrtpParameters,
    TransportProtocol,
};
use tureen_transport::IceTuple;

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

impl TransportTuple {
    /// Of a pair that ICE validated: the address that the remote was told first for where it arrived.
    pub(super) fn of_ice(tuple: &IceTuple, candidates: &[IceCandidate]) -> Self {
        let told = candidates.iter().find(|candidate| {
            candidate.protocol == tuple.protocol
                && candidate.port == tuple.local.port()
                && candidate.address.parse::<IpAddr>().is_ok_and(|ip| ip == tuple.local.ip())
        });
        let told = told.or_else(|| {
            candidates.iter().find(|candidate| {
                candidate.protocol == tuple.protocol && candidate.port == tuple.local.port()
            })
        });
        let announced = told.map(|candidate| candidate.address.as_str());
        Self { protocol: tuple.protocol, ..Self::new(tuple.local, announced, Some(tuple.remote)) }
    }
}

/// Statistics of a transport.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct TransportStats {
    /// `plain-rtp-transport`, `webrtc-transport`, `direct-transport` or `pipe-transport`.
    #[serde(rename = "type")]
    pub kind: &'static str,
    /// What all transports count.
    #[serde(flatten)]
    pub base: model::TransportStats,
    /// What plain transports add.
    #[serde(flatten)]
    pub plain: Option<PlainTransportStats>,
    /// What WebRTC transports add.
    #[serde(flatten)]
    pub webrtc: Option<IceTransportStats>,
    /// What pipe transports add.
    #[serde(flatten)]
    pub pipe: Option<PipeTransportStats>,
}

impl TransportStats {
    pub(super) fn new(base: model::TransportStats, transport: &TransportKind) -> Self {
        let kind = match transport {
            TransportKind::Plain(_) => "plain-rtp-transport",
            TransportKind::WebRtc(_) => "webrtc-transport",
            TransportKind::Direct => "direct-transport",
            TransportKind::Pipe(_) => "pipe-transport",
        };
        Self {
            kind,
            base,
            plain: transport.plain().map(PlainState::stats),
            webrtc: transport.webrtc().map(WebRtcState::stats),
            pipe: transport.pipe().map(PipeState::stats),
        }
    }
}

/// What statistics of pipe transports add.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct PipeTransportStats {
    /// The addresses.
    pub tuple: TransportTuple,
}

/// What statistics of WebRTC transports add.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct IceTransportStats {
    /// Always controlled.
    pub ice_role: IceRole,
    /// How far ICE has come.
    pub ice_state: IceState,
    /// The pair of addresses that packets go over.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ice_selected_tuple: Option<TransportTuple>,
    /// How far DTLS has come.
    pub dtls_state: DtlsState,
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
    /// What WebRTC transports add.
    #[serde(flatten)]
    pub webrtc: Option<WebRtcTransportDump>,
    /// What pipe transports add.
    #[serde(flatten)]
    pub pipe: Option<PipeTransportDump>,
}

impl TransportDump {
    pub(super) fn new(base: model::TransportDump, transport: &TransportKind) -> Self {
        Self {
            base,
            plain: transport.plain().map(PlainState::dump),
            webrtc: transport.webrtc().and_then(WebRtcState::dump),
            pipe: transport.pipe().map(PipeState::dump),
        }
    }
}

/// What the dump of a pipe transport adds.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct PipeTransportDump {
    /// The addresses.
    pub tuple: TransportTuple,
    /// Whether lost packets are asked for and sent again.
    pub rtx: bool,
    /// Its own suite and key, with SRTP.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub srtp_parameters: Option<SrtpParameters>,
}

/// What the dump of a WebRTC transport adds.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct WebRtcTransportDump {
    /// States and the selected tuple.
    #[serde(flatten)]
    pub path: IceTransportStats,
    /// Its credentials.
    pub ice_parameters: IceParameters,
    /// Where remotes reach it.
    pub ice_candidates: Vec<IceCandidate>,
    /// Its role and fingerprints.
    pub dtls_parameters: DtlsParameters,
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
