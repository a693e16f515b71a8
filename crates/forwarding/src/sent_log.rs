//! What a consumer was sent lately: from an output sequence number back to the source packet and the changes it had, so that a NACK
//! is answered from the source's one store.

use crate::repair::{MAX_REPAIRS, ResendRefusal, ResendTimes};
use crate::verdict::{PayloadPatch, Rewrite};
use std::time::Duration;
use tureen_rtp_wire::Time;

/// Entries of a video consumer's log, unless chosen otherwise.
pub const SENT_LOG_VIDEO: usize = 1024;
/// Entries of an audio consumer's log, unless chosen otherwise.
pub const SENT_LOG_AUDIO: usize = 256;
/// Encodings that a log can tell apart.
pub const MAX_LOGGED_ENCODINGS: u8 = 8;

/// A packet that was sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SentPacket {
    /// The source's encoding.
    pub encoding: u8,
    /// The low 32 bits of the source's extended sequence number: the key for
    /// [`PacketStore::get_low`](crate::PacketStore::get_low).
    pub source: u32,
    /// The changes it had.
    pub rewrite: Rewrite,
}

/// 16 bytes an entry.
#[derive(Clone, Copy, Debug, Default)]
struct Entry {
    source: u32,
    timestamp: u32,
    sequence_number: u16,
    picture_id: u16,
    /// Milliseconds of when it was sent first, modulo 2^16.
    sent_at: u16,
    tl0_pic_idx: u8,
    flags: u8,
}

const _: () = assert!(size_of::<Entry>() == 16, "a log entry is 16 bytes");

const USED: u8 = 1 << 0;
const MARKER_CHANGED: u8 = 1 << 1;
const MARKER: u8 = 1 << 2;
/// Resent at least once.
const RESENT: u8 = 1 << 3;
/// The payload was patched.
const PATCHED: u8 = 1 << 4;
const ENCODING_SHIFT: u32 = 5;
/// Beside a picture id, which has 15 bits: it is one of VP9.
const VP9: u16 = 1 << 15;

/// The packets sent again lately, apart from the log since few are; one that is pushed out by another may be sent again once too often.
const REPEATS: usize = 256;

/// A packet that was sent again.
#[derive(Clone, Copy, Debug, Default)]
struct Repeat {
    sequence_number: u16,
    /// Milliseconds of when it was sent last, modulo 2^16.
    sent_at: u16,
    count: u8,
}

/// A ring of the packets sent last, by output sequence number.
#[derive(Clone, Debug)]
pub struct SentLog {
    entries: Box<[Entry]>,
    /// By output sequence number.
    repeats: Box<[Repeat]>,
}

impl SentLog {
    /// A log of `capacity` packets, rounded up to a power of two, at most 32768.
    pub fn new(capacity: usize) -> Self {
        let capacity = capacity.clamp(1, 1 << 15).next_power_of_two();
        let repeats = vec![Repeat::default(); capacity.min(REPEATS)];
        Self {
            entries: vec![Entry::default(); capacity].into_boxed_slice(),
            repeats: repeats.into_boxed_slice(),
        }
    }

    /// The number of packets it remembers.
    pub fn capacity(&self) -> usize {
        self.entries.len()
    }

    /// Remembers a packet that is sent at `now`. Of the encoding the low three bits count ([`MAX_LOGGED_ENCODINGS`]).
    #[inline]
    pub fn insert(&mut self, now: Time, packet: SentPacket) {
        let place = self.place(packet.rewrite.sequence_number);
        if let Some(entry) = self.entries.get_mut(place) {
            *entry = Entry::pack(now, &packet);
        }
    }

    /// The packet that was sent as `sequence_number`.
    pub fn get(&self, sequence_number: u16) -> Option<SentPacket> {
        let entry = self.entries.get(self.place(sequence_number))?;
        (entry.flags & USED != 0 && entry.sequence_number == sequence_number).then(|| entry.unpack())
    }

    /// As [`get`](Self::get), for sending the packet again at `now`. Says too whether this would be the first repetition. Follow up with
    /// [`repeat`](Self::repeat) when it is sent.
    pub fn resend(
        &self,
        now: Time,
        times: ResendTimes,
        sequence_number: u16,
    ) -> Result<(SentPacket, bool), ResendRefusal> {
        let entry = self
            .entries
            .get(self.place(sequence_number))
            .filter(|entry| entry.flags & USED != 0 && entry.sequence_number == sequence_number)
            .ok_or(ResendRefusal::Unknown)?;
        let first = entry.flags & RESENT == 0;
        let age = passed(now, entry.sent_at);
        if first && age < times.after_first {
            return Err(ResendRefusal::TooSoon);
        }
        let repeat = self.repeats.get(self.repeat_place(sequence_number)).filter(|_| !first);
        if let Some(repeat) = repeat.filter(|repeat| repeat.sequence_number == sequence_number) {
            if passed(now, repeat.sent_at) < times.after_repeat {
                return Err(ResendRefusal::TooSoon);
            }
            if repeat.count >= MAX_REPAIRS {
                return Err(ResendRefusal::TooOften);
            }
        }
        if age > times.at_latest {
            return Err(ResendRefusal::TooLate);
        }
        Ok((entry.unpack(), first))
    }

    /// Takes note that a packet is sent again at `now`.
    pub fn repeat(&mut self, now: Time, sequence_number: u16) {
        let (place, repeat_place) = (self.place(sequence_number), self.repeat_place(sequence_number));
        let Some(entry) = self.entries.get_mut(place) else { return };
        let first = entry.flags & RESENT == 0;
        entry.flags |= RESENT;
        if let Some(repeat) = self.repeats.get_mut(repeat_place) {
            let again = !first && repeat.sequence_number == sequence_number;
            let count = if again { repeat.count.saturating_add(1) } else { 1 };
            *repeat = Repeat { sequence_number, sent_at: now.as_millis() as u16, count };
        }
    }

    /// Forgets everything.
    pub fn clear(&mut self) {
        self.entries.fill(Entry::default());
    }

    fn place(&self, sequence_number: u16) -> usize {
        usize::from(sequence_number) & (self.entries.len() - 1)
    }

    fn repeat_place(&self, sequence_number: u16) -> usize {
        usize::from(sequence_number) & (self.repeats.len() - 1)
    }
}

/// Since a moment of less than 65 s ago.
fn passed(now: Time, since: u16) -> Duration {
    Duration::from_millis(u64::from((now.as_millis() as u16).wrapping_sub(since)))
}

impl Entry {
    #[inline]
    fn pack(now: Time, packet: &SentPacket) -> Self {
        let rewrite = &packet.rewrite;
        let mut flags = USED | packet.encoding << ENCODING_SHIFT;
        match rewrite.marker {
            None => {}
            Some(false) => flags |= MARKER_CHANGED,
            Some(true) => flags |= MARKER_CHANGED | MARKER,
        }
        let (picture_id, tl0_pic_idx) = match rewrite.payload {
            PayloadPatch::None => (0, 0),
            PayloadPatch::Vp8 { picture_id, tl0_pic_idx } => {
                flags |= PATCHED;
                (picture_id & !VP9, tl0_pic_idx)
            }
            PayloadPatch::Vp9 { picture_id, tl0_pic_idx } => {
                flags |= PATCHED;
                (picture_id | VP9, tl0_pic_idx)
            }
        };
        Self {
            source: packet.source,
            timestamp: rewrite.timestamp,
            sequence_number: rewrite.sequence_number,
            picture_id,
            sent_at: now.as_millis() as u16,
            tl0_pic_idx,
            flags,
        }
    }

    fn unpack(&self) -> SentPacket {
        let has = |flag| self.flags & flag != 0;
        let (picture_id, tl0_pic_idx) = (self.picture_id & !VP9, self.tl0_pic_idx);
        let payload = match has(PATCHED) {
            false => PayloadPatch::None,
            true if self.picture_id & VP9 != 0 => PayloadPatch::Vp9 { picture_id, tl0_pic_idx },
            true => PayloadPatch::Vp8 { picture_id, tl0_pic_idx },
        };
        SentPacket {
            encoding: self.flags >> ENCODING_SHIFT,
            source: self.source,
            rewrite: Rewrite {
                sequence_number: self.sequence_number,
                timestamp: self.timestamp,
                marker: has(MARKER_CHANGED).then_some(has(MARKER)),
                payload,
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::repair::REPAIR_DEADLINE_VIDEO;
    use proptest::prelude::*;

    fn sent(sequence_number: u16) -> SentPacket {
        let rewrite = Rewrite { sequence_number, timestamp: 9, marker: None, payload: PayloadPatch::None };
        SentPacket { encoding: 0, source: u32::from(sequence_number) + 70_000, rewrite }
    }

    #[test]
    fn the_ring_forgets_the_oldest() {
        let mut log = SentLog::new(200);
        assert_eq!(log.capacity(), 256);
        assert_eq!(log.get(0), None);
        log.insert(Time::ZERO, sent(0));
        log.insert(Time::ZERO, sent(255));
        assert_eq!(log.get(0), Some(sent(0)));
        log.insert(Time::ZERO, sent(256));
        assert_eq!(log.get(0), None);
        assert_eq!(log.get(255), Some(sent(255)));
    }

    fn times(rtt: Option<u64>) -> ResendTimes {
        ResendTimes::of(rtt.map(Duration::from_millis), REPAIR_DEADLINE_VIDEO)
    }

    /// Sends a packet again, if that may be.
    fn resend(log: &mut SentLog, millis: u64, rtt: Option<u64>, number: u16) -> Result<bool, ResendRefusal> {
        let now = Time::from_millis(millis);
        let (packet, first) = log.resend(now, times(rtt), number)?;
        assert_eq!(packet, sent(number));
        log.repeat(now, number);
        Ok(first)
    }

    #[test]
    fn not_again_within_a_round_trip() {
        let mut log = SentLog::new(16);
        log.insert(Time::from_millis(65_000), sent(5));
        let mut at = |millis, number| resend(&mut log, millis, Some(100), number);
        assert_eq!(at(65_530, 5), Ok(true));
        assert_eq!(at(65_629, 5), Err(ResendRefusal::TooSoon));
        assert_eq!(at(65_630, 5), Ok(false));
        assert_eq!(at(65_729, 5), Err(ResendRefusal::TooSoon));
        assert_eq!(at(65_730, 5), Ok(false));
        assert_eq!(at(65_630, 6), Err(ResendRefusal::Unknown));
    }

    #[test]
    fn a_nack_that_was_under_way_is_not_answered() {
        let mut log = SentLog::new(16);
        log.insert(Time::from_millis(65_500), sent(5));
        for millis in [65_500, 65_569] {
            assert_eq!(resend(&mut log, millis, Some(80), 5), Err(ResendRefusal::TooSoon));
        }
        assert_eq!(resend(&mut log, 65_570, Some(80), 5), Ok(true));
        log.insert(Time::from_millis(70_000), sent(6));
        assert_eq!(resend(&mut log, 70_001, None, 6), Ok(true));
        assert_eq!(resend(&mut log, 70_100, None, 6), Err(ResendRefusal::TooSoon));
    }

    #[test]
    fn not_when_it_would_come_too_late() {
        let mut log = SentLog::new(16);
        log.insert(Time::from_millis(65_000), sent(5));
        // Half a round trip before the deadline at the latest, since it was sent first.
        assert_eq!(resend(&mut log, 66_850, Some(300), 5), Ok(true));
        assert_eq!(resend(&mut log, 67_150, Some(300), 5), Err(ResendRefusal::TooLate));
    }

    #[test]
    fn not_for_ever() {
        let mut log = SentLog::new(512);
        log.insert(Time::from_millis(1000), sent(5));
        for repeat in 1..=u64::from(MAX_REPAIRS) {
            assert_eq!(resend(&mut log, 1000 + 50 * repeat, Some(50), 5), Ok(repeat == 1));
        }
        assert_eq!(resend(&mut log, 1550, Some(50), 5), Err(ResendRefusal::TooOften));
        // The number again, a round of all numbers later, is another packet.
        log.insert(Time::from_millis(9000), sent(5));
        assert_eq!(resend(&mut log, 9050, Some(50), 5), Ok(true));
        assert_eq!(resend(&mut log, 9100, Some(50), 5), Ok(false));
    }

    proptest! {
        #[test]
        fn what_comes_back_is_what_went_in(
            encoding in 0..MAX_LOGGED_ENCODINGS, source: u32, sequence_number: u16, timestamp: u32,
            marker: Option<bool>, codec in 0..3u8, picture_id in 0..1u16 << 15, tl0_pic_idx: u8,
        ) {
            let payload = match codec {
                0 => PayloadPatch::None,
                1 => PayloadPatch::Vp8 { picture_id, tl0_pic_idx },
                _ => PayloadPatch::Vp9 { picture_id, tl0_pic_idx },
            };
            let packet = SentPacket { encoding, source, rewrite: Rewrite { sequence_number, timestamp, marker, payload } };
            let mut log = SentLog::new(64);
            log.insert(Time::ZERO, packet);
            prop_assert_eq!(log.get(sequence_number), Some(packet));
        }
    }
}
