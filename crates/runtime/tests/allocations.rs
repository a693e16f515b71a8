//! In steady state a shard allocates nothing: not to wait, not to receive, open, forward, protect and send, not for reports.
//!
//! Allocations of the whole process are counted, since a shard runs on a thread of its own; so this program has one test,
//! whose own thread allocates nothing either while it counts.

use pollster::block_on;
use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};
use std::alloc::System;
use std::net::{IpAddr, Ipv4Addr, UdpSocket};
use std::time::{Duration, Instant};
use tureen_media_model::{
    Consume, ConsumerId, ConsumerOptions, CreateRouter, Produce, ProducerId, ProducerOptions, RouterId,
    RouterOptions, TransportId,
};
use tureen_rtp_dictionaries::{CryptoSuite, MediaKind, SrtpParameters};
use tureen_rtp_wire::rtp::{DatagramKind, classify};
use tureen_runtime::{PlainListen, Runtime, RuntimeConfig, ShardHandle};
use tureen_srtp::{DEFAULT_PROVIDER, Profile, SrtpSender};
use tureen_transport::{PlainConnectOptions, PlainTransportOptions};

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

const LOCALHOST: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
/// What a loaded machine may take for anything that is expected.
const PATIENCE: Duration = Duration::from_secs(20);
const ROUTER: RouterId = RouterId(1);
const PRODUCER: ProducerId = ProducerId(2);
const SSRC: u32 = 1000;
const SUITE: CryptoSuite = CryptoSuite::AeadAes128Gcm;
/// Master key and salt of all that the sender sends.
const KEY: [u8; 28] = [7; 28];
const PACKETS: u32 = 100_000;
/// Packets sent before anyone waits for them: fewer than what a receive buffer holds.
const BURST: u32 = 20;
/// Longer than the store of the source keeps packets, and than all intervals between reports.
const WARM_UP: Duration = Duration::from_secs(4);
const PACKET_LEN: usize = 1000;
const GCM_TAG_LEN: usize = 16;

/// The far end of a plain transport.
struct Peer {
    socket: UdpSocket,
    buffer: [u8; 2048],
}

impl Peer {
    /// A peer and a transport that are connected to each other, in the clear or with SRTP.
    fn connect(shard: &ShardHandle, transport: TransportId, srtp: bool) -> Self {
        let socket = UdpSocket::bind((LOCALHOST, 0)).expect("a peer binds");
        socket.set_read_timeout(Some(PATIENCE)).expect("a timeout is set");
        let options =
            PlainTransportOptions { enable_srtp: srtp, srtp_crypto_suite: SUITE, ..Default::default() };
        let added = shard.add_plain_transport(ROUTER, transport, &PlainListen::new(LOCALHOST), options, None);
        let remote = block_on(added).expect("the transport is added").local;
        let key = SrtpParameters::new(SUITE, &KEY).expect("a key of its length");
        let connect = PlainConnectOptions {
            ip: Some(LOCALHOST),
            port: socket.local_addr().ok().map(|address| address.port()),
            srtp_parameters: srtp.then_some(key),
            ..Default::default()
        };
        block_on(shard.connect_transport(transport, connect)).expect("the transport connects");
        socket.connect(remote).expect("a peer connects");
        Self { socket, buffer: [0; 2048] }
    }

    /// Takes the next `count` RTP packets, of `len` bytes each, and whatever RTCP stands between them.
    fn take(&mut self, count: u32, len: usize) {
        let mut packets = 0;
        while packets < count {
            let received = self.socket.recv(&mut self.buffer).expect("a packet arrives in time");
            if classify(&self.buffer[..received]) == DatagramKind::Rtp {
                assert_eq!(received, len);
                packets += 1;
            }
        }
    }
}

/// A source that sends VP8 over SRTP, one receiver in the clear and one with SRTP.
struct Stage {
    source: Peer,
    cipher: SrtpSender,
    clear: Peer,
    protected: Peer,
    sent: u32,
}

impl Stage {
    fn build(shard: &ShardHandle) -> Self {
        let codec = serde_json::json!({"kind": "video", "mimeType": "video/VP8", "clockRate": 90000});
        let codecs = serde_json::from_value(serde_json::json!([codec])).expect("these are codecs");
        let options = RouterOptions { media_codecs: codecs };
        block_on(shard.call(CreateRouter { id: ROUTER, options })).expect("an answer").expect("a router");
        let source = Peer::connect(shard, TransportId(10), true);
        let clear = Peer::connect(shard, TransportId(11), false);
        let protected = Peer::connect(shard, TransportId(12), true);
        let produce = Produce { transport: TransportId(10), options: producer() };
        block_on(shard.call(produce)).expect("an answer").expect("a producer");
        for id in [11, 12] {
            let consume = Consume { transport: TransportId(id), options: consumer(id) };
            block_on(shard.call(consume)).expect("an answer").expect("a consumer");
        }
        let cipher =
            SrtpSender::new(Profile::AeadAes128Gcm, &KEY, DEFAULT_PROVIDER).expect("a key of its length");
        Self { source, cipher, clear, protected, sent: 0 }
    }

    /// Sends a burst, and waits until both receivers have it.
    fn round(&mut self) {
        for _ in 0..BURST {
            let mut packet = [0x5a; PACKET_LEN + GCM_TAG_LEN];
            write_header(&mut packet, self.sent);
            let len = self.cipher.protect_rtp(&mut packet, 12, PACKET_LEN).expect("protects");
            self.source.socket.send(&packet[..len]).expect("loopback takes a datagram");
            self.sent += 1;
        }
        self.clear.take(BURST, PACKET_LEN);
        self.protected.take(BURST, PACKET_LEN + GCM_TAG_LEN);
    }
}

/// Header and payload descriptor of packet number `number`: each is a frame, and every hundredth a key frame.
fn write_header(packet: &mut [u8], number: u32) {
    packet[..2].copy_from_slice(&[0x80, 0x80 | 96]);
    packet[2..4].copy_from_slice(&(number as u16).to_be_bytes());
    packet[4..8].copy_from_slice(&number.wrapping_mul(90).to_be_bytes());
    packet[8..12].copy_from_slice(&SSRC.to_be_bytes());
    // X, S; I; a PictureID of 15 bits; the first octet of a frame (RFC 7741 sections 4.2 and 4.3).
    let [high, low] = (number as u16).to_be_bytes();
    packet[12..17].copy_from_slice(&[
        0x90,
        0x80,
        high | 0x80,
        low,
        0x10 | u8::from(!number.is_multiple_of(100)),
    ]);
}

fn producer() -> ProducerOptions {
    let parameters = serde_json::json!({
        "codecs": [{"mimeType": "video/VP8", "clockRate": 90000, "payloadType": 96,
                    "rtcpFeedback": [{"type": "nack"}, {"type": "nack", "parameter": "pli"}]}],
        "encodings": [{"ssrc": SSRC}]
    });
    ProducerOptions {
        id: PRODUCER,
        kind: MediaKind::Video,
        rtp_parameters: serde_json::from_value(parameters).expect("these are parameters"),
        paused: false,
        key_frame_request_delay: Duration::ZERO,
        key_frame_cache: None,
        content_hint: None,
    }
}

fn consumer(id: u128) -> ConsumerOptions {
    let capabilities = serde_json::json!({
        "codecs": [{"kind": "video", "mimeType": "video/VP8", "clockRate": 90000, "preferredPayloadType": 101,
                    "rtcpFeedback": [{"type": "nack"}, {"type": "nack", "parameter": "pli"}]}]
    });
    ConsumerOptions {
        id: ConsumerId(id),
        producer_id: PRODUCER,
        rtp_capabilities: serde_json::from_value(capabilities).expect("these are capabilities"),
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

#[test]
fn a_shard_allocates_nothing_in_steady_state() {
    let runtime =
        Runtime::start(RuntimeConfig { shards: Some(1), seed: Some(7), ..RuntimeConfig::default() })
            .expect("a runtime starts");
    let shard = &runtime.shards()[0];
    let mut stage = Stage::build(shard);
    let (started, growing) = (Instant::now(), Region::new(ALLOCATOR));
    while started.elapsed() < WARM_UP {
        stage.round();
    }
    assert!(growing.change().allocations > 0, "what the shard takes for its store is counted");
    let before = block_on(shard.snapshot()).expect("the shard answers");
    // The shard lets go of the question only after its answer: once it forwards again, that is done.
    stage.round();
    let region = Region::new(ALLOCATOR);
    for _ in 0..PACKETS / BURST {
        stage.round();
    }
    let change = region.change();
    let after = block_on(shard.snapshot()).expect("the shard answers");
    assert_eq!((change.allocations, change.reallocations, change.deallocations), (0, 0, 0));
    assert!(after.core.packets_sent - before.core.packets_sent >= u64::from(2 * PACKETS));
    assert_eq!(after.io.sends_dropped, 0);
    assert!(after.core.rtcp_sent > before.core.rtcp_sent, "reports were sent while it counted");
}
