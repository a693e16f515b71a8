//! A read-only view of one RTP packet. It borrows the bytes and never copies them.

use super::layout::{ExtensionProfile, RtpLayout, Step, step};
use super::{FIXED_HEADER_LEN, RtpHeader};
use crate::WireError;
use crate::octets::u32_words;

/// One RTP packet whose every length was checked.
#[derive(Clone, Copy, Debug)]
pub struct RtpPacket<'a> {
    bytes: &'a [u8],
    fixed: &'a [u8; FIXED_HEADER_LEN],
    layout: RtpLayout,
}

impl<'a> RtpPacket<'a> {
    /// Walks and checks `bytes`; see [`RtpLayout::parse`].
    ///
    /// # Errors
    /// Those of [`RtpLayout::parse`].
    pub fn parse(bytes: &'a [u8]) -> Result<Self, WireError> {
        let layout = RtpLayout::parse(bytes)?;
        let fixed = bytes.first_chunk().ok_or(WireError::Truncated)?;
        Ok(Self { bytes, fixed, layout })
    }

    /// Joins bytes and the layout that was found in them before; `None` if the lengths disagree.
    ///
    /// A layout of other bytes of the same length gives wrong fields, but no panic.
    #[inline]
    pub fn from_parts(bytes: &'a [u8], layout: RtpLayout) -> Option<Self> {
        if bytes.len() != layout.total_len() {
            return None;
        }
        Some(Self { bytes, fixed: bytes.first_chunk()?, layout })
    }

    /// The marker bit.
    #[inline]
    pub fn marker(&self) -> bool {
        self.fixed[1] & 0x80 != 0
    }

    /// 0 to 127.
    #[inline]
    pub fn payload_type(&self) -> u8 {
        self.fixed[1] & 0x7f
    }

    /// The sequence number.
    #[inline]
    pub fn sequence_number(&self) -> u16 {
        u16::from_be_bytes([self.fixed[2], self.fixed[3]])
    }

    /// The timestamp, in units of the codec's clock rate.
    #[inline]
    pub fn timestamp(&self) -> u32 {
        let [_, _, _, _, a, b, c, d, ..] = *self.fixed;
        u32::from_be_bytes([a, b, c, d])
    }

    /// The synchronization source.
    #[inline]
    pub fn ssrc(&self) -> u32 {
        let [.., a, b, c, d] = *self.fixed;
        u32::from_be_bytes([a, b, c, d])
    }

    /// The fields of the fixed header.
    pub fn header(&self) -> RtpHeader {
        RtpHeader {
            marker: self.marker(),
            payload_type: self.payload_type(),
            sequence_number: self.sequence_number(),
            timestamp: self.timestamp(),
            ssrc: self.ssrc(),
        }
    }

    /// The contributing sources, 0 to 15 of them.
    pub fn csrcs(&self) -> impl ExactSizeIterator<Item = u32> + Clone + 'a {
        let end = FIXED_HEADER_LEN + 4 * usize::from(self.fixed[0] & 0x0f);
        u32_words(self.bytes.get(FIXED_HEADER_LEN..end).unwrap_or_default())
    }

    /// The value of the first header extension element with this id.
    #[inline]
    pub fn extension(&self, id: u8) -> Option<&'a [u8]> {
        self.bytes.get(self.layout.find_extension(self.bytes, id)?)
    }

    /// All header extension elements, in wire order.
    pub fn extensions(&self) -> Extensions<'a> {
        Extensions {
            block: self.bytes.get(self.layout.extension_range()).unwrap_or_default(),
            profile: self.layout.extension_profile(),
            at: 0,
        }
    }

    /// The payload, without padding.
    #[inline]
    pub fn payload(&self) -> &'a [u8] {
        self.bytes.get(self.layout.payload_range()).unwrap_or_default()
    }

    /// Octets of padding at the end, 0 to 255.
    #[inline]
    pub fn padding_len(&self) -> u8 {
        self.layout.padding_len()
    }

    /// Nothing but padding: a probe.
    #[inline]
    pub fn is_padding_only(&self) -> bool {
        self.layout.padding_len() != 0 && self.layout.payload_range().is_empty()
    }

    /// The offsets, detached from the bytes.
    #[inline]
    pub fn layout(&self) -> RtpLayout {
        self.layout
    }

    /// The whole packet.
    #[inline]
    pub fn bytes(&self) -> &'a [u8] {
        self.bytes
    }
}

/// Iterates header extension elements as (id, value); see [`RtpPacket::extensions`].
#[derive(Clone, Debug)]
pub struct Extensions<'a> {
    block: &'a [u8],
    profile: ExtensionProfile,
    at: usize,
}

impl<'a> Iterator for Extensions<'a> {
    type Item = (u8, &'a [u8]);

    fn next(&mut self) -> Option<Self::Item> {
        match step(self.block, self.profile, self.at) {
            Step::Element { id, value } => {
                self.at = value.end;
                Some((id, self.block.get(value)?))
            }
            Step::End | Step::Overrun => {
                self.at = self.block.len();
                None
            }
        }
    }
}
