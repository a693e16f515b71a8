//! A whole Core against time steps, datagrams from right and wrong places, and commands.
//!
//! One transport sends video and audio, two receive them: one with RTX, one by comedia and without. An odd first sequence number lets
//! who comes later start from a kept run. After each step: what
//! goes out goes to selected addresses only, parses, belongs to a consumer, and is bounded; deadlines lie ahead; counters add up.
//! Planted: packets follow whoever sent the last datagram (RTP bleed).

use crate::Fault;
use crate::bytes::Bytes;
use crate::scene::{One, Sink, ask, core, media_codecs, parameters, plain, remote};
use std::collections::BTreeSet;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;
use tureen_media_model::{
    AddTransport, CloseConsumer, CloseProducer, ConnectTransport, Consume, ConsumerId, ConsumerNumbering,
    ConsumerOptions, Core, CreateRouter, Event, KeyFrameCache, PauseConsumer, PauseProducer, Produce,
    ProducerId, ProducerOptions, RequestKeyFrame, ResumeConsumer, ResumeProducer, RouterId, RouterOptions,
    TransportEvent, TransportId,
};
use tureen_rtp_dictionaries::{MediaKind, RtpCapabilities};
use tureen_rtp_wire::Time;
use tureen_rtp_wire::rtcp::Compound;
use tureen_rtp_wire::rtp::{DatagramKind, RtpPacket, classify};
use tureen_transport::{Arrival, Destination, PathEvent, PlainConnectOptions, PlainTransport, SocketId};

const SOURCE: u32 = 0;
const SINKS: [u32; 2] = [1, 2];
const COMEDIA: u32 = 2;
const ROUTER: RouterId = RouterId(1);
const VIDEO: ProducerId = ProducerId(1);
const AUDIO: ProducerId = ProducerId(2);
const VIDEO_SSRC: u32 = 1000;
const AUDIO_SSRC: u32 = 2000;
const MAX_STEPS: usize = 400;
/// The Core answers at most so many packets of one NACK.
const MAX_ANSWERS: usize = 64;
/// It sends at most so many packets of a kept run to a consumer at once.
const PORTION: usize = 64;

struct Scene {
    core: Core<PlainTransport>,
    now: Time,
    capabilities: RtpCapabilities,
    /// The producer of video does.
    keeps_runs: bool,
    next_consumer: u128,
    consumers: Vec<ConsumerId>,
    /// SSRC and payload type of all that consumers were ever announced to send.
    streams: BTreeSet<(u32, u8)>,
    /// Remote addresses that are known, with the socket that they belong to.
    selected: BTreeSet<(u32, SocketAddr)>,
    sink: Sink,
    inputs: u64,
    rtp_out: u64,
    rtcp_out: u64,
    bytes_out: u64,
    last_source: Option<SocketAddr>,
    fault: Fault,
}

pub(crate) fn run(data: &[u8], fault: Fault) {
    let mut input = Bytes::new(data);
    let mut sequence_numbers = [input.u16(), input.u16()];
    let mut scene = Scene::new(sequence_numbers[0] % 2 == 1, fault);
    for _ in 0..MAX_STEPS {
        if input.is_empty() {
            return;
        }
        let bound = scene.step(&mut input, &mut sequence_numbers);
        scene.check(bound);
    }
}

impl Scene {
    fn new(keeps_runs: bool, fault: Fault) -> Self {
        let (mut core, now) = (core(), Time::from_millis(1000));
        let options = RouterOptions { media_codecs: media_codecs() };
        let capabilities = ask(&mut core, now, CreateRouter { id: ROUTER, options }).expect("known codecs");
        let mut selected = BTreeSet::new();
        for socket in [SOURCE, SINKS[0], SINKS[1]] {
            let (id, comedia) = (TransportId(u128::from(socket)), socket == COMEDIA);
            let add = AddTransport {
                router: ROUTER,
                id,
                transport: plain(socket, comedia),
                options: Default::default(),
            };
            ask(&mut core, now, add).expect("the router is there");
            if !comedia {
                let remote = remote(socket);
                let options = PlainConnectOptions {
                    ip: Some(remote.ip()),
                    port: Some(remote.port()),
                    ..Default::default()
                };
                let connect = ConnectTransport { id, options };
                ask(&mut core, now, connect).expect("the transport is there").expect("the address is right");
                selected.insert((socket, remote));
            }
        }
        let mut scene = Self {
            core,
            now,
            capabilities,
            keeps_runs,
            next_consumer: 1,
            consumers: Vec::new(),
            streams: BTreeSet::new(),
            selected,
            sink: Sink::default(),
            inputs: 0,
            rtp_out: 0,
            rtcp_out: 0,
            bytes_out: 0,
            last_source: None,
            fault,
        };
        for (id, is_video) in [(VIDEO, true), (AUDIO, false)] {
            scene.produce(id, is_video);
            SINKS.into_iter().for_each(|sink| scene.consume(sink, id));
        }
        scene
    }

    fn produce(&mut self, id: ProducerId, is_video: bool) {
        let (kind, ssrc) =
            if is_video { (MediaKind::Video, VIDEO_SSRC) } else { (MediaKind::Audio, AUDIO_SSRC) };
        let options = ProducerOptions {
            id,
            kind,
            rtp_parameters: parameters(is_video, ssrc),
            paused: false,
            key_frame_request_delay: Duration::ZERO,
            key_frame_cache: (is_video && self.keeps_runs).then(KeyFrameCache::default),
            content_hint: None,
        };
        let _ =
            ask(&mut self.core, self.now, Produce { transport: TransportId(u128::from(SOURCE)), options });
    }

    fn consume(&mut self, socket: u32, producer_id: ProducerId) {
        if self.consumers.len() >= 12 {
            return;
        }
        let id = ConsumerId(self.next_consumer);
        self.next_consumer += 1;
        let options = ConsumerOptions {
            id,
            producer_id,
            rtp_capabilities: self.capabilities.clone(),
            paused: false,
            mid: None,
            preferred_layers: None,
            enable_rtx: Some(socket != COMEDIA),
            ignore_dtx: false,
            pipe: false,
            identity: Default::default(),
            numbering: if socket == COMEDIA {
                ConsumerNumbering::Receiver
            } else {
                ConsumerNumbering::Router
            },
        };
        let consume = Consume { transport: TransportId(u128::from(socket)), options };
        let Ok(info) = ask(&mut self.core, self.now, consume) else { return };
        self.consumers.push(id);
        for encoding in &info.rtp_parameters.encodings {
            let rtx = encoding.rtx.as_ref().map(|rtx| rtx.ssrc);
            for codec in &info.rtp_parameters.codecs {
                let ssrc = if codec.is_rtx() { rtx } else { encoding.ssrc };
                self.streams.extend(ssrc.map(|ssrc| (ssrc, codec.payload_type)));
            }
        }
    }

    /// Does one thing; returns how many packets it may cause at most.
    fn step(&mut self, input: &mut Bytes<'_>, sequence_numbers: &mut [u16; 2]) -> usize {
        let choice = input.u8();
        match choice & 15 {
            0..=5 => {
                let packet = media(input, sequence_numbers);
                self.receive(SOURCE, remote(SOURCE), packet)
            }
            6 => self.pass(Duration::from_millis(u64::from(input.u8()))),
            7 => self.pass(Duration::from_millis(u64::from(input.u8()) * 20)),
            8 => {
                let (from, packet) = (attacker(input.u8()), media(input, sequence_numbers));
                self.receive(u32::from(choice >> 4) % 4, from, packet)
            }
            9 | 10 => {
                let socket = u32::from(choice >> 4) % 3;
                let len = usize::from(input.u8()) * 2;
                let packet = input.take(len).to_vec();
                self.receive(socket, remote(socket), packet)
            }
            11 | 12 => {
                let packet = self.feedback(input);
                let socket = SINKS[usize::from(choice >> 4 & 1)];
                self.receive(socket, remote(socket), packet)
            }
            _ => {
                self.command(choice >> 4, input);
                0
            }
        }
    }

    fn pass(&mut self, duration: Duration) -> usize {
        let end = self.now + duration;
        let mut fired = 0;
        while let Some((at, _)) = self.core.poll_timeout().filter(|(at, _)| *at <= end) {
            self.now = self.now.max(at);
            self.core.handle_timeout(self.now, &mut self.sink);
            let next = self.core.poll_timeout().map(|(at, _)| at);
            assert!(
                next.is_none_or(|at| at > self.now),
                "a deadline stays behind: {next:?} at {:?}",
                self.now
            );
            fired += 1;
            assert!(fired <= 2000, "a hot timer");
        }
        self.now = end;
        fired * self.replayed()
    }

    /// How many packets the kept runs may add to what a moment causes.
    fn replayed(&self) -> usize {
        if self.keeps_runs { self.consumers.len() * PORTION } else { 0 }
    }

    fn receive(&mut self, socket: u32, source: SocketAddr, bytes: Vec<u8>) -> usize {
        self.inputs += 1;
        self.last_source = Some(source);
        let nacks = match classify(&bytes) {
            DatagramKind::Rtcp => bytes.len() / 12,
            _ => 0,
        };
        let arrival = Arrival { socket: SocketId(socket), source };
        self.core.handle_batch(self.now, &mut One::new(arrival, bytes), &mut self.sink);
        self.consumers.len() + nacks * MAX_ANSWERS + self.replayed()
    }

    /// A NACK, PLI or FIR about what a consumer sends, or about anything.
    fn feedback(&self, input: &mut Bytes<'_>) -> Vec<u8> {
        let kind = input.u8();
        let streams: Vec<u32> = self.streams.iter().map(|(ssrc, _)| *ssrc).collect();
        let index = usize::from(input.u8());
        let ssrc = streams.get(index % (streams.len() + 1)).copied().unwrap_or(u32::from(kind));
        let [format, packet_type, words] = match kind & 3 {
            0 | 1 => [1, 205, 3],
            2 => [1, 206, 2],
            _ => [4, 206, 4],
        };
        let mut packet = vec![0x80 | format, packet_type, 0, words];
        packet.extend([0, 0, 0, 1]);
        packet.extend(ssrc.to_be_bytes());
        match kind & 3 {
            0 | 1 => packet.extend(input.take(4)),
            2 => {}
            _ => packet.extend([ssrc.to_be_bytes(), [input.u8(), 0, 0, 0]].concat()),
        }
        packet.resize(usize::from(words) * 4 + 4, 0);
        packet
    }

    fn command(&mut self, which: u8, input: &mut Bytes<'_>) {
        let now = self.now;
        let producer = if input.u8() & 1 == 0 { VIDEO } else { AUDIO };
        let index = usize::from(input.u8()) % self.consumers.len().max(1);
        let consumer = self.consumers.get(index).copied().unwrap_or(ConsumerId(0));
        let core = &mut self.core;
        match which {
            0 | 1 => drop(ask(core, now, PauseProducer { id: producer })),
            2..=4 => drop(ask(core, now, ResumeProducer { id: producer })),
            5 | 6 => drop(ask(core, now, PauseConsumer { id: consumer })),
            7..=9 => drop(ask(core, now, ResumeConsumer { id: consumer })),
            10 => drop(ask(core, now, RequestKeyFrame { id: consumer })),
            11 => drop(ask(core, now, CloseConsumer { id: consumer })),
            12 => drop(ask(core, now, CloseProducer { id: producer })),
            13 => self.produce(producer, producer == VIDEO),
            _ => self.consume(SINKS[usize::from(which & 1)], producer),
        }
    }

    fn check(&mut self, bound: usize) {
        let before = self.sink.packets.len();
        assert!(before <= bound + self.timed(before), "{before} packets, at most {bound} were caused");
        while let Some(event) = self.core.poll_event() {
            match event {
                Event::Transport(id, TransportEvent::Path(PathEvent::Tuple(arrival))) => {
                    assert_eq!(id, TransportId(u128::from(COMEDIA)), "only comedia learns");
                    self.selected.insert((arrival.socket.0, arrival.source));
                    assert_eq!(self.selected.len(), 3, "and only once");
                }
                Event::Consumer(id, tureen_media_model::ConsumerEvent::Closed(_)) => {
                    let alive = self.consumers.len();
                    self.consumers.retain(|other| *other != id);
                    assert_eq!(self.consumers.len() + 1, alive, "{id} closed, and was not alive");
                }
                _ => {}
            }
        }
        assert_eq!(self.core.population().consumers, self.consumers.len());
        for (to, bytes) in std::mem::take(&mut self.sink.packets) {
            self.check_packet(to, &bytes);
        }
        let counters = *self.core.counters();
        assert_eq!(counters.packets_sent, self.rtp_out);
        assert_eq!(counters.rtcp_sent, self.rtcp_out);
        assert_eq!(counters.bytes_sent, self.bytes_out);
        assert_eq!(counters.datagrams_received + counters.unknown_socket, self.inputs);
        assert!(counters.rejected <= counters.datagrams_received);
        assert!(counters.retransmissions <= counters.packets_sent);
    }

    /// Packets out of these that timers and feedback may have caused: RTCP, of which each transport and stream has little.
    fn timed(&self, packets: usize) -> usize {
        let rtcp = |(_, bytes): &&(Destination, Vec<u8>)| classify(bytes) == DatagramKind::Rtcp;
        self.sink.packets.iter().take(packets).filter(rtcp).count()
    }

    fn check_packet(&mut self, to: Destination, bytes: &[u8]) {
        let Destination::Socket { socket, remote } = to else { panic!("nothing here is direct") };
        let remote = match self.fault {
            Fault::Planted => self.last_source.unwrap_or(remote),
            Fault::None => remote,
        };
        assert!(
            self.selected.contains(&(socket.0, remote)),
            "a packet for {remote} from {socket:?}, which was never selected"
        );
        self.bytes_out += bytes.len() as u64;
        match classify(bytes) {
            DatagramKind::Rtp => {
                self.rtp_out += 1;
                let packet = RtpPacket::parse(bytes).expect("what goes out parses");
                let stream = (packet.ssrc(), packet.payload_type());
                assert!(self.streams.contains(&stream), "{stream:?} was never announced");
            }
            DatagramKind::Rtcp => {
                self.rtcp_out += 1;
                let compound = Compound::parse(bytes).expect("what goes out parses");
                assert!(compound.into_iter().all(|packet| packet.is_ok()), "and all that is in it");
            }
            kind => panic!("{kind:?} goes out"),
        }
    }
}

/// A packet of the source: mostly the next of a stream, now and then a retransmission or one far off.
fn media(input: &mut Bytes<'_>, sequence_numbers: &mut [u16; 2]) -> Vec<u8> {
    let choice = input.u8();
    let stream = usize::from(choice & 1);
    let step = match choice >> 1 & 7 {
        0..=4 => 1,
        5 => u16::from(input.u8()),
        6 => 0u16.wrapping_sub(u16::from(input.u8())),
        _ => input.u16(),
    };
    sequence_numbers[stream] = sequence_numbers[stream].wrapping_add(step);
    let is_rtx = choice >> 4 & 7 == 7 && stream == 0;
    let (ssrc, payload_type) = match (stream, is_rtx) {
        (0, false) => (VIDEO_SSRC, 96),
        (0, true) => (VIDEO_SSRC + 1, 97),
        _ => (AUDIO_SSRC, 111),
    };
    let marker = choice & 0x80;
    let mut packet = vec![0x80, marker | payload_type];
    packet.extend(sequence_numbers[stream].to_be_bytes());
    packet.extend((u32::from(sequence_numbers[stream]) * 3000).to_be_bytes());
    packet.extend(ssrc.to_be_bytes());
    if is_rtx {
        packet.extend(sequence_numbers[0].wrapping_sub(u16::from(input.u8())).to_be_bytes());
    }
    let [high, low] = (sequence_numbers[stream] | 0x8000).to_be_bytes();
    match (stream, choice >> 4 & 3) {
        (0, 0) => packet.extend([0x90, 0x80, high, low, 0x10]),
        (0, 1) => packet.extend([0x90, 0x80, high, low, 0x11]),
        (0, 2) => packet.extend([0x80, 0xe0, high, low, low, 0x40]),
        _ => packet.push(0x78),
    }
    let len = usize::from(input.u8() & 31);
    packet.extend(input.take(len));
    packet
}

fn attacker(which: u8) -> SocketAddr {
    match which & 3 {
        0 => remote(SOURCE),
        1 => remote(COMEDIA),
        other => SocketAddr::from((Ipv4Addr::new(203, 0, 113, other), 4444)),
    }
}
