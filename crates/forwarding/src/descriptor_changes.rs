//! What changes in the dependency descriptors of a consumer, by the sequence number that a packet is sent under: what is sent again
//! has to be what was sent first.
//!
//! Frame numbers rise, whatever stream the frames come from: frames refer to one another by distance, so that a number added to all
//! of a run changes nothing else. And the receiver hears from which frame on it gets other layers.

use crate::frame_layers::Limit;

/// How many changes are remembered.
const SPANS: usize = 8;
/// A change that lies this far back is moved along, since sequence numbers come again.
const FAR: u16 = 1 << 14;

/// What changes in the dependency descriptor of one packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DescriptorChange {
    /// What is added to the frame number, modulo 2^16.
    pub frame_number_offset: u16,
    /// The receiver gets layers up to this.
    pub(crate) limit: Limit,
    /// The packet is the first that says so.
    pub(crate) announces: bool,
}

impl DescriptorChange {
    /// No change at all.
    pub const NONE: Self = Self { frame_number_offset: 0, limit: Limit::NONE, announces: false };

    /// Whether the descriptor of the packet has to say which targets are left, if it tells of any.
    #[inline]
    pub(crate) fn concerns_targets(&self) -> bool {
        self.announces || self.limit != Limit::NONE
    }
}

impl Default for DescriptorChange {
    fn default() -> Self {
        Self::NONE
    }
}

/// What holds from a sequence number on.
#[derive(Clone, Copy, Debug)]
struct Span {
    since: u16,
    /// `announces` speaks of the packet `since` alone.
    change: DescriptorChange,
}

/// The changes of a consumer's stream.
#[derive(Clone, Copy, Debug)]
pub(crate) struct DescriptorChanges {
    /// The newest first.
    spans: [Span; SPANS],
    count: usize,
    /// There were spans before these.
    forgot: bool,
    /// The highest frame number that was sent.
    newest: Option<u16>,
}

impl DescriptorChanges {
    pub(crate) const fn new() -> Self {
        let none = Span { since: 0, change: DescriptorChange::NONE };
        Self { spans: [none; SPANS], count: 0, forgot: false, newest: None }
    }

    /// A run begins with frame `number`, sent under `sequence_number`, with layers up to `limit`. Its numbers stay as they are if they
    /// rise by themselves. Its layers need no announcement: it begins with a key frame.
    pub(crate) fn begin(&mut self, number: u16, sequence_number: u16, limit: Limit) {
        let DescriptorChange { mut frame_number_offset, .. } = self.current();
        if let Some(newest) = self.newest
            && !is_above(number.wrapping_add(frame_number_offset), newest)
        {
            frame_number_offset = newest.wrapping_add(1).wrapping_sub(number);
        }
        self.push(sequence_number, DescriptorChange { frame_number_offset, limit, announces: false });
    }

    /// From the frame that begins under `sequence_number`, the highest so far, layers up to `limit` are sent.
    #[inline]
    pub(crate) fn set_limit(&mut self, limit: Limit, sequence_number: u16) {
        let current = self.current();
        if current.limit != limit {
            self.push(sequence_number, DescriptorChange { limit, announces: true, ..current });
        }
    }

    /// Takes note of frame `number`, which is sent under `sequence_number`.
    #[inline]
    pub(crate) fn note(&mut self, number: u16, sequence_number: u16) {
        let [Span { since, change }, ..] = &mut self.spans;
        let sent = number.wrapping_add(change.frame_number_offset);
        if self.newest.is_none_or(|newest| is_above(sent, newest)) {
            self.newest = Some(sent);
        }
        if self.count > 0 && (FAR..1 << 15).contains(&sequence_number.wrapping_sub(*since)) {
            (*since, change.announces) = (sequence_number.wrapping_sub(FAR / 2), false);
            (self.count, self.forgot) = (1, true);
        }
    }

    /// What changes in a packet that is, or was, sent under `sequence_number`; `None` if that is forgotten.
    #[inline]
    pub(crate) fn at(&self, sequence_number: u16) -> Option<DescriptorChange> {
        for span in self.spans.iter().take(self.count) {
            let behind = sequence_number.wrapping_sub(span.since);
            if behind < 1 << 15 {
                let announces = span.change.announces && behind == 0;
                return Some(DescriptorChange { announces, ..span.change });
            }
        }
        (!self.forgot).then_some(DescriptorChange::NONE)
    }

    fn current(&self) -> DescriptorChange {
        let [Span { change, .. }, ..] = self.spans;
        change
    }

    fn push(&mut self, since: u16, change: DescriptorChange) {
        let current = DescriptorChange { announces: change.announces, ..self.current() };
        if change == current {
            return;
        }
        self.spans.rotate_right(1);
        if let Some(newest) = self.spans.first_mut() {
            *newest = Span { since, change };
        }
        self.forgot |= self.count == SPANS;
        self.count = SPANS.min(self.count + 1);
    }
}

fn is_above(number: u16, other: u16) -> bool {
    number != other && number.wrapping_sub(other) < 1 << 15
}

#[cfg(test)]
mod tests {
    use super::*;

    const BASE: Limit = Limit { spatial: 0, temporal: 0 };

    fn begin(changes: &mut DescriptorChanges, number: u16, sequence_number: u16) {
        changes.begin(number, sequence_number, Limit::NONE);
        changes.note(number, sequence_number);
    }

    /// What a frame is numbered whose packet is sent under this sequence number.
    fn sent(changes: &DescriptorChanges, number: u16, sequence_number: u16) -> Option<u16> {
        changes.at(sequence_number).map(|change| number.wrapping_add(change.frame_number_offset))
    }

    #[test]
    fn numbers_that_rise_are_left_alone() {
        let mut changes = DescriptorChanges::new();
        begin(&mut changes, 65_530, 1);
        begin(&mut changes, 4, 9);
        assert_eq!(changes.at(9), Some(DescriptorChange::NONE));
    }

    #[test]
    fn numbers_that_would_fall_go_on() {
        let mut changes = DescriptorChanges::new();
        begin(&mut changes, 500, 1);
        changes.note(502, 2);
        changes.note(501, 3);
        begin(&mut changes, 10, 65_000);
        assert_eq!(sent(&changes, 10, 65_000), Some(503));
        assert_eq!(sent(&changes, 12, 2), Some(505), "sequence numbers wrap");
        assert_eq!(sent(&changes, 7, 64_999), Some(7), "what was sent before");
        begin(&mut changes, 503, 7);
        assert_eq!(sent(&changes, 503, 7), Some(996), "the numbers of a run keep their distances");
        begin(&mut changes, 3, 9);
        assert_eq!(sent(&changes, 3, 9), Some(997));
        assert_eq!(sent(&changes, 12, 65_002), Some(505), "two runs before");
    }

    #[test]
    fn a_run_may_be_longer_than_sequence_numbers_reach() {
        let mut changes = DescriptorChanges::new();
        begin(&mut changes, 500, 1);
        begin(&mut changes, 100, 10);
        for packet in 1..200_000u32 {
            let (number, sequence_number) = ((100 + packet) as u16, (10 + packet) as u16);
            changes.note(number, sequence_number);
            assert_eq!(sent(&changes, number, sequence_number), Some(number.wrapping_add(401)), "{packet}");
            let before = 1000.min(packet as u16);
            let earlier = sequence_number.wrapping_sub(before);
            assert_eq!(sent(&changes, number, earlier), Some(number.wrapping_add(401)), "{packet}");
        }
    }

    #[test]
    fn a_limit_is_announced_once_and_holds_from_there() {
        let mut changes = DescriptorChanges::new();
        begin(&mut changes, 1, 1);
        changes.set_limit(Limit::NONE, 2);
        assert_eq!(changes.at(2), Some(DescriptorChange::NONE));
        changes.set_limit(BASE, 5);
        changes.set_limit(BASE, 6);
        let limited = DescriptorChange { limit: BASE, ..DescriptorChange::NONE };
        assert_eq!(changes.at(4), Some(DescriptorChange::NONE));
        assert_eq!(changes.at(5), Some(DescriptorChange { announces: true, ..limited }));
        assert_eq!(changes.at(6), Some(limited));
        changes.begin(9, 8, BASE);
        assert_eq!(changes.at(8), Some(limited), "a key frame says it anyway");
        changes.set_limit(Limit::NONE, 10);
        assert_eq!(changes.at(9), Some(limited));
        assert!(changes.at(10).is_some_and(|change| change.announces && change.concerns_targets()));
        assert_eq!(changes.at(11), Some(DescriptorChange::NONE));
    }

    #[test]
    fn what_is_forgotten_is_not_guessed() {
        let mut changes = DescriptorChanges::new();
        for step in 0..10 {
            changes.set_limit(if step % 2 == 0 { BASE } else { Limit::NONE }, 100 + step);
        }
        assert_eq!(changes.at(101), None);
        assert!(changes.at(102).is_some_and(|change| change.announces));
        assert!(changes.at(500).is_some());
    }
}
