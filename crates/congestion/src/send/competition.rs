//! Whether somebody else fills the queue, and how to get a part of the link then.
//!
//! Where the queue does not empty although the rate fell and fell again, it is not this sender's. Who goes on falling then
//! starves, so the sender gives way to losses only, as the others do, until the queue empties. Must not know what is sent.

use std::time::Duration;
use tureen_rtp_wire::Time;

/// So many falls without the queue having been empty, over at least this long.
const FALLS: u32 = 3;
const FULL_FOR: Duration = Duration::from_millis(1_500);
/// Less queue than this, in microseconds, is nobody's harm.
const MIN_QUEUE: f64 = 15_000.0;
/// What remains of the rate after a loss: as with RFC 9438 section 4.6, `beta_cubic`.
const AFTER_LOSS: f64 = 0.7;
/// Bits of the packets by which the rate grows in each round trip, and the bounds of that growth a second.
const PACKET_BITS: f64 = 1200.0 * 8.0;
const MIN_GROWTH: f64 = 40_000.0;
const MAX_GROWTH: f64 = 400_000.0;

/// Follows who fills the queue.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Competition {
    emptied: Option<Time>,
    falls: u32,
    on: bool,
}

impl Competition {
    pub(crate) const fn new() -> Self {
        Self { emptied: None, falls: 0, on: false }
    }

    pub(crate) const fn is_on(&self) -> bool {
        self.on
    }

    /// The rate fell because of the queue.
    pub(crate) const fn on_fall(&mut self) {
        self.falls = self.falls.saturating_add(1);
    }

    /// Takes whether the queue has been empty, and its length in microseconds. Says whether there is somebody else.
    pub(crate) fn update(&mut self, now: Time, empty: bool, queue: f64) -> bool {
        let emptied = *self.emptied.get_or_insert(now);
        if empty {
            *self = Self { emptied: Some(now), falls: 0, on: false };
        } else if self.falls >= FALLS && now.since(emptied) > FULL_FOR && queue > MIN_QUEUE {
            self.on = true;
        }
        self.on
    }

    /// The rate after a loss.
    pub(crate) const fn after_loss(rate: f64) -> f64 {
        rate * AFTER_LOSS
    }

    /// Growth in bits per second and second: a packet a round trip, for each round trip.
    pub(crate) fn growth(round_trip: Duration) -> f64 {
        let round_trip = round_trip.as_secs_f64().max(0.01);
        (PACKET_BITS / (round_trip * round_trip)).clamp(MIN_GROWTH, MAX_GROWTH)
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
            competition.on_fall();
            assert!(!competition.update(Time::from_millis(step * 300), false, 80_000.0));
        }
        assert!(competition.update(Time::from_millis(1_600), false, 80_000.0));
        assert!(competition.update(Time::from_millis(1_700), false, 12_000.0), "it is not empty yet");
        assert!(!competition.update(Time::from_millis(1_800), true, 0.0));
        assert!(!competition.update(Time::from_millis(5_000), false, 80_000.0), "no fall was tried");
    }
}
