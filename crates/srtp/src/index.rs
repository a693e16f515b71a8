//! The 48 bit packet index: roll-over counter and sequence number in one. Pure arithmetic.

/// The largest index of a master key (RFC 3711 section 9.2).
pub(crate) const MAX_INDEX: u64 = (1 << 48) - 1;
/// The largest SRTCP index: 31 bits (RFC 3711 section 3.4).
pub(crate) const MAX_RTCP_INDEX: u32 = (1 << 31) - 1;

const SEQUENCES: i64 = 1 << 16;
const HALF: i64 = 1 << 15;

/// The index of the packet with sequence number `sequence` when `highest` is the largest index so far
/// (RFC 3711 section 3.3.1), or `None` when the roll-over counter would overflow.
///
/// While the roll-over counter is zero there is no smaller one, so that a sequence number far ahead is taken as ahead.
#[inline]
pub(crate) fn estimate(highest: u64, sequence: u16) -> Option<u64> {
    let highest = i64::try_from(highest).ok()?;
    let base = highest & !(SEQUENCES - 1);
    let last = highest - base;
    let sequence = i64::from(sequence);
    let index = if last < HALF {
        if sequence - last > HALF { base - SEQUENCES + sequence } else { base + sequence }
    } else if last - HALF > sequence {
        base + SEQUENCES + sequence
    } else {
        base + sequence
    };
    let index = u64::try_from(if index < 0 { sequence } else { index }).ok()?;
    (index <= MAX_INDEX).then_some(index)
}

#[cfg(test)]
mod tests {
    use super::{MAX_INDEX, estimate};
    use proptest::prelude::*;

    #[test]
    fn follows_the_counter_across_the_wrap() {
        assert_eq!(estimate(0xFFFF, 0), Some(0x1_0000));
        assert_eq!(estimate(0x1_0000, 0xFFFF), Some(0xFFFF));
        assert_eq!(estimate(0x1_0005, 0xFFF0), Some(0xFFF0));
        assert_eq!(estimate(0xFFF0, 0x7000), Some(0x1_7000));
        assert_eq!(estimate(0xFFF0, 0x7FF0), Some(0x7FF0));
    }

    #[test]
    fn nothing_comes_before_the_first_counter() {
        assert_eq!(estimate(100, 65_000), Some(65_000));
    }

    #[test]
    fn the_last_counter_does_not_wrap() {
        assert_eq!(estimate(MAX_INDEX, 0), None);
        assert_eq!(estimate(MAX_INDEX, 0xFFFE), Some(MAX_INDEX - 1));
    }

    proptest! {
        /// Whatever lies within half the sequence space of the highest index is found.
        #[test]
        fn finds_every_index_nearby(highest in 0_u64..1 << 40, distance in -32_767_i64..=32_767) {
            let truth = highest.saturating_add_signed(distance);
            prop_assert_eq!(estimate(highest, (truth & 0xFFFF) as u16), Some(truth));
        }
    }
}
