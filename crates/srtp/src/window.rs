//! A sliding window over packet indices that says which were seen. Knows no packet and no key.

/// Where an index stands in the window.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Standing {
    New,
    Seen,
    TooOld,
}

/// A bitmap over the last `size` indices, as a ring of words, so that moving on clears words and shifts nothing.
#[derive(Debug, Clone)]
pub(crate) struct Window {
    words: Box<[u64]>,
    size: u64,
    highest: u64,
}

impl Window {
    /// A window of `size` indices whose first and highest is `first`, not yet seen.
    pub(crate) fn new(size: usize, first: u64) -> Self {
        // One word more than the size needs: the words at both ends may be covered in part only.
        let words = (size.div_ceil(64) + 1).next_power_of_two();
        Self { words: vec![0; words].into_boxed_slice(), size: size as u64, highest: first }
    }

    pub(crate) fn highest(&self) -> u64 {
        self.highest
    }

    #[inline]
    pub(crate) fn standing(&self, index: u64) -> Standing {
        if index > self.highest {
            return Standing::New;
        }
        if self.highest - index >= self.size {
            return Standing::TooOld;
        }
        let word = self.words.get(self.slot(index)).copied().unwrap_or(u64::MAX);
        if word & bit(index) == 0 { Standing::New } else { Standing::Seen }
    }

    /// Marks `index` as seen and moves the window up to it where it is the highest so far.
    #[inline]
    pub(crate) fn mark(&mut self, index: u64) {
        if index > self.highest {
            self.advance(index);
        }
        let slot = self.slot(index);
        if let Some(word) = self.words.get_mut(slot) {
            *word |= bit(index);
        }
    }

    fn advance(&mut self, index: u64) {
        let (from, to) = (self.highest / 64, index / 64);
        let stale = (to - from).min(self.words.len() as u64);
        for step in 0..stale {
            let slot = self.slot((to - step) * 64);
            if let Some(word) = self.words.get_mut(slot) {
                *word = 0;
            }
        }
        self.highest = index;
    }

    #[inline]
    fn slot(&self, index: u64) -> usize {
        (index / 64) as usize & (self.words.len() - 1)
    }
}

fn bit(index: u64) -> u64 {
    1 << (index % 64)
}

#[cfg(test)]
mod tests {
    use super::{Standing, Window};
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    #[test]
    fn the_first_index_is_new_once() {
        let mut window = Window::new(64, 7);
        assert_eq!(window.standing(7), Standing::New);
        window.mark(7);
        assert_eq!(window.standing(7), Standing::Seen);
        assert_eq!(window.standing(6), Standing::New);
    }

    proptest! {
        /// The window agrees with a set of everything seen.
        #[test]
        fn agrees_with_a_set(size in 1_usize..300, steps in prop::collection::vec(-400_i64..400, 1..300)) {
            let start = 100_000_u64;
            let mut window = Window::new(size, start);
            let mut seen = BTreeSet::new();
            let mut highest = start;
            for step in steps {
                let index = highest.saturating_add_signed(step);
                let expected = if index + size as u64 <= highest {
                    Standing::TooOld
                } else if seen.contains(&index) {
                    Standing::Seen
                } else {
                    Standing::New
                };
                prop_assert_eq!(window.standing(index), expected);
                if expected == Standing::New {
                    window.mark(index);
                    seen.insert(index);
                    highest = highest.max(index);
                }
            }
        }
    }
}
