//! Transport-wide congestion control feedback (draft-holmer-rmcat-transport-wide-cc-extensions-01 section 3.1).
//!
//! The view is tolerant: where chunks or deltas end early, the packets up to there are told and the rest is not.

use super::RawPacket;
use super::compound::feedback_head;
use crate::WireError;
use crate::octets::{chunk_at, u16_at, u24_at};

/// Octets in front of the chunks: base sequence number, status count, reference time, feedback count.
pub(super) const HEAD_LEN: usize = 8;

/// What became of one packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct PacketStatus {
    /// The transport-wide sequence number.
    pub sequence_number: u16,
    /// Arrival after the packet received before it (the first: after the reference time), in units of 250 µs;
    /// `None` if it was not received.
    pub delta: Option<i16>,
}

/// Which packets of a transport arrived, and when.
#[derive(Clone, Copy, Debug)]
pub struct TransportFeedback<'a> {
    sender_ssrc: u32,
    media_ssrc: u32,
    head: &'a [u8; HEAD_LEN],
    tail: &'a [u8],
    deltas_start: usize,
}

impl<'a> TransportFeedback<'a> {
    pub(super) fn parse(packet: RawPacket<'a>) -> Result<Self, WireError> {
        let (sender_ssrc, media_ssrc, fci) = feedback_head(packet)?;
        let (head, tail) = fci.split_first_chunk().ok_or(WireError::Truncated)?;
        let mut feedback = Self { sender_ssrc, media_ssrc, head, tail, deltas_start: 0 };
        feedback.deltas_start = chunks_len(tail, usize::from(feedback.status_count()));
        Ok(feedback)
    }

    /// Who received the packets.
    pub fn sender_ssrc(&self) -> u32 {
        self.sender_ssrc
    }

    /// One of the sources of the transport.
    pub fn media_ssrc(&self) -> u32 {
        self.media_ssrc
    }

    /// The transport-wide sequence number of the first packet.
    pub fn base_sequence_number(&self) -> u16 {
        u16::from_be_bytes([self.head[0], self.head[1]])
    }

    /// How many packets are told of, received or not.
    pub fn status_count(&self) -> u16 {
        u16::from_be_bytes([self.head[2], self.head[3]])
    }

    /// The receiver's clock at the base, in units of 64 ms: 24 bits, signed.
    pub fn reference_time(&self) -> i32 {
        (u24_at(self.head, 4).unwrap_or(0) << 8).cast_signed() >> 8
    }

    /// Counts feedback packets, modulo 256.
    pub fn feedback_count(&self) -> u8 {
        self.head[7]
    }

    /// The packets, ascending from the base sequence number; at most [`status_count`](Self::status_count).
    pub fn packets(&self) -> impl Iterator<Item = PacketStatus> + Clone + use<'a> {
        let mut sequence_number = self.base_sequence_number();
        let mut deltas = self.tail.get(self.deltas_start..).unwrap_or_default();
        let chunks = self.tail.get(..self.deltas_start).unwrap_or_default();
        let symbols = chunks.as_chunks::<2>().0.iter().flat_map(|&chunk| Chunk::parse(chunk).symbols());
        symbols.take(usize::from(self.status_count())).map_while(move |symbol| {
            let (delta, taken) = match symbol {
                SMALL => (Some(i16::from(*deltas.first()?)), 1),
                LARGE => (Some(i16::from_be_bytes(*chunk_at(deltas, 0)?)), 2),
                // 3 is reserved: nothing is known of the packet.
                _ => (None, 0),
            };
            deltas = deltas.get(taken..)?;
            let status = PacketStatus { sequence_number, delta };
            sequence_number = sequence_number.wrapping_add(1);
            Some(status)
        })
    }
}

/// Symbol: not received.
pub(super) const MISSING: u8 = 0;
/// Symbol: received, an unsigned delta of one octet.
pub(super) const SMALL: u8 = 1;
/// Symbol: received, a signed delta of two octets.
pub(super) const LARGE: u8 = 2;

/// A packet status chunk (sections 3.1.3 and 3.1.4).
#[derive(Clone, Copy)]
enum Chunk {
    RunLength { symbol: u8, len: u16 },
    OneBit(u16),
    TwoBit(u16),
}

impl Chunk {
    fn parse(octets: [u8; 2]) -> Self {
        let bits = u16::from_be_bytes(octets);
        match bits >> 14 {
            0 | 1 => Self::RunLength { symbol: (bits >> 13) as u8 & 3, len: bits & 0x1fff },
            2 => Self::OneBit(bits),
            _ => Self::TwoBit(bits),
        }
    }

    fn len(self) -> u16 {
        match self {
            Self::RunLength { len, .. } => len,
            Self::OneBit(_) => 14,
            Self::TwoBit(_) => 7,
        }
    }

    fn symbols(self) -> impl Iterator<Item = u8> + Clone {
        (0..self.len()).map(move |i| match self {
            Self::RunLength { symbol, .. } => symbol,
            Self::OneBit(bits) => (bits >> (13 - i)) as u8 & 1,
            Self::TwoBit(bits) => (bits >> (12 - 2 * i)) as u8 & 3,
        })
    }
}

/// Octets of the chunks that describe `count` packets, or of all whole chunks if they describe fewer.
fn chunks_len(tail: &[u8], count: usize) -> usize {
    let mut told = 0;
    let mut at = 0;
    while told < count
        && let Some(bits) = u16_at(tail, at)
    {
        told += usize::from(Chunk::parse(bits.to_be_bytes()).len());
        at += 2;
    }
    at
}
