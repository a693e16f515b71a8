//! A sender behind an estimator and a pacer, a link with a queue, and a receiver that reports each 100 ms.

#![allow(dead_code, unreachable_pub, reason = "each test file uses a part of it")]

use std::time::Duration;
use tureen_congestion::send::{
    Ecn, Estimator, Outcome, Pacer, PacerConfig, PacketKind, PacketResult, ReceiverTime, Release, SentPacket,
};
use tureen_rtp_wire::Time;

const STEP: Duration = Duration::from_millis(1);
/// One way.
const DELAY: Duration = Duration::from_millis(20);
/// The receiver's clock is elsewhere.
const CLOCK: i64 = -77_000_000_000;
const PACKET: u16 = 1200;

#[derive(Debug)]
pub struct Path {
    pub estimator: Estimator,
    pacer: Pacer<()>,
    pub capacity: u64,
    /// What the source sends at the most; it follows the estimate.
    pub source: u64,
    pub lose_each: u64,
    pub marked: bool,
    pub silent: bool,
    /// Bytes of padding that were sent.
    pub padding: u64,
    now: Time,
    free_at: Time,
    owed: f64,
    sent: u64,
    waiting: Vec<(Time, PacketResult)>,
    report_at: Time,
}

impl Path {
    pub fn new(capacity: u64) -> Self {
        Self {
            estimator: Estimator::default(),
            pacer: Pacer::new(PacerConfig::default()),
            capacity,
            source: u64::MAX,
            lose_each: u64::MAX,
            marked: false,
            silent: false,
            padding: 0,
            now: Time::from_millis(1),
            free_at: Time::ZERO,
            owed: 0.0,
            sent: 0,
            waiting: Vec::new(),
            report_at: Time::from_millis(100),
        }
    }

    pub fn want(&mut self, all: u64) {
        self.estimator.set_wanted(all, all);
        self.source = all;
    }

    /// How long a packet would wait now.
    pub fn queue(&self) -> Duration {
        self.free_at.since(self.now)
    }

    /// Steps of a millisecond until `end`.
    pub fn run(&mut self, end: Time) {
        while self.now < end {
            self.now += STEP;
            self.produce();
            self.send();
            self.report();
        }
    }

    fn produce(&mut self) {
        let rate = self.estimator.target_bitrate().min(self.source) as f64 * 0.97;
        self.owed = (self.owed + rate * STEP.as_secs_f64() / 8.0).min(20_000.0);
        while self.owed >= f64::from(PACKET) {
            self.owed -= f64::from(PACKET);
            let _ = self.pacer.push(self.now, (), PACKET, PacketKind::Video);
        }
    }

    fn send(&mut self) {
        let now = self.now;
        if now >= self.estimator.poll_timeout()
            && let Some(probe) = self.estimator.on_timeout(now)
        {
            self.pacer.start_probe(now, probe);
        }
        self.pacer.set_bitrate(self.estimator.pacing_bitrate());
        while let Some(release) = self.pacer.poll(now) {
            let (size, kind, probe) = match release {
                Release::Packet(packet) => (packet.size, packet.kind, packet.probe),
                Release::Padding { size, probe } => (size, PacketKind::Padding, Some(probe)),
                Release::Expired { .. } => continue,
            };
            self.sent += 1;
            self.padding += if kind == PacketKind::Padding { u64::from(size) } else { 0 };
            let sequence_number = self.sent as u16;
            self.estimator.on_sent(now, SentPacket { sequence_number, size, kind, probe });
            if self.queue() > Duration::from_millis(300) || self.silent {
                self.lose(sequence_number);
                continue;
            }
            let nanos = u64::from(size) * 8_000_000_000 / self.capacity;
            self.free_at = self.free_at.max(now) + Duration::from_nanos(nanos);
            if self.sent.is_multiple_of(self.lose_each) {
                self.lose(sequence_number);
                continue;
            }
            let arrival = self.free_at + DELAY;
            let at = ReceiverTime::from_micros(arrival.as_micros() as i64 + CLOCK);
            let ecn = if self.marked { Ecn::CongestionExperienced } else { Ecn::Capable1 };
            let result = PacketResult { sequence_number, outcome: Outcome::ArrivedAt(at), ecn };
            self.waiting.push((arrival, result));
        }
    }

    fn lose(&mut self, sequence_number: u16) {
        let result = PacketResult { sequence_number, outcome: Outcome::Missing, ecn: Ecn::NotCapable };
        // It shows when a later one arrives.
        self.waiting.push((self.free_at.max(self.now) + DELAY + 2 * STEP, result));
    }

    fn report(&mut self) {
        if self.now < self.report_at {
            return;
        }
        self.report_at = self.now + Duration::from_millis(100);
        if self.silent {
            self.waiting.clear();
            return;
        }
        let seen = self.now - DELAY;
        let (told, waiting) = self.waiting.drain(..).partition(|(at, _)| *at <= seen);
        let told: Vec<(Time, PacketResult)> = told;
        self.waiting = waiting;
        self.estimator.on_feedback(self.now, told.into_iter().map(|(_, result)| result));
    }
}
