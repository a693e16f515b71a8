//! A Core over plain transports with null ciphers, driven by hand: what tests need to see a packet go in and out.

#![allow(dead_code, unreachable_pub, reason = "each test binary uses its part")]

pub mod call;
pub mod messages;
pub mod microphone;

use std::net::SocketAddr;
use tureen_media_model::{
    AddTransport, ConnectTransport, Consume, ConsumerId, ConsumerInfo, ConsumerOptions, Core, CoreConfig,
    CreateRouter, Event, PipeOptions, Produce, ProducerId, ProducerInfo, ProducerOptions, RelayBatch,
    Request, RouterId, RouterOptions, ShardId, TransportId, TransportOptions,
};
use tureen_rtp_dictionaries::{MediaKind, RtpCapabilities, RtpParameters};
use tureen_rtp_wire::rtp::{ExtensionForm, RtpHeader, RtpWriter};
use tureen_rtp_wire::{Ecn, NtpTime, Time, WallClock};
use tureen_transport::{
    Arrival, BoundSocket, Datagram, Destination, Egress, Ingress, Lane, PlainConnectOptions, PlainTransport,
    PlainTransportOptions, SocketId,
};

/// The longest slot that a batch hands out: an Ethernet frame's worth, and what extensions and SRTP may add.
const SLOT_LEN: usize = 1600;

/// What left the Core: destination and bytes.
#[derive(Debug, Default)]
pub struct Sink {
    pub sent: Vec<(Destination, Vec<u8>)>,
    /// The marks of what may be marked.
    pub marks: Vec<Ecn>,
    /// Whether there is no room for anything.
    pub full: bool,
    slot: Vec<u8>,
    to: Option<Destination>,
}

impl Egress for Sink {
    fn reserve(&mut self, _lane: Lane, to: &Destination, capacity: usize) -> Option<&mut [u8]> {
        if self.full || capacity > SLOT_LEN {
            return None;
        }
        self.slot.clear();
        self.slot.resize(capacity, 0);
        self.to = Some(*to);
        Some(&mut self.slot)
    }

    fn commit(&mut self, len: usize) {
        if let Some(to) = self.to.take() {
            self.sent.push((to, self.slot[..len].to_vec()));
        }
    }

    fn commit_marked(&mut self, len: usize, mark: Ecn) {
        self.commit(len);
        self.marks.push(mark);
    }
}

struct Batch<'a> {
    datagrams: Vec<(Arrival, &'a mut [u8])>,
    ecn: Ecn,
}

impl Ingress for Batch<'_> {
    fn next(&mut self) -> Option<Datagram<'_>> {
        let (arrival, bytes) = self.datagrams.pop()?;
        Some(Datagram { arrival, bytes, ecn: self.ecn })
    }
}

pub fn address(port: u16) -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], port))
}

/// A Core and its clock.
pub struct Bench {
    pub core: Core<PlainTransport>,
    pub now: Time,
    pub out: Sink,
    pub router: RouterId,
    next_id: u128,
}

impl Bench {
    pub fn new() -> Self {
        Self::on_shard(0)
    }

    /// The same whose router takes feedback on streams (RFC 8888).
    pub fn with_stream_feedback() -> Self {
        Self::of_router(0, serde_json::json!([{"type": "ack", "parameter": "ccfb"}]))
    }

    pub fn on_shard(shard: u8) -> Self {
        Self::of_router(shard, serde_json::json!([]))
    }

    fn of_router(shard: u8, feedback: serde_json::Value) -> Self {
        let wall_clock = WallClock::new(NtpTime::new(3_900_000_000, 0));
        let core = Core::new(CoreConfig { shard: ShardId(shard), seed: 7, wall_clock });
        let router = RouterId(1);
        let mut bench =
            Self { core, now: Time::from_millis(1000), out: Sink::default(), router, next_id: 100 };
        let media_codecs = serde_json::from_value(serde_json::json!([
            {"kind": "audio", "mimeType": "audio/opus", "clockRate": 48000, "channels": 2},
            {"kind": "video", "mimeType": "video/VP8", "clockRate": 90000, "rtcpFeedback": feedback},
            {"kind": "video", "mimeType": "video/VP9", "clockRate": 90000},
            {"kind": "audio", "mimeType": "audio/red", "clockRate": 48000, "channels": 2},
            {"kind": "video", "mimeType": "video/flexfec-03", "clockRate": 90000}
        ]))
        .unwrap();
        bench.ask(CreateRouter { id: router, options: RouterOptions { media_codecs } }).unwrap();
        bench
    }

    pub fn id(&mut self) -> u128 {
        self.next_id += 1;
        self.next_id
    }

    pub fn ask<R: Request<PlainTransport>>(&mut self, request: R) -> R::Reply {
        let reply = self.core.handle_command(self.now, request.into());
        let reply = R::reply(reply).expect("a reply of the request's type");
        self.core.handle_timeout(self.now, &mut self.out);
        reply
    }

    /// A transport on socket `socket`, connected to the peer at port 10000 + socket.
    pub fn transport(&mut self, socket: u32) -> TransportId {
        self.transport_with(socket, TransportOptions::default())
    }

    /// The same that leads to another router.
    pub fn pipe(&mut self, socket: u32, enable_rtx: bool) -> TransportId {
        let pipe = Some(PipeOptions { enable_rtx });
        self.transport_with(socket, TransportOptions { pipe, ..Default::default() })
    }

    pub fn transport_with(&mut self, socket: u32, options: TransportOptions) -> TransportId {
        let id = self.add_transport(socket, options);
        let remote = address(10_000 + socket as u16);
        let options =
            PlainConnectOptions { ip: Some(remote.ip()), port: Some(remote.port()), ..Default::default() };
        self.ask(ConnectTransport { id, options }).unwrap().unwrap();
        id
    }

    /// A transport on socket `socket` that was not told of its peer.
    pub fn unconnected_transport(&mut self, socket: u32) -> TransportId {
        self.add_transport(socket, TransportOptions::default())
    }

    fn add_transport(&mut self, socket: u32, options: TransportOptions) -> TransportId {
        let id = TransportId(self.id());
        let local = address(40_000 + socket as u16);
        let bound = BoundSocket { id: SocketId(socket), local };
        let transport = PlainTransport::new(&PlainTransportOptions::default(), bound, None, &[0; 46]);
        let router = self.router;
        self.ask(AddTransport { router, id, transport, options }).unwrap();
        id
    }

    pub fn produce(
        &mut self,
        transport: TransportId,
        kind: MediaKind,
        parameters: RtpParameters,
    ) -> ProducerInfo {
        let options = self.producer_options(kind, parameters);
        self.ask(Produce { transport, options }).unwrap()
    }

    pub fn producer_options(&mut self, kind: MediaKind, rtp_parameters: RtpParameters) -> ProducerOptions {
        ProducerOptions {
            id: ProducerId(self.id()),
            kind,
            rtp_parameters,
            paused: false,
            key_frame_request_delay: Default::default(),
            key_frame_cache: None,
            content_hint: None,
        }
    }

    pub fn consume(&mut self, transport: TransportId, producer: ProducerId) -> ConsumerInfo {
        let options = self.consumer_options(producer);
        self.ask(Consume { transport, options }).unwrap()
    }

    pub fn consumer_options(&mut self, producer_id: ProducerId) -> ConsumerOptions {
        ConsumerOptions {
            id: ConsumerId(self.id()),
            producer_id,
            rtp_capabilities: capabilities(),
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

    /// Hands in a datagram from the peer of a socket.
    pub fn receive(&mut self, socket: u32, bytes: &[u8]) {
        self.receive_marked(socket, bytes, Ecn::NotCapable);
    }

    /// The same with this mark.
    pub fn receive_marked(&mut self, socket: u32, bytes: &[u8], ecn: Ecn) {
        let mut bytes = bytes.to_vec();
        let arrival = Arrival { socket: SocketId(socket), source: address(10_000 + socket as u16) };
        let mut batch = Batch { datagrams: vec![(arrival, &mut bytes)], ecn };
        self.core.handle_batch(self.now, &mut batch, &mut self.out);
    }

    /// Lets time pass, timers included.
    pub fn pass(&mut self, millis: u64) {
        let end = Time::from_millis(self.now.as_millis() + millis);
        while let Some((at, _)) = self.core.poll_timeout().filter(|(at, _)| *at <= end) {
            self.now = self.now.max(at);
            self.core.handle_timeout(self.now, &mut self.out);
        }
        self.now = end;
    }

    /// What left for the peer of a socket since the last call, RTP and RTCP apart.
    pub fn sent_to(&mut self, socket: u32) -> (Vec<Vec<u8>>, Vec<Vec<u8>>) {
        let to = Destination::Socket { socket: SocketId(socket), remote: address(10_000 + socket as u16) };
        let (mine, rest): (Vec<_>, Vec<_>) = self.out.sent.drain(..).partition(|(other, _)| *other == to);
        self.out.sent = rest;
        let bytes = mine.into_iter().map(|(_, bytes)| bytes);
        bytes.partition(|bytes| !(192..=223).contains(&bytes[1]))
    }

    pub fn events(&mut self) -> Vec<Event> {
        std::iter::from_fn(|| self.core.poll_event()).collect()
    }
}

/// What a side has for the other one.
pub fn take(from: &mut Bench) -> Vec<RelayBatch> {
    std::iter::from_fn(|| from.core.poll_relay(&mut Vec::new()).map(|(_, batch)| batch)).collect()
}

pub fn give(to: &mut Bench, batches: &[RelayBatch]) {
    for batch in batches {
        to.core.handle_relay(to.now, batch, &mut to.out);
    }
}

/// Carries what one side has for the other.
pub fn relay(from: &mut Bench, to: &mut Bench) {
    give(to, &take(from));
}

/// Lets what one side has for the other cross until there is no more.
pub fn settle(home: &mut Bench, far: &mut Bench) {
    loop {
        let (there, back) = (take(home), take(far));
        if there.is_empty() && back.is_empty() {
            return;
        }
        give(far, &there);
        give(home, &back);
    }
}

pub fn capabilities() -> RtpCapabilities {
    serde_json::from_value(serde_json::json!({
        "codecs": [
            {"kind": "audio", "mimeType": "audio/opus", "clockRate": 48000, "channels": 2, "preferredPayloadType": 100,
             "rtcpFeedback": [{"type": "nack"}]},
            {"kind": "video", "mimeType": "video/VP8", "clockRate": 90000, "preferredPayloadType": 101,
             "rtcpFeedback": [{"type": "nack"}, {"type": "nack", "parameter": "pli"}, {"type": "ccm", "parameter": "fir"}]},
            {"kind": "video", "mimeType": "video/rtx", "clockRate": 90000, "preferredPayloadType": 102,
             "parameters": {"apt": 101}},
            {"kind": "video", "mimeType": "video/VP9", "clockRate": 90000, "preferredPayloadType": 103,
             "rtcpFeedback": [{"type": "nack"}, {"type": "nack", "parameter": "pli"}]}
        ],
        "headerExtensions": [
            {"kind": "video", "uri": "urn:ietf:params:rtp-hdrext:sdes:mid", "preferredId": 1},
            {"kind": "video", "uri": "http://www.webrtc.org/experiments/rtp-hdrext/abs-send-time", "preferredId": 4},
            {"kind": "video", "uri": "urn:3gpp:video-orientation", "preferredId": 8}
        ]
    }))
    .unwrap()
}

/// The same of a receiver that takes FlexFEC too.
pub fn parity_capabilities() -> RtpCapabilities {
    let mut capabilities = capabilities();
    let parity = serde_json::json!({
        "kind": "video", "mimeType": "video/flexfec-03", "clockRate": 90000, "preferredPayloadType": 106,
        "parameters": {"repair-window": 10_000_000}
    });
    capabilities.codecs.push(serde_json::from_value(parity).unwrap());
    capabilities
}

/// The same of a receiver that takes RED too.
pub fn red_capabilities() -> RtpCapabilities {
    let mut capabilities = capabilities();
    let red = serde_json::json!({
        "kind": "audio", "mimeType": "audio/red", "clockRate": 48000, "channels": 2, "preferredPayloadType": 105,
        "parameters": {"": "100/100"}, "rtcpFeedback": [{"type": "nack"}]
    });
    capabilities.codecs.push(serde_json::from_value(red).unwrap());
    capabilities
}

/// A microphone: Opus as 111, RED of it as 63.
pub fn red_parameters(ssrc: u32) -> RtpParameters {
    serde_json::from_value(serde_json::json!({
        "mid": "a",
        "codecs": [
            {"mimeType": "audio/red", "clockRate": 48000, "channels": 2, "payloadType": 63, "parameters": {"": "111/111"}},
            {"mimeType": "audio/opus", "clockRate": 48000, "channels": 2, "payloadType": 111,
             "parameters": {"usedtx": 1}, "rtcpFeedback": [{"type": "nack"}]}
        ],
        "encodings": [{"ssrc": ssrc}],
        "rtcp": {"cname": "tester"}
    }))
    .unwrap()
}

/// A RED payload whose blocks, one redundant, have this payload type.
pub fn red_payload(block_type: u8, redundant: &[u8], primary: &[u8]) -> Vec<u8> {
    let header = 1 << 31 | u32::from(block_type) << 24 | 960 << 10 | redundant.len() as u32;
    [&header.to_be_bytes()[..], &[block_type], redundant, primary].concat()
}

/// An audio packet, 20 ms after the one before it.
pub fn audio(ssrc: u32, payload_type: u8, sequence_number: u16, payload: &[u8]) -> Vec<u8> {
    let timestamp = 960 * u32::from(sequence_number);
    packet(&RtpHeader { marker: false, payload_type, sequence_number, timestamp, ssrc }, payload)
}

pub fn vp8_parameters(ssrc: u32) -> RtpParameters {
    serde_json::from_value(serde_json::json!({
        "mid": "v",
        "codecs": [
            {"mimeType": "video/VP8", "clockRate": 90000, "payloadType": 96,
             "rtcpFeedback": [{"type": "nack"}, {"type": "nack", "parameter": "pli"}]},
            {"mimeType": "video/rtx", "clockRate": 90000, "payloadType": 97, "parameters": {"apt": 96}}
        ],
        "headerExtensions": [{"uri": "urn:3gpp:video-orientation", "id": 5}],
        "encodings": [{"ssrc": ssrc, "rtx": {"ssrc": ssrc + 1}}],
        "rtcp": {"cname": "tester"}
    }))
    .unwrap()
}

/// The same for a source that negotiated congestion feedback: abs-send-time as 3, the transport-wide sequence number as 4.
pub fn congestion_parameters(ssrc: u32, feedback: &[&str]) -> RtpParameters {
    let mut parameters = serde_json::to_value(vp8_parameters(ssrc)).unwrap();
    for feedback in feedback {
        let (kind, parameter) = feedback.split_once(' ').unwrap_or((feedback, ""));
        parameters["codecs"][0]["rtcpFeedback"]
            .as_array_mut()
            .unwrap()
            .push(serde_json::json!({"type": kind, "parameter": parameter}));
    }
    parameters["headerExtensions"].as_array_mut().unwrap().extend([
        serde_json::json!({"uri": "http://www.webrtc.org/experiments/rtp-hdrext/abs-send-time", "id": 3}),
        serde_json::json!({
            "uri": "http://www.ietf.org/id/draft-holmer-rmcat-transport-wide-cc-extensions-01", "id": 4
        }),
    ]);
    serde_json::from_value(parameters).unwrap()
}

/// One VP8 packet that is a whole frame.
pub fn vp8(ssrc: u32, sequence_number: u16, timestamp: u32, key_frame: bool) -> Vec<u8> {
    vp8_with(ssrc, sequence_number, timestamp, key_frame, &[])
}

/// The same with header extension elements.
pub fn vp8_with(
    ssrc: u32,
    sequence_number: u16,
    timestamp: u32,
    key_frame: bool,
    extensions: &[(u8, &[u8])],
) -> Vec<u8> {
    let picture_id = sequence_number & 0x7fff;
    let [high, low] = picture_id.to_be_bytes();
    let frame = if key_frame { 0x10 } else { 0x11 };
    let payload = [0x90, 0x80, high | 0x80, low, frame, 0x02, 0x00, 0x9d, 0x01, 0x2a, 0x40, 0x01, 0xf0, 0x00];
    let header = RtpHeader { marker: true, payload_type: 96, sequence_number, timestamp, ssrc };
    packet_with(&header, extensions, &payload)
}

pub fn packet(header: &RtpHeader, payload: &[u8]) -> Vec<u8> {
    packet_with(header, &[], payload)
}

/// A packet with header extension elements.
pub fn packet_with(header: &RtpHeader, extensions: &[(u8, &[u8])], payload: &[u8]) -> Vec<u8> {
    let mut buffer = vec![0; 1500];
    let form = match extensions.iter().all(|(_, value)| value.len() <= 16) {
        true => ExtensionForm::OneByte,
        false => ExtensionForm::TwoByte,
    };
    let mut writer = RtpWriter::new(&mut buffer, header, form).unwrap();
    for (id, value) in extensions {
        writer.push_extension(*id, value).unwrap();
    }
    writer.payload(payload).unwrap();
    let len = writer.finish();
    buffer.truncate(len);
    buffer
}
