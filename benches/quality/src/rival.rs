//! One TCP flow that always has something to send: CUBIC (RFC 9438) with slow start, as a rival for the bottleneck only.
//!
//! A compact model: every packet is acknowledged, three later ones show a loss, the window falls once a round trip. Must not
//! know who else is on the link.

use std::collections::BTreeMap;
use std::time::Duration;
use tureen_rtp_wire::Time;

/// Bytes of a packet.
pub const RIVAL_PACKET: usize = 1200;
/// RFC 9438 sections 4.1 and 4.6.
const C: f64 = 0.4;
const BETA: f64 = 0.7;
const TIMEOUT: Duration = Duration::from_secs(1);

/// The sender.
#[derive(Clone, Debug)]
pub struct Rival {
    window: f64,
    threshold: f64,
    most: f64,
    epoch: Option<Time>,
    friendly: f64,
    next: u64,
    recovery: u64,
    under_way: BTreeMap<u64, Time>,
    round_trip: f64,
    delivered: u64,
    progress: Time,
}

impl Default for Rival {
    fn default() -> Self {
        Self::new()
    }
}

impl Rival {
    /// A flow that begins.
    pub fn new() -> Self {
        Self {
            window: 10.0,
            threshold: f64::MAX,
            most: 0.0,
            epoch: None,
            friendly: 0.0,
            next: 0,
            recovery: 0,
            under_way: BTreeMap::new(),
            round_trip: 0.1,
            delivered: 0,
            progress: Time::ZERO,
        }
    }

    /// The packet to send now, if the window lets one.
    pub fn next_packet(&mut self, now: Time) -> Option<u64> {
        if now.since(self.progress) > TIMEOUT && !self.under_way.is_empty() {
            self.under_way.clear();
            self.threshold = (self.window / 2.0).max(2.0);
            (self.window, self.epoch, self.progress) = (2.0, None, now);
        }
        if self.under_way.len() as f64 >= self.window {
            return None;
        }
        if self.under_way.is_empty() {
            self.progress = now;
        }
        self.next += 1;
        self.under_way.insert(self.next, now);
        Some(self.next)
    }

    /// A packet was acknowledged.
    pub fn on_ack(&mut self, now: Time, packet: u64) {
        let Some(sent) = self.under_way.remove(&packet) else { return };
        self.progress = now;
        self.delivered += 1;
        self.round_trip = 0.875 * self.round_trip + 0.125 * now.since(sent).as_secs_f64();
        let before = self.under_way.len();
        self.under_way.retain(|&number, _| number + 3 > packet);
        if self.under_way.len() < before && packet > self.recovery {
            self.recovery = self.next;
            self.most = self.window;
            self.window = (self.window * BETA).max(2.0);
            (self.threshold, self.epoch) = (self.window, None);
        } else if self.window < self.threshold {
            self.window += 1.0;
        } else {
            self.grow(now);
        }
    }

    /// Bytes that arrived.
    pub const fn delivered(&self) -> u64 {
        self.delivered * RIVAL_PACKET as u64
    }

    fn grow(&mut self, now: Time) {
        if self.epoch.is_none() {
            self.epoch = Some(now);
            self.friendly = self.window;
            self.most = self.most.max(self.window);
        }
        let elapsed = self.epoch.map_or(0.0, |epoch| now.since(epoch).as_secs_f64());
        let flat = ((self.most * (1.0 - BETA)) / C).cbrt();
        let target = C * (elapsed + self.round_trip - flat).powi(3) + self.most;
        self.friendly += 3.0 * (1.0 - BETA) / (1.0 + BETA) / self.window;
        let cubic = self.window + ((target - self.window) / self.window).clamp(0.0, 0.5);
        self.window = cubic.max(self.friendly);
    }
}
