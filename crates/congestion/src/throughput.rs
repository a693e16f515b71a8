//! What arrives, in bits per second, over the last half second. Memory fixed; one step per packet.

use std::time::Duration;
use tureen_rtp_wire::Time;

const BUCKETS: usize = 25;
const BUCKET: u64 = 20_000_000;
/// The shortest time over which a rate means something.
const MIN_SPAN: Duration = Duration::from_millis(200);

/// Counts bytes into 25 buckets of 20 ms.
#[derive(Clone, Debug)]
pub(crate) struct Throughput {
    buckets: [u32; BUCKETS],
    newest: u64,
    first: Option<Time>,
}

impl Throughput {
    pub(crate) const fn new() -> Self {
        Self { buckets: [0; BUCKETS], newest: 0, first: None }
    }

    pub(crate) fn add(&mut self, now: Time, bytes: usize) {
        self.first.get_or_insert(now);
        self.advance(now);
        if let Some(bucket) = self.buckets.get_mut(place(self.newest)) {
            *bucket = bucket.saturating_add(u32::try_from(bytes).unwrap_or(u32::MAX));
        }
    }

    /// Bits per second; `None` until 200 ms have been seen.
    pub(crate) fn bitrate(&mut self, now: Time) -> Option<f64> {
        let window = Duration::from_nanos(BUCKETS as u64 * BUCKET);
        let span = now.since(self.first?).min(window);
        if span < MIN_SPAN {
            return None;
        }
        self.advance(now);
        let bytes: u64 = self.buckets.iter().map(|&bucket| u64::from(bucket)).sum();
        // The newest bucket has only begun.
        let begun = Duration::from_nanos(now.as_nanos() % BUCKET);
        let full = window.saturating_sub(Duration::from_nanos(BUCKET)) + begun;
        Some(bytes as f64 * 8.0 / span.min(full).as_secs_f64())
    }

    fn advance(&mut self, now: Time) {
        let number = (now.as_nanos() / BUCKET).max(self.newest);
        for step in 0..(number - self.newest).min(BUCKETS as u64) {
            if let Some(bucket) = self.buckets.get_mut(place(number - step)) {
                *bucket = 0;
            }
        }
        self.newest = number;
    }
}

const fn place(number: u64) -> usize {
    (number % BUCKETS as u64) as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_constant_stream_has_its_rate_and_silence_has_none() {
        let mut throughput = Throughput::new();
        for millis in 0..1000 {
            throughput.add(Time::from_millis(millis), 125);
        }
        let bitrate = throughput.bitrate(Time::from_millis(1000)).expect("it has run for long enough");
        assert!((bitrate - 1e6).abs() < 2e4, "{bitrate}");
        assert_eq!(throughput.bitrate(Time::from_millis(1600)), Some(0.0));
    }
}
