//! Application-defined packets (RFC 3550 section 6.7) and application layer feedback (RFC 4585 section 6.4), whose
//! contents are not ours to know.

use super::RawPacket;
use super::compound::feedback_head;
use crate::WireError;
use crate::octets::chunk_at;

/// An application-defined packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct App<'a> {
    /// 0 to 31.
    pub subtype: u8,
    /// The sender.
    pub ssrc: u32,
    /// Four ASCII characters, not checked here.
    pub name: [u8; 4],
    /// Whole words.
    pub data: &'a [u8],
}

impl<'a> App<'a> {
    pub(super) fn parse(packet: RawPacket<'a>) -> Result<Self, WireError> {
        let ssrc = chunk_at(packet.body, 0).ok_or(WireError::Truncated)?;
        let name = chunk_at(packet.body, 4).ok_or(WireError::Truncated)?;
        let data = packet.body.get(8..).ok_or(WireError::Truncated)?;
        Ok(Self { subtype: packet.count, ssrc: u32::from_be_bytes(*ssrc), name: *name, data })
    }
}

/// Application layer feedback that is not a REMB.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Afb<'a> {
    /// Who sends the feedback.
    pub sender_ssrc: u32,
    /// The source that it is about.
    pub media_ssrc: u32,
    /// Whole words.
    pub data: &'a [u8],
}

impl<'a> Afb<'a> {
    pub(super) fn parse(packet: RawPacket<'a>) -> Result<Self, WireError> {
        let (sender_ssrc, media_ssrc, data) = feedback_head(packet)?;
        Ok(Self { sender_ssrc, media_ssrc, data })
    }
}
