//! Which of a source's last packets have arrived: a bit for each, so that a packet counts once however often it comes.

use std::fmt;

/// The last packets of a source, a bit each. The number of bits is fixed at creation.
#[derive(Clone)]
pub(crate) struct SeenWindow {
    words: Box<[u64]>,
    newest: u64,
}

/// What became of a packet that was shown to a [`SeenWindow`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Seen {
    First,
    Before,
    /// Behind the window: cannot be told.
    Forgotten,
}

impl SeenWindow {
    /// A window of at least `packets` packets, rounded up to a multiple of 64.
    pub(crate) fn new(packets: usize) -> Self {
        Self { words: vec![0; packets.div_ceil(64).max(1)].into_boxed_slice(), newest: 0 }
    }

    fn len(&self) -> u64 {
        self.words.len() as u64 * 64
    }

    /// Forgets everything; the window then ends at `newest`.
    pub(crate) fn restart(&mut self, newest: u64) {
        self.words.fill(0);
        self.newest = newest;
    }

    /// Whether `extended` would be the first of its number.
    pub(crate) fn check(&self, extended: u64) -> Seen {
        if extended > self.newest {
            return Seen::First;
        }
        if self.newest - extended >= self.len() {
            return Seen::Forgotten;
        }
        let (word, bit) = self.place(extended);
        if self.words.get(word).is_some_and(|word| word & bit != 0) { Seen::Before } else { Seen::First }
    }

    /// Marks `extended` as arrived, and says whether it had before.
    pub(crate) fn insert(&mut self, extended: u64) -> Seen {
        let seen = self.check(extended);
        if seen == Seen::First {
            if extended > self.newest {
                self.advance(extended);
            }
            let (word, bit) = self.place(extended);
            if let Some(word) = self.words.get_mut(word) {
                *word |= bit;
            }
        }
        seen
    }

    fn advance(&mut self, newest: u64) {
        if newest - self.newest >= self.len() {
            self.words.fill(0);
        } else {
            for extended in self.newest + 1..=newest {
                let (word, bit) = self.place(extended);
                if let Some(word) = self.words.get_mut(word) {
                    *word &= !bit;
                }
            }
        }
        self.newest = newest;
    }

    fn place(&self, extended: u64) -> (usize, u64) {
        let position = extended % self.len();
        ((position / 64) as usize, 1 << (position % 64))
    }
}

impl fmt::Debug for SeenWindow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SeenWindow").field("len", &self.len()).field("newest", &self.newest).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::HashSet;

    #[test]
    fn each_number_is_first_once() {
        let mut window = SeenWindow::new(128);
        window.restart(1000);
        assert_eq!(window.insert(1000), Seen::First);
        assert_eq!(window.insert(1000), Seen::Before);
        assert_eq!(window.insert(1127), Seen::First);
        assert_eq!(window.insert(1000), Seen::Before);
        assert_eq!(window.insert(1128), Seen::First);
        assert_eq!(window.insert(1000), Seen::Forgotten);
        assert_eq!(window.insert(5000), Seen::First);
        assert_eq!(window.insert(4999), Seen::First);
    }

    proptest! {
        #[test]
        fn agrees_with_a_set(numbers in prop::collection::vec(10_000u64..10_600, 1..500)) {
            let mut window = SeenWindow::new(256);
            window.restart(10_000);
            let (mut set, mut newest) = (HashSet::new(), 10_000);
            for number in numbers {
                let expected = if number + 256 <= newest {
                    Seen::Forgotten
                } else if set.insert(number) {
                    Seen::First
                } else {
                    Seen::Before
                };
                prop_assert_eq!(window.insert(number), expected);
                newest = newest.max(number);
            }
        }
    }
}
