//! Picture loss indication (RFC 4585 section 6.3.1).

use super::RawPacket;
use super::compound::feedback_head;
use crate::WireError;

/// A request for a picture that a decoder can start with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Pli {
    /// Who asks.
    pub sender_ssrc: u32,
    /// The source that is asked.
    pub media_ssrc: u32,
}

impl Pli {
    pub(super) fn parse(packet: RawPacket<'_>) -> Result<Self, WireError> {
        let (sender_ssrc, media_ssrc, _) = feedback_head(packet)?;
        Ok(Self { sender_ssrc, media_ssrc })
    }
}
