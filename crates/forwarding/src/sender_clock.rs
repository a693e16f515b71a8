//! How the wall clock of a sender lies to ours, from its sender reports (RFC 3550 section 6.4.1): so that ours can say when media was captured.
//!
//! One for all streams of a sender: whatever the estimate is wrong by, it is wrong by for all of them alike, and they stay in step. Knows
//! no stream.

use std::time::Duration;
use tureen_rtp_wire::{NtpTime, Time};

/// The shortest way is looked for in reports of the last one to two of these.
const WINDOW: Duration = Duration::from_secs(30);
/// Smaller changes are not told: 1 ms in units of 2^-32 s.
const LEAST_CHANGE: i64 = (1 << 32) / 1000;
/// A report further away than this, 1 s, means that the sender has set its clock.
const CLOCK_SET: i64 = 1 << 32;

/// What has to be added to our wall clock to get a sender's, in units of 2^-32 s.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClockOffset(pub i64);

impl ClockOffset {
    /// The sender's wall clock when ours reads `ours`.
    pub const fn apply(self, ours: NtpTime) -> NtpTime {
        NtpTime(ours.0.wrapping_add_signed(self.0))
    }
}

/// Follows a sender's wall clock. A report takes some time to come: the one that took least says most.
#[derive(Clone, Copy, Debug, Default)]
pub struct SenderClock {
    /// The greatest offset of the window that lasts, and of the one before.
    newest: Option<i64>,
    before: Option<i64>,
    window_began: Time,
    told: Option<i64>,
}

impl SenderClock {
    /// Takes the wall clock of a report that came at `now`, when ours read `ours`; a sender without one says 0. Returns the offset where
    /// it is another one than before, by a millisecond at least.
    pub fn on_report(&mut self, now: Time, ours: NtpTime, theirs: NtpTime) -> Option<ClockOffset> {
        if theirs.0 == 0 {
            return None;
        }
        let sample = theirs.0.wrapping_sub(ours.0) as i64;
        let was_set =
            self.told.is_some_and(|told| sample.wrapping_sub(told).unsigned_abs() > CLOCK_SET as u64);
        if was_set {
            (self.newest, self.before) = (None, None);
        }
        if self.newest.is_none() || now.since(self.window_began) >= WINDOW {
            self.before = self.newest.take();
            self.window_began = now;
        }
        self.newest = Some(self.newest.map_or(sample, |newest| newest.max(sample)));
        let best = self.newest.into_iter().chain(self.before).max()?;
        let changed =
            self.told.is_none_or(|told| best.wrapping_sub(told).unsigned_abs() >= LEAST_CHANGE as u64);
        changed.then(|| {
            self.told = Some(best);
            ClockOffset(best)
        })
    }

    /// The offset, once a report told.
    pub fn offset(&self) -> Option<ClockOffset> {
        self.told.map(ClockOffset)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OURS: NtpTime = NtpTime::new(1000, 0);

    fn millis(millis: i64) -> i64 {
        (millis << 32) / 1000
    }

    /// A report that left when our clock read `sent`, of a sender whose clock is `ahead` of it, and took `way`; all in ms.
    fn report(clock: &mut SenderClock, sent: i64, ahead: i64, way: i64) -> Option<i64> {
        let arrival = (sent + way).unsigned_abs();
        let ours = OURS + Duration::from_millis(arrival);
        let theirs = ClockOffset(millis(ahead)).apply(OURS + Duration::from_millis(sent.unsigned_abs()));
        let offset = clock.on_report(Time::from_millis(arrival), ours, theirs);
        offset.map(|ClockOffset(offset)| (offset * 1000 + (1 << 31)) >> 32)
    }

    #[test]
    fn the_quickest_report_counts() {
        let mut clock = SenderClock::default();
        assert_eq!(report(&mut clock, 0, 5000, 80), Some(4920));
        assert_eq!(report(&mut clock, 1000, 5000, 120), None);
        assert_eq!(report(&mut clock, 2000, 5000, 20), Some(4980));
        assert_eq!(report(&mut clock, 3000, 5000, 50), None);
        assert_eq!(clock.offset(), Some(ClockOffset(clock.told.unwrap())));
    }

    #[test]
    fn what_was_quick_long_ago_is_forgotten() {
        let mut clock = SenderClock::default();
        report(&mut clock, 0, 0, 10);
        let told: Vec<_> = (1..=70).filter_map(|second| report(&mut clock, second * 1000, 0, 40)).collect();
        assert_eq!(told, [-40]);
    }

    #[test]
    fn a_clock_that_drifts_is_followed() {
        for ppm in [100, -100] {
            let mut clock = SenderClock::default();
            for second in 0..300 {
                report(&mut clock, second * 1000, second * ppm / 1000, 10);
            }
            let offset = (clock.offset().unwrap().0 * 1000) >> 32;
            let real = 299 * ppm / 1000 - 10;
            assert!((offset - real).abs() <= 7, "{ppm}: {offset} {real}");
        }
    }

    #[test]
    fn a_clock_that_was_set_is_followed_at_once() {
        let mut clock = SenderClock::default();
        report(&mut clock, 0, 60_000, 10);
        assert_eq!(report(&mut clock, 1000, 0, 10), Some(-10));
    }

    #[test]
    fn a_sender_without_a_clock_says_nothing() {
        assert_eq!(SenderClock::default().on_report(Time::ZERO, OURS, NtpTime(0)), None);
    }
}
