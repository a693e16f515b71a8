//! The payload protocol identifiers of data channels (RFC 8831 section 8). Knows no payload.

use sctp_proto::PayloadProtocolIdentifier;

/// What a message is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Ppid {
    /// Data Channel Establishment Protocol (RFC 8832): 50.
    Dcep,
    /// UTF-8 text: 51.
    String,
    /// Bytes: 53.
    Binary,
    /// Text without characters: 56.
    StringEmpty,
    /// No bytes: 57.
    BinaryEmpty,
}

impl Ppid {
    /// Of a number, `None` for those that data channels do not have.
    pub const fn new(number: u32) -> Option<Self> {
        match number {
            50 => Some(Self::Dcep),
            51 => Some(Self::String),
            53 => Some(Self::Binary),
            56 => Some(Self::StringEmpty),
            57 => Some(Self::BinaryEmpty),
            _ => None,
        }
    }

    /// Its number.
    pub const fn number(self) -> u32 {
        match self {
            Self::Dcep => 50,
            Self::String => 51,
            Self::Binary => 53,
            Self::StringEmpty => 56,
            Self::BinaryEmpty => 57,
        }
    }

    /// Whether messages of it have no bytes. SCTP has no empty messages, so one byte stands in on the wire.
    pub const fn is_empty(self) -> bool {
        matches!(self, Self::StringEmpty | Self::BinaryEmpty)
    }

    pub(crate) fn of(identifier: PayloadProtocolIdentifier) -> Option<Self> {
        Self::new(identifier as u32)
    }

    pub(crate) fn identifier(self) -> PayloadProtocolIdentifier {
        PayloadProtocolIdentifier::from(self.number())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_identifiers_have_the_numbers_of_rfc_8831() {
        let known: Vec<u32> = (0..100).filter(|&number| Ppid::new(number).is_some()).collect();
        assert_eq!(known, [50, 51, 53, 56, 57]);
        for ppid in known.into_iter().filter_map(Ppid::new) {
            assert_eq!(Ppid::new(ppid.number()), Some(ppid));
            assert_eq!(Ppid::of(ppid.identifier()), Some(ppid));
        }
        assert_eq!(Ppid::of(PayloadProtocolIdentifier::Unknown), None);
    }
}
