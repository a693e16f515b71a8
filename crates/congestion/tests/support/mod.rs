//! A link with a capacity, a queue and a delay, and a sender that does what it is told.

#![allow(unreachable_pub, reason = "shared by test binaries")]

use std::time::Duration;
use tureen_congestion::RembEstimator;
use tureen_rtp_wire::{NtpTime, Time, WallClock};

const PACKET: usize = 1200;
/// One way.
const DELAY: Duration = Duration::from_millis(40);

pub struct Link {
    pub estimator: RembEstimator,
    /// What the sender wants to send, whatever it may.
    pub source: u64,
    /// What it may send, and what it will be allowed once messages have arrived.
    allowed: u64,
    pub messages: Vec<(Time, u64)>,
    applied: usize,
    next_send: Time,
    free_at: Time,
    jitter: u64,
    pub longest_queue: Duration,
}

impl Link {
    pub fn new(source: u64) -> Self {
        Self {
            estimator: RembEstimator::new(),
            source,
            allowed: source,
            messages: Vec::new(),
            applied: 0,
            next_send: Time::from_millis(500),
            free_at: Time::ZERO,
            jitter: 1,
            longest_queue: Duration::ZERO,
        }
    }

    /// Lets the sender send over a link of `capacity` bits per second until `end`.
    pub fn run(&mut self, end: Time, capacity: u64) {
        while self.next_send < end {
            let sent = self.next_send;
            let arrived = |(at, _): &&(Time, u64)| *at + DELAY <= sent;
            while let Some(&(_, bitrate)) = self.messages.get(self.applied).filter(arrived) {
                self.allowed = bitrate;
                self.applied += 1;
            }
            let start = self.free_at.max(sent);
            self.longest_queue = self.longest_queue.max(start.since(sent));
            self.free_at = start + Duration::from_nanos(PACKET as u64 * 8 * 1_000_000_000 / capacity);
            self.jitter = self.jitter.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            let jitter = Duration::from_micros(self.jitter >> 54);
            self.arrive(self.free_at + DELAY + jitter, sent);
            let rate = self.allowed.min(self.source).max(10_000);
            self.next_send = sent + Duration::from_nanos(PACKET as u64 * 8 * 1_000_000_000 / rate);
        }
    }

    fn arrive(&mut self, at: Time, sent: Time) {
        let clock = WallClock::new(NtpTime::new(3_900_000_000, 0));
        self.estimator.on_packet(at, clock.abs_send_time(sent), PACKET);
        if let Some(bitrate) = self.estimator.poll(at) {
            self.messages.push((at, bitrate));
        }
    }

    pub fn told(&self) -> u64 {
        self.messages.last().map_or(0, |&(_, bitrate)| bitrate)
    }

    /// The average of what was told from `from` on.
    pub fn average_since(&self, from: Time) -> u64 {
        let told = self.messages.iter().filter(|(at, _)| *at >= from).map(|&(_, bitrate)| bitrate);
        let (sum, count) = told.fold((0, 0), |(sum, count), bitrate| (sum + bitrate, count + 1));
        sum / u64::max(count, 1)
    }
}
