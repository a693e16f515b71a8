//! A runtime with one router on every shard, and peers that send and receive Opus.

use crate::{PlainListen, Runtime, RuntimeConfig, ShardEvent, ShardHandle};
use crossbeam_channel::Receiver;
use pollster::block_on;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, UdpSocket};
use std::time::{Duration, Instant};
use tureen_media_model::{
    Consume, ConsumerId, ConsumerOptions, CreateRouter, Produce, ProducerId, ProducerOptions, RouterId,
    RouterOptions, TransportId,
};
use tureen_rtp_dictionaries::{MediaKind, RtpCapabilities, RtpParameters};
use tureen_transport::{PlainConnectOptions, PlainTransportOptions};

pub(super) const LOCALHOST: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
pub(super) const ROUTER: RouterId = RouterId(1);
/// What a loaded machine may take for anything that is expected.
pub(super) const PATIENCE: Duration = Duration::from_secs(10);

/// A runtime with [`ROUTER`] on each of its shards.
pub(super) fn start(shards: u8) -> Runtime {
    start_with(RuntimeConfig { shards: Some(shards), seed: Some(7), ..RuntimeConfig::default() })
}

pub(super) fn start_with(config: RuntimeConfig) -> Runtime {
    let runtime = Runtime::start(config).expect("a runtime starts");
    for shard in runtime.shards() {
        let request = CreateRouter { id: ROUTER, options: router_options() };
        block_on(shard.call(request)).expect("the shard answers").expect("the router is made");
    }
    runtime
}

pub(super) fn router_options() -> RouterOptions {
    let codecs =
        serde_json::json!([{"kind": "audio", "mimeType": "audio/opus", "clockRate": 48000, "channels": 2}]);
    RouterOptions { media_codecs: serde_json::from_value(codecs).expect("these are codecs") }
}

pub(super) fn producer_options(id: u128, ssrc: u32) -> ProducerOptions {
    let parameters: RtpParameters = serde_json::from_value(serde_json::json!({
        "codecs": [{"mimeType": "audio/opus", "clockRate": 48000, "channels": 2, "payloadType": 96}],
        "encodings": [{"ssrc": ssrc}]
    }))
    .expect("these are parameters");
    ProducerOptions {
        id: ProducerId(id),
        kind: MediaKind::Audio,
        rtp_parameters: parameters,
        paused: false,
        key_frame_request_delay: Duration::ZERO,
        key_frame_cache: None,
        content_hint: None,
    }
}

pub(super) fn consumer_options(id: u128, producer: u128) -> ConsumerOptions {
    let capabilities: RtpCapabilities = serde_json::from_value(serde_json::json!({
        "codecs": [{"kind": "audio", "mimeType": "audio/opus", "clockRate": 48000, "channels": 2,
                    "preferredPayloadType": 100}]
    }))
    .expect("these are capabilities");
    ConsumerOptions {
        id: ConsumerId(id),
        producer_id: ProducerId(producer),
        rtp_capabilities: capabilities,
        paused: false,
        mid: None,
        preferred_layers: None,
        enable_rtx: None,
        ignore_dtx: false,
        pipe: false,
        numbering: Default::default(),
        identity: Default::default(),
    }
}

pub(super) fn produce(shard: &ShardHandle, transport: TransportId, id: u128, ssrc: u32) {
    let request = Produce { transport, options: producer_options(id, ssrc) };
    block_on(shard.call(request)).expect("the shard answers").expect("the producer is made");
}

pub(super) fn consume(shard: &ShardHandle, transport: TransportId, id: u128, producer: u128) {
    let request = Consume { transport, options: consumer_options(id, producer) };
    block_on(shard.call(request)).expect("the shard answers").expect("the consumer is made");
}

/// An Opus packet of `ssrc`.
pub(super) fn packet(ssrc: u32, sequence_number: u16) -> Vec<u8> {
    let mut packet = vec![0x80, 96];
    packet.extend(sequence_number.to_be_bytes());
    packet.extend((u32::from(sequence_number) * 960).to_be_bytes());
    packet.extend(ssrc.to_be_bytes());
    packet.extend_from_slice(&[0x78, 1, 2, 3]);
    packet.extend(sequence_number.to_be_bytes());
    packet
}

/// Whether a datagram is RTP rather than RTCP (RFC 5761 section 4).
pub(super) fn is_rtp(datagram: &[u8]) -> bool {
    datagram.get(1).is_some_and(|second| !(192..=223).contains(second))
}

/// The other end of a plain transport.
pub(super) struct Peer {
    pub(super) socket: UdpSocket,
    pub(super) transport: TransportId,
    pub(super) remote: SocketAddr,
}

impl Peer {
    /// A peer and a transport on `shard` that are connected to each other.
    pub(super) fn connect(shard: &ShardHandle, id: u128) -> Self {
        let socket = UdpSocket::bind((LOCALHOST, 0)).expect("a peer binds");
        socket.set_read_timeout(Some(PATIENCE)).expect("a timeout is set");
        let port = socket.local_addr().expect("a bound socket has an address").port();
        let transport = TransportId(id);
        let listen = PlainListen::new(LOCALHOST);
        let added =
            shard.add_plain_transport(ROUTER, transport, &listen, PlainTransportOptions::default(), None);
        let remote = block_on(added).expect("the transport is added").local;
        let options = PlainConnectOptions { ip: Some(LOCALHOST), port: Some(port), ..Default::default() };
        block_on(shard.connect_transport(transport, options)).expect("the transport connects");
        Self { socket, transport, remote }
    }

    pub(super) fn send(&self, datagram: &[u8]) {
        self.socket.send_to(datagram, self.remote).expect("loopback takes a datagram");
    }

    /// The payloads of the next `count` RTP packets.
    pub(super) fn receive(&self, count: usize) -> Vec<Vec<u8>> {
        let mut payloads = Vec::new();
        let mut buffer = [0; 2048];
        while payloads.len() < count {
            let len = self.socket.recv(&mut buffer).expect("a packet arrives in time");
            if is_rtp(&buffer[..len]) {
                payloads.push(payload(&buffer[..len]).to_vec());
            }
        }
        payloads
    }
}

/// The part of [`packet`] behind the header; extensions that a consumer adds are left out.
pub(super) fn payload(packet: &[u8]) -> &[u8] {
    &packet[packet.len() - 6..]
}

/// Takes events until one matches.
pub(super) fn wait_for<T>(
    events: &Receiver<ShardEvent>,
    mut wanted: impl FnMut(ShardEvent) -> Option<T>,
) -> T {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let event = events.recv_deadline(deadline).expect("the event comes in time");
        if let Some(found) = wanted(event) {
            return found;
        }
    }
}
