//! What a consumer was sent lately: from an output sequence number back to the source packet and the changes it had, so that a NACK
//! is answered from the source's one store.

use crate::nack::DEFAULT_RTT;
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

/// Why a packet is not sent again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ResendRefusal {
    /// It was never sent, or too long ago.
    Unknown,
    /// It was sent, for the first time or again, less than a round trip ago: the receiver cannot have missed it yet.
    TooSoon,
}

/// How long a packet is not sent again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ResendSpacing {
    /// Since it was sent first.
    pub after_first: Duration,
    /// Since it was sent again.
    pub after_repeat: Duration,
}

impl ResendSpacing {
    /// What the round trip asks for. A NACK that comes sooner was under way when the packet left: the packet came late from its own
    /// source, and the receiver had seen those behind it. While no round trip is measured, the first NACK is taken at its word;
    /// and since round trips vary, it may come by an eighth sooner than the last that was measured.
    pub fn of(measured: Option<Duration>) -> Self {
        let after_first = measured.map_or(Duration::ZERO, |rtt| rtt - rtt / 8);
        Self { after_first, after_repeat: measured.unwrap_or(DEFAULT_RTT) }
    }
}

/// 16 bytes an entry.
#[derive(Clone, Copy, Debug, Default)]
struct Entry {
    source: u32,
    timestamp: u32,
    sequence_number: u16,
    picture_id: u16,
    /// Milliseconds of when it was sent last, modulo 2^16.
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

/// A ring of the packets sent last, by output sequence number.
#[derive(Clone, Debug)]
pub struct SentLog {
    entries: Box<[Entry]>,
}

impl SentLog {
    /// A log of `capacity` packets, rounded up to a power of two, at most 32768.
    pub fn new(capacity: usize) -> Self {
        let capacity = capacity.clamp(1, 1 << 15).next_power_of_two();
        Self { entries: vec![Entry::default(); capacity].into_boxed_slice() }
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

    /// As [`get`](Self::get), for sending the packet again at `now`: not before `spacing` has passed since the last time, or since it
    /// was sent at all if that is how it was sent last. Says too whether this is the first repetition.
    pub fn resend(
        &mut self,
        now: Time,
        spacing: ResendSpacing,
        sequence_number: u16,
    ) -> Result<(SentPacket, bool), ResendRefusal> {
        let place = self.place(sequence_number);
        let entry = self
            .entries
            .get_mut(place)
            .filter(|entry| entry.flags & USED != 0 && entry.sequence_number == sequence_number)
            .ok_or(ResendRefusal::Unknown)?;
        let millis = now.as_millis() as u16;
        let first = entry.flags & RESENT == 0;
        let least = if first { spacing.after_first } else { spacing.after_repeat };
        if u128::from(millis.wrapping_sub(entry.sent_at)) < least.as_millis() {
            return Err(ResendRefusal::TooSoon);
        }
        entry.sent_at = millis;
        entry.flags |= RESENT;
        Ok((entry.unpack(), first))
    }

    /// Forgets everything.
    pub fn clear(&mut self) {
        self.entries.fill(Entry::default());
    }

    fn place(&self, sequence_number: u16) -> usize {
        usize::from(sequence_number) & (self.entries.len() - 1)
    }
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

    #[test]
    fn not_again_within_a_round_trip() {
        let mut log = SentLog::new(16);
        let rtt = ResendSpacing::of(Some(Duration::from_millis(100)));
        log.insert(Time::from_millis(65_000), sent(5));
        assert_eq!(log.resend(Time::from_millis(65_530), rtt, 5), Ok((sent(5), true)));
        assert_eq!(log.resend(Time::from_millis(65_629), rtt, 5), Err(ResendRefusal::TooSoon));
        assert_eq!(log.resend(Time::from_millis(65_630), rtt, 5), Ok((sent(5), false)));
        assert_eq!(log.resend(Time::from_millis(65_630), rtt, 6), Err(ResendRefusal::Unknown));
    }

    #[test]
    fn a_nack_that_was_under_way_is_not_answered() {
        let mut log = SentLog::new(16);
        let spacing = ResendSpacing::of(Some(Duration::from_millis(80)));
        log.insert(Time::from_millis(65_500), sent(5));
        assert_eq!(log.resend(Time::from_millis(65_500), spacing, 5), Err(ResendRefusal::TooSoon));
        assert_eq!(log.resend(Time::from_millis(65_569), spacing, 5), Err(ResendRefusal::TooSoon));
        assert_eq!(log.resend(Time::from_millis(65_570), spacing, 5), Ok((sent(5), true)));
        log.insert(Time::from_millis(70_000), sent(6));
        let unknown = ResendSpacing::of(None);
        assert_eq!(log.resend(Time::from_millis(70_001), unknown, 6), Ok((sent(6), true)));
        assert_eq!(log.resend(Time::from_millis(70_100), unknown, 6), Err(ResendRefusal::TooSoon));
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
