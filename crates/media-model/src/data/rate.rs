//! How many messages an endpoint may send: two seconds' worth at once, then so many a second. Must not know what they say.

use std::time::Duration;
use tureen_rtp_wire::Time;

const SECOND: Duration = Duration::from_secs(1);
/// What may be saved up.
const MOST: Duration = Duration::from_secs(2);

/// The messages of a transport. Each costs the time that it is entitled to.
#[derive(Clone, Copy, Debug)]
pub(crate) struct MessageRate {
    /// `None` for no limit.
    cost: Option<Duration>,
    saved: Duration,
    filled: Time,
}

impl MessageRate {
    /// So many messages a second; 0 for no limit.
    pub(crate) fn new(per_second: u32) -> Self {
        Self { cost: SECOND.checked_div(per_second), saved: MOST, filled: Time::default() }
    }

    /// Whether another message may pass, which is counted then.
    pub(crate) fn take(&mut self, now: Time) -> bool {
        let Some(cost) = self.cost else { return true };
        self.saved = self.saved.saturating_add(now.since(self.filled)).min(MOST);
        self.filled = now;
        let left = self.saved.checked_sub(cost);
        self.saved = left.unwrap_or(self.saved);
        left.is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn passed(rate: &mut MessageRate, millis: std::ops::Range<u64>, each: u64) -> usize {
        let times = millis.flat_map(|at| (0..each).map(move |_| Time::from_millis(at)));
        times.filter(|now| rate.take(*now)).count()
    }

    #[test]
    fn two_seconds_worth_may_come_at_once_and_then_so_many_a_second() {
        let mut rate = MessageRate::new(10);
        assert_eq!(passed(&mut rate, 5000..5001, 100), 20);
        assert_eq!(passed(&mut rate, 5001..9001, 3), 40);
        assert_eq!(passed(&mut rate, 60_000..60_001, 100), 20, "no more is saved up");
    }

    #[test]
    fn zero_is_no_limit_and_time_that_goes_back_no_harm() {
        assert_eq!(passed(&mut MessageRate::new(0), 0..1, 10_000), 10_000);
        let mut rate = MessageRate::new(1);
        assert_eq!(passed(&mut rate, 5000..5001, 9), 2);
        assert_eq!(passed(&mut rate, 1000..1001, 9), 0);
    }
}
