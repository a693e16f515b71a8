//! The frame numbers of dependency descriptors over switches: they rise, whatever stream the frames come from.
//!
//! Frames refer to one another by distance, so that a constant added to all numbers of a run changes nothing else.

/// What is added to the frame numbers of a consumer, modulo 2^16.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct FrameNumbers {
    offset: u16,
    /// The offset of the run before, and the first sequence number of this one: packets are sent again with the number that they had.
    before: u16,
    since: u16,
    /// The highest number that was sent.
    newest: Option<u16>,
}

impl FrameNumbers {
    pub(crate) const fn new() -> Self {
        Self { offset: 0, before: 0, since: 0, newest: None }
    }

    /// A run begins with frame `number`, sent under `sequence_number`. Its numbers stay as they are if they rise by themselves.
    pub(crate) fn enter(&mut self, number: u16, sequence_number: u16) {
        (self.before, self.since) = (self.offset, sequence_number);
        if let Some(newest) = self.newest
            && !is_above(number.wrapping_add(self.offset), newest)
        {
            self.offset = newest.wrapping_add(1).wrapping_sub(number);
        }
    }

    /// Takes note of frame `number`, which is sent.
    #[inline]
    pub(crate) fn note(&mut self, number: u16) {
        let sent = number.wrapping_add(self.offset);
        if self.newest.is_none_or(|newest| is_above(sent, newest)) {
            self.newest = Some(sent);
        }
    }

    /// What to add to the number of a frame whose packet is, or was, sent under `sequence_number`.
    #[inline]
    pub(crate) fn offset_at(&self, sequence_number: u16) -> u16 {
        if self.offset == self.before || sequence_number.wrapping_sub(self.since) < 1 << 15 {
            self.offset
        } else {
            self.before
        }
    }
}

fn is_above(number: u16, other: u16) -> bool {
    number != other && number.wrapping_sub(other) < 1 << 15
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_that_rise_are_left_alone() {
        let mut numbers = FrameNumbers::new();
        numbers.enter(65_530, 1);
        numbers.note(65_530);
        numbers.enter(4, 9);
        assert_eq!(numbers.offset_at(9), 0);
    }

    #[test]
    fn numbers_that_would_fall_go_on() {
        let mut numbers = FrameNumbers::new();
        numbers.enter(500, 1);
        numbers.note(500);
        numbers.note(502);
        numbers.note(501);
        numbers.enter(10, 65_000);
        assert_eq!(numbers.offset_at(65_000).wrapping_add(10), 503);
        assert_eq!(numbers.offset_at(2).wrapping_add(12), 505, "sequence numbers wrap");
        assert_eq!(numbers.offset_at(64_999), 0, "what was sent before");
        numbers.note(10);
        numbers.enter(503, 7);
        assert_eq!(numbers.offset_at(7).wrapping_add(503), 996, "the numbers of a run keep their distances");
    }
}
