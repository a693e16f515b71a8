//! Whether queues grow on the way: the slope of the one-way delay, held against a threshold that adapts.
//!
//! The slope is that of a line through the last smoothed delays, which has taken the place of the Kalman filter of
//! draft-ietf-rmcat-gcc-02 section 5.3 in implementations (there: trendline filter); the detector is that of section 5.4.

use crate::arrival_group::GroupDelta;

/// Points of the line.
const POINTS: usize = 20;
/// Weight of what was, in the smoothed delay.
const SMOOTHING: f64 = 0.9;
/// The slope is multiplied by this and by the number of deltas, up to [`MAX_DELTAS`], to be held against the threshold.
const GAIN: f64 = 4.0;
const MAX_DELTAS: u32 = 60;

/// `del_var_th(0)` in milliseconds, and the bounds of what becomes of it (sections 5.4 and 5.6).
const FIRST_THRESHOLD: f64 = 12.5;
const MIN_THRESHOLD: f64 = 6.0;
const MAX_THRESHOLD: f64 = 600.0;
/// `K_u` and `K_d`, per millisecond: how fast the threshold rises and falls. Values as implementations have them.
const THRESHOLD_UP: f64 = 0.0087;
const THRESHOLD_DOWN: f64 = 0.039;
/// What exceeds the threshold by more is an outlier, which the threshold does not follow (section 5.4).
const OUTLIER: f64 = 15.0;
/// `overuse_time_th` in milliseconds: how long the threshold has to be exceeded (section 5.6).
const OVERUSE_TIME: f64 = 10.0;

/// What the detector signals.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Usage {
    /// Queues are stable.
    Normal,
    /// Queues grow.
    Over,
    /// Queues drain.
    Under,
}

#[derive(Clone, Copy, Debug, Default)]
struct Point {
    /// Milliseconds since the first group.
    arrival: f64,
    /// Smoothed delay in milliseconds, from an arbitrary zero.
    delay: f64,
}

/// Turns deltas of groups into a signal.
#[derive(Clone, Debug)]
pub(crate) struct OveruseDetector {
    points: [Point; POINTS],
    deltas: u32,
    arrival: f64,
    delay: f64,
    smoothed: f64,
    slope: f64,
    threshold: f64,
    /// How long the threshold has been exceeded, and in how many groups.
    over: Option<(f64, u32)>,
    usage: Usage,
}

impl OveruseDetector {
    pub(crate) fn new() -> Self {
        Self {
            points: [Point::default(); POINTS],
            deltas: 0,
            arrival: 0.0,
            delay: 0.0,
            smoothed: 0.0,
            slope: 0.0,
            threshold: FIRST_THRESHOLD,
            over: None,
            usage: Usage::Normal,
        }
    }

    pub(crate) fn update(&mut self, delta: GroupDelta) -> Usage {
        self.arrival += delta.arrived;
        self.delay += delta.arrived - delta.sent;
        self.smoothed = SMOOTHING * self.smoothed + (1.0 - SMOOTHING) * self.delay;
        if let Some(point) = self.points.get_mut(self.deltas as usize % POINTS) {
            *point = Point { arrival: self.arrival, delay: self.smoothed };
        }
        self.deltas = if self.deltas == u32::MAX { u32::MAX / 2 } else { self.deltas + 1 };
        if self.deltas as usize >= POINTS {
            let before = self.slope;
            self.slope = slope(&self.points).unwrap_or(before);
            self.detect(delta, before);
        }
        self.usage
    }

    fn detect(&mut self, delta: GroupDelta, slope_before: f64) {
        let trend = f64::from(self.deltas.min(MAX_DELTAS)) * self.slope * GAIN;
        if trend > self.threshold {
            let (time, groups) = self.over.map_or((delta.sent / 2.0, 1), |(t, n)| (t + delta.sent, n + 1));
            self.over = Some((time, groups));
            if time > OVERUSE_TIME && groups > 1 && self.slope >= slope_before {
                self.over = None;
                self.usage = Usage::Over;
            }
        } else {
            self.over = None;
            self.usage = if trend < -self.threshold { Usage::Under } else { Usage::Normal };
        }
        self.adapt_threshold(trend.abs(), delta.arrived);
    }

    fn adapt_threshold(&mut self, trend: f64, passed: f64) {
        if trend > self.threshold + OUTLIER {
            return;
        }
        let speed = if trend < self.threshold { THRESHOLD_DOWN } else { THRESHOLD_UP };
        self.threshold += speed * (trend - self.threshold) * passed.min(100.0);
        self.threshold = self.threshold.clamp(MIN_THRESHOLD, MAX_THRESHOLD);
    }
}

/// The slope of the line through `points` with the least squares; `None` if they all arrived at once.
fn slope(points: &[Point]) -> Option<f64> {
    let count = points.len() as f64;
    let arrival = points.iter().map(|point| point.arrival).sum::<f64>() / count;
    let delay = points.iter().map(|point| point.delay).sum::<f64>() / count;
    let (mut covariance, mut variance) = (0.0, 0.0);
    for point in points {
        covariance += (point.arrival - arrival) * (point.delay - delay);
        variance += (point.arrival - arrival) * (point.arrival - arrival);
    }
    (variance > 0.0).then_some(covariance / variance)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn after(detector: &mut OveruseDetector, groups: u32, arrived: f64) -> Usage {
        let mut usage = Usage::Normal;
        for _ in 0..groups {
            usage = detector.update(GroupDelta { sent: 20.0, arrived });
        }
        usage
    }

    #[test]
    fn a_growing_delay_is_overuse_and_a_shrinking_one_underuse() {
        let mut detector = OveruseDetector::new();
        assert_eq!(after(&mut detector, 100, 20.0), Usage::Normal);
        assert_eq!(after(&mut detector, 20, 22.0), Usage::Over);
        assert_eq!(after(&mut detector, 40, 18.0), Usage::Under);
        assert_eq!(after(&mut detector, 100, 20.0), Usage::Normal);
    }

    #[test]
    fn jitter_is_not_overuse() {
        let mut detector = OveruseDetector::new();
        for group in 0..1000 {
            let late = if group % 2 == 0 { 4.0 } else { -4.0 };
            assert_ne!(
                detector.update(GroupDelta { sent: 20.0, arrived: 20.0 + late }),
                Usage::Over,
                "{group}"
            );
        }
    }
}
