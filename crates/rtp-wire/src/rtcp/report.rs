//! Sender and receiver reports (RFC 3550 section 6.4).

use super::RawPacket;
use crate::octets::{u32_at, u64_at};
use crate::time::NtpTime;
use crate::{WireError, octets};

pub(super) const SENDER_INFO_LEN: usize = 20;
pub(super) const REPORT_BLOCK_LEN: usize = 24;

/// What a sender says of itself (RFC 3550 section 6.4.1).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct SenderInfo {
    /// Wall clock at the moment of the report.
    pub ntp: NtpTime,
    /// The same moment in the stream's timestamp units.
    pub rtp_timestamp: u32,
    /// Packets sent, wrapping.
    pub packet_count: u32,
    /// Payload octets sent, wrapping.
    pub octet_count: u32,
}

/// What a receiver says of one source (RFC 3550 section 6.4.1).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct ReportBlock {
    /// The source that is reported on.
    pub ssrc: u32,
    /// Lost since the last report, in 1/256.
    pub fraction_lost: u8,
    /// Lost since the beginning, -8388608 to 8388607; negative with duplicates.
    pub cumulative_lost: i32,
    /// Extended highest sequence number received: cycles in the high half.
    pub highest_sequence_number: u32,
    /// Interarrival jitter, in timestamp units.
    pub jitter: u32,
    /// LSR: the middle 32 bits of the last sender report's NTP timestamp, 0 for none.
    pub last_sender_report: u32,
    /// DLSR: the delay since that report, in 1/65536 s.
    pub delay_since_last_sender_report: u32,
}

impl ReportBlock {
    fn parse(block: &[u8; REPORT_BLOCK_LEN]) -> Self {
        let word = |at| u32_at(block, at).unwrap_or(0);
        Self {
            ssrc: word(0),
            fraction_lost: block[4],
            // Sign-extends 24 bits.
            cumulative_lost: (word(4) << 8).cast_signed() >> 8,
            highest_sequence_number: word(8),
            jitter: word(12),
            last_sender_report: word(16),
            delay_since_last_sender_report: word(20),
        }
    }

    /// The 24 octets on the wire; the cumulative loss is clamped to 24 bits (RFC 3550 appendix A.3).
    pub(super) fn to_octets(self) -> [u8; REPORT_BLOCK_LEN] {
        let lost = self.cumulative_lost.clamp(-0x80_0000, 0x7f_ffff).cast_unsigned() & 0xff_ffff;
        let words = [
            self.ssrc,
            u32::from(self.fraction_lost) << 24 | lost,
            self.highest_sequence_number,
            self.jitter,
            self.last_sender_report,
            self.delay_since_last_sender_report,
        ];
        let mut out = [0; REPORT_BLOCK_LEN];
        for (slot, word) in out.as_chunks_mut::<4>().0.iter_mut().zip(words) {
            *slot = word.to_be_bytes();
        }
        out
    }
}

/// Splits `body` behind its report blocks.
fn split_blocks(body: &[u8], count: u8) -> Result<(&[u8], &[u8]), WireError> {
    body.split_at_checked(REPORT_BLOCK_LEN * usize::from(count)).ok_or(WireError::Length)
}

fn report_blocks(blocks: &[u8]) -> impl ExactSizeIterator<Item = ReportBlock> + Clone + '_ {
    blocks.as_chunks::<REPORT_BLOCK_LEN>().0.iter().map(ReportBlock::parse)
}

/// A sender report.
#[derive(Clone, Copy, Debug)]
pub struct SenderReport<'a> {
    ssrc: u32,
    info: SenderInfo,
    blocks: &'a [u8],
    extension: &'a [u8],
}

impl<'a> SenderReport<'a> {
    pub(super) fn parse(packet: RawPacket<'a>) -> Result<Self, WireError> {
        let ssrc = u32_at(packet.body, 0).ok_or(WireError::Truncated)?;
        let (info, rest) = packet
            .body
            .get(4..)
            .and_then(<[u8]>::split_first_chunk::<SENDER_INFO_LEN>)
            .ok_or(WireError::Truncated)?;
        let word = |at| octets::u32_at(info, at).unwrap_or(0);
        let (blocks, extension) = split_blocks(rest, packet.count)?;
        let info = SenderInfo {
            ntp: NtpTime(u64_at(info, 0).unwrap_or(0)),
            rtp_timestamp: word(8),
            packet_count: word(12),
            octet_count: word(16),
        };
        Ok(Self { ssrc, info, blocks, extension })
    }

    /// The sender.
    pub fn ssrc(&self) -> u32 {
        self.ssrc
    }

    /// What the sender says of itself.
    pub fn info(&self) -> SenderInfo {
        self.info
    }

    /// What the sender says of the sources that it receives; 0 to 31.
    pub fn report_blocks(&self) -> impl ExactSizeIterator<Item = ReportBlock> + Clone + 'a {
        report_blocks(self.blocks)
    }

    /// A profile-specific extension, mostly empty.
    pub fn extension(&self) -> &'a [u8] {
        self.extension
    }
}

/// A receiver report.
#[derive(Clone, Copy, Debug)]
pub struct ReceiverReport<'a> {
    ssrc: u32,
    blocks: &'a [u8],
    extension: &'a [u8],
}

impl<'a> ReceiverReport<'a> {
    pub(super) fn parse(packet: RawPacket<'a>) -> Result<Self, WireError> {
        let (ssrc, rest) = packet.body.split_first_chunk().ok_or(WireError::Truncated)?;
        let (blocks, extension) = split_blocks(rest, packet.count)?;
        Ok(Self { ssrc: u32::from_be_bytes(*ssrc), blocks, extension })
    }

    /// The receiver.
    pub fn ssrc(&self) -> u32 {
        self.ssrc
    }

    /// What the receiver says of its sources; 0 to 31.
    pub fn report_blocks(&self) -> impl ExactSizeIterator<Item = ReportBlock> + Clone + 'a {
        report_blocks(self.blocks)
    }

    /// A profile-specific extension, mostly empty.
    pub fn extension(&self) -> &'a [u8] {
        self.extension
    }
}
