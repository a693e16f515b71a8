//! The one error of this crate: what was wrong with some bytes, or with a request to write some.
//!
//! It is `Copy`, holds no text of the peer's and never allocates, so that a hostile packet costs a counter and
//! nothing else.

use core::fmt;

/// Why bytes were refused, or why nothing was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum WireError {
    /// The buffer ends before a field that its own header promises.
    Truncated,
    /// The version field is not 2 (RFC 3550 sections 5.1 and 6.4.1).
    Version,
    /// The padding count is zero, misaligned, or larger than what it may cover (RFC 3550 sections 5.1 and 6.4.1).
    Padding,
    /// A header extension element runs past its block (RFC 8285 section 4.1.2).
    ExtensionOverrun,
    /// The buffer is longer than a UDP datagram can be, or a length does not fit its field.
    TooLong,
    /// A length or count inside of the packet contradicts the packet's size.
    Length,
    /// The packet is of another type than the one asked for.
    PacketType,
    /// The buffer to write into is full; nothing of the refused piece was written.
    BufferFull,
    /// An extension id that the chosen form cannot carry (RFC 8285 section 4.2).
    ExtensionId,
    /// An extension value whose length the chosen form cannot carry (RFC 8285 section 4.2).
    ExtensionLength,
    /// A payload type over 127.
    PayloadType,
    /// More items than the count field can say.
    Count,
    /// A value that its field cannot carry.
    Value,
    /// A RED block is RED itself (RFC 2198).
    Nested,
    /// A dependency descriptor names a template of a structure that was not seen.
    UnknownTemplate,
    /// A piece was written after one that has to follow it.
    Order,
}

impl fmt::Display for WireError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Truncated => "the buffer ends inside of a field",
            Self::Version => "the version is not 2",
            Self::Padding => "the padding count is wrong",
            Self::ExtensionOverrun => "a header extension element runs past its block",
            Self::TooLong => "the packet is too long",
            Self::Length => "a length contradicts the size of the packet",
            Self::PacketType => "the packet is of another type",
            Self::BufferFull => "the buffer is full",
            Self::ExtensionId => "the extension id does not fit the form",
            Self::ExtensionLength => "the extension length does not fit the form",
            Self::PayloadType => "the payload type is over 127",
            Self::Count => "too many items for the count field",
            Self::Value => "a value does not fit its field",
            Self::Nested => "a RED block is RED itself",
            Self::UnknownTemplate => "the dependency template is unknown",
            Self::Order => "the pieces were written out of order",
        })
    }
}

impl core::error::Error for WireError {}
