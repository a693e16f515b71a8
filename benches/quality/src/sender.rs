//! The server's end of one viewer: layers by the allocator, packets by the pacer, the rate by the estimator.
//!
//! What the Core will do, small: it forwards one rung and answers NACKs. Must not know the link.

use crate::forwarding::Forwarding;
use crate::receiver::{Payload, Reply};
use crate::source::Packet;
use crate::system::Controller;
use std::collections::VecDeque;
use std::time::Duration;
use tureen_congestion::send::{FeedbackReader, Pacer, PacerConfig, PacketKind, Release, SentPacket};
use tureen_rtp_wire::Time;
use tureen_rtp_wire::rtcp::{Compound, RtcpPacket};

/// Packets that may be sent again, and for how long.
const STORE: usize = 2048;
const STORE_TIME: Duration = Duration::from_secs(1);

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

/// The server's end.
#[derive(Debug)]
pub struct Sender {
    controller: Controller,
    /// Which rung is sent.
    pub forwarding: Forwarding,
    pacer: Pacer<Token>,
    reader: FeedbackReader,
    store: VecDeque<Stored>,
    sequence: u64,
    wide: u16,
}

impl Sender {
    /// A server's end for a source of these rates, with an estimator.
    pub fn new(ladder: &[u64], controller: Controller) -> Self {
        let mut sender = Self {
            controller,
            forwarding: Forwarding::new(ladder),
            pacer: Pacer::new(PacerConfig::default()),
            reader: FeedbackReader::new(),
            store: VecDeque::new(),
            sequence: 0,
            wide: 0,
        };
        sender.allocate(Time::ZERO);
        sender
    }

    /// Queues a packet of sound.
    pub fn on_audio(&mut self, now: Time, size: u16) {
        // Sound that finds no room is lost, as in life.
        let _ = self.pacer.push(now, Token::Audio, size, PacketKind::Audio);
    }

    /// Queues a packet of the source, if it is of the rung that is forwarded.
    pub fn on_video(&mut self, now: Time, packet: Packet) {
        let Some(chain) = self.forwarding.place(now, packet) else { return };
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
            Reply::KeyFrame => self.forwarding.on_key_frame_request(now),
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

    fn allocate(&mut self, now: Time) {
        let (estimate, for_layers) = (self.controller.target_bitrate(), self.controller.media_bitrate());
        if self.forwarding.allocate(now, estimate, for_layers, self.pacer.backlog()) {
            self.forget_pictures();
        }
        let (next, all) = self.forwarding.wanted();
        self.controller.set_wanted(next, all);
    }

    fn forget_pictures(&mut self) {
        self.pacer.retain(|token| matches!(token, Token::Audio));
    }

    fn break_off(&mut self, now: Time) {
        self.forwarding.break_off(now);
        self.forget_pictures();
    }

    fn repair(&mut self, now: Time, number: u64) {
        let stored = self.store.iter().rev().find(|stored| stored.sequence == number);
        let Some(&Stored { sequence, chain, packet, .. }) = stored
            .filter(|stored| now.since(stored.at) < STORE_TIME && self.forwarding.is_of_use(stored.chain))
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
                self.sequence += 1;
                let sequence = self.sequence;
                if self.store.len() == STORE {
                    self.store.pop_front();
                }
                self.store.push_back(Stored { at: now, sequence, chain, packet });
                Payload::Video { sequence, chain, packet }
            }
        }
    }
}
