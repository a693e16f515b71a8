//! The walk over a compound packet, and the choice of a view for each packet in it.

use super::{
    Afb, App, Bye, CongestionFeedback, Fir, Nack, Pli, ReceiverReport, Remb, Sdes, SenderReport,
    TransportFeedback, Xr, feedback_type, packet_type,
};
use crate::WireError;
use crate::octets::u16_at;

/// One RTCP packet of any type: its common header, and its body without padding.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RawPacket<'a> {
    /// RC, SC, FMT or subtype: 0 to 31.
    pub count: u8,
    /// 0 to 255.
    pub packet_type: u8,
    /// What follows the four octets of the common header.
    pub body: &'a [u8],
}

/// A compound or reduced-size packet whose common headers were all checked: versions, lengths, and padding in the
/// last packet only (RFC 3550 section 6.4.1 and appendix A.2, RFC 5506).
///
/// Iterating gives each packet as a view, or the error of that one packet; the ones behind it are still reached.
#[derive(Clone, Copy, Debug)]
pub struct Compound<'a> {
    rest: &'a [u8],
}

impl<'a> Compound<'a> {
    /// Checks the common header of every packet in `bytes`.
    ///
    /// # Errors
    /// `Truncated`, `Version`, `Padding` (also padding in front of the last packet), `TooLong` over 65535 octets.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, WireError> {
        if bytes.len() > usize::from(u16::MAX) {
            return Err(WireError::TooLong);
        }
        let mut rest = bytes;
        loop {
            rest = split_packet(rest)?.1;
            if rest.is_empty() {
                return Ok(Self { rest: bytes });
            }
        }
    }

    /// The packets, without a look into their bodies.
    pub fn raw(self) -> impl Iterator<Item = RawPacket<'a>> + Clone {
        let mut rest = self.rest;
        core::iter::from_fn(move || {
            let (packet, behind) = split_packet(rest).ok()?;
            rest = behind;
            Some(packet)
        })
    }
}

impl<'a> Iterator for Compound<'a> {
    type Item = Result<RtcpPacket<'a>, WireError>;

    fn next(&mut self) -> Option<Self::Item> {
        let (packet, behind) = split_packet(self.rest).ok()?;
        self.rest = behind;
        Some(RtcpPacket::from_raw(packet))
    }
}

/// Takes one packet off the front.
fn split_packet(bytes: &[u8]) -> Result<(RawPacket<'_>, &[u8]), WireError> {
    let &[first, packet_type, ..] = bytes else { return Err(WireError::Truncated) };
    if first >> 6 != 2 {
        return Err(WireError::Version);
    }
    let words = usize::from(u16_at(bytes, 2).ok_or(WireError::Truncated)?);
    let (packet, behind) = bytes.split_at_checked(4 + 4 * words).ok_or(WireError::Truncated)?;
    let mut body = packet.get(4..).ok_or(WireError::Truncated)?;
    if first & 0x20 != 0 {
        body = unpadded(body, behind.is_empty())?;
    }
    Ok((RawPacket { count: first & 0x1f, packet_type, body }, behind))
}

/// The body without its padding, counted by the last octet, in the last packet only. RFC 3550 section 6.4.1 wants whole words;
/// browsers pad transport-wide feedback by one to three octets.
fn unpadded(body: &[u8], last: bool) -> Result<&[u8], WireError> {
    let padding = body.last().map_or(0, |&count| usize::from(count));
    if !last || padding == 0 {
        return Err(WireError::Padding);
    }
    let len = body.len().checked_sub(padding).ok_or(WireError::Padding)?;
    body.get(..len).ok_or(WireError::Padding)
}

/// A view of one RTCP packet whose every length was checked.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub enum RtcpPacket<'a> {
    /// RFC 3550 section 6.4.1.
    SenderReport(SenderReport<'a>),
    /// RFC 3550 section 6.4.2.
    ReceiverReport(ReceiverReport<'a>),
    /// RFC 3550 section 6.5.
    Sdes(Sdes<'a>),
    /// RFC 3550 section 6.6.
    Bye(Bye<'a>),
    /// RFC 3550 section 6.7.
    App(App<'a>),
    /// RFC 4585 section 6.2.1.
    Nack(Nack<'a>),
    /// draft-holmer-rmcat-transport-wide-cc-extensions-01 section 3.1.
    TransportFeedback(TransportFeedback<'a>),
    /// RFC 8888 section 3.1.
    CongestionFeedback(CongestionFeedback<'a>),
    /// RFC 4585 section 6.3.1.
    Pli(Pli),
    /// RFC 5104 section 4.3.1.
    Fir(Fir<'a>),
    /// draft-alvestrand-rmcat-remb-03.
    Remb(Remb<'a>),
    /// Application layer feedback other than REMB (RFC 4585 section 6.4).
    Afb(Afb<'a>),
    /// RFC 3611.
    Xr(Xr<'a>),
    /// A packet or feedback type without a view here.
    Unknown(RawPacket<'a>),
}

impl<'a> RtcpPacket<'a> {
    /// Reads the body of a packet.
    ///
    /// # Errors
    /// `Truncated` or `Length` if the body contradicts its own counts.
    pub fn from_raw(packet: RawPacket<'a>) -> Result<Self, WireError> {
        match packet.packet_type {
            packet_type::SENDER_REPORT => SenderReport::parse(packet).map(Self::SenderReport),
            packet_type::RECEIVER_REPORT => ReceiverReport::parse(packet).map(Self::ReceiverReport),
            packet_type::SOURCE_DESCRIPTION => Sdes::parse(packet).map(Self::Sdes),
            packet_type::GOODBYE => Bye::parse(packet).map(Self::Bye),
            packet_type::APPLICATION_DEFINED => App::parse(packet).map(Self::App),
            packet_type::EXTENDED_REPORT => Xr::parse(packet).map(Self::Xr),
            packet_type::TRANSPORT_FEEDBACK => match packet.count {
                feedback_type::NACK => Nack::parse(packet).map(Self::Nack),
                feedback_type::CONGESTION_FEEDBACK => {
                    CongestionFeedback::parse(packet).map(Self::CongestionFeedback)
                }
                feedback_type::TRANSPORT_WIDE => {
                    TransportFeedback::parse(packet).map(Self::TransportFeedback)
                }
                _ => Ok(Self::Unknown(packet)),
            },
            packet_type::PAYLOAD_FEEDBACK => match packet.count {
                feedback_type::PLI => Pli::parse(packet).map(Self::Pli),
                feedback_type::FIR => Fir::parse(packet).map(Self::Fir),
                feedback_type::AFB if Remb::is_remb(packet) => Remb::parse(packet).map(Self::Remb),
                feedback_type::AFB => Afb::parse(packet).map(Self::Afb),
                _ => Ok(Self::Unknown(packet)),
            },
            _ => Ok(Self::Unknown(packet)),
        }
    }
}

/// The two SSRCs that open every feedback message, and what follows them (RFC 4585 section 6.1).
pub(super) fn feedback_head(packet: RawPacket<'_>) -> Result<(u32, u32, &[u8]), WireError> {
    let (head, fci) = packet.body.split_first_chunk::<8>().ok_or(WireError::Truncated)?;
    let [a, b, c, d, e, f, g, h] = *head;
    Ok((u32::from_be_bytes([a, b, c, d]), u32::from_be_bytes([e, f, g, h]), fci))
}
