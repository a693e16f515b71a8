//! Flows that always have something to send, as rivals for the bottleneck only: a compact model of TCP with CUBIC (RFC 9438) and
//! slow start, and a QUIC connection.
//!
//! In the model every packet is acknowledged, three later ones show a loss, the window falls once a round trip. Must not
//! know who else is on the link.

use crate::quic::QuicFlow;
use std::collections::BTreeMap;
use std::time::Duration;
use tureen_rtp_wire::Time;

/// Bytes of a packet.
const RIVAL_PACKET: usize = 1200;
/// RFC 9438 sections 4.1 and 4.6.
const C: f64 = 0.4;
const BETA: f64 = 0.7;
const TIMEOUT: Duration = Duration::from_secs(1);
/// How often the model looks for a timeout.
const TICK: Duration = Duration::from_millis(50);

/// Who competes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RivalKind {
    /// The model in this file.
    Cubic,
    /// A connection of `quinn-proto`, whose controller is CUBIC.
    Quic,
}

/// A flow that competes.
#[derive(Debug)]
pub enum Rival {
    /// See [`RivalKind::Cubic`].
    Cubic(Box<CubicFlow>),
    /// See [`RivalKind::Quic`].
    Quic(Box<QuicFlow>),
}

impl Rival {
    /// A flow that begins, over a way of `delay` each way.
    pub fn new(kind: RivalKind, delay: Duration, seed: u64) -> Self {
        match kind {
            RivalKind::Cubic => Self::Cubic(Box::default()),
            RivalKind::Quic => Self::Quic(Box::new(
                QuicFlow::connect(delay, seed).expect("a handshake in memory without losses"),
            )),
        }
    }

    /// The packet to send now, if it may send one: its number and its size.
    pub fn next_packet(&mut self, now: Time) -> Option<(u64, usize)> {
        match self {
            Self::Cubic(flow) => flow.next_packet(now).map(|number| (number, RIVAL_PACKET)),
            Self::Quic(flow) => flow.next_packet(now),
        }
    }

    /// A packet arrived, or it is time to look: the numbers of what is said to that.
    pub fn on_arrival(&mut self, now: Time, packet: Option<u64>) -> Vec<u64> {
        match self {
            Self::Cubic(_) => packet.into_iter().collect(),
            Self::Quic(flow) => flow.on_arrival(now, packet),
        }
    }

    /// What was said has come back.
    pub fn on_answer(&mut self, now: Time, number: u64) {
        match self {
            Self::Cubic(flow) => flow.on_ack(now, number),
            Self::Quic(flow) => flow.on_answer(now, number),
        }
    }

    /// When to look again.
    pub fn next_deadline(&mut self, now: Time) -> Time {
        match self {
            Self::Cubic(_) => now + TICK,
            Self::Quic(flow) => flow.next_deadline().max(now),
        }
    }

    /// Bytes that arrived.
    pub const fn delivered(&self) -> u64 {
        match self {
            Self::Cubic(flow) => flow.delivered(),
            Self::Quic(flow) => flow.delivered(),
        }
    }
}

/// The sender.
#[derive(Clone, Debug)]
pub struct CubicFlow {
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

impl Default for CubicFlow {
    fn default() -> Self {
        Self::new()
    }
}

impl CubicFlow {
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
