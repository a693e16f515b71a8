//! The score of a stream, 0 (nothing arrives) to 10 (all arrives): how much of each report interval got through, and how much of
//! that only after repair.
//!
//! Works on counts of one interval; where they come from is the streams' matter.

/// The score of an interval in which all was well, and of a stream that has no interval yet.
pub const MAX_SCORE: u8 = 10;

const HISTORY: usize = 24;

/// The weighted mean of the last 24 intervals' scores: the oldest weighs 1, the newest most.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ScoreHistory {
    /// Oldest first.
    samples: [u8; HISTORY],
    len: usize,
    score: u8,
}

impl Default for ScoreHistory {
    fn default() -> Self {
        Self::new(MAX_SCORE)
    }
}

impl ScoreHistory {
    /// No samples yet, and the score `initial` (limited to 10).
    pub fn new(initial: u8) -> Self {
        Self { samples: [0; HISTORY], len: 0, score: initial.min(MAX_SCORE) }
    }

    /// The score now, 0 to 10.
    pub const fn score(&self) -> u8 {
        self.score
    }

    /// Forgets all samples and sets the score. Says whether the score changed.
    pub fn reset(&mut self, score: u8) -> bool {
        let before = self.score;
        *self = Self::new(score);
        self.score != before
    }

    /// Adds an interval's score. Says whether the score changed.
    pub fn add(&mut self, sample: u8) -> bool {
        if self.len == HISTORY {
            self.samples.rotate_left(1);
            self.len -= 1;
        }
        if let Some(slot) = self.samples.get_mut(self.len) {
            *slot = sample.min(MAX_SCORE);
            self.len += 1;
        }
        let (mut weighted, mut weights) = (0u32, 0u32);
        for (weight, &sample) in (1u32..).zip(self.samples.iter().take(self.len)) {
            weighted += weight * u32::from(sample);
            weights += weight;
        }
        let before = self.score;
        self.score = ((2 * weighted + weights) / (2 * weights)) as u8;
        self.score != before
    }
}

/// What one interval saw, in packets.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Interval {
    /// Receiving: sequence numbers that went by. Sending: packets sent.
    pub expected: u64,
    /// Lost on the way, before repair.
    pub lost: u64,
    /// Lost packets that a retransmission brought.
    pub repaired: u64,
    /// Retransmissions, useful or not.
    pub retransmitted: u64,
}

/// The score of an interval of receiving; `received` counts packets without retransmissions. With a separate retransmission stream
/// (`has_rtx`) no more than what was lost can have been repaired; without one, what was repaired was lost.
pub fn receive_score(expected: u64, received: u64, repaired: u64, retransmitted: u64, has_rtx: bool) -> u8 {
    if expected == 0 {
        return MAX_SCORE;
    }
    if received == 0 {
        return 0;
    }
    let mut lost = expected.saturating_sub(received).min(received);
    let mut repaired = repaired;
    if repaired > lost {
        if has_rtx {
            repaired = lost;
        } else {
            lost = repaired.min(received);
        }
    }
    delivered_score(received, lost, repaired, retransmitted)
}

/// The score of an interval of sending, from the loss that the receiver reported.
pub fn send_score(interval: Interval) -> u8 {
    let sent = interval.expected;
    if sent == 0 {
        return MAX_SCORE;
    }
    let lost = interval.lost.min(sent);
    delivered_score(sent, lost, interval.repaired.min(lost), interval.retransmitted)
}

/// `((total - (lost - repaired x weight)) / total)^4 x 10`, where a repair weighs less the more there were and the more
/// retransmissions it took.
fn delivered_score(total: u64, lost: u64, repaired: u64, retransmitted: u64) -> u8 {
    let (total, lost, repaired) = (total as f64, lost as f64, repaired as f64);
    let mut weight = fourth_power(1.0 / (repaired / total + 1.0));
    if retransmitted > 0 {
        weight *= (repaired / retransmitted as f64).min(1.0);
    }
    let delivered = ((total - (lost - repaired * weight)) / total).clamp(0.0, 1.0);
    (fourth_power(delivered) * f64::from(MAX_SCORE)).round() as u8
}

/// By multiplication: the same on every machine, which `powi` does not promise.
fn fourth_power(x: f64) -> f64 {
    let square = x * x;
    square * square
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn receive_scores_follow_the_formula() {
        assert_eq!(receive_score(0, 0, 0, 0, true), 10);
        assert_eq!(receive_score(100, 0, 0, 0, true), 0);
        assert_eq!(receive_score(100, 100, 0, 0, true), 10);
        // 80 of 100: lost 20, (60 / 80)^4 x 10 = 3.16.
        assert_eq!(receive_score(100, 80, 0, 0, true), 3);
        // All 20 repaired at once: weight (1 / 1.25)^4 = 0.4096, lost 11.808, 0.8524^4 x 10 = 5.28.
        assert_eq!(receive_score(100, 80, 20, 20, true), 5);
        // The same with two retransmissions each: weight 0.2048, lost 15.904, 0.8012^4 x 10 = 4.12.
        assert_eq!(receive_score(100, 80, 20, 40, true), 4);
        // Lost more than received: lost is capped at received.
        assert_eq!(receive_score(100, 10, 0, 0, true), 0);
        // Repairs in excess of the loss: capped with RTX, loss without.
        assert_eq!(receive_score(100, 100, 10, 10, true), 10);
        assert_eq!(receive_score(100, 100, 10, 10, false), 9);
    }

    #[test]
    fn send_scores_follow_the_formula() {
        let interval =
            |expected, lost, repaired, retransmitted| Interval { expected, lost, repaired, retransmitted };
        assert_eq!(send_score(interval(0, 5, 0, 0)), 10);
        assert_eq!(send_score(interval(100, 0, 0, 0)), 10);
        // 0.9^4 x 10 = 6.56.
        assert_eq!(send_score(interval(100, 10, 0, 0)), 7);
        // weight (1 / 1.1)^4 = 0.683, lost 3.17, 0.9683^4 x 10 = 8.79.
        assert_eq!(send_score(interval(100, 10, 10, 10)), 9);
        assert_eq!(send_score(interval(100, 200, 0, 0)), 0);
    }

    #[test]
    fn newer_samples_weigh_more() {
        let mut history = ScoreHistory::default();
        assert_eq!(history.score(), 10);
        assert!(!history.add(10));
        assert!(history.add(4)); // (10 + 2 x 4) / 3 = 6
        assert_eq!(history.score(), 6);
        assert!(history.add(10)); // (10 + 8 + 30) / 6 = 8
        assert_eq!(history.score(), 8);
        assert!(history.reset(0));
        assert_eq!(history.score(), 0);
        history.add(10);
        assert_eq!(history.score(), 10);
    }

    #[test]
    fn the_history_is_24_samples() {
        let mut history = ScoreHistory::default();
        history.add(0);
        for _ in 0..23 {
            history.add(10);
        }
        // (0 x 1 + 10 x 299) / 300 = 9.97; without the first sample it is 10 either way, so look inside.
        assert_eq!(history.samples[0], 0);
        history.add(10);
        assert_eq!(history.samples, [10; 24]);
    }

    proptest! {
        #[test]
        fn scores_stay_in_range(expected in 0u64..10_000, received in 0u64..10_000, repaired in 0u64..10_000,
                                retransmitted in 0u64..10_000, has_rtx: bool) {
            prop_assert!(receive_score(expected, received, repaired, retransmitted, has_rtx) <= 10);
            let interval = Interval { expected, lost: received, repaired, retransmitted };
            prop_assert!(send_score(interval) <= 10);
        }

        #[test]
        fn more_loss_never_scores_higher(sent in 1u64..1000, lost in 0u64..999) {
            let score = |lost| send_score(Interval { expected: sent, lost, ..Interval::default() });
            prop_assert!(score(lost + 1) <= score(lost));
        }
    }
}
