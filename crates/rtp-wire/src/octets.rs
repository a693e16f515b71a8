//! Checked big-endian reads, and a writer over a slice that never runs past its end.

use crate::WireError;

/// The `N` octets at `at`.
#[inline]
pub(crate) fn chunk_at<const N: usize>(bytes: &[u8], at: usize) -> Option<&[u8; N]> {
    bytes.get(at..)?.first_chunk()
}

#[inline]
pub(crate) fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    chunk_at(bytes, at).map(|c| u16::from_be_bytes(*c))
}

#[inline]
pub(crate) fn u24_at(bytes: &[u8], at: usize) -> Option<u32> {
    chunk_at(bytes, at).map(|&[a, b, c]| u32::from_be_bytes([0, a, b, c]))
}

#[inline]
pub(crate) fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    chunk_at(bytes, at).map(|c| u32::from_be_bytes(*c))
}

#[inline]
pub(crate) fn u64_at(bytes: &[u8], at: usize) -> Option<u64> {
    chunk_at(bytes, at).map(|c| u64::from_be_bytes(*c))
}

/// Iterates a slice as big-endian 32-bit words; a remainder is left out.
pub(crate) fn u32_words(bytes: &[u8]) -> impl ExactSizeIterator<Item = u32> + Clone + '_ {
    bytes.as_chunks::<4>().0.iter().map(|c| u32::from_be_bytes(*c))
}

/// Appends to a slice; each write is whole or refused.
#[derive(Debug)]
pub(crate) struct Cursor<'b> {
    buf: &'b mut [u8],
    at: usize,
}

impl<'b> Cursor<'b> {
    pub(crate) fn new(buf: &'b mut [u8], at: usize) -> Self {
        Self { buf, at }
    }

    pub(crate) fn position(&self) -> usize {
        self.at
    }

    pub(crate) fn put(&mut self, bytes: &[u8]) -> Result<(), WireError> {
        let end = self.at.checked_add(bytes.len()).ok_or(WireError::BufferFull)?;
        self.buf.get_mut(self.at..end).ok_or(WireError::BufferFull)?.copy_from_slice(bytes);
        self.at = end;
        Ok(())
    }

    /// What was put so far, and what stood before the start.
    pub(crate) fn written(&self) -> &[u8] {
        self.buf.get(..self.at).unwrap_or_default()
    }

    pub(crate) fn u8(&mut self, value: u8) -> Result<(), WireError> {
        self.put(&[value])
    }

    pub(crate) fn u16(&mut self, value: u16) -> Result<(), WireError> {
        self.put(&value.to_be_bytes())
    }

    pub(crate) fn u24(&mut self, value: u32) -> Result<(), WireError> {
        let [_, a, b, c] = value.to_be_bytes();
        self.put(&[a, b, c])
    }

    pub(crate) fn u32(&mut self, value: u32) -> Result<(), WireError> {
        self.put(&value.to_be_bytes())
    }

    pub(crate) fn u64(&mut self, value: u64) -> Result<(), WireError> {
        self.put(&value.to_be_bytes())
    }

    /// Overwrites octets that were put before.
    pub(crate) fn patch(&mut self, at: usize, bytes: &[u8]) -> Result<(), WireError> {
        let end = at.checked_add(bytes.len()).filter(|&end| end <= self.at).ok_or(WireError::Order)?;
        self.buf.get_mut(at..end).ok_or(WireError::BufferFull)?.copy_from_slice(bytes);
        Ok(())
    }

    /// Puts zeros until the distance to `start` is a multiple of four.
    pub(crate) fn align(&mut self, start: usize) -> Result<(), WireError> {
        while !(self.at - start).is_multiple_of(4) {
            self.u8(0)?;
        }
        Ok(())
    }
}
