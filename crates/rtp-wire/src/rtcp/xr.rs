//! Extended reports (RFC 3611): the two blocks that give a receiver its round-trip time, and others unread.

use super::RawPacket;
use crate::WireError;
use crate::octets::{u16_at, u64_at};
use crate::time::NtpTime;

/// Block type of a receiver reference time report (RFC 3611 section 4.4).
pub(super) const RRTR: u8 = 4;
/// Block type of a DLRR report (RFC 3611 section 4.5).
pub(super) const DLRR: u8 = 5;

/// The answer to one receiver reference time (RFC 3611 section 4.5).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct DlrrReport {
    /// The receiver that sent the reference time.
    pub ssrc: u32,
    /// LRR: the middle 32 bits of its NTP timestamp, 0 for none.
    pub last_receiver_report: u32,
    /// DLRR: the delay since, in 1/65536 s.
    pub delay_since_last_receiver_report: u32,
}

impl DlrrReport {
    fn parse(octets: &[u8; 12]) -> Self {
        let [a, b, c, d, e, f, g, h, i, j, k, l] = *octets;
        Self {
            ssrc: u32::from_be_bytes([a, b, c, d]),
            last_receiver_report: u32::from_be_bytes([e, f, g, h]),
            delay_since_last_receiver_report: u32::from_be_bytes([i, j, k, l]),
        }
    }
}

/// One block of an extended report.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum XrBlock<'a> {
    /// The receiver's clock.
    ReceiverReferenceTime(NtpTime),
    /// Answers to receivers' clocks; see [`dlrr_reports`](Self::dlrr_reports).
    Dlrr(&'a [u8]),
    /// A block without a view here.
    Unknown {
        /// BT.
        block_type: u8,
        /// The octet that each type uses as it likes.
        type_specific: u8,
        /// Whole words.
        data: &'a [u8],
    },
}

impl<'a> XrBlock<'a> {
    /// The reports of a DLRR block; none of other blocks.
    pub fn dlrr_reports(&self) -> impl ExactSizeIterator<Item = DlrrReport> + Clone + 'a {
        let data = if let Self::Dlrr(data) = *self { data } else { &[] };
        data.as_chunks::<12>().0.iter().map(DlrrReport::parse)
    }
}

/// An extended report.
#[derive(Clone, Copy, Debug)]
pub struct Xr<'a> {
    ssrc: u32,
    blocks: &'a [u8],
}

impl<'a> Xr<'a> {
    pub(super) fn parse(packet: RawPacket<'a>) -> Result<Self, WireError> {
        let (ssrc, blocks) = packet.body.split_first_chunk().ok_or(WireError::Truncated)?;
        let mut rest = blocks;
        while !rest.is_empty() {
            rest = split_block(rest)?.1;
        }
        Ok(Self { ssrc: u32::from_be_bytes(*ssrc), blocks })
    }

    /// Who reports.
    pub fn ssrc(&self) -> u32 {
        self.ssrc
    }

    /// The blocks, in wire order.
    pub fn blocks(&self) -> impl Iterator<Item = XrBlock<'a>> + Clone {
        let mut rest = self.blocks;
        core::iter::from_fn(move || {
            let (block, behind) = split_block(rest).ok()?;
            rest = behind;
            Some(block)
        })
    }
}

fn split_block(bytes: &[u8]) -> Result<(XrBlock<'_>, &[u8]), WireError> {
    let &[block_type, type_specific, ..] = bytes else { return Err(WireError::Truncated) };
    let words = usize::from(u16_at(bytes, 2).ok_or(WireError::Truncated)?);
    let data = bytes.get(4..4 + 4 * words).ok_or(WireError::Length)?;
    let block = match block_type {
        RRTR if words == 2 => {
            XrBlock::ReceiverReferenceTime(NtpTime(u64_at(data, 0).ok_or(WireError::Length)?))
        }
        DLRR if words % 3 == 0 => XrBlock::Dlrr(data),
        RRTR | DLRR => return Err(WireError::Length),
        _ => XrBlock::Unknown { block_type, type_specific, data },
    };
    Ok((block, bytes.get(4 + 4 * words..).ok_or(WireError::Length)?))
}
