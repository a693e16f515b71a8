//! What the way does to delays: whether they grow, and how long packets queue.
//!
//! The growth is the slope of [`OveruseDetector`], as on the receiving side. The queue is the delay above the least delay of the
//! last half minute, which the slope alone does not see: a queue that stands still has none. Must not know rates.

use super::holding::{Holding, Step};
use crate::arrival_group::ArrivalGroups;
use crate::overuse::{OveruseDetector, Usage};
use std::time::Duration;
use tureen_rtp_wire::{Time, WallClock};

/// The least delay is that of this many spans.
const SPANS: usize = 6;
const SPAN: Duration = Duration::from_secs(5);
/// Without arrivals for this long, what is known of growth is void.
const SILENCE: Duration = Duration::from_secs(2);
/// Weight of a packet in the spread of delays, once there were as many.
const SPREAD_PACKETS: u32 = 64;
/// Packets that are held back together have delays that lie close, while all of them are late: so many times what is held back counts as
/// spread.
const HELD_TIMES: f64 = 2.2;
/// The most that the spread counts for, in microseconds.
const MAX_SPREAD: f64 = 100_000.0;

/// The least delay of the last spans, in microseconds between two clocks that have nothing to do with each other.
#[derive(Clone, Copy, Debug)]
struct LeastDelay {
    spans: [Option<i64>; SPANS],
    number: u64,
    held: bool,
}

impl LeastDelay {
    const fn new() -> Self {
        Self { spans: [None; SPANS], number: 0, held: false }
    }

    fn update(&mut self, sent: Time, delay: i64) -> i64 {
        let number = (sent.as_nanos() / SPAN.as_nanos() as u64).max(self.number);
        if !self.held {
            for step in 0..(number - self.number).min(SPANS as u64) {
                if let Some(span) = self.spans.get_mut(((number - step) % SPANS as u64) as usize) {
                    *span = None;
                }
            }
        }
        self.number = number;
        if let Some(span) = self.spans.get_mut((number % SPANS as u64) as usize) {
            *span = Some(span.map_or(delay, |least| least.min(delay)));
        }
        self.spans.iter().copied().flatten().min().unwrap_or(delay)
    }
}

/// What one report says of delays.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct DelaySignal {
    pub usage: Usage,
    /// Microseconds that the packets queued: the least and the last of the report.
    pub least_queue: f64,
    pub last_queue: f64,
    /// How far delays lie apart from packet to packet, in microseconds: jitter, not queues.
    pub spread: f64,
}

/// A queue below this, in microseconds, is short: a burst makes it, not a lack of capacity.
const SHORT_QUEUE: f64 = 40_000.0;

/// A queue of this many microseconds may be one that overflows.
const OVERFLOWING_QUEUE: f64 = 75_000.0;

impl DelaySignal {
    /// Whether the queue is no longer than a burst makes it.
    pub(crate) fn is_short(self) -> bool {
        self.last_queue < SHORT_QUEUE + 2.0 * self.spread
    }

    /// Whether what is lost is lost behind the queue, which is too short to overflow.
    pub(crate) fn loses_behind(self) -> bool {
        self.last_queue < OVERFLOWING_QUEUE + 2.0 * self.spread
    }

    /// A packet that waited for longer was in a queue.
    pub(crate) fn queued_above(self) -> f64 {
        4_000.0 + self.spread
    }

    /// The queue below which the way counts as empty.
    pub(crate) fn empty_below(self) -> f64 {
        8_000.0 + 2.0 * self.spread
    }
}

/// Follows delays.
#[derive(Clone, Debug)]
pub(crate) struct DelayTracker {
    groups: ArrivalGroups,
    detector: OveruseDetector,
    usage: Usage,
    least: LeastDelay,
    origin: Option<i64>,
    last_sent: Option<Time>,
    last_delay: Option<i64>,
    spread: f64,
    holding: Holding,
    steps: u32,
    report: Option<(f64, f64)>,
}

impl DelayTracker {
    pub(crate) fn new() -> Self {
        Self {
            groups: ArrivalGroups::default(),
            detector: OveruseDetector::new(),
            usage: Usage::Normal,
            least: LeastDelay::new(),
            origin: None,
            last_sent: None,
            last_delay: None,
            spread: 0.0,
            holding: Holding::new(),
            steps: 0,
            report: None,
        }
    }

    /// Takes a packet, in the order of arrival; `at` is the receiver's microseconds, `bytes` are the packet's, with those
    /// of packets that were lost just before it. Says how long it queued.
    pub(crate) fn on_packet(&mut self, sent: Time, at: i64, bytes: u32) -> i64 {
        if self.last_sent.is_some_and(|last| sent.since(last) > SILENCE) {
            self.restart();
        }
        self.last_sent = Some(self.last_sent.map_or(sent, |last| last.max(sent)));
        let delay = at.saturating_sub(micros(sent));
        let queued = delay.saturating_sub(self.least.update(sent, delay));
        self.follow_spread(sent, delay, bytes);
        let origin = *self.origin.get_or_insert(at);
        let arrival = Time::from_nanos(at.saturating_sub(origin).max(0).cast_unsigned().saturating_mul(1000));
        if let Some(delta) = self.groups.add(arrival, WallClock::default().abs_send_time(sent)) {
            self.usage = self.detector.update(delta);
        }
        let queue = queued as f64;
        self.report = Some(self.report.map_or((queue, queue), |(least, _)| (queue.min(least), queue)));
        queued
    }

    /// What the packets since the last call say; `None` without any.
    pub(crate) fn take_signal(&mut self) -> Option<DelaySignal> {
        let (least_queue, last_queue) = self.report.take()?;
        Some(DelaySignal { usage: self.usage, least_queue, last_queue, spread: self.spread() })
    }

    /// How far delays lie apart from packet to packet, or what packets are held back where that tells more, in microseconds.
    pub(crate) const fn spread(&self) -> f64 {
        self.spread.max(self.holding.micros() * HELD_TIMES).min(MAX_SPREAD)
    }

    /// Keeps the least delay from rising, while others may be what fills the queues.
    pub(crate) const fn hold_least_delay(&mut self, held: bool) {
        self.least.held = held;
    }

    /// Forgets how delays grew. The least delay stays.
    pub(crate) fn restart(&mut self) {
        self.groups = ArrivalGroups::default();
        self.detector = OveruseDetector::new();
        self.usage = Usage::Normal;
        self.origin = None;
        self.last_delay = None;
    }

    fn follow_spread(&mut self, sent: Time, delay: i64, bytes: u32) {
        if let Some(last) = self.last_delay.replace(delay) {
            let step = delay.saturating_sub(last) as f64;
            self.holding.on_packet(Step { sent, longer: step, bytes });
            self.steps = (self.steps + 1).min(SPREAD_PACKETS);
            self.spread += (step.abs().min(MAX_SPREAD) - self.spread) / f64::from(self.steps);
        }
    }
}

fn micros(time: Time) -> i64 {
    // 2^63 µs are 292,000 years.
    i64::try_from(time.as_micros()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(tracker: &mut DelayTracker, from: u64, to: u64, delay: impl Fn(u64) -> i64) -> DelaySignal {
        for millis in (from..to).step_by(10) {
            tracker.on_packet(Time::from_millis(millis), millis as i64 * 1000 + delay(millis), 1200);
        }
        tracker.take_signal().expect("there were packets")
    }

    #[test]
    fn a_queue_that_stands_still_is_seen_and_one_that_grows_is_overuse() {
        let mut tracker = DelayTracker::new();
        let idle = run(&mut tracker, 0, 1000, |_| -7_000_000);
        assert_eq!((idle.usage, idle.last_queue), (Usage::Normal, 0.0));
        let growing = run(&mut tracker, 1000, 1400, |at| -7_000_000 + (at as i64 - 1000) * 200);
        assert_eq!(growing.usage, Usage::Over);
        run(&mut tracker, 1400, 3000, |_| -6_920_000);
        let standing = run(&mut tracker, 3000, 4000, |_| -6_920_000);
        assert_eq!((standing.usage, standing.least_queue), (Usage::Normal, 80_000.0));
    }

    #[test]
    fn a_longer_way_becomes_the_measure_after_half_a_minute_unless_it_is_held() {
        for held in [false, true] {
            let mut tracker = DelayTracker::new();
            run(&mut tracker, 0, 1000, |_| 20_000);
            tracker.hold_least_delay(held);
            let signal = run(&mut tracker, 1000, 1500, |_| 50_000);
            assert_eq!(signal.least_queue, 30_000.0);
            run(&mut tracker, 1500, 36_000, |_| 50_000);
            let signal = run(&mut tracker, 36_000, 36_500, |_| 50_000);
            assert_eq!(signal.least_queue, if held { 30_000.0 } else { 0.0 });
        }
    }

    #[test]
    fn jitter_has_a_spread_and_a_queue_has_none() {
        let mut tracker = DelayTracker::new();
        let jitter = run(&mut tracker, 0, 20_000, |at| if at % 20 == 0 { 40_000 } else { 0 });
        assert!((35_000.0..=80_000.0).contains(&jitter.spread), "{}", jitter.spread);
        let mut tracker = DelayTracker::new();
        let queue = run(&mut tracker, 0, 20_000, |at| at as i64 * 20);
        assert!(queue.spread < 250.0, "{}", queue.spread);
    }
}
