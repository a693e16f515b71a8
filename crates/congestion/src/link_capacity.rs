//! What a link is believed to carry, remembered over falls (draft-ietf-rmcat-gcc-02 section 5.5).
//!
//! Must not know what rate anyone sends at, nor when.

/// Weight of a new value (section 5.5).
const CAPACITY_WEIGHT: f64 = 0.05;
/// Bounds of the variance over the average, in bits per second per bit. Values as implementations have them.
const MIN_DEVIATION: f64 = 400.0;
const MAX_DEVIATION: f64 = 2_500.0;

/// What arrived when queues grew: an average, and the variance over the average.
#[derive(Clone, Copy, Debug)]
pub(crate) struct LinkCapacity {
    mean: f64,
    deviation: f64,
}

impl LinkCapacity {
    /// Takes what arrived when queues grew.
    pub(crate) fn update(known: Option<Self>, incoming: f64) -> Self {
        let Some(known) = known else { return Self { mean: incoming, deviation: MIN_DEVIATION } };
        let mean = known.mean + CAPACITY_WEIGHT * (incoming - known.mean);
        let error = incoming - mean;
        let spread = error * error / mean.max(1.0);
        let deviation = known.deviation + CAPACITY_WEIGHT * (spread - known.deviation);
        Self { mean, deviation: deviation.clamp(MIN_DEVIATION, MAX_DEVIATION) }
    }

    /// Bits per second.
    pub(crate) const fn mean(self) -> f64 {
        self.mean
    }

    /// Whether a rate is within three standard deviations.
    pub(crate) fn is_near(self, incoming: f64) -> bool {
        (incoming - self.mean).abs() <= 3.0 * (self.deviation * self.mean).sqrt()
    }
}
