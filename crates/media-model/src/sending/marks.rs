//! Whether packets go out as able to be marked by queues (RFC 9331): as long as their reports tell of marks.
//!
//! Must not know how a mark gets into an IP header, nor what follows from one.

use tureen_congestion::send::{Outcome, PacketResult};
use tureen_rtp_wire::Ecn;

/// After so many packets that arrived, all without any mark, the path or the remote is believed to lose marks.
const ENOUGH: u32 = 200;

/// Marks of what one transport sends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Marks {
    /// Tried: so many packets arrived, and none had a mark.
    Tried(u32),
    /// The remote tells of them.
    Told,
    /// They do not come through: a queue that marks would not be heard of (RFC 3168 section 6.1.1).
    Lost,
}

impl Default for Marks {
    fn default() -> Self {
        Self::Tried(0)
    }
}

impl Marks {
    /// That of the next packet.
    #[inline]
    pub(super) const fn of_next(self) -> Ecn {
        match self {
            Self::Tried(_) | Self::Told => Ecn::Capable1,
            Self::Lost => Ecn::NotCapable,
        }
    }

    /// Takes what was told of a packet.
    pub(super) fn note(&mut self, result: &PacketResult) {
        let Self::Tried(unmarked) = self else { return };
        if result.outcome == Outcome::Missing {
            return;
        }
        *self = match result.ecn {
            Ecn::NotCapable if *unmarked + 1 < ENOUGH => Self::Tried(*unmarked + 1),
            Ecn::NotCapable => Self::Lost,
            _ => Self::Told,
        };
    }

    /// The remote reports in a way that cannot tell of them.
    pub(super) const fn give_up(&mut self) {
        *self = Self::Lost;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn after(count: u32, ecn: Ecn, outcome: Outcome) -> Marks {
        let mut marks = Marks::default();
        (0..count).for_each(|_| marks.note(&PacketResult { sequence_number: 1, outcome, ecn }));
        marks
    }

    #[test]
    fn marks_that_do_not_come_through_are_given_up() {
        assert_eq!(after(ENOUGH - 1, Ecn::NotCapable, Outcome::Arrived).of_next(), Ecn::Capable1);
        assert_eq!(after(ENOUGH, Ecn::NotCapable, Outcome::Arrived).of_next(), Ecn::NotCapable);
        assert_eq!(after(2 * ENOUGH, Ecn::NotCapable, Outcome::Missing).of_next(), Ecn::Capable1);
        for told in [Ecn::Capable1, Ecn::CongestionExperienced] {
            assert_eq!(after(1, told, Outcome::Arrived), Marks::Told);
        }
    }
}
