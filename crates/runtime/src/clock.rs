//! The one clock of a runtime: monotonic readings for the Cores, tied to NTP time once.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};
use tureen_rtp_wire::{NtpTime, Time, WallClock};

/// Seconds from the NTP era's start (1900) to the Unix epoch (1970), RFC 868.
const UNIX_EPOCH_IN_NTP: u64 = 2_208_988_800;

/// A clock whose readings start at [`Time::ZERO`]. Copies read the same time, so shards can compare their readings.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    origin: Instant,
    wall_clock: WallClock,
}

impl Clock {
    /// A clock that reads zero now, with NTP time from the system's clock.
    pub fn start() -> Self {
        let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Self::at(Instant::now(), since_epoch)
    }

    /// A clock that reads zero at `origin`, which is `since_epoch` after the Unix epoch.
    pub fn at(origin: Instant, since_epoch: Duration) -> Self {
        // NTP seconds wrap in 2036; the era is not on the wire (RFC 5905 section 6).
        let seconds = since_epoch.as_secs().wrapping_add(UNIX_EPOCH_IN_NTP) as u32;
        let fraction = (u64::from(since_epoch.subsec_nanos()) << 32) / 1_000_000_000;
        Self { origin, wall_clock: WallClock::new(NtpTime::new(seconds, fraction as u32)) }
    }

    /// The time now.
    pub fn now(&self) -> Time {
        Time::from_nanos(u64::try_from(self.origin.elapsed().as_nanos()).unwrap_or(u64::MAX))
    }

    /// The moment at which it read zero.
    pub fn origin(&self) -> Instant {
        self.origin
    }

    /// The tie to NTP time.
    pub fn wall_clock(&self) -> WallClock {
        self.wall_clock
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ntp_time_counts_from_1900() {
        let clock = Clock::at(Instant::now(), Duration::from_millis(1_500));
        assert_eq!(clock.wall_clock().ntp(Time::ZERO), NtpTime::new(2_208_988_801, 1 << 31));
    }

    #[test]
    fn copies_read_the_same_time() {
        let clock = Clock::start();
        let copy = clock;
        let (first, second) = (clock.now(), copy.now());
        assert!(second >= first && second.since(first) < Duration::from_secs(5));
    }
}
