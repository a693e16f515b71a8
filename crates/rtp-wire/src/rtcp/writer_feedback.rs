//! The two congestion feedback packets of the writer: transport-wide (draft-holmer) and RFC 8888.

use super::congestion_feedback::MAX_REPORTS;
use super::transport_feedback::{LARGE, MISSING, SMALL};
use super::{PacketReport, RtcpWriter, feedback_type, packet_type};
use crate::WireError;
use crate::octets::Cursor;

/// Most packets in a run-length chunk.
const MAX_RUN: usize = 0x1fff;
/// Packets in a vector chunk of one-bit symbols, and of two-bit symbols.
const ONE_BIT_LEN: usize = 14;
const TWO_BIT_LEN: usize = 7;

impl RtcpWriter<'_> {
    /// Transport-wide congestion control feedback (draft-holmer-rmcat-transport-wide-cc-extensions-01 section 3.1).
    ///
    /// `reference_time` counts 64 ms, of which 24 bits go out. `statuses` tells of each packet from
    /// `base_sequence_number` on: the arrival after the packet received before it (the first: after the reference
    /// time) in units of 250 µs, or `None` if it was not received. It is walked more than once.
    ///
    /// # Errors
    /// `Length` without a packet, `TooLong` over 65535 packets, `BufferFull`.
    pub fn transport_feedback(
        &mut self,
        sender_ssrc: u32,
        media_ssrc: u32,
        base_sequence_number: u16,
        reference_time: i32,
        feedback_count: u8,
        statuses: impl Iterator<Item = Option<i16>> + Clone,
    ) -> Result<(), WireError> {
        let count = u16::try_from(statuses.clone().count()).map_err(|_| WireError::TooLong)?;
        if count == 0 {
            return Err(WireError::Length);
        }
        self.packet(packet_type::TRANSPORT_FEEDBACK, |cursor| {
            cursor.u32(sender_ssrc)?;
            cursor.u32(media_ssrc)?;
            cursor.u16(base_sequence_number)?;
            cursor.u16(count)?;
            cursor.u24(reference_time.cast_unsigned())?;
            cursor.u8(feedback_count)?;
            put_chunks(cursor, statuses.clone().map(symbol))?;
            for delta in statuses.flatten() {
                match u8::try_from(delta) {
                    Ok(small) => cursor.u8(small)?,
                    Err(_) => cursor.put(&delta.to_be_bytes())?,
                }
            }
            Ok(feedback_type::TRANSPORT_WIDE)
        })
    }

    /// RTP congestion control feedback (RFC 8888 section 3.1): `streams` adds a block for each source.
    ///
    /// `report_timestamp` is the middle 32 bits of an NTP timestamp.
    ///
    /// # Errors
    /// Whatever `streams` gives, and `BufferFull`.
    pub fn congestion_feedback(
        &mut self,
        sender_ssrc: u32,
        report_timestamp: u32,
        streams: impl FnOnce(&mut CongestionFeedbackWriter<'_, '_>) -> Result<(), WireError>,
    ) -> Result<(), WireError> {
        self.packet(packet_type::TRANSPORT_FEEDBACK, |cursor| {
            cursor.u32(sender_ssrc)?;
            streams(&mut CongestionFeedbackWriter { cursor })?;
            cursor.u32(report_timestamp)?;
            Ok(feedback_type::CONGESTION_FEEDBACK)
        })
    }
}

/// Adds blocks to RTP congestion control feedback; see [`RtcpWriter::congestion_feedback`].
#[derive(Debug)]
pub struct CongestionFeedbackWriter<'c, 'b> {
    cursor: &'c mut Cursor<'b>,
}

impl CongestionFeedbackWriter<'_, '_> {
    /// A block of one source: what is known of each packet from `begin_sequence_number` on. An error ends the packet.
    ///
    /// # Errors
    /// `Count` over 16384 packets, `BufferFull`.
    pub fn stream(
        &mut self,
        ssrc: u32,
        begin_sequence_number: u16,
        packets: impl IntoIterator<Item = Option<PacketReport>>,
    ) -> Result<(), WireError> {
        let start = self.cursor.position();
        self.cursor.u32(ssrc)?;
        self.cursor.u16(begin_sequence_number)?;
        self.cursor.u16(0)?;
        let mut count = 0u16;
        for packet in packets {
            if count == MAX_REPORTS {
                return Err(WireError::Count);
            }
            count += 1;
            self.cursor.u16(packet.map_or(0, PacketReport::to_bits))?;
        }
        self.cursor.patch(start + 6, &count.to_be_bytes())?;
        self.cursor.align(start)
    }
}

fn symbol(status: Option<i16>) -> u8 {
    match status {
        None => MISSING,
        Some(0..=255) => SMALL,
        Some(_) => LARGE,
    }
}

/// Writes status chunks: at each place the form that covers most packets in its two octets.
fn put_chunks(
    cursor: &mut Cursor<'_>,
    mut symbols: impl Iterator<Item = u8> + Clone,
) -> Result<(), WireError> {
    while let Some(first) = symbols.clone().next() {
        let run = symbols.clone().take(MAX_RUN).take_while(|&symbol| symbol == first).count();
        let one_bit = symbols.clone().take(ONE_BIT_LEN).all(|symbol| symbol != LARGE);
        let (bits, taken) = if run >= ONE_BIT_LEN || (run >= TWO_BIT_LEN && !one_bit) {
            // At most 8191, so it fits.
            (u16::from(first) << 13 | run as u16, run)
        } else if one_bit {
            (one_bit_vector(symbols.clone()), ONE_BIT_LEN)
        } else {
            (two_bit_vector(symbols.clone()), TWO_BIT_LEN)
        };
        cursor.u16(bits)?;
        // The last vector may reach past the end.
        symbols.by_ref().take(taken).for_each(drop);
    }
    Ok(())
}

fn one_bit_vector(symbols: impl Iterator<Item = u8>) -> u16 {
    symbols
        .take(ONE_BIT_LEN)
        .enumerate()
        .fold(0x8000, |bits, (i, symbol)| bits | u16::from(symbol) << (13 - i))
}

fn two_bit_vector(symbols: impl Iterator<Item = u8>) -> u16 {
    symbols
        .take(TWO_BIT_LEN)
        .enumerate()
        .fold(0xc000, |bits, (i, symbol)| bits | u16::from(symbol) << (12 - 2 * i))
}
