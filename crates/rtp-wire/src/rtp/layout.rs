//! The checked walk over an RTP packet, and what it found: offsets, detached from the bytes.
//!
//! A layout is small and `Copy`, so that the fan-out carries it beside the packet and no receiver walks again.

use core::ops::Range;

use super::FIXED_HEADER_LEN;
use crate::WireError;
use crate::octets::u16_at;

const PADDING_BIT: u8 = 0x20;
const EXTENSION_BIT: u8 = 0x10;

/// The form of the header extension (RFC 8285 sections 4.2 and 4.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ExtensionProfile {
    /// No header extension.
    None,
    /// 0xBEDE: ids 1 to 14, values of 1 to 16 octets.
    OneByte,
    /// 0x1000 to 0x100F: ids 1 to 255, values of 0 to 255 octets.
    TwoByte,
    /// A profile-specific extension that this crate carries but does not read (RFC 3550 section 5.3.1).
    Other,
}

impl ExtensionProfile {
    fn from_profile(profile: u16) -> Self {
        match profile {
            0xbede => Self::OneByte,
            0x1000..=0x100f => Self::TwoByte,
            _ => Self::Other,
        }
    }
}

/// Where the parts of one RTP packet are. It only comes out of [`RtpLayout::parse`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct RtpLayout {
    extension_start: u16,
    extension_end: u16,
    payload_start: u16,
    payload_end: u16,
    padding_len: u8,
    profile: ExtensionProfile,
}

impl RtpLayout {
    /// Walks a packet once and checks every length in it.
    ///
    /// # Errors
    /// `Truncated`, `Version`, `Padding` (zero count, or more than the payload), `ExtensionOverrun`, and `TooLong`
    /// over 65535 octets.
    pub fn parse(bytes: &[u8]) -> Result<Self, WireError> {
        let total = u16::try_from(bytes.len()).map_err(|_| WireError::TooLong)?;
        let fixed: &[u8; FIXED_HEADER_LEN] = bytes.first_chunk().ok_or(WireError::Truncated)?;
        let first = fixed[0];
        if first >> 6 != 2 {
            return Err(WireError::Version);
        }
        let csrcs_end = FIXED_HEADER_LEN + 4 * usize::from(first & 0x0f);
        let (profile, extension) = if first & EXTENSION_BIT == 0 {
            (ExtensionProfile::None, csrcs_end..csrcs_end)
        } else {
            extension_block(bytes, csrcs_end)?
        };
        if extension.end > bytes.len() {
            return Err(WireError::Truncated);
        }
        check_elements(bytes.get(extension.clone()).ok_or(WireError::Truncated)?, profile)?;
        let padding_len =
            if first & PADDING_BIT == 0 { 0 } else { padding_count(bytes, bytes.len() - extension.end)? };
        let narrow = |offset: usize| u16::try_from(offset).map_err(|_| WireError::TooLong);
        Ok(Self {
            extension_start: narrow(extension.start)?,
            extension_end: narrow(extension.end)?,
            payload_start: narrow(extension.end)?,
            payload_end: total - u16::from(padding_len),
            padding_len,
            profile,
        })
    }

    /// Octets before the payload of a packet whose payload may still be encrypted: nothing behind the header is looked at.
    ///
    /// # Errors
    /// `Truncated` and `Version`.
    pub fn header_len_of(bytes: &[u8]) -> Result<usize, WireError> {
        let &first = bytes.first().ok_or(WireError::Truncated)?;
        if first >> 6 != 2 {
            return Err(WireError::Version);
        }
        let csrcs_end = FIXED_HEADER_LEN + 4 * usize::from(first & 0x0f);
        let end =
            if first & EXTENSION_BIT == 0 { csrcs_end } else { extension_block(bytes, csrcs_end)?.1.end };
        if end > bytes.len() { Err(WireError::Truncated) } else { Ok(end) }
    }

    /// Octets before the payload: fixed header, CSRCs and header extension.
    #[inline]
    pub const fn header_len(&self) -> usize {
        self.payload_start as usize
    }

    /// The form of the header extension.
    #[inline]
    pub const fn extension_profile(&self) -> ExtensionProfile {
        self.profile
    }

    /// The extension elements, without the four octets of profile and length. Empty if there are none.
    #[inline]
    pub const fn extension_range(&self) -> Range<usize> {
        self.extension_start as usize..self.extension_end as usize
    }

    /// The payload, without padding.
    #[inline]
    pub const fn payload_range(&self) -> Range<usize> {
        self.payload_start as usize..self.payload_end as usize
    }

    /// Octets of padding at the end, the count included. 0 to 255.
    #[inline]
    pub const fn padding_len(&self) -> u8 {
        self.padding_len
    }

    /// Octets of the whole packet.
    #[inline]
    pub const fn total_len(&self) -> usize {
        self.payload_end as usize + self.padding_len as usize
    }

    /// Where the value of the element `id` is, in octets from the start of the packet.
    #[inline]
    pub fn find_extension(&self, bytes: &[u8], id: u8) -> Option<Range<usize>> {
        let block = bytes.get(self.extension_range())?;
        let base = usize::from(self.extension_start);
        let mut at = 0;
        while let Step::Element { id: found, value } = step(block, self.profile, at) {
            if found == id {
                return Some(base + value.start..base + value.end);
            }
            at = value.end;
        }
        None
    }
}

/// The form and the elements' range of the extension header at `at` (RFC 3550 section 5.3.1).
fn extension_block(bytes: &[u8], at: usize) -> Result<(ExtensionProfile, Range<usize>), WireError> {
    let profile = u16_at(bytes, at).ok_or(WireError::Truncated)?;
    let words = u16_at(bytes, at + 2).ok_or(WireError::Truncated)?;
    let start = at + 4;
    Ok((ExtensionProfile::from_profile(profile), start..start + 4 * usize::from(words)))
}

/// The padding count, which may not exceed `available` octets (RFC 3550 section 5.1).
fn padding_count(bytes: &[u8], available: usize) -> Result<u8, WireError> {
    match bytes.last() {
        Some(&count) if count != 0 && usize::from(count) <= available => Ok(count),
        _ => Err(WireError::Padding),
    }
}

fn check_elements(block: &[u8], profile: ExtensionProfile) -> Result<(), WireError> {
    let mut at = 0;
    loop {
        match step(block, profile, at) {
            Step::Element { value, .. } => at = value.end,
            Step::End => return Ok(()),
            Step::Overrun => return Err(WireError::ExtensionOverrun),
        }
    }
}

/// What is found at one place of an extension block. `value` is relative to the block.
pub(super) enum Step {
    Element { id: u8, value: Range<usize> },
    End,
    Overrun,
}

/// The next element at or after `at`, padding skipped (RFC 8285 sections 4.1.2, 4.2 and 4.3).
#[inline]
pub(super) fn step(block: &[u8], profile: ExtensionProfile, at: usize) -> Step {
    match profile {
        ExtensionProfile::OneByte => step_one_byte(block, at),
        ExtensionProfile::TwoByte => step_two_byte(block, at),
        ExtensionProfile::None | ExtensionProfile::Other => Step::End,
    }
}

fn step_one_byte(block: &[u8], mut at: usize) -> Step {
    while let Some(&head) = block.get(at) {
        at += 1;
        match (head >> 4, head & 0x0f) {
            (0, 0) => {}
            // Section 4.2: id 0 with a length, and id 15, end the processing of the block.
            (0 | 15, _) => return Step::End,
            (id, len) => return element(block, id, at, usize::from(len) + 1),
        }
    }
    Step::End
}

fn step_two_byte(block: &[u8], mut at: usize) -> Step {
    while let Some(&id) = block.get(at) {
        at += 1;
        if id == 0 {
            continue;
        }
        return match block.get(at) {
            Some(&len) => element(block, id, at + 1, usize::from(len)),
            None => Step::Overrun,
        };
    }
    Step::End
}

fn element(block: &[u8], id: u8, start: usize, len: usize) -> Step {
    let end = start + len;
    if end <= block.len() { Step::Element { id, value: start..end } } else { Step::Overrun }
}
