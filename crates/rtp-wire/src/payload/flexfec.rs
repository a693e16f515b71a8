//! FlexFEC payloads: parity over packets of one RTP stream, of which any single lost one can be had back. Must not know when parity is worth
//! its bytes.
//!
//! This is the form that browsers negotiate as `flexfec-03` (draft-ietf-payload-flexible-fec-scheme-03 section 4.2.2.1, flexible mask, one
//! protected stream). It differs from RFC 8627, which names the stream among the CSRCs of the RTP header:
//!
//! | octets | |
//! |---|---|
//! | 0 | R and F, clear; then P, X and CC of the packets, all of them by exclusive or |
//! | 1 | M and payload type |
//! | 2, 3 | lengths without the fixed header |
//! | 4 to 7 | timestamps |
//! | 8 to 11 | number of streams: 1; reserved |
//! | 12 to 15 | SSRC of the stream |
//! | 16, 17 | the least sequence number |
//! | 18.. | which packets from there on: 15 bits, or 46 bits; each part begins with a bit that is set in the last one |
//! | then | what follows the fixed headers, as long as the longest packet |
//!
//! Receivers take the value of extensions that change on the way for zeros (send times and transport-wide numbers): parity is to be made of
//! packets in which they are.

use crate::WireError;
use crate::octets::{u16_at, u32_at};
use crate::rtp::FIXED_HEADER_LEN;

/// The most sequence numbers from the first packet of a parity to its last.
pub const MAX_SPAN: u16 = 46;

/// The most octets that a protected packet may have.
pub const MAX_PACKET_LEN: usize = 1500;

const SHORT_SPAN: u16 = 15;
const SHORT_HEADER_LEN: usize = 20;
const LONG_HEADER_LEN: usize = 24;
/// R: parity of packets that are sent again; F: a mask in rows and columns.
const OTHER_FORMS: u8 = 0xc0;
const LAST_PART: u16 = 0x8000;
const LAST_LONG_PART: u32 = 0x8000_0000;

/// What packets come to by exclusive or, as it is gathered.
#[derive(Clone, Debug)]
pub struct Parity {
    base: u16,
    /// From the most significant bit on: `base`, `base + 1`...
    mask: u64,
    flags: u8,
    kind: u8,
    len: u16,
    timestamp: u32,
    rest: [u8; MAX_PACKET_LEN - FIXED_HEADER_LEN],
    longest: usize,
}

impl Default for Parity {
    fn default() -> Self {
        Self {
            base: 0,
            mask: 0,
            flags: 0,
            kind: 0,
            len: 0,
            timestamp: 0,
            rest: [0; MAX_PACKET_LEN - FIXED_HEADER_LEN],
            longest: 0,
        }
    }
}

impl Parity {
    /// Of no packet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// How many packets it is of.
    #[must_use]
    pub const fn packets(&self) -> u32 {
        self.mask.count_ones()
    }

    /// Adds an RTP packet, in the order of sequence numbers; those between may be missing.
    ///
    /// # Errors
    /// `Truncated` under 12 octets, `TooLong` over [`MAX_PACKET_LEN`], `Version`, and `Value` for a sequence number that is not above those
    /// before, or [`MAX_SPAN`] or more above the first. Nothing of a refused packet is added.
    pub fn add(&mut self, packet: &[u8]) -> Result<(), WireError> {
        let (header, rest) = packet.split_first_chunk::<FIXED_HEADER_LEN>().ok_or(WireError::Truncated)?;
        if header[0] >> 6 != 2 {
            return Err(WireError::Version);
        }
        let into = self.rest.get_mut(..rest.len()).ok_or(WireError::TooLong)?;
        let sequence_number = u16::from_be_bytes([header[2], header[3]]);
        let at = if self.mask == 0 { 0 } else { sequence_number.wrapping_sub(self.base) };
        let place = place(at).filter(|place| self.mask & (*place | (*place - 1)) == 0);
        let place = place.ok_or(WireError::Value)?;
        if self.mask == 0 {
            self.base = sequence_number;
        }
        self.mask |= place;
        self.flags ^= header[0] & !OTHER_FORMS;
        self.kind ^= header[1];
        // It fits: MAX_PACKET_LEN does.
        self.len ^= rest.len() as u16;
        self.timestamp ^= u32::from_be_bytes([header[4], header[5], header[6], header[7]]);
        xor(into, rest);
        self.longest = self.longest.max(rest.len());
        Ok(())
    }

    /// Octets of the payload.
    #[must_use]
    pub const fn payload_len(&self) -> usize {
        self.header_len() + self.longest
    }

    /// Writes the payload for packets of the stream `ssrc` and returns its length.
    ///
    /// # Errors
    /// `Count` if it is of no packet, `BufferFull` if `buf` has less than [`payload_len`](Self::payload_len).
    pub fn write(&self, ssrc: u32, buf: &mut [u8]) -> Result<usize, WireError> {
        if self.mask == 0 {
            return Err(WireError::Count);
        }
        let buf = buf.get_mut(..self.payload_len()).ok_or(WireError::BufferFull)?;
        let (header, rest) = buf.split_at_mut(self.header_len());
        let mut fields = [0; LONG_HEADER_LEN];
        let [len, base] = [self.len, self.base].map(u16::to_be_bytes);
        fields[..2].copy_from_slice(&[self.flags, self.kind]);
        fields[2..4].copy_from_slice(&len);
        fields[4..8].copy_from_slice(&self.timestamp.to_be_bytes());
        fields[8] = 1;
        fields[12..16].copy_from_slice(&ssrc.to_be_bytes());
        fields[16..18].copy_from_slice(&base);
        let first = (self.mask >> 49) as u16 | if self.is_short() { LAST_PART } else { 0 };
        fields[18..20].copy_from_slice(&first.to_be_bytes());
        let second = (self.mask >> 18) as u32 & !LAST_LONG_PART | LAST_LONG_PART;
        fields[20..].copy_from_slice(&second.to_be_bytes());
        header.iter_mut().zip(fields).for_each(|(to, from)| *to = from);
        rest.iter_mut().zip(&self.rest).for_each(|(to, from)| *to = *from);
        Ok(self.payload_len())
    }

    /// Of no packet any more.
    pub fn clear(&mut self) {
        if let Some(used) = self.rest.get_mut(..self.longest) {
            used.fill(0);
        }
        (self.base, self.mask, self.flags, self.kind) = (0, 0, 0, 0);
        (self.len, self.timestamp, self.longest) = (0, 0, 0);
    }

    const fn is_short(&self) -> bool {
        self.mask << SHORT_SPAN == 0
    }

    const fn header_len(&self) -> usize {
        if self.is_short() { SHORT_HEADER_LEN } else { LONG_HEADER_LEN }
    }
}

/// A payload whose header was checked.
#[derive(Clone, Copy, Debug)]
pub struct FlexFecPayload<'a> {
    payload: &'a [u8],
    mask: u64,
    rest: &'a [u8],
}

impl<'a> FlexFecPayload<'a> {
    /// Reads a payload.
    ///
    /// # Errors
    /// `Truncated`; `PacketType` for what is not parity by a flexible mask; `Count` unless it is of one stream; `Value` if it is of no packet,
    /// or if its mask has the third part, of 63 bits, which spans more than [`MAX_SPAN`].
    pub fn parse(payload: &'a [u8]) -> Result<Self, WireError> {
        let first = u16_at(payload, 18).ok_or(WireError::Truncated)?;
        if payload.first().is_some_and(|flags| flags & OTHER_FORMS != 0) {
            return Err(WireError::PacketType);
        }
        if payload.get(8) != Some(&1) {
            return Err(WireError::Count);
        }
        let mut mask = u64::from(first & !LAST_PART) << 49;
        let mut header_len = SHORT_HEADER_LEN;
        if first & LAST_PART == 0 {
            let second = u32_at(payload, SHORT_HEADER_LEN).ok_or(WireError::Truncated)?;
            if second & LAST_LONG_PART == 0 {
                return Err(WireError::Value);
            }
            mask |= u64::from(second & !LAST_LONG_PART) << 18;
            header_len = LONG_HEADER_LEN;
        }
        if mask == 0 {
            return Err(WireError::Value);
        }
        let rest = payload.get(header_len..).ok_or(WireError::Truncated)?;
        Ok(Self { payload, mask, rest })
    }

    /// The stream that it protects.
    pub fn ssrc(&self) -> u32 {
        u32_at(self.payload, 12).unwrap_or_default()
    }

    /// The sequence numbers of the packets that it is of.
    pub fn sequence_numbers(&self) -> impl Iterator<Item = u16> + use<> {
        let (base, mask) = (u16_at(self.payload, 16).unwrap_or_default(), self.mask);
        let is_in = move |at: &u16| place(*at).is_some_and(|place| mask & place != 0);
        (0..MAX_SPAN).filter(is_in).map(move |at| base.wrapping_add(at))
    }

    /// Makes the packet `missing` of the parity and all `others` that it is of, writes it to `buf` and returns its length.
    ///
    /// # Errors
    /// `Value` if the parity is not of `missing`, or not of one of the others, or of more packets than these; `Truncated` for another under
    /// 12 octets; `Length` if what comes out has a length that cannot be, so that the packets are not those that were protected;
    /// `BufferFull`.
    pub fn recover<'p>(
        &self,
        missing: u16,
        others: impl IntoIterator<Item = &'p [u8]>,
        buf: &mut [u8],
    ) -> Result<usize, WireError> {
        let base = u16_at(self.payload, 16).ok_or(WireError::Truncated)?;
        let mut left = self.mask;
        left ^= self.bit(base, missing, left)?;
        let buf = buf.get_mut(..FIXED_HEADER_LEN + self.rest.len()).ok_or(WireError::BufferFull)?;
        let (header, rest) = buf.split_first_chunk_mut::<FIXED_HEADER_LEN>().ok_or(WireError::BufferFull)?;
        let fields = self.payload.first_chunk::<8>().ok_or(WireError::Truncated)?;
        let mut len = u16::from_be_bytes([fields[2], fields[3]]);
        header[..2].copy_from_slice(&fields[..2]);
        header[4..8].copy_from_slice(&fields[4..8]);
        rest.iter_mut().zip(self.rest).for_each(|(to, from)| *to = *from);
        for other in others {
            let (from, octets) = other.split_first_chunk::<FIXED_HEADER_LEN>().ok_or(WireError::Truncated)?;
            left ^= self.bit(base, u16::from_be_bytes([from[2], from[3]]), left)?;
            len ^= u16::try_from(octets.len()).map_err(|_| WireError::TooLong)?;
            xor(&mut header[..2], &from[..2]);
            xor(&mut header[4..8], &from[4..8]);
            xor(rest, octets);
        }
        if left != 0 {
            return Err(WireError::Value);
        }
        header[0] = header[0] & !OTHER_FORMS | 0x80;
        header[2..4].copy_from_slice(&missing.to_be_bytes());
        header[8..].copy_from_slice(&self.ssrc().to_be_bytes());
        let len = usize::from(len);
        if len > rest.len() { Err(WireError::Length) } else { Ok(FIXED_HEADER_LEN + len) }
    }

    fn bit(&self, base: u16, sequence_number: u16, left: u64) -> Result<u64, WireError> {
        let place = place(sequence_number.wrapping_sub(base));
        place.filter(|place| left & place != 0).ok_or(WireError::Value)
    }
}

/// The bit of the packet that is `at` after the first.
fn place(at: u16) -> Option<u64> {
    (at < MAX_SPAN).then(|| 1 << (63 - at))
}

fn xor(into: &mut [u8], from: &[u8]) {
    into.iter_mut().zip(from).for_each(|(into, from)| *into ^= from);
}
