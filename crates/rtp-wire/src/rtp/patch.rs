//! In-place patches of an RTP packet: fields change, lengths never do.
//!
//! The free functions take bytes that hold at least a fixed header and say with `false` that they do not.

use super::layout::RtpLayout;
use super::packet::RtpPacket;
use super::{FIXED_HEADER_LEN, RtpHeader};
use crate::WireError;

#[inline]
fn fixed(bytes: &mut [u8]) -> Option<&mut [u8; FIXED_HEADER_LEN]> {
    bytes.first_chunk_mut()
}

/// Writes all fields of `header` at once; `false` (nothing written) on a short buffer or a payload type over 127.
#[inline]
#[must_use]
pub fn patch_header(bytes: &mut [u8], header: &RtpHeader) -> bool {
    let Some(fixed) = fixed(bytes).filter(|_| header.payload_type < 128) else { return false };
    fixed[1] = u8::from(header.marker) << 7 | header.payload_type;
    fixed[2..4].copy_from_slice(&header.sequence_number.to_be_bytes());
    fixed[4..8].copy_from_slice(&header.timestamp.to_be_bytes());
    fixed[8..12].copy_from_slice(&header.ssrc.to_be_bytes());
    true
}

/// Sets the marker bit; `false` on a short buffer.
#[inline]
#[must_use]
pub fn set_marker(bytes: &mut [u8], marker: bool) -> bool {
    let Some(fixed) = fixed(bytes) else { return false };
    fixed[1] = fixed[1] & 0x7f | u8::from(marker) << 7;
    true
}

/// Sets the payload type; `false` (nothing written) on a short buffer or a payload type over 127.
#[inline]
#[must_use]
pub fn set_payload_type(bytes: &mut [u8], payload_type: u8) -> bool {
    let Some(fixed) = fixed(bytes).filter(|_| payload_type < 128) else { return false };
    fixed[1] = fixed[1] & 0x80 | payload_type;
    true
}

/// Sets the sequence number; `false` on a short buffer.
#[inline]
#[must_use]
pub fn set_sequence_number(bytes: &mut [u8], sequence_number: u16) -> bool {
    let Some(fixed) = fixed(bytes) else { return false };
    fixed[2..4].copy_from_slice(&sequence_number.to_be_bytes());
    true
}

/// Sets the timestamp; `false` on a short buffer.
#[inline]
#[must_use]
pub fn set_timestamp(bytes: &mut [u8], timestamp: u32) -> bool {
    let Some(fixed) = fixed(bytes) else { return false };
    fixed[4..8].copy_from_slice(&timestamp.to_be_bytes());
    true
}

/// Sets the synchronization source; `false` on a short buffer.
#[inline]
#[must_use]
pub fn set_ssrc(bytes: &mut [u8], ssrc: u32) -> bool {
    let Some(fixed) = fixed(bytes) else { return false };
    fixed[8..12].copy_from_slice(&ssrc.to_be_bytes());
    true
}

/// A checked packet that may be patched in place.
#[derive(Debug)]
pub struct RtpPacketMut<'a> {
    bytes: &'a mut [u8],
    layout: RtpLayout,
}

impl<'a> RtpPacketMut<'a> {
    /// Walks and checks `bytes`.
    ///
    /// # Errors
    /// Those of [`RtpLayout::parse`].
    pub fn parse(bytes: &'a mut [u8]) -> Result<Self, WireError> {
        let layout = RtpLayout::parse(bytes)?;
        Ok(Self { bytes, layout })
    }

    /// Joins bytes and the layout that was found in them, or in their original, before; `None` if the lengths
    /// disagree.
    #[inline]
    pub fn from_parts(bytes: &'a mut [u8], layout: RtpLayout) -> Option<Self> {
        (bytes.len() == layout.total_len()).then_some(Self { bytes, layout })
    }

    /// The read-only view.
    #[inline]
    pub fn view(&self) -> Option<RtpPacket<'_>> {
        RtpPacket::from_parts(self.bytes, self.layout)
    }

    /// Writes all fields of `header` at once; `false` (nothing written) on a payload type over 127.
    #[inline]
    #[must_use]
    pub fn set_header(&mut self, header: &RtpHeader) -> bool {
        patch_header(self.bytes, header)
    }

    /// Sets the marker bit.
    #[inline]
    pub fn set_marker(&mut self, marker: bool) {
        let _ = set_marker(self.bytes, marker);
    }

    /// Sets the payload type; `false` (nothing written) over 127.
    #[inline]
    #[must_use]
    pub fn set_payload_type(&mut self, payload_type: u8) -> bool {
        set_payload_type(self.bytes, payload_type)
    }

    /// Sets the sequence number.
    #[inline]
    pub fn set_sequence_number(&mut self, sequence_number: u16) {
        let _ = set_sequence_number(self.bytes, sequence_number);
    }

    /// Sets the timestamp.
    #[inline]
    pub fn set_timestamp(&mut self, timestamp: u32) {
        let _ = set_timestamp(self.bytes, timestamp);
    }

    /// Sets the synchronization source.
    #[inline]
    pub fn set_ssrc(&mut self, ssrc: u32) {
        let _ = set_ssrc(self.bytes, ssrc);
    }

    /// The value of the first header extension element with this id, to be overwritten.
    #[inline]
    pub fn extension_mut(&mut self, id: u8) -> Option<&mut [u8]> {
        let range = self.layout.find_extension(self.bytes, id)?;
        self.bytes.get_mut(range)
    }

    /// The payload, without padding.
    #[inline]
    pub fn payload_mut(&mut self) -> &mut [u8] {
        self.bytes.get_mut(self.layout.payload_range()).unwrap_or_default()
    }
}
