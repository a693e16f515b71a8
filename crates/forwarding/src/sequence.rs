//! Wrapping counters made whole: 16-bit sequence numbers and 32-bit timestamps as 64-bit ones, and the validity rules
//! that a source's sequence numbers must pass (RFC 3550 appendix A.1).
//!
//! Knows numbers alone: no packet, no clock, no statistics.

/// A forward jump of this many sequence numbers or more is not taken for loss (RFC 3550 appendix A.1, `MAX_DROPOUT`).
pub const MAX_DROPOUT: u16 = 3000;
/// A packet this far behind the newest, or farther, is not taken for a late one (RFC 3550 appendix A.1, `MAX_MISORDER`;
/// 1500 rather than the RFC's 100, because at high bit rates a late packet can be hundreds behind).
pub const MAX_MISORDER: u16 = 1500;

/// Where extended sequence numbers start: one cycle up, so that packets from before the first one have a number too.
pub(crate) const FIRST_CYCLE: u64 = 1 << 16;

/// Extends a counter of `BITS` bits to 64 bits: each value is taken to be the one nearest to the newest seen.
///
/// The first value `v` becomes `2^BITS + v`, so nothing that follows can fall below zero. The low `BITS` bits of a result are
/// always the value that went in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Unwrapper<const BITS: u32> {
    newest: Option<u64>,
}

/// Extends 16-bit sequence numbers.
pub type SequenceUnwrapper = Unwrapper<16>;
/// Extends 32-bit RTP timestamps.
pub type TimestampUnwrapper = Unwrapper<32>;

impl<const BITS: u32> Unwrapper<BITS> {
    const MODULUS: u64 = {
        assert!(BITS >= 1 && BITS <= 32, "a wrapping counter of 1 to 32 bits");
        1 << BITS
    };

    /// An unwrapper that has seen nothing.
    pub const fn new() -> Self {
        Self { newest: None }
    }

    /// The highest extended value so far.
    pub const fn newest(&self) -> Option<u64> {
        self.newest
    }

    /// The extended form of `value`, without remembering it. Bits above `BITS` are ignored.
    #[inline]
    pub const fn peek(&self, value: u32) -> u64 {
        let value = value as u64 & (Self::MODULUS - 1);
        match self.newest {
            None => Self::MODULUS + value,
            Some(newest) => nearest(newest, value, Self::MODULUS),
        }
    }

    /// The extended form of `value`; the highest one so far is the next reference.
    #[inline]
    pub fn unwrap(&mut self, value: u32) -> u64 {
        let extended = self.peek(value);
        if self.newest.is_none_or(|newest| extended > newest) {
            self.newest = Some(extended);
        }
        extended
    }
}

/// The number nearest to `reference` that is `value` modulo `modulus`; ties go forward. Needs `reference >= modulus / 2`.
const fn nearest(reference: u64, value: u64, modulus: u64) -> u64 {
    let forward = value.wrapping_sub(reference) & (modulus - 1);
    if forward <= modulus / 2 {
        reference.saturating_add(forward)
    } else {
        reference.saturating_sub(modulus - forward)
    }
}

/// What a sequence number is, next to those before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SequenceStep {
    /// The first of the stream, or ahead of all before it by less than [`MAX_DROPOUT`].
    Newest(u64),
    /// The newest again, or up to [`MAX_MISORDER`] behind it: late, sent again, or a duplicate.
    Late(u64),
    /// Out of range in either direction. Should the next number follow it, the source has restarted.
    Jump,
    /// The second of two consecutive numbers out of range: the source has restarted, and counts on from here. The extended number
    /// is above all before it.
    Resynced(u64),
}

/// Follows one source's sequence numbers (RFC 3550 appendix A.1).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ExtendedSequence {
    newest: Option<u64>,
    /// The number after the last one that was out of range.
    probation: Option<u16>,
}

impl ExtendedSequence {
    /// A source of which nothing was seen.
    pub const fn new() -> Self {
        Self { newest: None, probation: None }
    }

    /// The highest extended sequence number so far; its low 16 bits are the one on the wire.
    pub const fn newest(&self) -> Option<u64> {
        self.newest
    }

    /// Places `sequence_number`, and moves on if it is the newest.
    pub fn step(&mut self, sequence_number: u16) -> SequenceStep {
        let Some(newest) = self.newest else {
            let extended = FIRST_CYCLE + u64::from(sequence_number);
            self.newest = Some(extended);
            return SequenceStep::Newest(extended);
        };
        let forward = sequence_number.wrapping_sub(newest as u16);
        if forward != 0 && forward < MAX_DROPOUT {
            let extended = newest + u64::from(forward);
            self.newest = Some(extended);
            self.probation = None;
            return SequenceStep::Newest(extended);
        }
        if forward == 0 || forward > 0u16.wrapping_sub(MAX_MISORDER) {
            return SequenceStep::Late(newest - u64::from(forward.wrapping_neg()));
        }
        if self.probation == Some(sequence_number) {
            let extended = newest + u64::from(forward);
            *self = Self { newest: Some(extended), probation: None };
            return SequenceStep::Resynced(extended);
        }
        self.probation = Some(sequence_number.wrapping_add(1));
        SequenceStep::Jump
    }

    /// The extended number nearest to the newest, for a number learnt from elsewhere than this source's own headers (the original
    /// sequence number of a retransmission, RFC 4588 section 4). `None` before the first packet.
    pub fn locate(&self, sequence_number: u16) -> Option<u64> {
        self.newest.map(|newest| nearest(newest, u64::from(sequence_number), 1 << 16))
    }

    /// Makes `extended` the newest if it is.
    pub fn advance_to(&mut self, extended: u64) {
        if self.newest.is_some_and(|newest| extended > newest) {
            self.newest = Some(extended);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn extended_numbers_run_on_over_the_wrap() {
        let mut sequence = ExtendedSequence::new();
        assert_eq!(sequence.step(65_534), SequenceStep::Newest(131_070));
        assert_eq!(sequence.step(65_535), SequenceStep::Newest(131_071));
        assert_eq!(sequence.step(0), SequenceStep::Newest(131_072));
        assert_eq!(sequence.step(65_535), SequenceStep::Late(131_071));
        assert_eq!(sequence.step(0), SequenceStep::Late(131_072));
    }

    #[test]
    fn a_packet_from_before_the_first_has_a_number() {
        let mut sequence = ExtendedSequence::new();
        assert_eq!(sequence.step(2), SequenceStep::Newest(65_538));
        assert_eq!(sequence.step(65_535), SequenceStep::Late(65_535));
    }

    #[test]
    fn the_limits_are_exact() {
        let mut sequence = ExtendedSequence::new();
        sequence.step(10_000);
        assert_eq!(sequence.step(10_000 + MAX_DROPOUT), SequenceStep::Jump);
        assert_eq!(sequence.step(10_000 - MAX_MISORDER), SequenceStep::Jump);
        assert_eq!(sequence.step(10_000 - MAX_MISORDER + 1), SequenceStep::Late(65_536 + 8501));
        assert_eq!(sequence.step(10_000 + MAX_DROPOUT - 1), SequenceStep::Newest(65_536 + 12_999));
    }

    #[test]
    fn two_sequential_packets_resync_above_all_before() {
        let mut sequence = ExtendedSequence::new();
        sequence.step(40_000);
        assert_eq!(sequence.step(20_000), SequenceStep::Jump);
        assert_eq!(sequence.step(20_002), SequenceStep::Jump);
        assert_eq!(sequence.step(20_003), SequenceStep::Resynced(131_072 + 20_003));
        assert_eq!(sequence.step(20_002), SequenceStep::Late(131_072 + 20_002));
    }

    #[test]
    fn one_stray_packet_changes_nothing() {
        let mut sequence = ExtendedSequence::new();
        sequence.step(1000);
        assert_eq!(sequence.step(30_000), SequenceStep::Jump);
        assert_eq!(sequence.step(1001), SequenceStep::Newest(66_537));
        assert_eq!(sequence.step(30_001), SequenceStep::Jump);
    }

    proptest! {
        #[test]
        fn unwrapping_undoes_wrapping(start in 0u64..1 << 40, steps in prop::collection::vec(-20_000i64..30_000, 1..200)) {
            let mut unwrapper = SequenceUnwrapper::new();
            let mut truth = start + (1 << 24);
            let offset = unwrapper.unwrap(truth as u32 & 0xffff).wrapping_sub(truth);
            let mut newest = truth;
            for step in steps {
                truth = newest.saturating_add_signed(step);
                prop_assert_eq!(unwrapper.unwrap(truth as u32 & 0xffff), truth.wrapping_add(offset));
                newest = newest.max(truth);
            }
        }

        #[test]
        fn timestamps_keep_their_low_bits(values in prop::collection::vec(any::<u32>(), 1..100)) {
            let mut unwrapper = TimestampUnwrapper::new();
            for value in values {
                prop_assert_eq!(unwrapper.unwrap(value) as u32, value);
            }
        }

        #[test]
        fn steps_keep_their_low_bits_and_resync_above(values in prop::collection::vec(any::<u16>(), 1..300)) {
            let mut sequence = ExtendedSequence::new();
            for value in values {
                let before = sequence.newest();
                match sequence.step(value) {
                    SequenceStep::Newest(extended) | SequenceStep::Resynced(extended) => {
                        prop_assert!(before.is_none_or(|newest| extended > newest));
                        prop_assert_eq!(extended as u16, value);
                    }
                    SequenceStep::Late(extended) => {
                        prop_assert!(before.is_some_and(|newest| extended <= newest));
                        prop_assert_eq!(extended as u16, value);
                    }
                    SequenceStep::Jump => prop_assert_eq!(sequence.newest(), before),
                }
            }
        }
    }
}
