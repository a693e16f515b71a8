//! Writes one RTP packet into a caller's buffer, front to back; every step is length-checked and whole or refused.

use core::ops::Range;

use super::{FIXED_HEADER_LEN, RtpHeader, patch_header};
use crate::WireError;

/// The form in which header extension elements are written (RFC 8285).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ExtensionForm {
    /// Section 4.2: ids 1 to 14, values of 1 to 16 octets.
    OneByte,
    /// Section 4.3: ids 1 to 255, values of 0 to 255 octets.
    TwoByte,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Stage {
    Csrcs,
    Extensions,
    Payload,
    Padding,
}

/// Writes a packet: header, then CSRCs, then extension elements, then payload, then padding.
///
/// A refused step leaves what was written before as it was.
#[derive(Debug)]
pub struct RtpWriter<'b> {
    buf: &'b mut [u8],
    form: ExtensionForm,
    stage: Stage,
    at: usize,
    extensions_start: usize,
}

impl<'b> RtpWriter<'b> {
    /// Writes the fixed header.
    ///
    /// # Errors
    /// `BufferFull` under 12 octets, `PayloadType` over 127.
    pub fn new(buf: &'b mut [u8], header: &RtpHeader, form: ExtensionForm) -> Result<Self, WireError> {
        if header.payload_type > 127 {
            return Err(WireError::PayloadType);
        }
        if !patch_header(buf, header) {
            return Err(WireError::BufferFull);
        }
        if let Some(first) = buf.first_mut() {
            *first = 0x80;
        }
        Ok(Self { buf, form, stage: Stage::Csrcs, at: FIXED_HEADER_LEN, extensions_start: 0 })
    }

    /// Appends a contributing source.
    ///
    /// # Errors
    /// `Count` over 15, `Order` after an extension or payload, `BufferFull`.
    pub fn csrc(&mut self, csrc: u32) -> Result<(), WireError> {
        if self.stage > Stage::Csrcs {
            return Err(WireError::Order);
        }
        if self.at == FIXED_HEADER_LEN + 15 * 4 {
            return Err(WireError::Count);
        }
        self.append(&csrc.to_be_bytes())?;
        self.or_first(0x00, 1);
        Ok(())
    }

    /// Appends a header extension element.
    ///
    /// # Errors
    /// `ExtensionId` and `ExtensionLength` if the form cannot carry it, `Order` after the payload, `BufferFull`.
    pub fn push_extension(&mut self, id: u8, value: &[u8]) -> Result<(), WireError> {
        let range = self.element(id, value.len())?;
        self.buf.get_mut(range).ok_or(WireError::BufferFull)?.copy_from_slice(value);
        Ok(())
    }

    /// Appends a zeroed header extension element and says where its value is, to be filled in later.
    pub fn reserve_extension(&mut self, id: u8, len: usize) -> Option<Range<usize>> {
        let range = self.element(id, len).ok()?;
        self.buf.get_mut(range.clone())?.fill(0);
        Some(range)
    }

    /// Appends to the payload.
    ///
    /// # Errors
    /// `Order` after the padding, `BufferFull`, `TooLong` over 65535 octets.
    pub fn payload(&mut self, payload: &[u8]) -> Result<(), WireError> {
        self.reserve_payload(payload.len())?.copy_from_slice(payload);
        Ok(())
    }

    /// Appends `len` octets of payload for the caller to overwrite; they hold whatever the buffer held.
    ///
    /// # Errors
    /// Those of [`payload`](Self::payload).
    pub fn reserve_payload(&mut self, len: usize) -> Result<&mut [u8], WireError> {
        if self.stage > Stage::Payload {
            return Err(WireError::Order);
        }
        let start = self.closed_extensions_end();
        let end = self.room(start, len)?;
        self.close_extensions()?;
        self.stage = Stage::Payload;
        self.at = end;
        self.buf.get_mut(start..end).ok_or(WireError::BufferFull)
    }

    /// Ends the packet with `len` octets of padding and sets the P bit; zero does nothing (RFC 3550 section 5.1).
    ///
    /// # Errors
    /// `Order` if called twice, `BufferFull`, `TooLong` over 65535 octets.
    pub fn padding(&mut self, len: u8) -> Result<(), WireError> {
        if len == 0 {
            return Ok(());
        }
        if self.stage == Stage::Padding {
            return Err(WireError::Order);
        }
        let octets = self.reserve_payload(usize::from(len))?;
        octets.fill(0);
        if let Some(last) = octets.last_mut() {
            *last = len;
        }
        self.stage = Stage::Padding;
        self.or_first(0x20, 0);
        Ok(())
    }

    /// Closes the header and says how many octets the packet has.
    pub fn finish(mut self) -> usize {
        // Room for the alignment was kept by `element`, so closing cannot fail.
        let _ = self.close_extensions();
        self.at
    }

    /// Writes an element's header and gives the range of its value.
    fn element(&mut self, id: u8, len: usize) -> Result<Range<usize>, WireError> {
        if self.stage > Stage::Extensions {
            return Err(WireError::Order);
        }
        let (head, head_len) = element_head(self.form, id, len)?;
        let first = self.stage == Stage::Csrcs;
        let start = if first { self.at + 4 } else { self.at };
        let value = start + head_len;
        let end = self.room(value, len)?;
        let block = if first { start } else { self.extensions_start };
        self.room(block, (end - block).next_multiple_of(4))?;
        self.put(start, head.get(..head_len).unwrap_or_default())?;
        if first {
            let profile: u16 = if self.form == ExtensionForm::OneByte { 0xbede } else { 0x1000 };
            self.put(self.at, &profile.to_be_bytes())?;
            self.or_first(0x10, 0);
            self.extensions_start = start;
            self.stage = Stage::Extensions;
        }
        self.at = end;
        Ok(value..end)
    }

    /// Where the payload starts once the extension block is aligned.
    fn closed_extensions_end(&self) -> usize {
        if self.stage != Stage::Extensions {
            return self.at;
        }
        self.extensions_start + (self.at - self.extensions_start).next_multiple_of(4)
    }

    /// Aligns the extension block and writes its length in words (RFC 3550 section 5.3.1).
    fn close_extensions(&mut self) -> Result<(), WireError> {
        if self.stage != Stage::Extensions {
            return Ok(());
        }
        let end = self.closed_extensions_end();
        self.buf.get_mut(self.at..end).ok_or(WireError::BufferFull)?.fill(0);
        let words = u16::try_from((end - self.extensions_start) / 4).map_err(|_| WireError::TooLong)?;
        self.put(self.extensions_start - 2, &words.to_be_bytes())?;
        self.at = end;
        self.stage = Stage::Payload;
        Ok(())
    }

    fn append(&mut self, bytes: &[u8]) -> Result<(), WireError> {
        let end = self.room(self.at, bytes.len())?;
        self.put(self.at, bytes)?;
        self.at = end;
        Ok(())
    }

    fn put(&mut self, at: usize, bytes: &[u8]) -> Result<(), WireError> {
        let slot = self.buf.get_mut(at..).and_then(|rest| rest.get_mut(..bytes.len()));
        slot.ok_or(WireError::BufferFull)?.copy_from_slice(bytes);
        Ok(())
    }

    /// The end of `len` octets at `at`, if the buffer and a datagram hold them.
    fn room(&self, at: usize, len: usize) -> Result<usize, WireError> {
        let end = at.checked_add(len).ok_or(WireError::TooLong)?;
        if end > usize::from(u16::MAX) {
            return Err(WireError::TooLong);
        }
        if end > self.buf.len() { Err(WireError::BufferFull) } else { Ok(end) }
    }

    fn or_first(&mut self, bits: u8, add: u8) {
        if let Some(first) = self.buf.first_mut() {
            *first = (*first | bits).wrapping_add(add);
        }
    }
}

/// The head of an element, and how many octets of it count (RFC 8285 sections 4.2 and 4.3).
fn element_head(form: ExtensionForm, id: u8, len: usize) -> Result<([u8; 2], usize), WireError> {
    let short = u8::try_from(len).map_err(|_| WireError::ExtensionLength)?;
    match form {
        ExtensionForm::OneByte => {
            if !(1..=14).contains(&id) {
                return Err(WireError::ExtensionId);
            }
            if !(1..=16).contains(&short) {
                return Err(WireError::ExtensionLength);
            }
            Ok(([id << 4 | (short - 1), 0], 1))
        }
        ExtensionForm::TwoByte if id == 0 => Err(WireError::ExtensionId),
        ExtensionForm::TwoByte => Ok(([id, short], 2)),
    }
}
