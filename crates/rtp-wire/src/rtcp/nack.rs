//! Generic NACK (RFC 4585 section 6.2.1).

use super::RawPacket;
use super::compound::feedback_head;
use crate::WireError;

/// A lost packet, and a mask of the 16 that follow it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct NackEntry {
    /// PID: a lost sequence number.
    pub packet_id: u16,
    /// BLP: bit i (from the least significant) is set if `packet_id` + i + 1 is lost too.
    pub bitmask: u16,
}

impl NackEntry {
    /// The lost sequence numbers, ascending, 1 to 17 of them.
    pub fn lost(self) -> impl Iterator<Item = u16> + Clone {
        let following = (0..16).filter(move |&i| self.bitmask >> i & 1 != 0);
        core::iter::once(self.packet_id).chain(following.map(move |i| self.packet_id.wrapping_add(i + 1)))
    }
}

/// Packets that a receiver misses.
#[derive(Clone, Copy, Debug)]
pub struct Nack<'a> {
    sender_ssrc: u32,
    media_ssrc: u32,
    entries: &'a [u8],
}

impl<'a> Nack<'a> {
    pub(super) fn parse(packet: RawPacket<'a>) -> Result<Self, WireError> {
        let (sender_ssrc, media_ssrc, entries) = feedback_head(packet)?;
        // Section 6.2.1: one entry or more; the length of a packet is in words already.
        if entries.is_empty() {
            return Err(WireError::Length);
        }
        Ok(Self { sender_ssrc, media_ssrc, entries })
    }

    /// Who misses the packets.
    pub fn sender_ssrc(&self) -> u32 {
        self.sender_ssrc
    }

    /// The source of the packets.
    pub fn media_ssrc(&self) -> u32 {
        self.media_ssrc
    }

    /// The entries, one or more.
    pub fn entries(&self) -> impl ExactSizeIterator<Item = NackEntry> + Clone + 'a {
        self.entries.as_chunks::<4>().0.iter().map(|&[a, b, c, d]| NackEntry {
            packet_id: u16::from_be_bytes([a, b]),
            bitmask: u16::from_be_bytes([c, d]),
        })
    }

    /// The lost sequence numbers, in wire order.
    pub fn lost(&self) -> impl Iterator<Item = u16> + Clone + 'a {
        self.entries().flat_map(NackEntry::lost)
    }
}
