//! Who would get what of a budget, without a memory: the steps of all ladders in one order, as far as the budget goes.
//!
//! The order does not depend on the budget, and nobody behind the first step that does not fit is served. So a larger budget
//! never takes anything from anyone. Must not know time, nor what anyone has now.

use super::ladder::Ladder;

/// One who wants layers.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Claim {
    pub ladder: Ladder,
    /// 1 to 255.
    pub priority: u8,
}

/// The next step in the order, of the claim at this index.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct NextStep {
    pub claim: usize,
    /// Bits per second that it adds.
    pub more: u64,
}

/// The next step where the claims have come to `heights`.
///
/// First everybody gets the least step, the higher priority before the lower and the smaller before the larger. Then comes the
/// step that is worth most a bit. The worth of a rate is its logarithm, so that a step from `a` to `b` is worth about
/// `2 (b - a) / (b + a)`, and a bit of it `2 / (b + a)`, times the priority.
pub(crate) fn next_step(claims: &[Claim], heights: &[usize]) -> Option<NextStep> {
    let mut best: Option<(Rank, NextStep)> = None;
    for (claim, (wanting, &height)) in claims.iter().zip(heights).enumerate() {
        if height >= wanting.ladder.height() {
            continue;
        }
        let (from, to) = (wanting.ladder.bitrate(height), wanting.ladder.bitrate(height + 1));
        let rank = Rank { first: height == 0, priority: wanting.priority, sum: from.saturating_add(to) };
        if best.is_none_or(|(known, _)| rank.is_before(known)) {
            best = Some((rank, NextStep { claim, more: to - from }));
        }
    }
    best.map(|(_, step)| step)
}

#[derive(Clone, Copy, Debug)]
struct Rank {
    first: bool,
    priority: u8,
    /// Of the rates before and after.
    sum: u64,
}

impl Rank {
    fn is_before(self, other: Self) -> bool {
        if self.first != other.first {
            return self.first;
        }
        if self.first {
            return (other.priority, self.sum) < (self.priority, other.sum);
        }
        // Priority over sum, without a division.
        u128::from(self.priority) * u128::from(other.sum) > u128::from(other.priority) * u128::from(self.sum)
    }
}

/// Fills in how many steps each claim gets of `budget` bits per second.
pub(crate) fn plan(claims: &[Claim], budget: u64, heights: &mut [usize]) {
    heights.fill(0);
    let mut left = budget;
    while let Some(step) = next_step(claims, heights) {
        let Some(rest) = left.checked_sub(step.more) else { return };
        left = rest;
        if let Some(height) = heights.get_mut(step.claim) {
            *height += 1;
        }
    }
}

/// Bits per second of these heights.
pub(crate) fn total(claims: &[Claim], heights: &[usize]) -> u64 {
    let rates = claims.iter().zip(heights).map(|(claim, &height)| claim.ladder.bitrate(height));
    rates.fold(0, u64::saturating_add)
}
