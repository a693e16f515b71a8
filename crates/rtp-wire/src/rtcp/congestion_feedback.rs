//! RTP congestion control feedback (RFC 8888 section 3.1).

use super::RawPacket;
use crate::WireError;
use crate::octets::{u16_at, u32_at};

/// Most packets in one report block (RFC 8888 section 3.1).
pub(super) const MAX_REPORTS: u16 = 16384;

/// When a packet arrived, before the report timestamp (RFC 8888 section 3.1, ATO).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Arrival {
    /// In units of 1/1024 s, 0 to 8189.
    Before(u16),
    /// 8189/1024 s or longer ago (0x1FFE).
    OutOfRange,
    /// After the report timestamp, or unknown (0x1FFF).
    Unavailable,
}

impl Arrival {
    fn from_bits(bits: u16) -> Self {
        match bits & 0x1fff {
            0x1fff => Self::Unavailable,
            0x1ffe => Self::OutOfRange,
            offset => Self::Before(offset),
        }
    }

    pub(super) fn to_bits(self) -> u16 {
        match self {
            Self::Before(offset) if offset < 0x1ffe => offset,
            Self::Before(_) | Self::OutOfRange => 0x1ffe,
            Self::Unavailable => 0x1fff,
        }
    }
}

/// What is known of a packet that was received.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct PacketReport {
    /// The ECN mark as received, 0 to 3 (RFC 3168).
    pub ecn: u8,
    /// When it arrived.
    pub arrival: Arrival,
}

impl PacketReport {
    fn from_bits(bits: u16) -> Option<Self> {
        (bits & 0x8000 != 0).then(|| Self { ecn: (bits >> 13) as u8 & 3, arrival: Arrival::from_bits(bits) })
    }

    pub(super) fn to_bits(self) -> u16 {
        0x8000 | u16::from(self.ecn & 3) << 13 | self.arrival.to_bits()
    }
}

/// What is reported on one source.
#[derive(Clone, Copy, Debug)]
pub struct StreamReport<'a> {
    /// The source.
    pub ssrc: u32,
    /// The first sequence number.
    pub begin_sequence_number: u16,
    metrics: &'a [u8],
}

impl<'a> StreamReport<'a> {
    /// Each sequence number with what is known of it; `None` for a packet that was not received.
    pub fn packets(&self) -> impl ExactSizeIterator<Item = (u16, Option<PacketReport>)> + Clone + use<'a> {
        let begin = self.begin_sequence_number;
        self.metrics.as_chunks::<2>().0.iter().enumerate().map(move |(i, &metric)| {
            // At most 16384 metrics, so the index fits.
            (begin.wrapping_add(i as u16), PacketReport::from_bits(u16::from_be_bytes(metric)))
        })
    }
}

/// Which packets of each source arrived, and when.
#[derive(Clone, Copy, Debug)]
pub struct CongestionFeedback<'a> {
    sender_ssrc: u32,
    blocks: &'a [u8],
    report_timestamp: u32,
}

impl<'a> CongestionFeedback<'a> {
    pub(super) fn parse(packet: RawPacket<'a>) -> Result<Self, WireError> {
        let (sender_ssrc, rest) = packet.body.split_first_chunk().ok_or(WireError::Truncated)?;
        let (blocks, report_timestamp) = rest.split_last_chunk().ok_or(WireError::Truncated)?;
        let mut left = blocks;
        while !left.is_empty() {
            left = split_block(left)?.1;
        }
        Ok(Self {
            sender_ssrc: u32::from_be_bytes(*sender_ssrc),
            blocks,
            report_timestamp: u32::from_be_bytes(*report_timestamp),
        })
    }

    /// Who received the packets.
    pub fn sender_ssrc(&self) -> u32 {
        self.sender_ssrc
    }

    /// RTS: the receiver's clock as the middle 32 bits of an NTP timestamp.
    pub fn report_timestamp(&self) -> u32 {
        self.report_timestamp
    }

    /// A report for each source.
    pub fn streams(&self) -> impl Iterator<Item = StreamReport<'a>> + Clone + use<'a> {
        let mut rest = self.blocks;
        core::iter::from_fn(move || {
            let (block, behind) = split_block(rest).ok()?;
            rest = behind;
            Some(block)
        })
    }
}

/// A source's block and what follows it; an odd number of metrics is padded to a word.
fn split_block(bytes: &[u8]) -> Result<(StreamReport<'_>, &[u8]), WireError> {
    let ssrc = u32_at(bytes, 0).ok_or(WireError::Truncated)?;
    let begin_sequence_number = u16_at(bytes, 4).ok_or(WireError::Truncated)?;
    let count = u16_at(bytes, 6).ok_or(WireError::Truncated)?;
    if count > MAX_REPORTS {
        return Err(WireError::Length);
    }
    let len = 2 * usize::from(count);
    let metrics = bytes.get(8..8 + len).ok_or(WireError::Length)?;
    let behind = bytes.get(8 + len.next_multiple_of(4)..).ok_or(WireError::Length)?;
    Ok((StreamReport { ssrc, begin_sequence_number, metrics }, behind))
}
