//! Full intra request (RFC 5104 section 4.3.1).

use super::RawPacket;
use super::compound::feedback_head;
use crate::WireError;

/// The request to one source.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct FirEntry {
    /// The source that is asked.
    pub ssrc: u32,
    /// Counts new requests, modulo 256; a repetition keeps it.
    pub sequence_number: u8,
}

/// A request for decoder refresh points.
#[derive(Clone, Copy, Debug)]
pub struct Fir<'a> {
    sender_ssrc: u32,
    media_ssrc: u32,
    entries: &'a [u8],
}

impl<'a> Fir<'a> {
    pub(super) fn parse(packet: RawPacket<'a>) -> Result<Self, WireError> {
        let (sender_ssrc, media_ssrc, entries) = feedback_head(packet)?;
        // Section 4.3.1.1: one entry or more, of two words each.
        if entries.is_empty() || !entries.len().is_multiple_of(8) {
            return Err(WireError::Length);
        }
        Ok(Self { sender_ssrc, media_ssrc, entries })
    }

    /// Who asks.
    pub fn sender_ssrc(&self) -> u32 {
        self.sender_ssrc
    }

    /// Unused, 0 by the specification.
    pub fn media_ssrc(&self) -> u32 {
        self.media_ssrc
    }

    /// The sources that are asked, one or more.
    pub fn entries(&self) -> impl ExactSizeIterator<Item = FirEntry> + Clone + 'a {
        self.entries.as_chunks::<8>().0.iter().map(|&[a, b, c, d, sequence_number, ..]| FirEntry {
            ssrc: u32::from_be_bytes([a, b, c, d]),
            sequence_number,
        })
    }
}
