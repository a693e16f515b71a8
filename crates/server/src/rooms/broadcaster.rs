//! A broadcaster: a peer without a connection, driven call by call over HTTP. Must not know HTTP.

use super::webrtc::{WebRtc, WebRtcReply, webrtc_transport};
use crate::config::Settings;
use crate::net::media_place;
use crate::refusal::Refusal;
use serde::Deserialize;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use tureen::dictionaries::{CryptoSuite, DtlsParameters, RtpCapabilities, SrtpParameters};
use tureen::{
    AnyTransport, Consumer, ConsumerId, DataConsumer, DataConsumerOptions, DataProducerId,
    PlainConnectOptions, PlainTransport, PlainTransportOptions, Producer, ProducerId, ProducerOptions,
    Transport, TransportId,
};
use tureen_room::{Direction, Peer};

/// What a plain transport is to be like.
#[derive(Clone, Copy, Debug)]
pub(crate) struct NewTransport {
    pub(crate) comedia: bool,
    pub(crate) rtcp_mux: bool,
    pub(crate) enable_srtp: bool,
    pub(crate) srtp_crypto_suite: CryptoSuite,
    /// The address that the client reached the server on.
    pub(crate) reached_on: Option<IpAddr>,
}

/// What a transport's remote tells of itself.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Remote {
    dtls_parameters: Option<DtlsParameters>,
    ip: Option<IpAddr>,
    port: Option<u16>,
    rtcp_port: Option<u16>,
    srtp_parameters: Option<SrtpParameters>,
}

/// What makes a peer a broadcaster, in the peer's slot for data: when somebody last asked for it, and the bytes that its
/// transports had carried when they were last looked at.
pub(super) struct Activity {
    used: Mutex<Instant>,
    traffic: Mutex<u64>,
}

impl Default for Activity {
    fn default() -> Self {
        Self { used: Mutex::new(Instant::now()), traffic: Mutex::default() }
    }
}

pub(crate) struct Broadcaster {
    peer: Peer,
    activity: Arc<Activity>,
    settings: Arc<Settings>,
    webrtc: Arc<WebRtc>,
}

impl Broadcaster {
    /// The broadcaster that a peer is, if it is one.
    pub(super) fn of(peer: Peer, settings: &Arc<Settings>, webrtc: &Arc<WebRtc>) -> Option<Self> {
        let activity = peer.app_data().get::<Activity>()?;
        Some(Self { peer, activity, settings: Arc::clone(settings), webrtc: Arc::clone(webrtc) })
    }

    pub(crate) fn peer(&self) -> &Peer {
        &self.peer
    }

    /// Somebody asked for it.
    pub(super) fn touch(&self) {
        *self.activity.used.lock().unwrap_or_else(PoisonError::into_inner) = Instant::now();
    }

    /// How long nobody has asked for it and no media has come or gone.
    pub(super) async fn idle_for(&self, now: Instant) -> Duration {
        let mut traffic = 0u64;
        for transport in self.peer.transports() {
            // A transport that is closed has no traffic.
            if let Ok(stats) = transport.get_stats().await {
                traffic =
                    traffic.saturating_add(stats.base.bytes_received).saturating_add(stats.base.bytes_sent);
            }
        }
        let mut before = self.activity.traffic.lock().unwrap_or_else(PoisonError::into_inner);
        let mut used = self.activity.used.lock().unwrap_or_else(PoisonError::into_inner);
        if std::mem::replace(&mut *before, traffic) != traffic {
            *used = now;
        }
        now.saturating_duration_since(*used)
    }

    /// Makes a plain transport.
    pub(crate) async fn add_plain(&self, new: NewTransport) -> Result<PlainTransport, Refusal> {
        self.check_room_for_transport()?;
        let mut options = PlainTransportOptions::new(media_place(&self.settings, new.reached_on));
        options.comedia = new.comedia;
        options.rtcp_mux = new.rtcp_mux;
        options.enable_srtp = new.enable_srtp;
        options.srtp_crypto_suite = new.srtp_crypto_suite;
        let transport = self.peer.router().create_plain_transport(options).await?;
        self.peer.add_transport(transport.clone(), Direction::Consuming)?;
        Ok(transport)
    }

    /// Makes a WebRTC transport.
    pub(crate) async fn add_webrtc(&self) -> Result<WebRtcReply, Refusal> {
        self.check_room_for_transport()?;
        self.webrtc.create(&self.peer, Direction::Consuming, false).await
    }

    /// Before ports are taken.
    fn check_room_for_transport(&self) -> Result<(), Refusal> {
        let full = Refusal::Full { what: "transports of the peer", limit: self.settings.max_transports };
        if self.peer.transports_left() == 0 { Err(full) } else { Ok(()) }
    }

    pub(crate) fn remove_transport(&self, id: &str) -> Result<(), Refusal> {
        let transport = self.transport(id)?;
        self.peer.close_transport(&transport.id());
        Ok(())
    }

    pub(crate) fn transport(&self, id: &str) -> Result<AnyTransport, Refusal> {
        let unknown = || Refusal::unknown("transport", id);
        let key: TransportId = id.parse().map_err(|_| unknown())?;
        self.peer.transport(&key).ok_or_else(unknown)
    }

    pub(crate) async fn connect(&self, id: &str, remote: Remote) -> Result<(), Refusal> {
        match self.transport(id)? {
            AnyTransport::Plain(transport) => {
                let Remote { ip, port, rtcp_port, srtp_parameters, .. } = remote;
                Ok(transport.connect(PlainConnectOptions { ip, port, rtcp_port, srtp_parameters }).await?)
            }
            _ => {
                let missing = || Refusal::Argument("dtlsParameters: missing".into());
                let parameters = remote.dtls_parameters.ok_or_else(missing)?;
                Ok(webrtc_transport(&self.peer, id)?.connect(parameters).await?)
            }
        }
    }

    pub(crate) async fn produce(&self, id: &str, options: ProducerOptions) -> Result<Producer, Refusal> {
        let transport = self.transport(id)?.id();
        Ok(self.peer.produce(&transport, options).await?)
    }

    /// Consumes a producer of the room. Without capabilities in the request those that the broadcaster came with count,
    /// and without those the room's.
    pub(crate) async fn consume(
        &self,
        id: &str,
        producer: ProducerId,
        rtp_capabilities: Option<RtpCapabilities>,
        paused: bool,
    ) -> Result<Consumer, Refusal> {
        let transport = self.transport(id)?.id();
        Ok(self.peer.consume(&transport, producer, rtp_capabilities, paused).await?)
    }

    /// Consumes a data producer of the room.
    pub(crate) async fn consume_data(
        &self,
        id: &str,
        producer: DataProducerId,
    ) -> Result<DataConsumer, Refusal> {
        let transport = self.transport(id)?.id();
        Ok(self.peer.consume_data(&transport, DataConsumerOptions::new(producer)).await?)
    }

    pub(crate) fn producer(&self, transport: &str, id: &str) -> Result<Producer, Refusal> {
        let unknown = || Refusal::unknown("producer", id);
        let transport = self.transport(transport)?.id();
        let key = id.parse::<ProducerId>().map_err(|_| unknown())?;
        let found = self.peer.producer(&key).filter(|producer| producer.transport().id() == transport);
        found.ok_or_else(unknown)
    }

    pub(crate) fn consumer(&self, transport: &str, id: &str) -> Result<Consumer, Refusal> {
        let unknown = || Refusal::unknown("consumer", id);
        let transport = self.transport(transport)?.id();
        let key = id.parse::<ConsumerId>().map_err(|_| unknown())?;
        let found = self.peer.consumer(&key).filter(|consumer| consumer.transport().id() == transport);
        found.ok_or_else(unknown)
    }

    pub(crate) fn close_producer(&self, transport: &str, id: &str) -> Result<(), Refusal> {
        let producer = self.producer(transport, id)?;
        self.peer.close_producer(&producer.id());
        Ok(())
    }

    pub(crate) fn close_consumer(&self, transport: &str, id: &str) -> Result<(), Refusal> {
        let consumer = self.consumer(transport, id)?;
        self.peer.close_consumer(&consumer.id());
        Ok(())
    }
}
