//! Length checks to run in front of other parsers.
//!
//! The crates `rtp` and `rtcp` 0.17 read some lengths without a check and panic on a few short packets. What passes here
//! does not make them. The rules are stricter than the views of this crate: where those parsers would take other octets
//! for content than the specification says, the packet is refused as well.

use crate::WireError;
use crate::rtcp::{Compound, RtcpPacket, packet_type};
use crate::rtp::{ExtensionProfile, RtpLayout};

/// Most packets in transport-wide feedback: what is left of 16 bits by the longest vector chunk.
const MAX_STATUS_COUNT: u16 = u16::MAX - 14;

/// Checks an RTP packet for other parsers.
///
/// # Errors
/// Those of [`RtpLayout::parse`], and `ExtensionId` for a one-byte element with id 15, or with id 0 and a length: there
/// RFC 8285 section 4.2 ends the block, and other parsers read on.
pub fn rtp(bytes: &[u8]) -> Result<(), WireError> {
    let layout = RtpLayout::parse(bytes)?;
    if layout.extension_profile() != ExtensionProfile::OneByte {
        return Ok(());
    }
    let mut rest = bytes.get(layout.extension_range()).unwrap_or_default();
    while let Some((&head, behind)) = rest.split_first() {
        rest = match (head >> 4, usize::from(head & 0x0f) + 1) {
            (0, 1) => behind,
            (0 | 15, _) => return Err(WireError::ExtensionId),
            (_, len) => behind.get(len..).ok_or(WireError::ExtensionOverrun)?,
        };
    }
    Ok(())
}

/// Checks an RTCP compound for other parsers.
///
/// # Errors
/// Those of [`Compound::parse`] and of each packet in it; `Padding` on a packet whose padding other parsers read as
/// content; `Length` for transport-wide feedback that does not tell of all its packets.
pub fn rtcp(bytes: &[u8]) -> Result<(), WireError> {
    let compound = Compound::parse(bytes)?;
    let mut at = 0;
    for raw in compound.raw() {
        let padded = bytes.get(at).is_some_and(|first| first & 0x20 != 0);
        let padding = if padded { bytes.last().map_or(0, |&count| usize::from(count)) } else { 0 };
        at += 4 + raw.body.len() + padding;
        let packet = RtcpPacket::from_raw(raw)?;
        if padded && !padding_is_skipped(&packet) {
            return Err(WireError::Padding);
        }
        match packet {
            RtcpPacket::TransportFeedback(feedback) => {
                let count = feedback.status_count();
                if count > MAX_STATUS_COUNT || feedback.packets().count() != usize::from(count) {
                    return Err(WireError::Length);
                }
            }
            RtcpPacket::Unknown(raw)
                if matches!(
                    raw.packet_type,
                    packet_type::TRANSPORT_FEEDBACK | packet_type::PAYLOAD_FEEDBACK
                ) && raw.body.len() < 8 =>
            {
                return Err(WireError::Truncated);
            }
            _ => {}
        }
    }
    Ok(())
}

/// Whether parsers that know nothing of padding come to the same content.
fn padding_is_skipped(packet: &RtcpPacket<'_>) -> bool {
    matches!(
        packet,
        RtcpPacket::TransportFeedback(_)
            | RtcpPacket::Remb(_)
            | RtcpPacket::Pli(_)
            | RtcpPacket::CongestionFeedback(_)
    )
}
