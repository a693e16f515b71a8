//! The sequence numbers of a consumer: contiguous where packets were dropped on purpose, with the source's own holes where they were
//! lost, so that the receiver asks for the lost ones and for nothing else.

use crate::continuity::{Continuity, NoOutput};
use crate::sequence::{FIRST_CYCLE, MAX_DROPOUT};
use crate::verdict::DropReason;

/// How far behind the newest packet a late one may be and still get its place: 2048 sequence numbers.
pub const SEQUENCE_MAP_WINDOW: u64 = 32 * 64;

/// Maps a source's extended sequence numbers to a consumer's.
///
/// A late packet gets the number it would have had in order. One that was dropped stays dropped. After [`resync`](Self::resync), and
/// after a jump of the source, the numbers go on from the highest one so far.
#[derive(Clone, Copy, Debug)]
pub struct SequenceMap {
    numbers: Continuity<{ SEQUENCE_MAP_WINDOW as usize / 64 }>,
}

impl SequenceMap {
    /// A map whose first output is `first` (RFC 3550 section 5.1: it should be random).
    pub const fn new(first: u16) -> Self {
        Self { numbers: Continuity::new(FIRST_CYCLE + first as u64) }
    }

    /// The output sequence number of a packet that is to be forwarded.
    #[inline]
    pub fn forward(&mut self, extended_sequence: u64) -> Result<u16, DropReason> {
        if self
            .numbers
            .newest()
            .is_some_and(|newest| extended_sequence >= newest.saturating_add(u64::from(MAX_DROPOUT)))
        {
            self.numbers.sync(0);
        }
        self.numbers.forward(extended_sequence).map(|output| output as u16).map_err(|reason| match reason {
            NoOutput::BeforeSync => DropReason::BeforeStart,
            NoOutput::TooOld => DropReason::TooOld,
            NoOutput::Omitted => DropReason::DroppedBefore,
        })
    }

    /// Takes a packet out of the output. A packet that is not the newest leaves its hole: those after it have their numbers already.
    pub fn drop_packet(&mut self, extended_sequence: u64) {
        self.numbers.omit(extended_sequence);
    }

    /// The next packet starts anew: its number follows the highest so far, with `holes` numbers left out (one, so that the receiver
    /// sees that the frame before was cut off); what is older than that packet is not forwarded.
    pub const fn resync(&mut self, holes: u8) {
        self.numbers.sync(holes as u64);
    }

    /// As [`resync`](Self::resync), where the next packet is known. The `before` numbers in front of it are kept for packets that may
    /// come late.
    pub fn start(&mut self, extended_sequence: u64, holes: u8, before: u8) {
        self.numbers.start(extended_sequence, u64::from(holes), u64::from(before));
    }

    /// The output sequence number that the next packet would have in order.
    pub const fn next(&self) -> u16 {
        self.numbers.next_output() as u16
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::{BTreeMap, BTreeSet};

    const BASE: u64 = 100_000;

    #[test]
    fn the_first_output_is_the_given_one_and_wraps() {
        let mut map = SequenceMap::new(u16::MAX);
        assert_eq!(map.forward(BASE), Ok(65_535));
        assert_eq!(map.forward(BASE + 1), Ok(0));
        let mut map = SequenceMap::new(0);
        assert_eq!(map.forward(BASE), Ok(0));
    }

    #[test]
    fn drops_close_up_and_losses_stay_open() {
        let mut map = SequenceMap::new(1);
        assert_eq!(map.forward(BASE), Ok(1));
        map.drop_packet(BASE + 1);
        map.drop_packet(BASE + 2);
        assert_eq!(map.forward(BASE + 3), Ok(2));
        assert_eq!(map.forward(BASE + 6), Ok(5));
        assert_eq!(map.forward(BASE + 5), Ok(4));
        assert_eq!(map.forward(BASE + 2), Err(DropReason::DroppedBefore));
    }

    #[test]
    fn resync_goes_on_from_the_highest() {
        let mut map = SequenceMap::new(1);
        assert_eq!(map.forward(BASE), Ok(1));
        map.resync(0);
        assert_eq!(map.forward(BASE + 500), Ok(2));
        assert_eq!(map.forward(BASE + 499), Err(DropReason::BeforeStart));
        map.resync(1);
        assert_eq!(map.forward(BASE + 600), Ok(4));
    }

    #[test]
    fn the_next_number_is_told_before_it_is_given_and_dropped_packets_do_not_use_it_up() {
        let mut map = SequenceMap::new(700);
        assert_eq!(map.next(), 700);
        assert_eq!(map.forward(BASE), Ok(700));
        map.drop_packet(BASE + 1);
        assert_eq!(map.next(), 701);
        assert_eq!(map.forward(BASE + 2), Ok(701));
        map.resync(3);
        assert_eq!(map.next(), 705);
        assert_eq!(map.forward(BASE + 90), Ok(705));
    }

    #[test]
    fn a_jump_of_the_source_leaves_no_gap() {
        let mut map = SequenceMap::new(1);
        assert_eq!(map.forward(BASE), Ok(1));
        assert_eq!(map.forward(BASE + 2999), Ok(3000));
        assert_eq!(map.forward(BASE + 2999 + 3000), Ok(3001));
    }

    #[test]
    fn late_packets_have_a_place_within_the_window() {
        let mut map = SequenceMap::new(1);
        assert_eq!(map.forward(BASE), Ok(1));
        assert_eq!(map.forward(BASE + 2048), Ok(2049));
        assert_eq!(map.forward(BASE + 1), Ok(2));
        assert_eq!(map.forward(BASE), Err(DropReason::TooOld));
    }

    proptest! {
        /// A source whose packets arrive in blocks of shuffled order, some dropped on purpose.
        #[test]
        fn outputs_are_contiguous_injective_and_in_order(
            fates in prop::collection::vec(prop::bool::weighted(0.7), 1..500),
            swaps in prop::collection::vec((0usize..500, 1usize..8), 0..100),
            first: u16,
        ) {
            let mut order: Vec<usize> = (0..fates.len()).collect();
            for (index, distance) in swaps {
                if index + distance < order.len() {
                    order.swap(index, index + distance);
                }
            }
            let mut map = SequenceMap::new(first);
            let mut outputs = BTreeMap::new();
            let mut holes = BTreeSet::new();
            let (mut newest, mut started) = (0, false);
            for index in order {
                let late = started && index < newest;
                if fates[index] {
                    if let Ok(output) = map.forward(BASE + index as u64) {
                        prop_assert_eq!(map.forward(BASE + index as u64), Ok(output));
                        outputs.insert(index, output.wrapping_sub(first));
                    }
                    started = true;
                } else {
                    map.drop_packet(BASE + index as u64);
                    // A late drop keeps the number that was held back for it; one from before the start was never taken out.
                    if late || !started {
                        holes.insert(index);
                    }
                }
                if started {
                    newest = newest.max(index);
                }
            }
            // In source order, the outputs rise by one, plus one for each drop between that left its hole.
            let mut previous: Option<(usize, u16)> = None;
            for (&index, &output) in &outputs {
                if let Some((before, last)) = previous {
                    let kept = holes.range(before..index).count() as u16;
                    prop_assert_eq!(output, last + 1 + kept);
                } else {
                    prop_assert_eq!(output, 0);
                }
                previous = Some((index, output));
            }
        }
    }
}
