//! Goodbye (RFC 3550 section 6.6).

use super::RawPacket;
use crate::WireError;
use crate::octets::u32_words;

/// Sources that leave.
#[derive(Clone, Copy, Debug)]
pub struct Bye<'a> {
    sources: &'a [u8],
    reason: Option<&'a [u8]>,
}

impl<'a> Bye<'a> {
    pub(super) fn parse(packet: RawPacket<'a>) -> Result<Self, WireError> {
        let (sources, rest) =
            packet.body.split_at_checked(4 * usize::from(packet.count)).ok_or(WireError::Length)?;
        let reason = match rest.split_first() {
            None => None,
            Some((&len, text)) => Some(text.get(..usize::from(len)).ok_or(WireError::Length)?),
        };
        Ok(Self { sources, reason })
    }

    /// The sources, 0 to 31.
    pub fn ssrcs(&self) -> impl ExactSizeIterator<Item = u32> + Clone + 'a {
        u32_words(self.sources)
    }

    /// Why, in 0 to 255 octets of UTF-8 that is not checked here.
    pub fn reason(&self) -> Option<&'a [u8]> {
        self.reason
    }
}
