//! From what reports say to a rate: falls to what queues let through, grows where nothing speaks against it, and holds its own
//! where others fill the queue.
//!
//! No powers and logarithms: their last digit differs between platforms, and equal input must give equal output. Must not know
//! packets, nor how a report looks.

use super::competition::{Competition, Used};
use super::delay::DelaySignal;
use super::loss::LossSignal;
use super::probe::{ProbeResult, Want};
use crate::link_capacity::LinkCapacity;
use crate::overuse::Usage;
use std::time::Duration;
use tureen_rtp_wire::Time;

/// What remains of the rate that queues let through. It is near one, since draining is the pacer's part: see [`Drain`]. And it
/// is one while the queue is short: a burst is no lack of capacity.
const DECREASE: f64 = 0.97;
/// Growth a second while the capacity of the link is not known (draft-ietf-rmcat-gcc-02 section 5.5, `eta - 1`).
const INCREASE: f64 = 0.08;
/// The estimate does not grow above so many times what arrives, and some: nothing is promised that was not seen.
const MAX_LEAD: f64 = 1.5;
const SLACK: f64 = 10_000.0;
/// Nor above so many times what is wanted.
const MAX_SURPLUS: f64 = 1.15;
/// Bits per second and second of the slow growth near the capacity, at the least.
const MIN_SLOW_INCREASE: f64 = 4_000.0;
/// Microseconds of queue: below the first, growth is no matter; above the second, one that stands still is.
const MIN_GROWING_QUEUE: f64 = 12_000.0;
const MAX_STANDING_QUEUE: f64 = 40_000.0;
/// Who sends as much as before is patient up to this queue: of those who share a bottleneck, who has grown gives way first.
const PATIENCE: f64 = 60_000.0;
const GROWN: f64 = 1.2;
/// What lies below this of the spread of delays comes from bursts and not from jitter, in microseconds.
const LITTLE_SPREAD: f64 = 4_000.0;
/// Where less than this part of what is sent gets through, the capacity fell.
const SUDDEN: f64 = 0.7;
/// Where this part of what is sent gets through, the queue has others' packets in it.
const MOST: f64 = 0.9;
/// A queue is drained within about this long, in microseconds, and in no case for longer than the second.
const DRAIN_MICROS: f64 = 500_000.0;
const MAX_DRAIN: Duration = Duration::from_millis(1_500);
/// The bounds of the pacing rate while a queue drains, as parts of the capacity.
const DRAIN_MOST: f64 = 0.95;
const DRAIN_LEAST: f64 = 0.3;
/// Packets are paced so much faster than the estimate while there is no queue.
const PACING: f64 = 1.15;
/// What of the rate from before a silence is tried after it.
const AFTER_SILENCE: f64 = 0.5;
/// A silence leaves at least this part of the rate.
const SILENCE_LEAST: f64 = 0.05;

/// Why the estimate is what it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum RateReason {
    /// Nothing was reported yet.
    Start,
    /// It grows: queues are empty and the estimate is used.
    Growth,
    /// It stays: less is sent than it allows, and what is not tried is not known.
    Application,
    /// A probe went through at this rate, or showed the capacity.
    Probe,
    /// Queues grew, or stood.
    Queue,
    /// More packets were lost than the link loses by itself.
    Loss,
    /// Queues marked packets (RFC 3168, RFC 9331).
    Marks,
    /// Somebody else fills the queue, whatever is sent here: it gives way to losses only.
    Competition,
    /// Nothing has been reported for long.
    Silence,
    /// The receiver told a bitrate (REMB).
    Remb,
}

impl RateReason {
    /// Its name in statistics.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Start => "start",
            Self::Growth => "growth",
            Self::Application => "application",
            Self::Probe => "probe",
            Self::Queue => "queue",
            Self::Loss => "loss",
            Self::Marks => "marks",
            Self::Competition => "competition",
            Self::Silence => "silence",
            Self::Remb => "remb",
        }
    }
}

/// What a report says, put together.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Judgement {
    pub now: Time,
    pub delay: Option<DelaySignal>,
    pub loss: LossSignal,
    /// Bits per second that arrived of late, and that arrived while packets queued.
    pub acknowledged: Option<f64>,
    pub busy: Option<f64>,
    pub round_trip: Duration,
    /// Bits per second that were sent over the last half second, and over some seconds.
    pub sent: f64,
    pub sent_before: f64,
    /// Less is sent than the estimate allows.
    pub application_limited: bool,
    /// The newest packet that the report tells of was sent at this time.
    pub newest_sent: Option<Time>,
    pub want: Want,
}

impl Judgement {
    /// Whether more is sent than some seconds ago.
    fn has_grown(&self) -> bool {
        self.sent > self.sent_before * GROWN
    }
}

/// A queue that is being drained: packets leave slower than the link carries, the estimate stays what it is.
#[derive(Clone, Copy, Debug)]
struct Drain {
    since: Time,
    capacity: f64,
    queue: f64,
}

/// Bounds of the estimate in bits per second.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bounds {
    pub min: f64,
    pub max: f64,
}

/// The controller.
#[derive(Clone, Debug)]
pub(crate) struct RateController {
    estimate: f64,
    bounds: Bounds,
    reason: RateReason,
    capacity: Option<LinkCapacity>,
    drain: Option<Drain>,
    competition: Competition,
    updated: Time,
    decreased: Option<Time>,
    before_silence: Option<f64>,
    remb: Option<f64>,
}

impl RateController {
    pub(crate) fn new(start: f64, bounds: Bounds) -> Self {
        Self {
            estimate: start.clamp(bounds.min, bounds.max),
            bounds,
            reason: RateReason::Start,
            capacity: None,
            drain: None,
            competition: Competition::new(),
            updated: Time::ZERO,
            decreased: None,
            before_silence: None,
            remb: None,
        }
    }

    pub(crate) fn estimate(&self) -> f64 {
        self.remb.map_or(self.estimate, |remb| self.estimate.min(remb.max(self.bounds.min)))
    }

    pub(crate) fn reason(&self) -> RateReason {
        if self.remb.is_some_and(|remb| remb < self.estimate) { RateReason::Remb } else { self.reason }
    }

    /// The rate at which packets leave: slower than the link carries while its queue drains.
    pub(crate) fn pacing(&self) -> f64 {
        let paced = self.estimate() * PACING;
        self.drain.map_or(paced, |drain| {
            let part = (DRAIN_MOST - drain.queue / DRAIN_MICROS).max(DRAIN_LEAST);
            (drain.capacity * part).min(paced).max(self.bounds.min)
        })
    }

    /// The highest that the estimate may be, in bits per second.
    pub(crate) const fn most(&self) -> f64 {
        self.bounds.max
    }

    pub(crate) fn set_bounds(&mut self, bounds: Bounds) {
        self.bounds = bounds;
        self.estimate = self.estimate.clamp(bounds.min, bounds.max);
    }

    /// Takes a bitrate of the receiver's: a bound where there are reports, and otherwise all that is known.
    pub(crate) fn set_remb(&mut self, bitrate: Option<f64>, reported: bool) {
        self.remb = bitrate;
        if let Some(bitrate) = bitrate.filter(|_| !reported) {
            self.estimate = bitrate.clamp(self.bounds.min, self.bounds.max);
            self.reason = RateReason::Remb;
        }
    }

    /// Whether a probe would tell something: there is no queue, and nobody who fills it.
    pub(crate) const fn may_probe(&self) -> bool {
        self.drain.is_none() && !self.competition.is_on() && self.before_silence.is_none()
    }

    pub(crate) const fn is_competing(&self) -> bool {
        self.competition.is_on()
    }

    /// Takes what a probe found: it raises the estimate, and lowers none, since it was short.
    pub(crate) fn on_probe(&mut self, result: ProbeResult) {
        if !self.may_probe() {
            return;
        }
        let found = result.bitrate;
        if found > self.estimate {
            if self.capacity.is_some_and(|capacity| found > capacity.mean() && !capacity.is_near(found)) {
                self.capacity = None;
            }
            self.set(found, RateReason::Probe);
        }
    }

    /// Nothing was reported for long although packets are under way.
    pub(crate) fn on_silence(&mut self) {
        let before = *self.before_silence.get_or_insert(self.estimate);
        self.drain = None;
        self.set((self.estimate / 2.0).max(before * SILENCE_LEAST), RateReason::Silence);
    }

    /// Takes a report. Says whether the way is there again after a silence.
    pub(crate) fn update(&mut self, judgement: &Judgement) -> bool {
        let now = judgement.now;
        let passed = now.since(self.updated).min(Duration::from_millis(500)).as_secs_f64();
        self.updated = now;
        let Some(delay) = judgement.delay else { return false };
        if let Some(before) = self.before_silence.take() {
            self.decreased = Some(now);
            self.set(self.estimate.max(before * AFTER_SILENCE), RateReason::Silence);
            return true;
        }
        let empty = delay.least_queue < delay.empty_below();
        let alone = !self.competition.is_on();
        if self.competition.update(now, empty, delay.last_queue - 2.0 * delay.spread) {
            if alone {
                self.set(self.competition.first_rate(self.estimate), RateReason::Competition);
            }
            self.drain = None;
            self.compete(judgement, passed);
            return false;
        }
        if let Some(drain) = &mut self.drain {
            drain.queue = delay.last_queue;
            if empty || now.since(drain.since) > MAX_DRAIN {
                self.drain = None;
            }
        }
        if is_overuse(delay) {
            self.fall(judgement, delay);
        } else if self.drain.is_none() && delay.usage == Usage::Normal {
            self.grow(judgement, passed);
        }
        self.give_way_to_losses(judgement);
        self.give_way_to_marks(judgement);
        false
    }

    fn fall(&mut self, judgement: &Judgement, delay: DelaySignal) {
        // What arrives says something of the capacity only where it queued for long enough.
        let whole = judgement.acknowledged.filter(|_| !delay.is_short());
        let Some(through) = judgement.busy.or(whole) else { return };
        let sudden = through < judgement.sent.min(self.estimate) * SUDDEN;
        let since = self.drain.map_or(judgement.now, |drain| drain.since);
        // Where others have a part in the queue, what gets through falls with what is sent: that must not feed on itself.
        let least = if sudden { 0.0 } else { judgement.sent_before.min(self.estimate) };
        self.drain = Some(Drain { since, capacity: through.max(least), queue: delay.last_queue });
        let patient = !judgement.has_grown() && delay.last_queue < PATIENCE + 3.0 * delay.spread;
        if !sudden && (patient || !self.has_reacted(judgement)) {
            return;
        }
        if self.capacity.is_some_and(|capacity| !capacity.is_near(through)) {
            self.capacity = None;
        }
        self.capacity = Some(LinkCapacity::update(self.capacity, through));
        self.decreased = Some(judgement.now);
        self.competition.on_fall(self.estimate);
        let shared = delay.is_short() && through > judgement.sent * MOST;
        let used = if shared { judgement.sent } else { 0.0 };
        let left = if delay.is_short() { through.max(used) } else { through * DECREASE };
        if left < self.estimate {
            self.set(left, RateReason::Queue);
        }
    }

    fn grow(&mut self, judgement: &Judgement, passed: f64) {
        let Some(acknowledged) = judgement.acknowledged else { return };
        if judgement.application_limited {
            if matches!(self.reason, RateReason::Growth | RateReason::Start | RateReason::Silence) {
                self.reason = RateReason::Application;
            }
            return;
        }
        if self.capacity.is_some_and(|known| acknowledged > known.mean() && !known.is_near(acknowledged)) {
            // More arrives than the link was thought to carry.
            self.capacity = None;
        }
        let per_second = match self.capacity {
            Some(capacity) if capacity.is_near(self.estimate) => self.slow_increase(judgement.round_trip),
            _ => self.estimate * INCREASE,
        };
        let lead = MAX_LEAD * acknowledged + SLACK;
        let limit = lead.min(judgement.want.all * MAX_SURPLUS);
        if self.estimate < limit {
            self.set((self.estimate + per_second * passed).min(limit), RateReason::Growth);
        }
    }

    /// Half a packet for each time that a change takes to show, in bits per second and second (section 5.5).
    fn slow_increase(&self, round_trip: Duration) -> f64 {
        let frame = self.estimate / 30.0;
        let packet = frame / (frame / (1200.0 * 8.0)).ceil().max(1.0);
        let response = (round_trip + Duration::from_millis(100)).as_secs_f64();
        (0.5 * packet / response).max(MIN_SLOW_INCREASE)
    }

    /// As senders by losses do: up by packets a round trip, down by a part for each loss.
    fn compete(&mut self, judgement: &Judgement, passed: f64) {
        let acknowledged = judgement.acknowledged.unwrap_or(0.0);
        if judgement.loss.fresh && self.has_reacted(judgement) {
            self.decreased = Some(judgement.now);
            let used = if judgement.has_grown() { Used::Grown } else { Used::Steady(judgement.sent) };
            let left = Competition::after_loss(self.estimate, used, judgement.loss.share);
            self.set(left, RateReason::Competition);
            return;
        }
        let limit =
            Competition::limit(acknowledged, judgement.want.next).min(judgement.want.all * MAX_SURPLUS);
        let grown = self.estimate + Competition::growth(self.estimate, judgement.round_trip) * passed;
        if self.estimate < limit {
            self.set(grown.min(limit), RateReason::Competition);
        }
    }

    fn give_way_to_losses(&mut self, judgement: &Judgement) {
        let loss = judgement.loss;
        if loss.excess <= 0.0 || !self.has_reacted(judgement) {
            return;
        }
        self.decreased = Some(judgement.now);
        self.set(self.estimate * (1.0 - 0.5 * loss.share.min(1.0)), RateReason::Loss);
    }

    fn give_way_to_marks(&mut self, judgement: &Judgement) {
        let Some(marked) = judgement.loss.marked.filter(|_| self.has_reacted(judgement)) else { return };
        self.decreased = Some(judgement.now);
        let used =
            judgement.acknowledged.map_or(self.estimate, |through| self.estimate.min(through * MAX_LEAD));
        self.set(used * (1.0 - marked / 2.0), RateReason::Marks);
    }

    /// Whether the report tells of packets that were sent after the last fall.
    fn has_reacted(&self, judgement: &Judgement) -> bool {
        match (self.decreased, judgement.newest_sent) {
            (Some(decreased), Some(sent)) => sent > decreased,
            _ => true,
        }
    }

    /// The time of the last fall, if there was one.
    pub(crate) const fn decreased(&self) -> Option<Time> {
        self.decreased
    }

    fn set(&mut self, estimate: f64, reason: RateReason) {
        let bounded = estimate.clamp(self.bounds.min, self.bounds.max);
        // Whatever was reported, the estimate stays a number.
        if bounded.is_finite() {
            (self.estimate, self.reason) = (bounded, reason);
        }
    }
}

fn is_overuse(delay: DelaySignal) -> bool {
    let growing = delay.usage == Usage::Over
        && delay.last_queue > MIN_GROWING_QUEUE + 4.0 * (delay.spread - LITTLE_SPREAD).max(0.0);
    growing || delay.least_queue > MAX_STANDING_QUEUE + 3.0 * delay.spread
}
