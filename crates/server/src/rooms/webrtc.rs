//! WebRTC transports for peers and broadcasters: where they listen, and what happens when they break. Must not know who
//! asks for them.

use crate::config::{AUTO, Settings};
use crate::net::{media_addresses, media_listen_info};
use crate::refusal::Refusal;
use serde::Serialize;
use serde_json::Value;
use std::time::Duration;
use tureen::dictionaries::{
    DtlsParameters, DtlsState, IceCandidate, IceParameters, IceState, SctpParameters,
};
use tureen::{
    AnyTransport, CreateWebRtcServerError, DataTransport, ListenInfo, SctpTransportOptions, SocketFlags,
    Transport, TransportId, WebRtcServer, WebRtcServerOptions, WebRtcTransport, WebRtcTransportOptions,
    Worker,
};
use tureen_room::{CloseReason, Direction, Peer};

/// Bytes of messages that may wait on a transport to be sent or acknowledged; the largest message fits in any case.
const DATA_SEND_BUFFER: u32 = 2_000_000;

/// The ports of WebRTC, and what transports on them are like.
pub(crate) struct WebRtc {
    server: WebRtcServer,
    tcp: bool,
    dtls_13: bool,
    bwe: bool,
    max_outgoing_bitrate: u32,
    ice_servers: Vec<Value>,
    grace: Duration,
    /// Bits a second, 0 for no limit.
    max_incoming_bitrate: u32,
    sctp: SctpTransportOptions,
}

/// What an endpoint has to know of its transport.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct WebRtcReply {
    id: TransportId,
    ice_parameters: IceParameters,
    ice_candidates: Vec<IceCandidate>,
    dtls_parameters: DtlsParameters,
    #[serde(skip_serializing_if = "Option::is_none")]
    sctp_parameters: Option<SctpParameters>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    ice_servers: Vec<Value>,
}

impl WebRtc {
    pub(crate) async fn start(worker: &Worker, settings: &Settings) -> Result<Self, CreateWebRtcServerError> {
        let server = worker.create_webrtc_server(WebRtcServerOptions::new(listen_infos(settings))).await?;
        Ok(Self {
            server,
            tcp: settings.webrtc_tcp,
            dtls_13: settings.webrtc_dtls_13,
            bwe: settings.webrtc_bwe,
            max_outgoing_bitrate: settings.max_outgoing_bitrate,
            ice_servers: settings.ice_servers.iter().map(crate::IceServer::dictionary).collect(),
            grace: Duration::from_secs(settings.peer_grace.into()),
            max_incoming_bitrate: settings.max_incoming_bitrate,
            sctp: sctp_options(settings),
        })
    }

    /// Makes a transport and gives it to a peer; what the endpoint has to know of it.
    pub(crate) async fn create(
        &self,
        peer: &Peer,
        direction: Direction,
        force_tcp: bool,
    ) -> Result<WebRtcReply, Refusal> {
        let transport = self.add(peer, direction, force_tcp, self.sctp).await?;
        if self.bwe && direction == Direction::Consuming {
            let traced = transport.enable_trace_event(&["bwe"]).await;
            traced.map_err(|error| Refusal::request(error, "transport", transport.id()))?;
        }
        Ok(WebRtcReply {
            id: transport.id(),
            ice_parameters: transport.ice_parameters(),
            ice_candidates: transport.ice_candidates(),
            dtls_parameters: transport.dtls_parameters(),
            sctp_parameters: transport.sctp_parameters(),
            ice_servers: self.ice_servers.clone(),
        })
    }

    /// Makes a transport for media alone and gives it to a peer.
    pub(crate) async fn add_for_media(
        &self,
        peer: &Peer,
        direction: Direction,
    ) -> Result<WebRtcTransport, Refusal> {
        self.add(peer, direction, false, SctpTransportOptions::default()).await
    }

    async fn add(
        &self,
        peer: &Peer,
        direction: Direction,
        force_tcp: bool,
        sctp: SctpTransportOptions,
    ) -> Result<WebRtcTransport, Refusal> {
        if force_tcp && !self.tcp {
            return Err(Refusal::Argument("forceTcp: WebRTC over TCP is turned off".into()));
        }
        let mut options = WebRtcTransportOptions::with_server(&self.server);
        options.enable_tcp = self.tcp;
        options.enable_udp = !force_tcp;
        options.prefer_udp = true;
        options.dtls_13 = self.dtls_13;
        options.enable_bwe = self.bwe;
        options.max_outgoing_bitrate = self.max_outgoing_bitrate;
        options.sctp = sctp;
        let transport = peer.router().create_webrtc_transport(options).await?;
        if self.max_incoming_bitrate > 0 {
            let limited = transport.set_max_incoming_bitrate(self.max_incoming_bitrate).await;
            limited.map_err(|error| Refusal::request(error, "transport", transport.id()))?;
        }
        self.watch(peer, &transport);
        peer.add_transport(transport.clone(), direction)?;
        Ok(transport)
    }

    /// A peer goes when DTLS fails, and when ICE stays away for longer than the grace time.
    fn watch(&self, peer: &Peer, transport: &WebRtcTransport) {
        let (owner, weak) = (peer.clone(), transport.downgrade());
        transport
            .on_dtls_state_change(move |state| match state {
                DtlsState::Failed => {
                    tracing::info!(peer = owner.id(), "DTLS failed");
                    owner.close_because(CloseReason::Lost);
                }
                DtlsState::Closed => {
                    if let Some(transport) = weak.upgrade() {
                        owner.close_transport(&transport.id());
                    }
                }
                _ => {}
            })
            .detach();
        let (owner, weak, grace) = (peer.clone(), transport.downgrade(), self.grace);
        let runtime = tokio::runtime::Handle::current();
        transport
            .on_ice_state_change(move |state| {
                if *state != IceState::Disconnected {
                    return;
                }
                let (owner, weak) = (owner.clone(), weak.clone());
                runtime.spawn(async move {
                    tokio::time::sleep(grace).await;
                    let gone = |transport: &WebRtcTransport| transport.ice_state() == IceState::Disconnected;
                    if weak.upgrade().is_some_and(|transport| gone(&transport)) {
                        owner.close_because(CloseReason::Lost);
                    }
                });
            })
            .detach();
    }
}

/// SCTP of every transport that signalling or a broadcaster makes, since clients need not ask for it; and of pipes where messages cross.
pub(super) fn sctp_options(settings: &Settings) -> SctpTransportOptions {
    let mut options = SctpTransportOptions::enabled();
    options.max_sctp_message_size = settings.max_data_message_bytes;
    options.max_messages_per_second = settings.max_data_messages_per_second;
    options.sctp_send_buffer_size = DATA_SEND_BUFFER.max(settings.max_data_message_bytes);
    options
}

/// A peer's transport that ICE and DTLS are for.
pub(crate) fn webrtc_transport(peer: &Peer, id: &str) -> Result<WebRtcTransport, Refusal> {
    let unknown = || Refusal::unknown("transport", id);
    let key: TransportId = id.parse().map_err(|_| unknown())?;
    match peer.transport(&key).ok_or_else(unknown)? {
        AnyTransport::WebRtc(transport) => Ok(transport),
        _ => Err(Refusal::Argument("transportId: not a WebRTC transport".into())),
    }
}

fn listen_infos(settings: &Settings) -> Vec<ListenInfo> {
    let announced = Some(settings.announced_address.clone()).filter(|address| address != AUTO);
    let port = Some(settings.webrtc_port).filter(|&port| port != 0);
    let mut infos = Vec::new();
    for ip in media_addresses(&settings.listen_ips) {
        let udp = ListenInfo {
            announced_address: announced.clone(),
            expose_internal_ip: announced.is_some(),
            port,
            flags: SocketFlags { ecn: settings.webrtc_ecn, ..SocketFlags::default() },
            ..media_listen_info(ip)
        };
        if settings.webrtc_tcp {
            infos.push(ListenInfo { protocol: ListenInfo::tcp(ip).protocol, ..udp.clone() });
        }
        infos.push(udp);
    }
    // UDP first.
    infos.sort_by_key(|info| info.protocol);
    infos
}
