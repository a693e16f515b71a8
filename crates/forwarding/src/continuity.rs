//! A counter without gaps made from one with gaps: what is left out on purpose leaves no hole, what is lost leaves its hole, and
//! what comes late gets the number that was kept for it.

/// Why an input has no output.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NoOutput {
    /// From before the last synchronisation.
    BeforeSync,
    /// Behind the window.
    TooOld,
    /// Left out before.
    Omitted,
}

/// Maps an extended input counter to an extended output counter. Remembers for the last `WORDS` x 64 inputs which were left out.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Continuity<const WORDS: usize> {
    /// The first input that has an output; `None` until the first input after creation or [`sync`](Self::sync).
    floor: Option<u64>,
    /// The newest input.
    newest: u64,
    /// The output of the newest input or, if that was left out, of the last one before it that was not.
    output: u64,
    /// A bit for each input, by input modulo the window: it was left out.
    omitted: [u64; WORDS],
}

impl<const WORDS: usize> Continuity<WORDS> {
    const WINDOW: u64 = WORDS as u64 * 64;

    /// A map whose first output is `first_output`, at least 1.
    pub(crate) const fn new(first_output: u64) -> Self {
        Self { floor: None, newest: 0, output: first_output.saturating_sub(1), omitted: [0; WORDS] }
    }

    /// Breaks with the inputs so far: the next one gets the output after the highest, plus `holes`.
    pub(crate) const fn sync(&mut self, holes: u64) {
        self.floor = None;
        self.output += holes;
    }

    /// As [`sync`](Self::sync), and `input` is the next one. The `before` inputs in front of it have a place each, so that they may come
    /// late.
    pub(crate) fn start(&mut self, input: u64, holes: u64, before: u64) {
        let floor = input.saturating_sub(before);
        self.floor = Some(floor);
        self.newest = input.saturating_sub(1);
        self.output += holes + input - floor;
        self.omitted = [0; WORDS];
    }

    /// The output that the next input would have in order.
    pub(crate) const fn next_output(&self) -> u64 {
        self.output + 1
    }

    /// The newest input, if any came since the last synchronisation.
    pub(crate) fn newest(&self) -> Option<u64> {
        self.floor.map(|_| self.newest)
    }

    /// The output of `input`.
    #[inline]
    pub(crate) fn forward(&mut self, input: u64) -> Result<u64, NoOutput> {
        match self.floor {
            // The next one in order, which is nearly all there are.
            Some(_) if input == self.newest + 1 => {
                self.output += 1;
                self.newest = input;
                let (word, bit) = Self::place(input);
                if let Some(word) = self.omitted.get_mut(word) {
                    *word &= !bit;
                }
                Ok(self.output)
            }
            // A picture has several packets.
            Some(_) if input == self.newest && !self.is_omitted(input) => Ok(self.output),
            Some(floor) => self.forward_out_of_order(floor, input),
            None => {
                self.floor = Some(input);
                self.newest = input;
                self.output += 1;
                self.omitted = [0; WORDS];
                Ok(self.output)
            }
        }
    }

    #[cold]
    fn forward_out_of_order(&mut self, floor: u64, input: u64) -> Result<u64, NoOutput> {
        if input > self.newest {
            self.output += input - self.newest;
            self.advance(input);
            return Ok(self.output);
        }
        if input < floor {
            return Err(NoOutput::BeforeSync);
        }
        if self.newest - input >= Self::WINDOW {
            return Err(NoOutput::TooOld);
        }
        if self.is_omitted(input) {
            return Err(NoOutput::Omitted);
        }
        let kept = (self.newest - input) - self.omitted_after(input);
        Ok(self.output - kept)
    }

    /// Leaves `input` out. One that is late has its hole already, and keeps it.
    pub(crate) fn omit(&mut self, input: u64) {
        if self.floor.is_some() && input > self.newest {
            self.output += input - self.newest - 1;
            self.advance(input);
            let (word, bit) = Self::place(input);
            if let Some(word) = self.omitted.get_mut(word) {
                *word |= bit;
            }
        }
    }

    fn advance(&mut self, input: u64) {
        let passed = input - self.newest;
        if passed >= Self::WINDOW {
            self.omitted = [0; WORDS];
        } else {
            for input in self.newest + 1..=input {
                let (word, bit) = Self::place(input);
                if let Some(word) = self.omitted.get_mut(word) {
                    *word &= !bit;
                }
            }
        }
        self.newest = input;
    }

    fn is_omitted(&self, input: u64) -> bool {
        let (word, bit) = Self::place(input);
        self.omitted.get(word).is_some_and(|word| word & bit != 0)
    }

    /// How many of `input + 1 ..= newest` were left out; `input` is in the window.
    fn omitted_after(&self, input: u64) -> u64 {
        let mut count = 0;
        let mut next = input + 1;
        while next <= self.newest {
            let (word, first) = Self::place(next);
            let in_word = 64 - u64::from(first.trailing_zeros());
            let wanted = in_word.min(self.newest - next + 1);
            let mask = (u64::MAX >> (64 - wanted)) << first.trailing_zeros();
            count += self.omitted.get(word).map_or(0, |word| u64::from((word & mask).count_ones()));
            next += wanted;
        }
        count
    }

    const fn place(input: u64) -> (usize, u64) {
        let position = input % Self::WINDOW;
        ((position / 64) as usize, 1 << (position % 64))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn lost_inputs_leave_holes_and_omitted_ones_do_not() {
        let mut map = Continuity::<4>::new(1);
        assert_eq!(map.forward(100), Ok(1));
        map.omit(101);
        assert_eq!(map.forward(102), Ok(2));
        assert_eq!(map.forward(105), Ok(5));
        assert_eq!(map.forward(103), Ok(3));
        assert_eq!(map.forward(101), Err(NoOutput::Omitted));
        assert_eq!(map.forward(100), Ok(1));
        assert_eq!(map.forward(99), Err(NoOutput::BeforeSync));
        map.sync(0);
        assert_eq!(map.forward(7), Ok(6));
        assert_eq!(map.forward(6), Err(NoOutput::BeforeSync));
        map.sync(1);
        assert_eq!(map.forward(9), Ok(8));
    }

    #[test]
    fn a_run_may_have_room_in_front() {
        let mut map = Continuity::<1>::new(1);
        assert_eq!(map.forward(100), Ok(1));
        map.start(700, 1, 2);
        assert_eq!(map.forward(700), Ok(5));
        assert_eq!(map.forward(698), Ok(3));
        assert_eq!(map.forward(697), Err(NoOutput::BeforeSync));
        assert_eq!(map.forward(701), Ok(6));
        map.start(300, 0, 0);
        assert_eq!(map.forward(300), Ok(7));
        assert_eq!(map.forward(299), Err(NoOutput::BeforeSync));
    }

    #[test]
    fn the_window_ends() {
        let mut map = Continuity::<1>::new(1);
        assert_eq!(map.forward(100), Ok(1));
        assert_eq!(map.forward(163), Ok(64));
        assert_eq!(map.forward(100), Ok(1));
        assert_eq!(map.forward(164), Ok(65));
        assert_eq!(map.forward(100), Err(NoOutput::TooOld));
    }

    proptest! {
        /// Against a plain list: the output of an input is the number of inputs from the first to it that were not omitted when
        /// they were the newest.
        #[test]
        fn agrees_with_a_list(steps in prop::collection::vec((-40i64..6, any::<bool>()), 1..400)) {
            let mut map = Continuity::<2>::new(1);
            let first = 1000u64;
            prop_assert_eq!(map.forward(first), Ok(1));
            let (mut newest, mut omitted) = (first, Vec::new());
            for (step, forward) in steps {
                let input = newest.saturating_add_signed(step).max(first);
                if forward {
                    let output = input - first + 1 - omitted.iter().filter(|&&other| other < input).count() as u64;
                    let expected = if omitted.contains(&input) { Err(NoOutput::Omitted) } else { Ok(output) };
                    prop_assert_eq!(map.forward(input), expected);
                } else {
                    map.omit(input);
                    if input > newest {
                        omitted.push(input);
                    }
                }
                newest = newest.max(input);
            }
        }
    }
}
