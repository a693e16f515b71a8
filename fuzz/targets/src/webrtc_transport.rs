//! A Core of WebRTC transports on one shared socket, their media unprotected so that inputs reach what lies behind the keys.
//!
//! A source sends video and audio; two sinks consume both, of which one has been through DTLS, and the other never is. After each
//! step: media goes to tuples that a sink with keys has proved, and to nobody else; DTLS goes to proven tuples, answers to
//! who asked; what goes out parses and is bounded; deadlines lie ahead.
//! Planted: media follows whoever sent the last datagram (RTP bleed).

use crate::Fault;
use crate::bytes::Bytes;
use crate::dtls_peer::{DtlsPeer, certificate, origin};
use crate::ice::{UDP, arrival, credentials, listens, request};
use crate::scene::{One, Sink, ask, media_codecs, parameters};
use std::collections::HashSet;
use std::time::Duration;
use tureen_media_model::{
    AddTransport, CloseTransport, ConnectTransport, Consume, ConsumerId, ConsumerNumbering, ConsumerOptions,
    Core, CoreConfig, CreateRouter, Produce, ProducerId, ProducerOptions, RouterId, RouterOptions, ShardId,
    TransportId,
};
use tureen_rtp_dictionaries::{MediaKind, RtpCapabilities};
use tureen_rtp_wire::rtcp::Compound;
use tureen_rtp_wire::rtp::{DatagramKind, RtpPacket, classify};
use tureen_rtp_wire::stun::FINGERPRINT_LEN;
use tureen_rtp_wire::{NtpTime, Time, WallClock};
use tureen_transport::{Arrival, Destination, NullCipher};
use tureen_transport_webrtc::{
    DtlsClock, IceCredentials, WebRtcConnectOptions, WebRtcOptions, WebRtcTransport,
};

type Null = WebRtcTransport<NullCipher>;

const MAX_STEPS: usize = 200;
const ROUTER: RouterId = RouterId(1);
const SOURCE: usize = 0;
/// It has been through DTLS.
const KEYED: usize = 1;
const TRANSPORTS: usize = 3;
const VIDEO_SSRC: u32 = 1000;
const AUDIO_SSRC: u32 = 2000;
/// Packets that one datagram causes at most: an answer each for two consumers, and what a NACK asks for.
const MAX_OUT: usize = 200;

struct Scene {
    core: Core<Null>,
    now: Time,
    /// Those that hold, of each transport, the newest last; none when it is closed.
    credentials: Vec<Vec<IceCredentials>>,
    /// Where genuine requests to each transport came from.
    proved: Vec<HashSet<Arrival>>,
    seed: u16,
    sink: Sink,
    sequence_numbers: [u16; 2],
    /// The last datagram: from where, how long, whether it was a genuine request.
    last: Option<(Arrival, usize, bool)>,
    fault: Fault,
}

pub(crate) fn run(data: &[u8], fault: Fault) {
    let mut input = Bytes::new(data);
    let mut scene = Scene::new(fault);
    scene.shake_hands();
    for _ in 0..MAX_STEPS {
        if input.is_empty() {
            return;
        }
        scene.step(&mut input);
        scene.check();
    }
}

fn id(which: usize) -> TransportId {
    TransportId(which as u128 + 1)
}

impl Scene {
    fn new(fault: Fault) -> Self {
        let wall_clock = WallClock::new(NtpTime::new(3_913_056_000, 0));
        let mut core = Core::new(CoreConfig { shard: ShardId(0), seed: 1, wall_clock });
        core.share_socket(UDP);
        let now = Time::from_millis(1000);
        let options = RouterOptions { media_codecs: media_codecs() };
        let capabilities = ask(&mut core, now, CreateRouter { id: ROUTER, options }).expect("known codecs");
        let mut scene = Self {
            core,
            now,
            credentials: Vec::new(),
            proved: vec![HashSet::new(); TRANSPORTS],
            seed: 0,
            sink: Sink::default(),
            sequence_numbers: [0; 2],
            last: None,
            fault,
        };
        for which in 0..TRANSPORTS {
            scene.add(which);
            scene.request(which, which as u8, true, None);
            scene.check();
        }
        for (producer, is_video) in [(ProducerId(1), true), (ProducerId(2), false)] {
            scene.produce(producer, is_video, &capabilities);
        }
        scene
    }

    fn fresh(&mut self) -> IceCredentials {
        self.seed += 1;
        credentials(self.seed)
    }

    fn add(&mut self, which: usize) {
        let credentials = self.fresh();
        let listens = listens().into_iter().filter(|listen| listen.socket == UDP).collect();
        let options = WebRtcOptions::default();
        let clock = DtlsClock(origin());
        let transport = Null::with_null_cipher(&options, listens, credentials.clone(), certificate(), clock);
        let add = AddTransport { router: ROUTER, id: id(which), transport, options: Default::default() };
        ask(&mut self.core, self.now, add).expect("the router is there");
        self.credentials.push(vec![credentials]);
    }

    fn produce(&mut self, id_of: ProducerId, is_video: bool, capabilities: &RtpCapabilities) {
        let (kind, ssrc) =
            if is_video { (MediaKind::Video, VIDEO_SSRC) } else { (MediaKind::Audio, AUDIO_SSRC) };
        let options = ProducerOptions {
            id: id_of,
            kind,
            rtp_parameters: parameters(is_video, ssrc),
            paused: false,
            key_frame_request_delay: Duration::ZERO,
            key_frame_cache: None,
            content_hint: None,
        };
        ask(&mut self.core, self.now, Produce { transport: id(SOURCE), options }).expect("a producer");
        for which in [KEYED, KEYED + 1] {
            let options = ConsumerOptions {
                id: ConsumerId(id_of.0 * 10 + which as u128),
                producer_id: id_of,
                rtp_capabilities: capabilities.clone(),
                paused: false,
                mid: None,
                preferred_layers: None,
                enable_rtx: None,
                ignore_dtx: false,
                pipe: false,
                numbering: ConsumerNumbering::Router,
                identity: Default::default(),
            };
            ask(&mut self.core, self.now, Consume { transport: id(which), options }).expect("a consumer");
        }
    }

    /// Takes one sink through DTLS.
    fn shake_hands(&mut self) {
        let mut peer = DtlsPeer::new(self.now, true, false);
        let options = WebRtcConnectOptions::Dtls(peer.parameters(true));
        let connect = ConnectTransport { id: id(KEYED), options };
        ask(&mut self.core, self.now, connect).expect("it is there").expect("good parameters");
        for _ in 0..10 {
            while let Some(datagram) = peer.outgoing.pop_front() {
                self.receive(arrival(KEYED as u8), datagram, false);
                for (_, bytes) in std::mem::take(&mut self.sink.packets) {
                    if classify(&bytes) == DatagramKind::Dtls {
                        peer.handle(self.now, &bytes);
                    }
                }
            }
            self.pass(Duration::from_millis(20));
        }
        self.sink.packets.clear();
    }

    fn step(&mut self, input: &mut Bytes<'_>) {
        let choice = input.u8();
        let which = usize::from(choice >> 4) % TRANSPORTS;
        match choice & 15 {
            0..=4 => {
                let packet = self.media(input);
                self.receive(arrival(SOURCE as u8), packet, false);
            }
            5 => self.pass(Duration::from_millis(u64::from(input.u8()))),
            6 => self.pass(Duration::from_millis(u64::from(input.u8()) * 40)),
            7 => {
                // Media of a stranger, or of a sink.
                let (from, packet) = (arrival(input.u8() & 15), self.media(input));
                self.receive(from, packet, false);
            }
            8 => self.request(which, input.u8() & 15, choice & 0x80 != 0, None),
            9 => {
                let (from, at, bits) = (input.u8() & 15, input.u8(), input.u8());
                self.request(which, from, true, Some((at, bits)));
            }
            10 | 11 => {
                let (from, len) = (arrival(input.u8() & 15), usize::from(input.u8()));
                let bytes = input.take(len).to_vec();
                self.receive(from, bytes, false);
            }
            12 => {
                let packet = feedback(input);
                self.receive(arrival(KEYED as u8), packet, false);
            }
            13 => {
                let mut bytes = vec![22, 0xfe, 0xfd, 0, input.u8() & 1, 0, 0, 0, 0, 0, 9, 0, 0];
                let len = input.u8();
                bytes.extend(input.take(len.into()));
                bytes[12] = (bytes.len() - 13) as u8;
                bytes[0] = 20 + (choice >> 4 & 3);
                self.receive(arrival(which as u8), bytes, false);
            }
            14 => self.restart(which),
            _ if choice == 0xff => {
                let _ = ask(&mut self.core, self.now, CloseTransport { id: id(which) });
                self.credentials[which].clear();
            }
            _ => {}
        }
    }

    fn restart(&mut self, which: usize) {
        let fresh = self.fresh();
        let options = WebRtcConnectOptions::RestartIce(fresh.clone());
        if let Ok(Ok(_)) = ask(&mut self.core, self.now, ConnectTransport { id: id(which), options }) {
            self.credentials[which].truncate(1);
            self.credentials[which].push(fresh);
        }
    }

    /// A request with the newest credentials, whole or changed.
    fn request(&mut self, which: usize, from: u8, nominating: bool, change: Option<(u8, u8)>) {
        let Some(credentials) = self.credentials[which].last() else { return };
        let mut bytes = request(credentials, nominating);
        if let Some((at, bits)) = change {
            let at = usize::from(at) % bytes.len();
            bytes[at] ^= bits;
        }
        // One that is changed behind its integrity, or by nothing, is genuine all the same.
        let covered = bytes.len() - FINGERPRINT_LEN;
        if change.is_none_or(|(at, bits)| bits == 0 || usize::from(at) % bytes.len() >= covered) {
            self.proved[which].insert(arrival(from));
        }
        self.receive(arrival(from), bytes, true);
        if change.is_none() && self.credentials[which].len() > 1 {
            self.credentials[which].remove(0);
        }
    }

    fn receive(&mut self, from: Arrival, bytes: Vec<u8>, request: bool) {
        self.last = Some((from, bytes.len(), request));
        self.core.handle_batch(self.now, &mut One::new(from, bytes), &mut self.sink);
        assert!(self.sink.packets.len() <= MAX_OUT, "{} packets for one", self.sink.packets.len());
    }

    fn pass(&mut self, duration: Duration) {
        self.last = None;
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
    }

    fn media(&mut self, input: &mut Bytes<'_>) -> Vec<u8> {
        let choice = input.u8();
        let (stream, ssrc, payload_type) =
            if choice & 1 == 0 { (0, VIDEO_SSRC, 96) } else { (1, AUDIO_SSRC, 111) };
        let number = &mut self.sequence_numbers[stream];
        *number = number.wrapping_add(if choice & 0x70 == 0x70 { input.u16() } else { 1 });
        let mut packet = vec![0x80, payload_type | choice & 0x80];
        packet.extend(number.to_be_bytes());
        packet.extend((u32::from(*number) * 3000).to_be_bytes());
        packet.extend(ssrc.to_be_bytes());
        // A VP8 descriptor (RFC 7741 section 4.2): a key frame now and then.
        let [high, low] = (*number | 0x8000).to_be_bytes();
        packet.extend([0x90, 0x80, high, low, 0x10 | choice >> 1 & 1]);
        packet.extend(input.take(usize::from(choice >> 2 & 7)));
        packet
    }

    fn check(&mut self) {
        while self.core.poll_event().is_some() {}
        for (to, bytes) in std::mem::take(&mut self.sink.packets) {
            let followed = self.last.filter(|_| self.fault == Fault::Planted).map(|(from, ..)| from.into());
            self.check_packet(followed.unwrap_or(to), &bytes);
        }
    }

    fn check_packet(&self, to: Destination, bytes: &[u8]) {
        let proved =
            |which: usize| self.proved[which].iter().any(|arrival| Destination::from(*arrival) == to);
        match classify(bytes) {
            DatagramKind::Rtp => {
                assert!(proved(KEYED), "media to {to:?}");
                RtpPacket::parse(bytes).expect("what goes out parses");
            }
            DatagramKind::Rtcp => {
                assert!(proved(KEYED), "RTCP to {to:?}");
                let compound = Compound::parse(bytes).expect("what goes out parses");
                assert!(compound.into_iter().all(|packet| packet.is_ok()), "and all that is in it");
            }
            DatagramKind::Dtls => assert!((0..TRANSPORTS).any(proved), "DTLS to {to:?}"),
            DatagramKind::Stun => {
                let (from, len, request) = self.last.expect("nobody asked");
                assert_eq!(to, Destination::from(from), "answers go to who asked");
                assert!(request || bytes.len() <= len, "{len} bytes are answered with {}", bytes.len());
            }
            kind => panic!("{kind:?} goes out"),
        }
    }
}

/// A NACK, PLI or report of a receiver, about anything.
fn feedback(input: &mut Bytes<'_>) -> Vec<u8> {
    let kind = input.u8();
    let [format, packet_type, words] = match kind & 3 {
        0 => [1, 205, 3],
        1 => [1, 206, 2],
        2 => [15, 205, 5],
        _ => [1, 201, 7],
    };
    let mut packet = vec![0x80 | format, packet_type, 0, words];
    packet.extend([0, 0, 0, 1]);
    packet.extend(input.take(usize::from(words) * 4 - 4));
    packet.resize(usize::from(words) * 4 + 4, 0);
    packet
}
