//! The server's end of one viewer: layers by the allocator, packets by the pacer, the rate by the estimator.
//!
//! What the Core will do, small: it forwards one rung, changes at key frames, and answers NACKs. Must not know the link.

use crate::receiver::{Payload, Reply};
use crate::scenario::AUDIO_BITRATE;
use crate::source::Packet;
use crate::system::{Controller, System};
use std::collections::VecDeque;
use std::time::Duration;
use tureen_congestion::allocator::{Allocator, Content, Ladder, Step};
use tureen_congestion::send::{FeedbackReader, Pacer, PacerConfig, PacketKind, Release, SentPacket};
use tureen_rtp_wire::Time;
use tureen_rtp_wire::rtcp::{Compound, RtcpPacket};

/// Packets that may be sent again, and for how long.
const STORE: usize = 2048;
const STORE_TIME: Duration = Duration::from_secs(1);
/// A fall of the target below this part of what the rung takes leaves the rung at once, without waiting for a key frame.
const AT_ONCE: f64 = 0.7;
/// A key frame that did not come is asked for again.
const KEY_FRAME_PATIENCE: Duration = Duration::from_millis(300);
const CONSUMER: u64 = 1;

#[derive(Clone, Copy, Debug)]
enum Token {
    Audio,
    Video { chain: u64, packet: Packet },
    Again { sequence: u64, chain: u64, packet: Packet },
}

#[derive(Clone, Copy, Debug)]
struct Stored {
    at: Time,
    sequence: u64,
    chain: u64,
    packet: Packet,
}

/// What leaves.
#[derive(Clone, Copy, Debug)]
pub struct Outgoing {
    /// The transport-wide number.
    pub wide: u16,
    /// Bytes.
    pub size: u16,
    /// What it is.
    pub payload: Payload,
    /// How long it waited in the pacer.
    pub waited: Duration,
}

/// Which rung is forwarded, and which is wanted.
#[derive(Clone, Copy, Debug, Default)]
struct Forwarding {
    rung: Option<usize>,
    target: Option<usize>,
    asked: Option<Time>,
    /// The last key frame: nothing before it is of use.
    key_chain: u64,
    sequence: u64,
}

/// A change of rung.
#[derive(Clone, Copy, Debug)]
pub struct Switch {
    /// When the first packet of it was forwarded.
    pub at: Time,
    /// The rungs, from 1; 0 is none.
    pub from: usize,
    /// See `from`.
    pub to: usize,
}

/// The server's end.
#[derive(Debug)]
pub struct Sender {
    controller: Controller,
    /// The changes of rung so far.
    pub switches: Vec<Switch>,
    ladder: Vec<u64>,
    allocator: Allocator,
    pacer: Pacer<Token>,
    reader: FeedbackReader,
    forwarding: Forwarding,
    store: VecDeque<Stored>,
    wide: u16,
    wanted_key: Option<usize>,
}

impl Sender {
    /// A server's end for a source of these rates, with the estimator of a system.
    pub fn new(ladder: &[u64], system: System) -> Self {
        let steps: Vec<Step> =
            (0_u8..).zip(ladder).map(|(spatial, &bitrate)| Step { spatial, temporal: 0, bitrate }).collect();
        let mut allocator = Allocator::new();
        allocator.set(CONSUMER, Ladder::new(&steps, Content::Camera, None), 1);
        allocator.set_reserved(AUDIO_BITRATE);
        let mut sender = Self {
            controller: Controller::new(system),
            switches: Vec::new(),
            ladder: ladder.to_vec(),
            allocator,
            pacer: Pacer::new(PacerConfig::default()),
            reader: FeedbackReader::new(),
            forwarding: Forwarding::default(),
            store: VecDeque::new(),
            wide: 0,
            wanted_key: None,
        };
        sender.allocate(Time::ZERO);
        sender
    }

    /// The rung of which a key frame is to be asked for, once.
    pub fn take_key_frame_request(&mut self) -> Option<usize> {
        self.wanted_key.take()
    }

    /// Queues a packet of sound.
    pub fn on_audio(&mut self, now: Time, size: u16) {
        // Sound that finds no room is lost, as in life.
        let _ = self.pacer.push(now, Token::Audio, size, PacketKind::Audio);
    }

    /// Queues a packet of the source, if it is of the rung that is forwarded.
    pub fn on_video(&mut self, now: Time, packet: Packet) {
        let forwarding = &mut self.forwarding;
        if packet.key && forwarding.target == Some(packet.rung) && forwarding.rung != forwarding.target {
            let from = forwarding.rung.map_or(0, |rung| rung + 1);
            self.switches.push(Switch { at: now, from, to: packet.rung + 1 });
            forwarding.rung = forwarding.target;
            forwarding.asked = None;
        }
        if forwarding.rung != Some(packet.rung) {
            return;
        }
        // Frames follow each other at all rungs alike, so the source's number is the place in the chain.
        let chain = packet.frame;
        if packet.key {
            forwarding.key_chain = chain;
            forwarding.asked = None;
        } else if chain < forwarding.key_chain {
            return;
        }
        let token = Token::Video { chain, packet };
        if self.pacer.push(now, token, packet.size, PacketKind::Video).is_err() {
            self.break_off(now);
        }
    }

    /// Takes what the viewer says.
    pub fn on_reply(&mut self, now: Time, reply: Reply) {
        match reply {
            Reply::Feedback(bytes) => {
                for packet in Compound::parse(&bytes).into_iter().flatten().flatten() {
                    if let RtcpPacket::TransportFeedback(feedback) = packet {
                        let results = self.reader.transport(&feedback);
                        self.controller.on_feedback(now, results);
                    }
                }
                self.allocate(now);
            }
            Reply::Nack(numbers) => numbers.into_iter().for_each(|number| self.repair(now, number)),
            Reply::KeyFrame => self.ask(now, self.forwarding.rung),
        }
    }

    /// The next packet that leaves now.
    pub fn poll(&mut self, now: Time) -> Option<Outgoing> {
        if now >= self.controller.poll_timeout() {
            if let Some(probe) = self.controller.on_timeout(now) {
                self.pacer.start_probe(now, probe);
            }
            self.allocate(now);
        }
        self.pacer.set_bitrate(self.controller.pacing_bitrate());
        loop {
            let (size, kind, payload, probe, waited) = match self.pacer.poll(now)? {
                Release::Padding { size, probe } => {
                    (size, PacketKind::Padding, Payload::Padding, Some(probe), Duration::ZERO)
                }
                Release::Packet(packet) => {
                    let payload = self.payload(now, packet.token);
                    (packet.size, packet.kind, payload, packet.probe, packet.waited)
                }
                Release::Expired { kind: PacketKind::Video, .. } => {
                    self.break_off(now);
                    continue;
                }
                Release::Expired { .. } => continue,
            };
            self.wide = self.wide.wrapping_add(1);
            self.controller.on_sent(now, SentPacket { sequence_number: self.wide, size, kind, probe });
            return Some(Outgoing { wide: self.wide, size, payload, waited });
        }
    }

    /// When to poll next.
    pub fn next_deadline(&self) -> Time {
        self.pacer.next_deadline().min(self.controller.poll_timeout())
    }

    /// The estimate, in bits per second.
    pub fn target_bitrate(&self) -> u64 {
        self.controller.target_bitrate()
    }

    /// Bits per second of the rung that is forwarded.
    pub fn rung_bitrate(&self) -> u64 {
        self.forwarding.rung.and_then(|rung| self.ladder.get(rung)).copied().unwrap_or(0)
    }

    fn allocate(&mut self, now: Time) {
        let target = self.controller.target_bitrate();
        self.allocator.update(now, self.controller.media_bitrate(), self.pacer.backlog());
        let (next, all) = self.allocator.wanted();
        self.controller.set_wanted(next, all);
        let step = self.allocator.grants().next().and_then(|grant| grant.step);
        let rung = step.map(|step| usize::from(step.spatial));
        if rung != self.forwarding.target {
            self.forwarding.target = rung;
            let too_much = (target as f64) < self.rung_bitrate() as f64 * AT_ONCE;
            if rung.is_none() || (too_much && rung < self.forwarding.rung) {
                self.leave(now);
            }
            self.forwarding.asked = None;
        }
        let wanted = self.forwarding.target.filter(|_| self.forwarding.rung != self.forwarding.target);
        if wanted.is_some() && self.forwarding.asked.is_none_or(|at| now.since(at) > KEY_FRAME_PATIENCE) {
            self.ask(now, wanted);
        }
    }

    fn ask(&mut self, now: Time, rung: Option<usize>) {
        self.wanted_key = rung.or(self.wanted_key);
        self.forwarding.asked = Some(now);
    }

    /// Forwards no pictures until a key frame comes, and forgets those that wait.
    fn leave(&mut self, now: Time) {
        if let Some(rung) = self.forwarding.rung.take() {
            self.switches.push(Switch { at: now, from: rung + 1, to: 0 });
        }
        self.pacer.retain(|token| matches!(token, Token::Audio));
    }

    /// A frame could not be sent whole: what follows is of no use until a key frame.
    fn break_off(&mut self, now: Time) {
        self.leave(now);
        self.ask(now, self.forwarding.target);
    }

    fn repair(&mut self, now: Time, number: u64) {
        let stored = self.store.iter().rev().find(|stored| stored.sequence == number);
        let Some(&Stored { sequence, chain, packet, .. }) = stored
            .filter(|stored| now.since(stored.at) < STORE_TIME && stored.chain >= self.forwarding.key_chain)
        else {
            return;
        };
        let token = Token::Again { sequence, chain, packet };
        // What finds no room is asked for again.
        let _ = self.pacer.push(now, token, packet.size, PacketKind::Retransmission);
    }

    fn payload(&mut self, now: Time, token: Token) -> Payload {
        match token {
            Token::Audio => Payload::Audio,
            Token::Again { sequence, chain, packet } => Payload::Video { sequence, chain, packet },
            Token::Video { chain, packet } => {
                self.forwarding.sequence += 1;
                let sequence = self.forwarding.sequence;
                if self.store.len() == STORE {
                    self.store.pop_front();
                }
                self.store.push_back(Stored { at: now, sequence, chain, packet });
                Payload::Video { sequence, chain, packet }
            }
        }
    }
}
