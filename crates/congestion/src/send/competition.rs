//! Whether somebody else fills the queue, and how to get a part of the link then.
//!
//! Where the queue does not empty although the rate fell and fell again, it is not this sender's. Who goes on falling then
//! starves, so the sender gives way to losses only, as the others do, until the queue empties. Must not know what is sent.

use std::time::Duration;
use tureen_rtp_wire::Time;

/// So many falls without the queue having been empty, over at least this long.
const FALLS: u32 = 3;
const FULL_FOR: Duration = Duration::from_millis(1_500);
/// And a queue that was empty for this long is nobody else's any more.
const EMPTY_FOR: Duration = Duration::from_secs(2);
/// Less queue than this, in microseconds, is nobody's harm.
const MIN_QUEUE: f64 = 15_000.0;
/// What remains of the rate after a loss, but no less than what is used while few are lost: half as much as RFC 9438 section 4.6
/// takes, since rates of media move in steps.
const AFTER_LOSS: f64 = 0.8;
const FEW_LOSSES: f64 = 0.1;
const FEW_AFTER_GROWTH: f64 = 0.2;
/// Bits of the packets by which the rate grows in each round trip, and the bounds of that growth a second. Growth by parts of the
/// rate a second makes up for the time that was spent on giving way.
const PACKET_BITS: f64 = 1200.0 * 8.0;
const MIN_GROWTH: f64 = 40_000.0;
const MAX_GROWTH: f64 = 400_000.0;
const PART_GROWTH: f64 = 0.12;
/// The rate may be so many times what arrives for the sake of the next step, and this many bits per second in any case.
const MAX_LEAD: f64 = 4.8;
const FREE_LEAD: f64 = 900_000.0;
/// And so many times what the next step takes: who fell from it once may be made to wait until there is far more than it takes.
const NEXT_LEAD: f64 = 1.6;
/// What of the rate before the falls is taken up when it shows that they were of no use.
const REGAINED: f64 = 0.7;

/// What of the rate is used, in bits per second.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Used {
    /// It has just grown, and was not seen at its new height yet.
    Grown,
    /// So much.
    Steady(f64),
}

/// Follows who fills the queue.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Competition {
    emptied: Option<Time>,
    falls: u32,
    /// The rate before the first of the falls.
    before: f64,
    on: bool,
    /// Since when the queue has been empty while there was somebody else.
    empty_since: Option<Time>,
}

impl Competition {
    pub(crate) const fn new() -> Self {
        Self { emptied: None, falls: 0, before: 0.0, on: false, empty_since: None }
    }

    pub(crate) const fn is_on(&self) -> bool {
        self.on
    }

    /// The rate, which was `before`, fell because of the queue.
    pub(crate) const fn on_fall(&mut self, before: f64) {
        if self.falls == 0 {
            self.before = before;
        }
        self.falls = self.falls.saturating_add(1);
    }

    /// Takes whether the queue has been empty, and its length in microseconds. Says whether there is somebody else.
    pub(crate) fn update(&mut self, now: Time, empty: bool, queue: f64) -> bool {
        let emptied = *self.emptied.get_or_insert(now);
        if self.on && empty {
            // A rival that gave way for a moment comes back.
            let since = *self.empty_since.get_or_insert(now);
            if now.since(since) >= EMPTY_FOR {
                *self = Self { emptied: Some(now), ..Self::new() };
            }
            return self.on;
        }
        self.empty_since = None;
        if empty {
            *self = Self { emptied: Some(now), ..Self::new() };
        } else if self.falls >= FALLS && now.since(emptied) > FULL_FOR && queue > MIN_QUEUE {
            self.on = true;
        }
        self.on
    }

    /// The rate to begin with.
    pub(crate) const fn first_rate(&self, rate: f64) -> f64 {
        rate.max(self.before * REGAINED)
    }

    /// The rate after a loss.
    pub(crate) fn after_loss(rate: f64, used: Used, share: f64) -> f64 {
        let kept = match used {
            Used::Grown if share < FEW_AFTER_GROWTH => rate,
            Used::Steady(used) if share < FEW_LOSSES => used.min(rate),
            _ => 0.0,
        };
        (rate * AFTER_LOSS).max(kept)
    }

    /// Growth in bits per second and second: a packet a round trip, for each round trip, or a part of the rate.
    pub(crate) fn growth(rate: f64, round_trip: Duration) -> f64 {
        let round_trip = round_trip.as_secs_f64().max(0.01);
        (PACKET_BITS / (round_trip * round_trip)).clamp(MIN_GROWTH, MAX_GROWTH).max(rate * PART_GROWTH)
    }

    /// The rate above which nothing is tried, where `next` would let more be sent.
    pub(crate) fn limit(acknowledged: f64, next: f64) -> f64 {
        (acknowledged * MAX_LEAD).max(FREE_LEAD).min(next * NEXT_LEAD).max(acknowledged * 1.2)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_queue_that_no_fall_empties_is_somebody_elses() {
        let mut competition = Competition::new();
        competition.update(Time::ZERO, true, 0.0);
        for step in 1..=4 {
            competition.on_fall(1e6);
            assert!(!competition.update(Time::from_millis(step * 300), false, 80_000.0));
        }
        assert!(competition.update(Time::from_millis(1_600), false, 80_000.0));
        assert!(competition.update(Time::from_millis(1_700), false, 12_000.0), "it is not empty yet");
        assert!(competition.update(Time::from_millis(1_800), true, 0.0), "it may be a moment only");
        assert!(!competition.update(Time::from_millis(3_800), true, 0.0));
        assert!(!competition.update(Time::from_millis(7_000), false, 80_000.0), "no fall was tried");
    }
}
