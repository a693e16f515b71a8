//! The Data Channel Establishment Protocol (RFC 8832): its two messages as bytes. Knows no association.

use crate::options::{Limit, Reliability};

/// The longest label or protocol in bytes that is believed. RFC 8832 allows 65535.
pub const MAX_NAME_LEN: usize = 1024;

const OPEN: u8 = 0x03;
const ACK: u8 = 0x02;
const HEADER_LEN: usize = 12;
const UNORDERED: u8 = 0x80;

/// Why bytes are no message of this protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DcepError {
    /// Neither an opening nor an acknowledgement.
    #[error("unknown message type")]
    MessageType,
    /// The lengths in it are not those of its bytes.
    #[error("the lengths do not add up")]
    Length,
    /// The channel type is none of RFC 8832 section 5.1.
    #[error("unknown channel type")]
    ChannelType,
    /// The label is longer than [`MAX_NAME_LEN`] or no UTF-8.
    #[error("the label is too long or no UTF-8")]
    Label,
    /// The protocol is longer than [`MAX_NAME_LEN`] or no UTF-8.
    #[error("the protocol is too long or no UTF-8")]
    Protocol,
}

/// A channel that the sender opens on the stream that the message comes on (RFC 8832 section 5.1).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DataChannelOpen {
    /// How reliable its messages are. Limits beyond 16 bits are taken for 65535.
    pub reliability: Reliability,
    /// Its priority (RFC 8831 section 6.4).
    pub priority: u16,
    /// Its label, [`MAX_NAME_LEN`] bytes at most.
    pub label: String,
    /// Its protocol, [`MAX_NAME_LEN`] bytes at most.
    pub protocol: String,
}

/// A message of the protocol.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DcepMessage {
    /// Opens a channel.
    Open(DataChannelOpen),
    /// Acknowledges the opening.
    Ack,
}

impl DcepMessage {
    /// Reads a message.
    ///
    /// # Errors
    /// [`DcepError`] says what of it is wrong.
    pub fn parse(bytes: &[u8]) -> Result<Self, DcepError> {
        match bytes.first() {
            Some(&ACK) => Ok(Self::Ack),
            Some(&OPEN) => DataChannelOpen::parse(bytes).map(Self::Open),
            _ => Err(DcepError::MessageType),
        }
    }

    /// Writes a message.
    ///
    /// # Errors
    /// [`DcepError::Label`] or [`DcepError::Protocol`] where one is too long.
    pub fn write(&self) -> Result<Vec<u8>, DcepError> {
        match self {
            Self::Ack => Ok(vec![ACK]),
            Self::Open(open) => open.write(),
        }
    }
}

impl DataChannelOpen {
    fn parse(bytes: &[u8]) -> Result<Self, DcepError> {
        let (header, names) = bytes.split_first_chunk::<HEADER_LEN>().ok_or(DcepError::Length)?;
        let [_, channel_type, p0, p1, r0, r1, r2, r3, l0, l1, c0, c1] = *header;
        let label_len = usize::from(u16::from_be_bytes([l0, l1]));
        let protocol_len = usize::from(u16::from_be_bytes([c0, c1]));
        if label_len > MAX_NAME_LEN {
            return Err(DcepError::Label);
        }
        if protocol_len > MAX_NAME_LEN {
            return Err(DcepError::Protocol);
        }
        let (label, rest) = names.split_at_checked(label_len).ok_or(DcepError::Length)?;
        if rest.len() != protocol_len {
            return Err(DcepError::Length);
        }
        Ok(Self {
            reliability: reliability(channel_type, u32::from_be_bytes([r0, r1, r2, r3]))?,
            priority: u16::from_be_bytes([p0, p1]),
            label: std::str::from_utf8(label).map_err(|_| DcepError::Label)?.to_owned(),
            protocol: std::str::from_utf8(rest).map_err(|_| DcepError::Protocol)?.to_owned(),
        })
    }

    fn write(&self) -> Result<Vec<u8>, DcepError> {
        let label_len = name_len(&self.label).ok_or(DcepError::Label)?;
        let protocol_len = name_len(&self.protocol).ok_or(DcepError::Protocol)?;
        let (limited, parameter) = match self.reliability.limit {
            None => (0, 0),
            Some(Limit::Retransmits(count)) => (1, u32::from(count)),
            Some(Limit::LifeTime(millis)) => (2, u32::from(millis)),
        };
        let channel_type = limited | if self.reliability.ordered { 0 } else { UNORDERED };
        let mut bytes = vec![OPEN, channel_type];
        bytes.extend(self.priority.to_be_bytes());
        bytes.extend(parameter.to_be_bytes());
        bytes.extend(label_len.to_be_bytes());
        bytes.extend(protocol_len.to_be_bytes());
        bytes.extend(self.label.as_bytes());
        bytes.extend(self.protocol.as_bytes());
        Ok(bytes)
    }
}

fn name_len(name: &str) -> Option<u16> {
    u16::try_from(name.len()).ok().filter(|&len| usize::from(len) <= MAX_NAME_LEN)
}

fn reliability(channel_type: u8, parameter: u32) -> Result<Reliability, DcepError> {
    let parameter = u16::try_from(parameter).unwrap_or(u16::MAX);
    let limit = match channel_type & !UNORDERED {
        0 => None,
        1 => Some(Limit::Retransmits(parameter)),
        2 => Some(Limit::LifeTime(parameter)),
        _ => return Err(DcepError::ChannelType),
    };
    Ok(Reliability { ordered: channel_type & UNORDERED == 0, limit })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn reliabilities() -> impl Strategy<Value = Reliability> {
        let limit = prop_oneof![
            Just(None),
            any::<u16>().prop_map(|millis| Some(Limit::LifeTime(millis))),
            any::<u16>().prop_map(|count| Some(Limit::Retransmits(count))),
        ];
        (any::<bool>(), limit).prop_map(|(ordered, limit)| Reliability { ordered, limit })
    }

    proptest! {
        #[test]
        fn what_is_written_reads_back(
            reliability in reliabilities(),
            priority: u16,
            label in ".{0,40}",
            protocol in ".{0,40}",
        ) {
            let open = DcepMessage::Open(DataChannelOpen { reliability, priority, label, protocol });
            let bytes = open.write().expect("short names");
            prop_assert_eq!(DcepMessage::parse(&bytes), Ok(open));
            for len in 0..bytes.len() {
                prop_assert!(DcepMessage::parse(&bytes[..len]).is_err(), "cut to {}", len);
            }
        }

        #[test]
        fn arbitrary_bytes_never_panic(bytes: Vec<u8>) {
            let _ = DcepMessage::parse(&bytes);
            let _ = DcepMessage::parse(&[&[OPEN], bytes.as_slice()].concat());
        }
    }

    #[test]
    fn an_opening_reads_as_rfc_8832_lays_it_out() {
        let bytes = b"\x03\x82\x01\x00\x00\x00\x01\xf4\x00\x04\x00\x03chatabc";
        let open = DataChannelOpen {
            reliability: Reliability { ordered: false, limit: Some(Limit::LifeTime(500)) },
            priority: 256,
            label: "chat".to_owned(),
            protocol: "abc".to_owned(),
        };
        assert_eq!(DcepMessage::parse(bytes), Ok(DcepMessage::Open(open)));
        assert_eq!(DcepMessage::parse(b"\x02"), Ok(DcepMessage::Ack));
    }

    #[test]
    fn what_is_wrong_is_named() {
        let cases: [(&[u8], DcepError); 7] = [
            (b"", DcepError::MessageType),
            (b"\x04", DcepError::MessageType),
            (b"\x03\x00", DcepError::Length),
            (b"\x03\x03\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00", DcepError::ChannelType),
            (b"\x03\x00\x00\x00\x00\x00\x00\x00\xff\xff\x00\x00", DcepError::Label),
            (b"\x03\x00\x00\x00\x00\x00\x00\x00\x00\x01\x00\x00\xff", DcepError::Label),
            (b"\x03\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x01\xff", DcepError::Protocol),
        ];
        for (bytes, error) in cases {
            assert_eq!(DcepMessage::parse(bytes), Err(error), "{bytes:?}");
        }
    }
}
