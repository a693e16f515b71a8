//! The packets that were sent and not yet forgotten: a fixed ring, oldest overwritten.
//!
//! Must not know what a report looks like, nor what is concluded from an outcome.

use super::ProbeId;
use tureen_rtp_wire::Time;

/// What a packet is for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum PacketKind {
    /// Sound.
    Audio,
    /// Something that was sent before.
    Retransmission,
    /// Pictures.
    #[default]
    Video,
    /// Nothing but bytes, for a probe.
    Padding,
}

/// A packet that leaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SentPacket {
    /// Its transport-wide sequence number. Numbers follow each other; one that is left out costs nothing.
    pub sequence_number: u16,
    /// Bytes that it takes on the wire, as the rates are counted.
    pub size: u16,
    /// What it is for.
    pub kind: PacketKind,
    /// The probe that it belongs to, if any.
    pub probe: Option<ProbeId>,
}

/// Packets that are remembered. What is older than the newest by this many has no outcome any more.
pub const HISTORY: u16 = 4096;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    Forgotten,
    UnderWay,
    Missing,
    Arrived,
}

#[derive(Clone, Copy, Debug)]
struct Slot {
    at: Time,
    size: u16,
    sequence_number: u16,
    probe: Option<ProbeId>,
    fate: Fate,
}

/// What was sent under a number, and what had been said of it before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Known {
    pub at: Time,
    pub size: u16,
    pub probe: Option<ProbeId>,
    /// It had been reported as missing.
    pub was_missing: bool,
}

/// The ring.
#[derive(Clone, Debug)]
pub(crate) struct History {
    slots: Box<[Slot]>,
    newest: u16,
    under_way: u64,
}

impl History {
    pub(crate) fn new() -> Self {
        let empty = Slot { at: Time::ZERO, size: 0, sequence_number: 0, probe: None, fate: Fate::Forgotten };
        Self { slots: vec![empty; usize::from(HISTORY)].into_boxed_slice(), newest: 0, under_way: 0 }
    }

    pub(crate) fn insert(&mut self, now: Time, packet: SentPacket) {
        let SentPacket { sequence_number, size, probe, .. } = packet;
        let Some(slot) = self.slots.get_mut(place(sequence_number)) else { return };
        if slot.fate == Fate::UnderWay {
            self.under_way -= u64::from(slot.size);
        }
        *slot = Slot { at: now, size, sequence_number, probe, fate: Fate::UnderWay };
        self.under_way += u64::from(size);
        self.newest = sequence_number;
    }

    /// Notes that a packet arrived: what it was, if nobody had said so before.
    pub(crate) fn arrived(&mut self, sequence_number: u16) -> Option<Known> {
        let slot = self.find(sequence_number)?;
        let was_missing = slot.fate == Fate::Missing;
        let was_under_way = slot.fate == Fate::UnderWay;
        if !was_missing && !was_under_way {
            return None;
        }
        slot.fate = Fate::Arrived;
        let known = Known { at: slot.at, size: slot.size, probe: slot.probe, was_missing };
        if was_under_way {
            self.under_way -= u64::from(known.size);
        }
        Some(known)
    }

    /// Notes that a packet is said to be missing: what it was, if it was still under way.
    pub(crate) fn missing(&mut self, sequence_number: u16) -> Option<Known> {
        let slot = self.find(sequence_number).filter(|slot| slot.fate == Fate::UnderWay)?;
        slot.fate = Fate::Missing;
        let known = Known { at: slot.at, size: slot.size, probe: slot.probe, was_missing: false };
        self.under_way -= u64::from(known.size);
        Some(known)
    }

    /// Bytes of which nothing was said yet.
    pub(crate) const fn under_way(&self) -> u64 {
        self.under_way
    }

    /// Gives up on what is under way: nothing was said of it for long.
    pub(crate) fn give_up(&mut self) {
        for slot in self.slots.iter_mut().filter(|slot| slot.fate == Fate::UnderWay) {
            slot.fate = Fate::Missing;
        }
        self.under_way = 0;
    }

    fn find(&mut self, sequence_number: u16) -> Option<&mut Slot> {
        if self.newest.wrapping_sub(sequence_number) >= HISTORY {
            return None;
        }
        let slot = self.slots.get_mut(place(sequence_number))?;
        (slot.sequence_number == sequence_number).then_some(slot)
    }
}

const fn place(sequence_number: u16) -> usize {
    (sequence_number % HISTORY) as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    fn packet(sequence_number: u16) -> SentPacket {
        SentPacket { sequence_number, size: 100, kind: PacketKind::Video, probe: None }
    }

    #[test]
    fn a_packet_has_one_outcome_and_may_come_late() {
        let mut history = History::new();
        for sequence_number in [65_534, 65_535, 0, 1] {
            history.insert(Time::from_millis(5), packet(sequence_number));
        }
        assert_eq!(history.under_way(), 400);
        assert!(history.arrived(65_535).is_some_and(|known| !known.was_missing));
        assert_eq!(history.arrived(65_535), None, "told before");
        assert!(history.missing(0).is_some());
        assert_eq!(history.missing(0), None);
        assert!(history.arrived(0).is_some_and(|known| known.was_missing));
        assert_eq!(history.arrived(2), None, "never sent");
        assert_eq!(history.under_way(), 200);
    }

    #[test]
    fn what_is_overwritten_is_no_longer_under_way() {
        let mut history = History::new();
        for number in 0..3 * u32::from(HISTORY) {
            history.insert(Time::ZERO, packet(number as u16));
        }
        assert_eq!(history.under_way(), 100 * u64::from(HISTORY));
        assert_eq!(history.arrived((2 * HISTORY) - 1), None);
        history.give_up();
        assert_eq!(history.under_way(), 0);
    }
}
