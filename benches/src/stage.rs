//! A Core over plain transports with one VP8 producer and any number of consumers, each on a transport of its own.

use crate::packets::{
    ABS_SEND_TIME_ID, PAYLOAD_TYPE, RTX_PAYLOAD_TYPE, SSRC, TRANSPORT_WIDE_CC_ID, Vp8Stream,
};
use crate::pool::SlotPool;
use std::net::SocketAddr;
use tureen_media_model::{
    AddTransport, ConnectTransport, Consume, ConsumerId, ConsumerOptions, Core, CoreConfig, CreateRouter,
    Produce, ProducerId, ProducerOptions, Request, RouterId, RouterOptions, ShardId, TransportId,
    TransportOptions,
};
use tureen_rtp_dictionaries::{
    CryptoSuite, MediaKind, RouterRtpCodecCapability, RtpCapabilities, RtpParameters, SrtpParameters,
};
use tureen_rtp_wire::{Ecn, NtpTime, Time, WallClock};
use tureen_transport::{
    Arrival, BoundSocket, Datagram, Ingress, PlainConnectOptions, PlainTransport, PlainTransportOptions,
    SocketId,
};

/// What the consumers' transports are protected with. The producer's transport is plain: what comes in is paid for once a
/// packet and has a benchmark of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protection {
    /// Nothing.
    Null,
    /// SRTP with AEAD_AES_128_GCM (RFC 7714).
    Aes128Gcm,
}

const ROUTER: RouterId = RouterId(1);
const PRODUCER: ProducerId = ProducerId(2);
const FIRST_CONSUMER: u128 = 1000;
const FIRST_TRANSPORT: u128 = 1_000_000;

/// The Core, its clock, what comes in and where it goes.
#[derive(Debug)]
pub struct Stage {
    core: Core<PlainTransport>,
    now: Time,
    stream: Vp8Stream,
    batch: Batch,
    /// What leaves.
    pub pool: SlotPool,
}

#[derive(Debug)]
struct Batch {
    arrival: Arrival,
    buffers: Vec<Vec<u8>>,
    next: usize,
}

impl Ingress for Batch {
    fn next(&mut self) -> Option<Datagram<'_>> {
        let bytes = self.buffers.get_mut(self.next)?;
        self.next += 1;
        Some(Datagram { arrival: self.arrival, bytes, ecn: Ecn::NotCapable })
    }
}

impl Stage {
    /// A stage whose batches hold `batch` packets of `len` bytes each, warmed up: every consumer is past its key frame.
    pub fn new(consumers: usize, protection: Protection, len: usize, batch: usize) -> Self {
        let wall_clock = WallClock::new(NtpTime::new(3_900_000_000, 0));
        let core = Core::new(CoreConfig { shard: ShardId(0), seed: 7, wall_clock });
        let stream = Vp8Stream::new(len);
        let buffers = vec![stream.buffer(); batch];
        let arrival = Arrival { socket: SocketId(0), source: remote(0) };
        let mut stage = Self {
            core,
            now: Time::from_millis(1000),
            stream,
            batch: Batch { arrival, buffers, next: 0 },
            pool: SlotPool::new(64),
        };
        let options = RouterOptions { media_codecs: media_codecs() };
        stage.ask(CreateRouter { id: ROUTER, options }).expect("a router");
        stage.produce();
        for index in 0..consumers {
            stage.consume(index as u32 + 1, protection);
        }
        for _ in 0..8 {
            stage.turn();
        }
        let (before, _) = stage.pool.committed();
        stage.turn();
        let forwarded = stage.pool.committed().0 - before;
        assert!(forwarded >= (batch * consumers) as u64, "every consumer gets every packet");
        stage
    }

    /// Hands in the next batch; its packets follow each other by 8 ms.
    pub fn turn(&mut self) {
        self.batch.next = 0;
        for buffer in &mut self.batch.buffers {
            self.stream.advance(buffer);
        }
        self.now = Time::from_micros(self.now.as_micros() + 8_000 * self.batch.buffers.len() as u64);
        self.core.handle_batch(self.now, &mut self.batch, &mut self.pool);
        while self.core.poll_event().is_some() {}
    }

    fn ask<R: Request<PlainTransport>>(&mut self, request: R) -> R::Reply {
        let reply = self.core.handle_command(self.now, request.into());
        R::reply(reply).expect("a reply of the request's type")
    }

    fn transport(&mut self, socket: u32, protection: Protection) -> TransportId {
        let id = TransportId(FIRST_TRANSPORT + u128::from(socket));
        let suite = CryptoSuite::AeadAes128Gcm;
        let enable_srtp = protection == Protection::Aes128Gcm;
        let options = PlainTransportOptions { enable_srtp, srtp_crypto_suite: suite, ..Default::default() };
        let bound = BoundSocket { id: SocketId(socket), local: SocketAddr::from(([127, 0, 0, 1], 40_000)) };
        let transport = PlainTransport::new(&options, bound, None, &keying_material(socket));
        let options = TransportOptions::default();
        self.ask(AddTransport { router: ROUTER, id, transport, options }).expect("a transport");
        let key = &keying_material(!socket)[..suite.master_len()];
        let srtp_parameters =
            enable_srtp.then(|| SrtpParameters::new(suite, key).expect("a key of its length"));
        let options = PlainConnectOptions {
            ip: Some(remote(socket).ip()),
            port: Some(remote(socket).port()),
            srtp_parameters,
            ..Default::default()
        };
        self.ask(ConnectTransport { id, options }).expect("the transport").expect("connects");
        id
    }

    fn produce(&mut self) {
        let transport = self.transport(0, Protection::Null);
        let options = ProducerOptions {
            id: PRODUCER,
            kind: MediaKind::Video,
            rtp_parameters: producer_parameters(),
            paused: false,
            key_frame_request_delay: Default::default(),
            key_frame_cache: None,
            content_hint: None,
        };
        self.ask(Produce { transport, options }).expect("a producer");
    }

    fn consume(&mut self, socket: u32, protection: Protection) {
        let transport = self.transport(socket, protection);
        let options = ConsumerOptions {
            id: ConsumerId(FIRST_CONSUMER + u128::from(socket)),
            producer_id: PRODUCER,
            rtp_capabilities: client_capabilities(),
            paused: false,
            mid: None,
            preferred_layers: None,
            enable_rtx: None,
            ignore_dtx: false,
            pipe: false,
            numbering: Default::default(),
            identity: Default::default(),
        };
        self.ask(Consume { transport, options }).expect("a consumer");
    }
}

fn remote(socket: u32) -> SocketAddr {
    let [_, high, middle, low] = socket.to_be_bytes();
    SocketAddr::from(([10, high, middle, low], 50_000))
}

/// A master key and salt that differs for each `seed`. Any bytes will do: nothing leaves.
pub fn keying_material(seed: u32) -> [u8; 46] {
    let mut state = u64::from(seed) << 1 | 1;
    std::array::from_fn(|_| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 56) as u8
    })
}

/// The codecs of a router for calls.
pub fn media_codecs() -> Vec<RouterRtpCodecCapability> {
    serde_json::from_value(serde_json::json!([
        {"kind": "audio", "mimeType": "audio/opus", "clockRate": 48000, "channels": 2},
        {"kind": "video", "mimeType": "video/VP8", "clockRate": 90000},
        {"kind": "video", "mimeType": "video/H264", "clockRate": 90000,
         "parameters": {"packetization-mode": 1, "profile-level-id": "42e01f", "level-asymmetry-allowed": 1}}
    ]))
    .expect("codec capabilities")
}

/// What a receiving client can do: opus and VP8 with RTX, with MID, abs-send-time and transport-wide-cc.
pub fn client_capabilities() -> RtpCapabilities {
    serde_json::from_value(serde_json::json!({
        "codecs": [
            {"kind": "audio", "mimeType": "audio/opus", "clockRate": 48000, "channels": 2, "preferredPayloadType": 100,
             "rtcpFeedback": [{"type": "transport-cc"}]},
            {"kind": "video", "mimeType": "video/VP8", "clockRate": 90000, "preferredPayloadType": 101,
             "rtcpFeedback": [{"type": "nack"}, {"type": "nack", "parameter": "pli"},
                              {"type": "ccm", "parameter": "fir"}, {"type": "transport-cc"}]},
            {"kind": "video", "mimeType": "video/rtx", "clockRate": 90000, "preferredPayloadType": 102,
             "parameters": {"apt": 101}}
        ],
        "headerExtensions": [
            {"kind": "video", "uri": "urn:ietf:params:rtp-hdrext:sdes:mid", "preferredId": 1},
            {"kind": "video", "uri": "http://www.webrtc.org/experiments/rtp-hdrext/abs-send-time", "preferredId": 4},
            {"kind": "video",
             "uri": "http://www.ietf.org/id/draft-holmer-rmcat-transport-wide-cc-extensions-01", "preferredId": 5},
            {"kind": "video", "uri": "urn:3gpp:video-orientation", "preferredId": 11}
        ]
    }))
    .expect("capabilities")
}

/// What the sending client sends: one VP8 stream with RTX, with abs-send-time and transport-wide-cc.
pub fn producer_parameters() -> RtpParameters {
    serde_json::from_value(serde_json::json!({
        "mid": "0",
        "codecs": [
            {"mimeType": "video/VP8", "clockRate": 90000, "payloadType": PAYLOAD_TYPE,
             "rtcpFeedback": [{"type": "nack"}, {"type": "nack", "parameter": "pli"}, {"type": "transport-cc"}]},
            {"mimeType": "video/rtx", "clockRate": 90000, "payloadType": RTX_PAYLOAD_TYPE,
             "parameters": {"apt": PAYLOAD_TYPE}}
        ],
        "headerExtensions": [
            {"uri": "http://www.webrtc.org/experiments/rtp-hdrext/abs-send-time", "id": ABS_SEND_TIME_ID},
            {"uri": "http://www.ietf.org/id/draft-holmer-rmcat-transport-wide-cc-extensions-01",
             "id": TRANSPORT_WIDE_CC_ID}
        ],
        "encodings": [{"ssrc": SSRC, "rtx": {"ssrc": SSRC + 1}}],
        "rtcp": {"cname": "bench"}
    }))
    .expect("RTP parameters")
}
