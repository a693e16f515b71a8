//! In steady state the packet path allocates nothing: not for media, not for what is lost and repaired, not for reports.
//!
//! Endpoints around the Core behave like clients: the source answers NACKs and sends reports, consumers ask for packets, for
//! key frames, and report. What they do, and reading events and statistics, may allocate; [`Core::handle_batch`] and
//! [`Core::handle_timeout`] may not.

mod support;

use std::collections::VecDeque;
use support::call::{TRANSPORT_WIDE, Telling, viewer_capabilities};
use support::{address, capabilities, congestion_parameters, packet_with, parity_capabilities};
use tureen_congestion::TransportFeedbackGenerator;
use tureen_media_model::{
    AddTransport, ConnectTransport, Consume, ConsumerId, ConsumerOptions, Core, CoreConfig, CreateRouter,
    GetConsumerStats, GetProducerStats, GetTransportStats, OutgoingBitrates, PipeOptions, Produce,
    ProducerId, ProducerOptions, Request, RouterId, RouterOptions, ShardId, TransportId, TransportOptions,
};
use tureen_rtp_dictionaries::{ConsumerType, CryptoSuite, MediaKind, SrtpParameters};
use tureen_rtp_wire::rtcp::{Compound, ReportBlock, RtcpPacket, RtcpWriter, SenderInfo};
use tureen_rtp_wire::rtp::{RtpHeader, RtpPacket, extension};
use tureen_rtp_wire::{Ecn, NtpTime, Time, WallClock};
use tureen_srtp::{DEFAULT_PROVIDER, Profile, SrtpReceiver, SrtpSender};
use tureen_transport::{
    Arrival, BoundSocket, Datagram, Destination, Egress, Ingress, Lane, PlainConnectOptions, PlainTransport,
    PlainTransportOptions, SocketId,
};

const CONSUMERS: u32 = 20;
/// The one that leads to another router.
const PIPE: u32 = CONSUMERS;
const PACKETS: u32 = 100_000;
const WARM_UP: u32 = 5_000;
/// The most datagrams that come in at once.
const BATCH: usize = 64;
const SUITE: CryptoSuite = CryptoSuite::AeadAes128Gcm;
const SSRC: u32 = 1000;
/// The bit of the first byte that says so (RFC 3550 section 5.1).
const PADDED: u8 = 0x20;
/// Not a power of two, as in a driver.
const STRIDE: usize = 25 * 64;
const SLOTS: usize = 4096;

/// Slots that are recycled after each batch.
struct SlotPool {
    bytes: Vec<u8>,
    /// Socket and length of each committed slot.
    committed: Vec<(SocketId, usize)>,
    to: SocketId,
}

impl SlotPool {
    fn new() -> Self {
        Self { bytes: vec![0; SLOTS * STRIDE], committed: Vec::with_capacity(SLOTS), to: SocketId(0) }
    }

    fn sent(&self) -> impl Iterator<Item = (SocketId, &[u8])> {
        self.committed.iter().zip(self.bytes.chunks(STRIDE)).map(|(&(to, len), slot)| (to, &slot[..len]))
    }
}

impl Egress for SlotPool {
    fn reserve(&mut self, _: Lane, to: &Destination, capacity: usize) -> Option<&mut [u8]> {
        let Destination::Socket { socket, .. } = to else { return None };
        self.to = *socket;
        let start = self.committed.len() * STRIDE;
        self.bytes.get_mut(start..start + STRIDE).filter(|slot| slot.len() >= capacity)
    }

    fn commit(&mut self, len: usize) {
        self.committed.push((self.to, len));
    }
}

/// Datagrams with the socket that each came in on.
struct Batch {
    datagrams: Vec<(u32, Vec<u8>)>,
    next: usize,
}

impl Ingress for Batch {
    fn next(&mut self) -> Option<Datagram<'_>> {
        let (socket, bytes) = self.datagrams.get_mut(self.next)?;
        self.next += 1;
        Some(Datagram { arrival: arrival(*socket), bytes, ecn: Ecn::NotCapable })
    }
}

fn arrival(socket: u32) -> Arrival {
    Arrival { socket: SocketId(socket), source: address(10_000 + socket as u16) }
}

/// The far end of a transport.
struct Endpoint {
    socket: u32,
    srtp: Option<(SrtpSender, SrtpReceiver)>,
    /// The stream that it receives, and the sequence number seen last.
    ssrc: u32,
    newest: u16,
    /// What it tells of the path, if it does.
    arrivals: Option<TransportFeedbackGenerator>,
}

impl Endpoint {
    fn rtp(&mut self, mut bytes: Vec<u8>) -> (u32, Vec<u8>) {
        if let Some((sender, _)) = &mut self.srtp {
            let (len, header_len) = (bytes.len(), RtpPacket::parse(&bytes).unwrap().layout().header_len());
            bytes.resize(len + sender.profile().rtp_overhead(), 0);
            sender.protect_rtp(&mut bytes, header_len, len).unwrap();
        }
        (self.socket, bytes)
    }

    fn rtcp(&mut self, fill: impl FnOnce(&mut RtcpWriter<'_>)) -> (u32, Vec<u8>) {
        let mut bytes = vec![0; 1200];
        let mut writer = RtcpWriter::new(&mut bytes);
        fill(&mut writer);
        let mut len = writer.finish();
        if let Some((sender, _)) = &mut self.srtp {
            len = sender.protect_rtcp(&mut bytes, len).unwrap();
        }
        bytes.truncate(len);
        (self.socket, bytes)
    }

    fn open_rtcp(&mut self, bytes: &[u8]) -> Vec<u8> {
        let mut bytes = bytes.to_vec();
        if let Some((_, receiver)) = &mut self.srtp {
            let len = receiver.unprotect_rtcp(&mut bytes).unwrap();
            bytes.truncate(len);
        }
        bytes
    }
}

/// A call: the Core and everybody around it.
struct Call {
    core: Core<PlainTransport>,
    now: Time,
    out: SlotPool,
    source: Endpoint,
    consumers: Vec<Endpoint>,
    batch: Batch,
    /// What waits for the next batch.
    waiting: VecDeque<(u32, Vec<u8>)>,
    sent: u32,
    rtx_sent: u16,
    /// The next transport-wide sequence number.
    transport_wide: u16,
    /// Feedback packets about the path that the source got, and packets that they say arrived.
    feedback: u64,
    told_of: u64,
    /// REMB messages that it got.
    bitrates: u64,
    key_frame_wanted: bool,
    key_frames: u32,
    allocations: u64,
    measuring: bool,
    case: Case,
    /// Packets that left later than when they came.
    late: u64,
}

/// What a call is like.
#[derive(Clone, Copy, Debug)]
struct Case {
    srtp: bool,
    /// What the source reads of its path.
    feedback: &'static str,
    /// Whether consumers report what arrives, and packets wait for room on the path.
    paced: bool,
    /// Whether consumers are far away and take parity.
    parity: bool,
}

const PLAIN: Case = Case { srtp: false, feedback: "goog-remb", paced: false, parity: false };

const PRODUCER: ProducerId = ProducerId(2);

impl Call {
    fn new(case: Case) -> Self {
        let Case { srtp, feedback, .. } = case;
        let wall_clock = WallClock::new(NtpTime::new(3_900_000_000, 0));
        let core = Core::new(CoreConfig { shard: ShardId(0), seed: 7, wall_clock });
        let datagrams = Vec::with_capacity(BATCH);
        let source = Endpoint { socket: 0, srtp: None, ssrc: 0, newest: 0, arrivals: None };
        let mut call = Self {
            core,
            now: Time::from_millis(1000),
            out: SlotPool::new(),
            source,
            consumers: Vec::new(),
            batch: Batch { datagrams, next: 0 },
            waiting: VecDeque::new(),
            sent: 0,
            rtx_sent: 0,
            transport_wide: 0,
            feedback: 0,
            told_of: 0,
            bitrates: 0,
            key_frame_wanted: true,
            key_frames: 0,
            allocations: 0,
            measuring: false,
            case,
            late: 0,
        };
        let media_codecs = serde_json::from_value(serde_json::json!([
            {"kind": "video", "mimeType": "video/VP8", "clockRate": 90000},
            {"kind": "video", "mimeType": "video/flexfec-03", "clockRate": 90000}
        ]))
        .unwrap();
        call.ask(CreateRouter { id: RouterId(1), options: RouterOptions { media_codecs } }).unwrap();
        call.source = call.endpoint(0, srtp);
        let options = ProducerOptions {
            id: PRODUCER,
            kind: MediaKind::Video,
            rtp_parameters: congestion_parameters(SSRC, &[feedback]),
            paused: false,
            key_frame_request_delay: Default::default(),
            key_frame_cache: None,
            content_hint: None,
        };
        call.ask(Produce { transport: TransportId(0), options }).unwrap();
        for socket in 1..=CONSUMERS {
            let mut endpoint = call.endpoint(socket, srtp);
            let info = call.consume(socket);
            assert_eq!(info.consumer_type == ConsumerType::Pipe, socket == PIPE);
            endpoint.ssrc = info.rtp_parameters.encodings[0].ssrc.unwrap();
            call.consumers.push(endpoint);
        }
        call
    }

    fn ask<R: Request<PlainTransport>>(&mut self, request: R) -> R::Reply {
        let reply = self.core.handle_command(self.now, request.into());
        R::reply(reply).unwrap()
    }

    fn endpoint(&mut self, socket: u32, srtp: bool) -> Endpoint {
        let (to_core, from_core) = ([socket as u8; 46], [0x80 | socket as u8; 46]);
        let options =
            PlainTransportOptions { enable_srtp: srtp, srtp_crypto_suite: SUITE, ..Default::default() };
        let local = address(40_000 + socket as u16);
        let bound = BoundSocket { id: SocketId(socket), local };
        let transport = PlainTransport::new(&options, bound, None, &from_core);
        let id = TransportId(u128::from(socket));
        let pipe = (socket == PIPE).then_some(PipeOptions { enable_rtx: true });
        let reports = self.case.paced && pipe.is_none() && socket > 0;
        let outgoing = reports.then(OutgoingBitrates::default);
        let options = TransportOptions { pipe, outgoing, ..Default::default() };
        self.ask(AddTransport { router: RouterId(1), id, transport, options }).unwrap();
        let remote = arrival(socket).source;
        let len = SUITE.master_len();
        let srtp_parameters = srtp.then(|| SrtpParameters::new(SUITE, &to_core[..len]).unwrap());
        let (ip, port) = (Some(remote.ip()), Some(remote.port()));
        let options = PlainConnectOptions { ip, port, srtp_parameters, ..Default::default() };
        self.ask(ConnectTransport { id, options }).unwrap().unwrap();
        let profile = Profile::AeadAes128Gcm;
        let contexts = srtp.then(|| {
            let sender = SrtpSender::new(profile, &to_core[..len], DEFAULT_PROVIDER).unwrap();
            (sender, SrtpReceiver::new(profile, &from_core[..len], DEFAULT_PROVIDER).unwrap())
        });
        let arrivals = outgoing.map(|_| TransportFeedbackGenerator::new());
        Endpoint { socket, srtp: contexts, ssrc: 0, newest: 0, arrivals }
    }

    fn consume(&mut self, socket: u32) -> tureen_media_model::ConsumerInfo {
        let options = ConsumerOptions {
            id: ConsumerId(u128::from(socket)),
            producer_id: PRODUCER,
            rtp_capabilities: match self.case {
                Case { paced: true, .. } => viewer_capabilities(Telling::Reports),
                Case { parity: true, .. } => parity_capabilities(),
                _ => capabilities(),
            },
            paused: false,
            mid: None,
            preferred_layers: None,
            enable_rtx: None,
            ignore_dtx: false,
            pipe: false,
            numbering: Default::default(),
            identity: Default::default(),
        };
        self.ask(Consume { transport: TransportId(u128::from(socket)), options }).unwrap()
    }

    /// The packet that the source numbers `number`, a frame of its own; `rtx` wraps it (RFC 4588 section 4).
    fn media(&mut self, number: u32, key_frame: bool, rtx: Option<u16>) -> Vec<u8> {
        let [high, low] = (number as u16 & 0x7fff).to_be_bytes();
        let frame = if key_frame { 0x10 } else { 0x11 };
        let mut payload = vec![0x90, 0xc0, high | 0x80, low, number as u8, frame, 2, 0, 0x9d, 1, 0x2a];
        payload.resize(1100, number as u8);
        let [high, low] = (number as u16).to_be_bytes();
        let (payload_type, ssrc, sequence_number) = match rtx {
            None => (96, SSRC, number as u16),
            Some(sequence_number) => {
                payload.splice(0..0, [high, low]);
                (97, SSRC + 1, sequence_number)
            }
        };
        let timestamp = number.wrapping_mul(90);
        let header = RtpHeader { marker: true, payload_type, sequence_number, timestamp, ssrc };
        let wall_clock = WallClock::new(NtpTime::new(3_900_000_000, 0));
        let sent = extension::write_abs_send_time(wall_clock.abs_send_time(self.now));
        let wide = self.transport_wide.to_be_bytes();
        self.transport_wide = self.transport_wide.wrapping_add(1);
        packet_with(&header, &[(3, &sent), (4, &wide)], &payload)
    }

    /// The source sends its next packet, or the network loses it.
    fn send_media(&mut self) {
        let number = self.sent;
        self.sent += 1;
        let key_frame = std::mem::take(&mut self.key_frame_wanted);
        self.key_frames += u32::from(key_frame);
        // One in a hundred, and never the first.
        if number % 100 != 57 {
            let bytes = self.media(number, key_frame, None);
            let datagram = self.source.rtp(bytes);
            self.waiting.push_back(datagram);
        }
    }

    fn send_rtx(&mut self, lost: &[u16]) {
        for &sequence_number in lost {
            let behind = (self.sent as u16).wrapping_sub(sequence_number);
            let number = self.sent - u32::from(behind);
            let bytes = self.media(number, false, Some(self.rtx_sent));
            self.rtx_sent = self.rtx_sent.wrapping_add(1);
            let datagram = self.source.rtp(bytes);
            self.waiting.push_back(datagram);
        }
    }

    /// What endpoints report and ask for at this point of the stream.
    fn send_reports(&mut self) {
        let number = self.sent;
        let ntp = self.core_ntp();
        if number.is_multiple_of(1000) {
            let info = SenderInfo {
                ntp,
                rtp_timestamp: number.wrapping_mul(90),
                packet_count: number,
                octet_count: number * 1100,
            };
            let datagram = self.source.rtcp(|writer| {
                writer.sender_report(SSRC, &info, &[]).unwrap();
                writer.source_description(SSRC, b"tester", &[]).unwrap();
                writer.extended_report(SSRC, Some(ntp), &[]).unwrap();
            });
            self.waiting.push_back(datagram);
        }
        // A round trip of 62 or of 125 ms; losses of which two are in a row or none; the least part that is lost.
        let (way, lost, least) =
            if self.case.parity { (0x3000, [150, 152, 156], 13) } else { (0x2000, [3, 4, 9], 0) };
        for (at, consumer) in self.consumers.iter_mut().enumerate() {
            let phase = (number as usize + at * 37) % 1000;
            let (ssrc, newest) = (consumer.ssrc, consumer.newest);
            if let Some(mut arrivals) = consumer.arrivals.take() {
                let mut wrote = false;
                let report = consumer.rtcp(|writer| {
                    writer.receiver_report(1, &[]).unwrap();
                    wrote = arrivals.poll(self.now, 1, ssrc, writer);
                });
                if wrote {
                    self.waiting.push_back(report);
                }
                consumer.arrivals = Some(arrivals);
            }
            if phase == 0 {
                let block = ReportBlock {
                    ssrc,
                    fraction_lost: ((number / 1000 % 64) as u8).max(least),
                    cumulative_lost: (number / 100) as i32,
                    jitter: 40,
                    last_sender_report: ntp.compact().wrapping_sub(way),
                    delay_since_last_sender_report: 0x1000,
                    ..ReportBlock::default()
                };
                self.waiting.push_back(consumer.rtcp(|writer| writer.receiver_report(1, &[block]).unwrap()));
            } else if phase.is_multiple_of(100) {
                let lost = lost.map(|behind| newest.wrapping_sub(behind));
                self.waiting.push_back(consumer.rtcp(|writer| {
                    writer.receiver_report(1, &[]).unwrap();
                    writer.nack(1, ssrc, lost).unwrap();
                }));
            } else if phase == 333 {
                self.waiting.push_back(consumer.rtcp(|writer| {
                    writer.receiver_report(1, &[]).unwrap();
                    writer.pli(1, ssrc).unwrap();
                }));
            }
        }
    }

    fn core_ntp(&self) -> NtpTime {
        WallClock::new(NtpTime::new(3_900_000_000, 0)).ntp(self.now)
    }

    /// Hands in what waits, a batch at a time, and lets the endpoints read what left.
    fn deliver(&mut self) {
        while !self.waiting.is_empty() {
            self.batch.datagrams.clear();
            self.batch.next = 0;
            let count = self.waiting.len().min(BATCH);
            self.batch.datagrams.extend(self.waiting.drain(..count));
            self.out.committed.clear();
            let (core, batch, out, now) = (&mut self.core, &mut self.batch, &mut self.out, self.now);
            let measured = allocation_counter::measure(|| core.handle_batch(now, batch, out));
            if self.measuring {
                self.allocations += measured.count_total;
            }
            self.read_egress();
            while self.core.poll_event().is_some() {}
        }
    }

    /// Lets leave what waited for its time.
    fn pass(&mut self) {
        if self.core.poll_timeout().is_some_and(|(at, _)| at <= self.now) {
            self.out.committed.clear();
            let (core, out, now) = (&mut self.core, &mut self.out, self.now);
            let before = core.counters().packets_sent;
            let measured = allocation_counter::measure(|| core.handle_timeout(now, out));
            self.late += core.counters().packets_sent - before;
            if self.measuring {
                self.allocations += measured.count_total;
            }
            self.read_egress();
        }
    }

    fn read_egress(&mut self) {
        let mut lost = Vec::new();
        for (socket, bytes) in self.out.sent() {
            let is_rtcp = (192..=223).contains(&bytes[1]);
            match (socket.0, is_rtcp) {
                (0, _) => {
                    let compound = self.source.open_rtcp(bytes);
                    for message in Compound::parse(&compound).unwrap() {
                        match message.unwrap() {
                            RtcpPacket::Nack(nack) => lost.extend(nack.lost()),
                            RtcpPacket::Pli(_) => self.key_frame_wanted = true,
                            RtcpPacket::TransportFeedback(feedback) => {
                                self.feedback += 1;
                                let arrived = feedback.packets().filter(|status| status.delta.is_some());
                                self.told_of += arrived.count() as u64;
                            }
                            RtcpPacket::CongestionFeedback(feedback) => {
                                self.feedback += 1;
                                let packets = feedback.streams().flat_map(|stream| stream.packets());
                                let arrived = packets.filter(|(_, report)| report.is_some());
                                self.told_of += arrived.count() as u64;
                            }
                            RtcpPacket::Remb(_) => self.bitrates += 1,
                            _ => {}
                        }
                    }
                }
                (socket, false) => {
                    // Only the header is read: how much padding there is may be sealed.
                    let mut bytes = bytes.to_vec();
                    bytes[0] &= !PADDED;
                    let packet = RtpPacket::parse(&bytes).unwrap();
                    let endpoint = &mut self.consumers[socket as usize - 1];
                    let number =
                        packet.extension(TRANSPORT_WIDE).and_then(extension::transport_sequence_number);
                    if let (Some(arrivals), Some(number)) = (&mut endpoint.arrivals, number) {
                        arrivals.record(self.now, number);
                    }
                    if packet.ssrc() == endpoint.ssrc {
                        endpoint.newest = packet.sequence_number();
                    }
                }
                _ => {}
            }
        }
        self.send_rtx(&lost);
    }

    /// Runs until the source has sent `packets` packets, at one a millisecond, in batches of 50 ms at most.
    fn run(&mut self, packets: u32) {
        while self.sent < packets {
            for _ in 0..1 + self.sent % 50 {
                self.send_media();
                self.send_reports();
                self.now = Time::from_millis(self.now.as_millis() + 1);
                if self.case.paced {
                    self.pass();
                }
            }
            self.deliver();
            if self.sent % 1000 < 50 {
                self.ask(GetProducerStats { id: PRODUCER }).unwrap();
                self.ask(GetConsumerStats { id: ConsumerId(1) }).unwrap();
                self.ask(GetTransportStats { id: TransportId(1) }).unwrap();
            }
        }
    }
}

fn nothing_is_allocated(case: Case) {
    let mut call = Call::new(case);
    call.run(WARM_UP);
    let before = *call.core.counters();
    let key_frames = call.key_frames;
    call.measuring = true;
    call.run(WARM_UP + PACKETS);
    assert_eq!(call.allocations, 0);
    assert_eq!(call.late > u64::from(PACKETS / 2), case.paced, "{} packets had to wait", call.late);

    // All of it happened, and none of it went wrong.
    let counters = *call.core.counters();
    let lost = u64::from(PACKETS / 100);
    assert_eq!(
        (counters.rejected, counters.bad_rtcp, counters.bad_payload, counters.discarded),
        (0, 0, 0, 0)
    );
    let media = counters.packets_sent - counters.retransmissions;
    let media = media - (before.packets_sent - before.retransmissions);
    assert!(media >= u64::from(PACKETS * CONSUMERS) - 2000);
    assert!(counters.retransmissions - before.retransmissions >= lost, "NACKs of consumers are answered");
    assert!(u64::from(call.rtx_sent) >= lost, "the source was asked for what it lost");
    assert!(call.key_frames - key_frames >= 20, "the source was asked for key frames");
    assert!(
        counters.rtcp_sent - before.rtcp_sent >= u64::from(CONSUMERS) * 50,
        "reports left on every transport"
    );
    let stats = call.ask(GetProducerStats { id: PRODUCER }).unwrap();
    assert!(stats[0].stream.packets_repaired >= lost, "what was lost was repaired");
    if case.feedback != "goog-remb" {
        assert!(call.feedback > u64::from(PACKETS / 200), "feedback left every 100 ms or so");
        let recent = call.told_of + 200 >= u64::from(call.sent);
        assert!(recent && call.bitrates == 0, "every packet is told of: {} of {}", call.told_of, call.sent);
    } else {
        assert!(
            call.bitrates > u64::from(PACKETS / 1000) && call.feedback == 0,
            "a bitrate every second or so"
        );
    }
    let stats = call.ask(GetConsumerStats { id: ConsumerId(1) }).unwrap();
    assert!(stats.outbound[0].stream.nack_count > 500);
    let parity = stats.outbound[0].fec.map_or(0, |fec| fec.packets_sent);
    assert_eq!(parity > u64::from(PACKETS / 20), case.parity, "{parity} packets of parity");
}

#[test]
fn nothing_is_allocated_between_plain_endpoints() {
    nothing_is_allocated(PLAIN);
}

#[test]
fn nothing_is_allocated_between_srtp_endpoints() {
    nothing_is_allocated(Case { srtp: true, feedback: "transport-cc", ..PLAIN });
}

#[test]
fn nothing_is_allocated_where_packets_wait_for_room() {
    nothing_is_allocated(Case { srtp: true, feedback: "transport-cc", paced: true, ..PLAIN });
}

#[test]
fn nothing_is_allocated_with_feedback_on_streams() {
    nothing_is_allocated(Case { feedback: "ack ccfb", ..PLAIN });
}

#[test]
fn nothing_is_allocated_with_parity() {
    nothing_is_allocated(Case { srtp: true, parity: true, ..PLAIN });
}
