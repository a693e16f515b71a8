//! Writes RTCP packets one behind the other into a caller's buffer.
//!
//! Each call writes a whole packet or, on an error, leaves the buffer's length where it was.

use super::report::ReportBlock;
use super::sdes::SdesItemKind;
use super::xr::{DLRR, DlrrReport, RRTR};
use super::{FirEntry, MAX_COUNT, NackEntry, SenderInfo, feedback_type, packet_type, remb};
use crate::WireError;
use crate::octets::Cursor;
use crate::time::NtpTime;

/// Writes a compound packet.
///
/// The order of packets is the caller's: a full compound starts with a report and holds a CNAME (RFC 3550 section 6.1).
#[derive(Debug)]
pub struct RtcpWriter<'b> {
    buf: &'b mut [u8],
    len: usize,
}

impl<'b> RtcpWriter<'b> {
    /// Writes from the start of `buf`; the buffer's length is the size limit.
    pub fn new(buf: &'b mut [u8]) -> Self {
        Self { buf, len: 0 }
    }

    /// Octets written.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether nothing was written.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Octets left.
    pub fn remaining(&self) -> usize {
        self.buf.len().saturating_sub(self.len)
    }

    /// What was written.
    pub fn written(&self) -> &[u8] {
        self.buf.get(..self.len).unwrap_or_default()
    }

    /// Ends the compound and says how many octets it has.
    pub fn finish(self) -> usize {
        self.len
    }

    /// Writes a common header around what `body` puts; `body` gives the count field.
    pub(super) fn packet(
        &mut self,
        packet_type: u8,
        body: impl FnOnce(&mut Cursor<'_>) -> Result<u8, WireError>,
    ) -> Result<(), WireError> {
        let start = self.len;
        let mut cursor = Cursor::new(self.buf, start);
        cursor.put(&[0x80, packet_type, 0, 0])?;
        let count = body(&mut cursor)?;
        if usize::from(count) > MAX_COUNT {
            return Err(WireError::Count);
        }
        cursor.align(start)?;
        let end = cursor.position();
        let words = u16::try_from((end - start) / 4 - 1).map_err(|_| WireError::TooLong)?;
        cursor.patch(start, &[0x80 | count])?;
        cursor.patch(start + 2, &words.to_be_bytes())?;
        self.len = end;
        Ok(())
    }

    /// A sender report with up to 31 blocks (RFC 3550 section 6.4.1).
    ///
    /// # Errors
    /// `Count` over 31 blocks, `BufferFull`.
    pub fn sender_report(
        &mut self,
        ssrc: u32,
        info: &SenderInfo,
        blocks: &[ReportBlock],
    ) -> Result<(), WireError> {
        self.packet(packet_type::SENDER_REPORT, |cursor| {
            cursor.u32(ssrc)?;
            cursor.u64(info.ntp.0)?;
            cursor.u32(info.rtp_timestamp)?;
            cursor.u32(info.packet_count)?;
            cursor.u32(info.octet_count)?;
            put_blocks(cursor, blocks)
        })
    }

    /// A receiver report with up to 31 blocks (RFC 3550 section 6.4.2).
    ///
    /// # Errors
    /// `Count` over 31 blocks, `BufferFull`.
    pub fn receiver_report(&mut self, ssrc: u32, blocks: &[ReportBlock]) -> Result<(), WireError> {
        self.packet(packet_type::RECEIVER_REPORT, |cursor| {
            cursor.u32(ssrc)?;
            put_blocks(cursor, blocks)
        })
    }

    /// A source description of one source: its CNAME, then other items (RFC 3550 section 6.5).
    ///
    /// # Errors
    /// `TooLong` for a text over 255 octets, `Value` for an item of kind `Other(0)`, `BufferFull`.
    pub fn source_description(
        &mut self,
        ssrc: u32,
        cname: &[u8],
        others: &[(SdesItemKind, &[u8])],
    ) -> Result<(), WireError> {
        self.packet(packet_type::SOURCE_DESCRIPTION, |cursor| {
            cursor.u32(ssrc)?;
            put_item(cursor, SdesItemKind::Cname, cname)?;
            for &(kind, text) in others {
                put_item(cursor, kind, text)?;
            }
            // The null octet that ends the list; the packet's alignment adds the rest.
            cursor.u8(0)?;
            Ok(1)
        })
    }

    /// A goodbye of up to 31 sources (RFC 3550 section 6.6).
    ///
    /// # Errors
    /// `Count` over 31 sources, `TooLong` for a reason over 255 octets, `BufferFull`.
    pub fn bye(&mut self, ssrcs: &[u32], reason: Option<&[u8]>) -> Result<(), WireError> {
        self.packet(packet_type::GOODBYE, |cursor| {
            let count = count_field(ssrcs.len())?;
            for &ssrc in ssrcs {
                cursor.u32(ssrc)?;
            }
            if let Some(reason) = reason {
                cursor.u8(u8::try_from(reason.len()).map_err(|_| WireError::TooLong)?)?;
                cursor.put(reason)?;
            }
            Ok(count)
        })
    }

    /// A picture loss indication (RFC 4585 section 6.3.1).
    ///
    /// # Errors
    /// `BufferFull`.
    pub fn pli(&mut self, sender_ssrc: u32, media_ssrc: u32) -> Result<(), WireError> {
        self.packet(packet_type::PAYLOAD_FEEDBACK, |cursor| {
            cursor.u32(sender_ssrc)?;
            cursor.u32(media_ssrc)?;
            Ok(feedback_type::PLI)
        })
    }

    /// A full intra request to one or more sources (RFC 5104 section 4.3.1).
    ///
    /// # Errors
    /// `Length` without an entry, `BufferFull`.
    pub fn fir(&mut self, sender_ssrc: u32, entries: &[FirEntry]) -> Result<(), WireError> {
        if entries.is_empty() {
            return Err(WireError::Length);
        }
        self.packet(packet_type::PAYLOAD_FEEDBACK, |cursor| {
            cursor.u32(sender_ssrc)?;
            cursor.u32(0)?;
            for entry in entries {
                cursor.u32(entry.ssrc)?;
                cursor.put(&[entry.sequence_number, 0, 0, 0])?;
            }
            Ok(feedback_type::FIR)
        })
    }

    /// A generic NACK of one or more sequence numbers (RFC 4585 section 6.2.1). Ascending numbers pack best; any order
    /// is right.
    ///
    /// # Errors
    /// `Length` without a number, `BufferFull`.
    pub fn nack(
        &mut self,
        sender_ssrc: u32,
        media_ssrc: u32,
        lost: impl IntoIterator<Item = u16>,
    ) -> Result<(), WireError> {
        let mut lost = lost.into_iter();
        let first = lost.next().ok_or(WireError::Length)?;
        self.packet(packet_type::TRANSPORT_FEEDBACK, |cursor| {
            cursor.u32(sender_ssrc)?;
            cursor.u32(media_ssrc)?;
            let mut entry = NackEntry { packet_id: first, bitmask: 0 };
            for sequence_number in lost {
                match sequence_number.wrapping_sub(entry.packet_id) {
                    0 => {}
                    ahead @ 1..=16 => entry.bitmask |= 1 << (ahead - 1),
                    _ => {
                        put_nack_entry(cursor, entry)?;
                        entry = NackEntry { packet_id: sequence_number, bitmask: 0 };
                    }
                }
            }
            put_nack_entry(cursor, entry)?;
            Ok(feedback_type::NACK)
        })
    }

    /// A receiver estimated maximum bitrate in bits per second for up to 255 sources
    /// (draft-alvestrand-rmcat-remb-03). The bitrate is rounded down to 18 significant bits.
    ///
    /// # Errors
    /// `Count` over 255 sources, `BufferFull`.
    pub fn remb(&mut self, sender_ssrc: u32, bitrate: u64, ssrcs: &[u32]) -> Result<(), WireError> {
        self.packet(packet_type::PAYLOAD_FEEDBACK, |cursor| {
            let count = u8::try_from(ssrcs.len()).map_err(|_| WireError::Count)?;
            let exponent = (u64::BITS - bitrate.leading_zeros()).saturating_sub(remb::MANTISSA_BITS);
            // 18 bits are left after the shift.
            let mantissa = (bitrate >> exponent) as u32;
            cursor.u32(sender_ssrc)?;
            cursor.u32(0)?;
            cursor.put(&remb::IDENTIFIER)?;
            cursor.u8(count)?;
            cursor.u24(exponent << remb::MANTISSA_BITS | mantissa)?;
            for &ssrc in ssrcs {
                cursor.u32(ssrc)?;
            }
            Ok(feedback_type::AFB)
        })
    }

    /// An extended report: the receiver's clock and answers to others' clocks, each if there is one
    /// (RFC 3611 sections 4.4 and 4.5).
    ///
    /// # Errors
    /// `Length` if there is neither, `TooLong` over 21845 answers, `BufferFull`.
    pub fn extended_report(
        &mut self,
        ssrc: u32,
        reference_time: Option<NtpTime>,
        dlrr: &[DlrrReport],
    ) -> Result<(), WireError> {
        if reference_time.is_none() && dlrr.is_empty() {
            return Err(WireError::Length);
        }
        self.packet(packet_type::EXTENDED_REPORT, |cursor| {
            cursor.u32(ssrc)?;
            if let Some(ntp) = reference_time {
                cursor.put(&[RRTR, 0, 0, 2])?;
                cursor.u64(ntp.0)?;
            }
            if !dlrr.is_empty() {
                cursor.put(&[DLRR, 0])?;
                cursor.u16(u16::try_from(dlrr.len() * 3).map_err(|_| WireError::TooLong)?)?;
            }
            for report in dlrr {
                cursor.u32(report.ssrc)?;
                cursor.u32(report.last_receiver_report)?;
                cursor.u32(report.delay_since_last_receiver_report)?;
            }
            Ok(0)
        })
    }
}

fn count_field(count: usize) -> Result<u8, WireError> {
    u8::try_from(count).ok().filter(|&count| usize::from(count) <= MAX_COUNT).ok_or(WireError::Count)
}

fn put_blocks(cursor: &mut Cursor<'_>, blocks: &[ReportBlock]) -> Result<u8, WireError> {
    let count = count_field(blocks.len())?;
    for block in blocks {
        cursor.put(&block.to_octets())?;
    }
    Ok(count)
}

fn put_item(cursor: &mut Cursor<'_>, kind: SdesItemKind, text: &[u8]) -> Result<(), WireError> {
    let kind = kind.to_octet();
    if kind == 0 {
        return Err(WireError::Value);
    }
    cursor.put(&[kind, u8::try_from(text.len()).map_err(|_| WireError::TooLong)?])?;
    cursor.put(text)
}

fn put_nack_entry(cursor: &mut Cursor<'_>, entry: NackEntry) -> Result<(), WireError> {
    cursor.u16(entry.packet_id)?;
    cursor.u16(entry.bitmask)
}
