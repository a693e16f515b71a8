//! Source descriptions (RFC 3550 section 6.5).

use super::RawPacket;
use crate::WireError;

/// What an item describes (RFC 3550 section 12.2, RFC 7941, RFC 8852).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum SdesItemKind {
    /// Canonical name, 1.
    Cname,
    /// User name, 2.
    Name,
    /// Electronic mail address, 3.
    Email,
    /// Phone number, 4.
    Phone,
    /// Location, 5.
    Location,
    /// Application or tool, 6.
    Tool,
    /// Notice, 7.
    Note,
    /// Private extension, 8.
    Private,
    /// RtpStreamId, 12 (RFC 8852).
    RtpStreamId,
    /// RepairedRtpStreamId, 13 (RFC 8852).
    RepairedRtpStreamId,
    /// Media identification, 15 (RFC 9143).
    Mid,
    /// Any other; never 0.
    Other(u8),
}

impl SdesItemKind {
    fn from_octet(octet: u8) -> Self {
        match octet {
            1 => Self::Cname,
            2 => Self::Name,
            3 => Self::Email,
            4 => Self::Phone,
            5 => Self::Location,
            6 => Self::Tool,
            7 => Self::Note,
            8 => Self::Private,
            12 => Self::RtpStreamId,
            13 => Self::RepairedRtpStreamId,
            15 => Self::Mid,
            other => Self::Other(other),
        }
    }

    pub(super) fn to_octet(self) -> u8 {
        match self {
            Self::Cname => 1,
            Self::Name => 2,
            Self::Email => 3,
            Self::Phone => 4,
            Self::Location => 5,
            Self::Tool => 6,
            Self::Note => 7,
            Self::Private => 8,
            Self::RtpStreamId => 12,
            Self::RepairedRtpStreamId => 13,
            Self::Mid => 15,
            Self::Other(octet) => octet,
        }
    }
}

/// One item of a chunk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SdesItem<'a> {
    /// What is described.
    pub kind: SdesItemKind,
    /// 0 to 255 octets, UTF-8 by the specification but not checked here.
    pub text: &'a [u8],
}

/// The description of one source.
#[derive(Clone, Copy, Debug)]
pub struct SdesChunk<'a> {
    ssrc: u32,
    items: &'a [u8],
}

impl<'a> SdesChunk<'a> {
    /// The source.
    pub fn ssrc(&self) -> u32 {
        self.ssrc
    }

    /// The items, in wire order.
    pub fn items(&self) -> impl Iterator<Item = SdesItem<'a>> + Clone {
        let mut rest = self.items;
        core::iter::from_fn(move || {
            let (item, behind) = split_item(rest).ok()??;
            rest = behind;
            Some(item)
        })
    }

    /// The canonical name.
    pub fn cname(&self) -> Option<&'a [u8]> {
        self.items().find(|item| item.kind == SdesItemKind::Cname).map(|item| item.text)
    }
}

/// A source description.
#[derive(Clone, Copy, Debug)]
pub struct Sdes<'a> {
    body: &'a [u8],
    count: u8,
}

impl<'a> Sdes<'a> {
    pub(super) fn parse(packet: RawPacket<'a>) -> Result<Self, WireError> {
        let mut rest = packet.body;
        for _ in 0..packet.count {
            rest = split_chunk(rest)?.1;
        }
        Ok(Self { body: packet.body, count: packet.count })
    }

    /// The chunks, 0 to 31.
    pub fn chunks(&self) -> impl Iterator<Item = SdesChunk<'a>> + Clone {
        let mut rest = self.body;
        (0..self.count).map_while(move |_| {
            let (chunk, behind) = split_chunk(rest).ok()?;
            rest = behind;
            Some(chunk)
        })
    }
}

/// An item and what follows it, or `None` at the null octet that ends the list.
fn split_item(list: &[u8]) -> Result<Option<(SdesItem<'_>, &[u8])>, WireError> {
    match *list {
        [] => Err(WireError::Truncated),
        [0, ..] => Ok(None),
        [_] => Err(WireError::Truncated),
        [kind, len, ref rest @ ..] => {
            let (text, behind) = rest.split_at_checked(usize::from(len)).ok_or(WireError::Length)?;
            Ok(Some((SdesItem { kind: SdesItemKind::from_octet(kind), text }, behind)))
        }
    }
}

/// A chunk and what follows it: SSRC, items, one to four null octets up to a word's end.
fn split_chunk(body: &[u8]) -> Result<(SdesChunk<'_>, &[u8]), WireError> {
    let (ssrc, list) = body.split_first_chunk::<4>().ok_or(WireError::Truncated)?;
    let mut rest = list;
    while let Some((_, behind)) = split_item(rest)? {
        rest = behind;
    }
    let items_len = list.len() - rest.len();
    let (items, behind) =
        list.split_at_checked((items_len + 1).next_multiple_of(4)).ok_or(WireError::Truncated)?;
    Ok((SdesChunk { ssrc: u32::from_be_bytes(*ssrc), items }, behind))
}
