//! Bit rates over a sliding window, in memory fixed at creation.

use std::time::Duration;
use tureen_rtp_wire::Time;

/// The window of a stream's bit rate.
pub const RATE_WINDOW: Duration = Duration::from_millis(2500);
/// The window of the bit rate of a stream that falls silent by design (discontinuous transmission).
pub const RATE_WINDOW_DTX: Duration = Duration::from_millis(6000);

const BUCKETS: usize = 50;

/// Bytes counted into 50 buckets that together span the window.
#[derive(Clone, Debug)]
pub struct RateWindow {
    /// Bytes of the newest bucket: apart from the others, so that counting touches one place and divides nothing.
    current: u32,
    /// Where the newest bucket ends, in nanoseconds.
    end: u64,
    /// The number of the newest bucket, counted from the origin of time.
    newest: u64,
    /// Nanoseconds a bucket spans; at least 1.
    span: u64,
    /// All buckets but the newest, whose place holds 0.
    buckets: [u32; BUCKETS],
}

impl RateWindow {
    /// An empty window of `window` (at least 50 ns).
    pub fn new(window: Duration) -> Self {
        let nanos = u64::try_from(window.as_nanos()).unwrap_or(u64::MAX);
        let span = (nanos / BUCKETS as u64).max(1);
        Self { current: 0, end: span, newest: 0, span, buckets: [0; BUCKETS] }
    }

    /// Counts `bytes` at `now`. Readings that go back count into the newest bucket.
    #[inline]
    pub fn add(&mut self, now: Time, bytes: usize) {
        if now.as_nanos() >= self.end {
            self.advance(now);
        }
        self.current = self.current.saturating_add(u32::try_from(bytes).unwrap_or(u32::MAX));
    }

    #[cold]
    fn advance(&mut self, now: Time) {
        if let Some(bucket) = self.buckets.get_mut(Self::place(self.newest)) {
            *bucket = bucket.saturating_add(std::mem::take(&mut self.current));
        }
        let next_bucket = now.as_nanos() - self.end < self.span;
        let number = if next_bucket { self.newest + 1 } else { now.as_nanos() / self.span };
        let passed = (number - self.newest).min(BUCKETS as u64);
        for step in 0..passed {
            if let Some(bucket) = self.buckets.get_mut(Self::place(number - step)) {
                *bucket = 0;
            }
        }
        self.newest = number;
        self.end = (number + 1).saturating_mul(self.span);
    }

    /// Bits per second over the window that ends at `now`. Until a whole window has passed it is an underestimate.
    pub fn bitrate(&self, now: Time) -> u64 {
        let number = (now.as_nanos() / self.span).max(self.newest);
        let expired = number - self.newest;
        let live = (BUCKETS as u64).saturating_sub(expired);
        let bytes: u64 = (0..live.min(self.newest + 1))
            .filter_map(|step| self.buckets.get(Self::place(self.newest - step)))
            .map(|&bucket| u64::from(bucket))
            .sum::<u64>()
            + if live > 0 { u64::from(self.current) } else { 0 };
        let bits = u128::from(bytes) * 8 * 1_000_000_000;
        u64::try_from(bits / (u128::from(self.span) * BUCKETS as u128)).unwrap_or(u64::MAX)
    }

    const fn place(number: u64) -> usize {
        (number % BUCKETS as u64) as usize
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_constant_stream_has_its_rate() {
        let mut rate = RateWindow::new(RATE_WINDOW);
        for millis in 0..3000 {
            rate.add(Time::from_millis(millis), 125);
        }
        assert_eq!(rate.bitrate(Time::from_millis(2999)), 1_000_000);
    }

    #[test]
    fn what_is_older_than_the_window_is_gone() {
        let mut rate = RateWindow::new(RATE_WINDOW);
        rate.add(Time::from_millis(0), 2500);
        assert_eq!(rate.bitrate(Time::from_millis(0)), 8000);
        assert_eq!(rate.bitrate(Time::from_millis(2499)), 8000);
        assert_eq!(rate.bitrate(Time::from_millis(2500)), 0);
        rate.add(Time::from_millis(60_000), 1250);
        assert_eq!(rate.bitrate(Time::from_millis(60_001)), 4000);
    }

    proptest! {
        #[test]
        fn agrees_with_a_list(steps in prop::collection::vec((0u64..400, 0usize..2000), 1..200)) {
            let mut rate = RateWindow::new(RATE_WINDOW);
            let mut list = Vec::new();
            let mut now = 0;
            for (step, bytes) in steps {
                now += step;
                rate.add(Time::from_millis(now), bytes);
                list.push((now, bytes as u64));
                let newest = now / 50;
                let sum: u64 = list.iter().filter(|(at, _)| at / 50 + 50 > newest).map(|(_, bytes)| bytes).sum();
                prop_assert_eq!(rate.bitrate(Time::from_millis(now)), sum * 8000 / 2500);
            }
        }
    }
}
