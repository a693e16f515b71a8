//! Receiver estimated maximum bitrate (draft-alvestrand-rmcat-remb-03 section 2.2).

use super::RawPacket;
use super::compound::feedback_head;
use crate::WireError;
use crate::octets::{u24_at, u32_words};

pub(super) const IDENTIFIER: [u8; 4] = *b"REMB";
pub(super) const MANTISSA_BITS: u32 = 18;

/// What a receiver believes that its path carries.
#[derive(Clone, Copy, Debug)]
pub struct Remb<'a> {
    sender_ssrc: u32,
    media_ssrc: u32,
    bitrate: u64,
    sources: &'a [u8],
}

impl<'a> Remb<'a> {
    pub(super) fn is_remb(packet: RawPacket<'_>) -> bool {
        packet.body.get(8..12) == Some(&IDENTIFIER)
    }

    pub(super) fn parse(packet: RawPacket<'a>) -> Result<Self, WireError> {
        let (sender_ssrc, media_ssrc, fci) = feedback_head(packet)?;
        let &count = fci.get(4).ok_or(WireError::Truncated)?;
        let exponent_mantissa = u24_at(fci, 5).ok_or(WireError::Truncated)?;
        let sources = fci.get(8..8 + 4 * usize::from(count)).ok_or(WireError::Length)?;
        let mantissa = u64::from(exponent_mantissa & ((1 << MANTISSA_BITS) - 1));
        let exponent = exponent_mantissa >> MANTISSA_BITS;
        let fits = mantissa == 0 || mantissa.leading_zeros() >= exponent;
        let bitrate = if fits { mantissa << exponent } else { u64::MAX };
        Ok(Self { sender_ssrc, media_ssrc, bitrate, sources })
    }

    /// Who estimates.
    pub fn sender_ssrc(&self) -> u32 {
        self.sender_ssrc
    }

    /// Unused, 0 by the draft.
    pub fn media_ssrc(&self) -> u32 {
        self.media_ssrc
    }

    /// Bits per second; what exceeds 64 bits is `u64::MAX`.
    pub fn bitrate(&self) -> u64 {
        self.bitrate
    }

    /// The sources that share the bitrate, 0 to 255.
    pub fn ssrcs(&self) -> impl ExactSizeIterator<Item = u32> + Clone + 'a {
        u32_words(self.sources)
    }
}
