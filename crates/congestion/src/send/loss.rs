//! What losses and marks say: how many packets are lost whatever is sent, and how many because too much is.
//!
//! A radio link loses packets at any rate, a full queue only above its own. The two are told apart by experiment: where the
//! rate was lowered and the losses stay, they were not the rate's. Must not know delays.

use std::time::Duration;
use tureen_rtp_wire::Time;

/// Losses are counted over this long, in parts.
const PARTS: usize = 5;
const PART: Duration = Duration::from_millis(250);
/// Fewer packets than this say nothing.
const MIN_PACKETS: u32 = 20;
/// The share of packets whose loss is borne without a word, beyond what is lost whatever is sent. It is that of
/// draft-ietf-rmcat-gcc-02 section 6, above which the rate falls; and twice that where nothing queues, since losses that come
/// in bursts are far from even over a second.
const TOLERATED: f64 = 0.10;
const TOLERATED_UNQUEUED: f64 = 0.20;
/// Falls after which losses that stayed are taken for the link's own, and how much of them must have stayed.
const FALLS: u32 = 3;
const STAYED: f64 = 0.7;
/// The most that a link is believed to lose by itself.
const MAX_INHERENT: f64 = 0.3;
/// How fast that belief fades: its half-life is about a minute.
const FADING: f64 = 0.012;
/// Weight of a second in the smoothed share of losses.
const SMOOTHING: f64 = 0.1;
/// Weight of a report in the share of marked packets: `g` of RFC 8257 section 3.3.
const MARK_WEIGHT: f64 = 1.0 / 16.0;

#[derive(Clone, Copy, Debug, Default)]
struct Part {
    lost: u32,
    told: u32,
}

/// Falls of the rate for the sake of losses, one soon after the other.
#[derive(Clone, Copy, Debug)]
struct Trial {
    share: f64,
    falls: u32,
}

/// Counts losses and marks.
#[derive(Clone, Debug)]
pub(crate) struct LossTracker {
    parts: [Part; PARTS],
    number: u64,
    inherent: f64,
    trial: Option<Trial>,
    updated: Time,
    /// Share of marked packets, smoothed, and what was counted since the last report.
    marked: f64,
    marks: u32,
    arrived: u32,
    /// Packets newly reported missing since the last report was judged.
    fresh: u32,
    /// Share of packets that are lost, over some seconds, and for how many of them it was followed.
    smoothed: f64,
    followed: f64,
}

/// What a report says of losses and marks.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct LossSignal {
    /// Share of packets lost over the last second or so; 0 while too few were told of.
    pub share: f64,
    /// What of it is more than the link loses by itself and than is tolerated.
    pub excess: f64,
    /// Whether this report told of losses that no report before did.
    pub fresh: bool,
    /// Share of packets that were marked, smoothed; `None` if the report had no marks.
    pub marked: Option<f64>,
}

impl LossTracker {
    pub(crate) const fn new() -> Self {
        Self {
            parts: [Part { lost: 0, told: 0 }; PARTS],
            number: 0,
            inherent: 0.0,
            trial: None,
            updated: Time::ZERO,
            marked: 0.0,
            marks: 0,
            arrived: 0,
            fresh: 0,
            smoothed: 0.0,
            followed: 0.0,
        }
    }

    pub(crate) fn on_missing(&mut self, now: Time) {
        let part = self.part(now);
        part.lost = part.lost.saturating_add(1);
        part.told = part.told.saturating_add(1);
        self.fresh = self.fresh.saturating_add(1);
    }

    /// Takes a packet that arrived; `was_missing` if a report had said otherwise.
    pub(crate) fn on_arrived(&mut self, now: Time, was_missing: bool, marked: bool) {
        let part = self.part(now);
        if was_missing {
            part.lost = part.lost.saturating_sub(1);
        } else {
            part.told = part.told.saturating_add(1);
        }
        self.arrived = self.arrived.saturating_add(1);
        self.marks = self.marks.saturating_add(u32::from(marked));
    }

    /// What there is to say after a report. `unqueued`: packets have hardly queued.
    pub(crate) fn take_signal(&mut self, now: Time, unqueued: bool) -> LossSignal {
        let passed = now.since(self.updated).min(Duration::from_secs(1)).as_secs_f64();
        self.updated = now;
        self.inherent -= self.inherent * FADING * passed;
        self.part(now);
        let (lost, told) =
            self.parts.iter().fold((0_u32, 0_u32), |(lost, told), part| (lost + part.lost, told + part.told));
        let share = if told < MIN_PACKETS { 0.0 } else { f64::from(lost.min(told)) / f64::from(told) };
        // What is lost in an outage is not lost by the way. The plain mean at first.
        if told >= MIN_PACKETS && share <= MAX_INHERENT {
            self.followed += passed;
            let weight = (passed / self.followed.max(1.0)).max(SMOOTHING * passed);
            self.smoothed += weight * (share - self.smoothed);
        }
        let marked = (self.marks > 0).then(|| {
            let report = f64::from(self.marks) / f64::from(self.arrived.max(self.marks));
            self.marked = self.marked.max(report * MARK_WEIGHT) + MARK_WEIGHT * (report - self.marked);
            self.marked.clamp(0.0, 1.0)
        });
        if self.marks == 0 {
            self.marked -= MARK_WEIGHT * self.marked;
        }
        let fresh = std::mem::take(&mut self.fresh) > 0;
        (self.marks, self.arrived) = (0, 0);
        let tolerated = if unqueued { TOLERATED_UNQUEUED } else { TOLERATED };
        let excess = (share - self.inherent - tolerated).max(0.0);
        if excess <= 0.0 {
            self.trial = None;
        }
        LossSignal { share, excess, fresh, marked }
    }

    /// Forgets the losses of late: the way was gone, and it is there again.
    pub(crate) fn forget(&mut self) {
        self.parts = [Part::default(); PARTS];
        self.fresh = 0;
    }

    /// The share of packets that are lost, over some ten seconds, 0 to 0.3.
    pub(crate) const fn smoothed(&self) -> f64 {
        self.smoothed
    }

    /// Notes that the rate was lowered because of `share`. After some falls that did not help, that is what the link loses.
    pub(crate) fn on_fall(&mut self, share: f64) {
        let Some(trial) = &mut self.trial else {
            self.trial = Some(Trial { share, falls: 1 });
            return;
        };
        trial.falls += 1;
        if trial.falls > FALLS {
            let stayed = share >= STAYED * trial.share;
            self.trial = None;
            if stayed {
                self.inherent = share.min(MAX_INHERENT);
            }
        }
    }

    fn part(&mut self, now: Time) -> &mut Part {
        let number = (now.as_nanos() / PART.as_nanos() as u64).max(self.number);
        let passed = (number - self.number).min(PARTS as u64) as usize;
        self.number = number;
        // The newest part comes first.
        self.parts.rotate_right(passed);
        for part in self.parts.iter_mut().take(passed) {
            *part = Part::default();
        }
        let [newest, ..] = &mut self.parts;
        newest
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn second(tracker: &mut LossTracker, second: u64, lost_of_20: u64) -> LossSignal {
        for packet in 0..200 {
            let now = Time::from_millis(second * 1000 + packet * 5);
            if packet % 20 < lost_of_20 {
                tracker.on_missing(now);
            } else {
                tracker.on_arrived(now, false, false);
            }
        }
        tracker.take_signal(Time::from_millis(second * 1000 + 999), false)
    }

    #[test]
    fn few_losses_are_borne_and_many_are_not() {
        let mut tracker = LossTracker::new();
        let few = second(&mut tracker, 0, 1);
        assert!((few.share - 0.05).abs() < 0.001 && few.fresh, "{few:?}");
        assert_eq!((few.excess, few.marked), (0.0, None));
        let many = second(&mut tracker, 2, 6);
        assert!((0.15..0.25).contains(&many.excess), "{many:?}");
    }

    #[test]
    fn losses_that_no_fall_helps_against_are_the_links_own() {
        let mut tracker = LossTracker::new();
        for at in 0..4 {
            let signal = second(&mut tracker, 2 * at, 4);
            assert!(signal.excess > 0.05, "{at}: {signal:?}");
            tracker.on_fall(signal.share);
        }
        assert_eq!(second(&mut tracker, 8, 4).excess, 0.0);
        assert!(second(&mut tracker, 10, 8).excess > 0.05, "more than it loses by itself");
    }

    #[test]
    fn a_packet_that_came_late_was_not_lost() {
        let mut tracker = LossTracker::new();
        second(&mut tracker, 0, 1);
        for _ in 0..10 {
            tracker.on_arrived(Time::from_millis(999), true, true);
        }
        let signal = tracker.take_signal(Time::from_millis(999), false);
        assert!(signal.share < 0.05, "{signal:?}");
        assert!(signal.marked.is_some_and(|marked| marked > 0.0));
    }
}
