//! STUN messages (RFC 8489) as ICE uses them: a checked view, and a writer into a caller's buffer.
//!
//! It must not know keys: whoever holds them asks for the octets that a MESSAGE-INTEGRITY covers, and puts its own in.

use crate::WireError;
use crate::octets::{Cursor, chunk_at, u16_at, u32_at};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

/// Octets of the header (RFC 8489 section 5).
pub const HEADER_LEN: usize = 20;
/// What the second word of every message holds (RFC 8489 section 5).
pub const MAGIC_COOKIE: u32 = 0x2112_a442;
/// The method that ICE checks with (RFC 8489 section 18.2).
pub const BINDING: u16 = 0x001;
/// Octets of the whole MESSAGE-INTEGRITY attribute.
pub const MESSAGE_INTEGRITY_LEN: usize = 24;
/// Octets of the whole FINGERPRINT attribute.
pub const FINGERPRINT_LEN: usize = 8;
/// What the CRC-32 of a FINGERPRINT is mixed with (RFC 8489 section 14.7).
pub const FINGERPRINT_XOR: u32 = 0x5354_554e;

/// The longest USERNAME in octets: fewer than 509 characters by RFC 8489 section 14.3, and ICE's two fragments of 256
/// with a colon between would be 513 (RFC 8445 section 5.3).
const MAX_USERNAME_LEN: usize = 513;

/// The attribute types that ICE knows (RFC 8489 section 18.3, RFC 8445 section 16.1).
pub mod attribute {
    /// `local:remote` in ICE.
    pub const USERNAME: u16 = 0x0006;
    /// HMAC-SHA1 of what stands before it.
    pub const MESSAGE_INTEGRITY: u16 = 0x0008;
    /// Why a request failed.
    pub const ERROR_CODE: u16 = 0x0009;
    /// The attributes that were not understood.
    pub const UNKNOWN_ATTRIBUTES: u16 = 0x000a;
    /// HMAC-SHA256 of what stands before it.
    pub const MESSAGE_INTEGRITY_SHA256: u16 = 0x001c;
    /// Where the request came from.
    pub const XOR_MAPPED_ADDRESS: u16 = 0x0020;
    /// The priority of a peer-reflexive candidate.
    pub const PRIORITY: u16 = 0x0024;
    /// The pair is nominated.
    pub const USE_CANDIDATE: u16 = 0x0025;
    /// The order of nominations (draft-thatcher-ice-renomination-01).
    pub const NOMINATION: u16 = 0x0030;
    /// A description of the software.
    pub const SOFTWARE: u16 = 0x8022;
    /// CRC-32 of what stands before it.
    pub const FINGERPRINT: u16 = 0x8028;
    /// The sender is controlled.
    pub const ICE_CONTROLLED: u16 = 0x8029;
    /// The sender is controlling.
    pub const ICE_CONTROLLING: u16 = 0x802a;
    /// [`NOMINATION`] under the comprehension-optional number that libwebrtc gave it.
    pub const GOOG_NOMINATION: u16 = 0xc001;

    /// Whether a receiver that does not know the attribute has to refuse the message (RFC 8489 section 14).
    pub const fn comprehension_required(kind: u16) -> bool {
        kind < 0x8000
    }
}

/// The class of a message (RFC 8489 section 5).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum StunClass {
    /// Wants an answer.
    Request,
    /// Wants none.
    Indication,
    /// Answers a request.
    Success,
    /// Refuses a request.
    Error,
}

/// What ties an answer to its request.
pub type TransactionId = [u8; 12];

/// A view of one message whose attributes all lie within it.
#[derive(Clone, Copy, Debug)]
pub struct StunMessage<'a> {
    bytes: &'a [u8],
}

/// One attribute.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StunAttribute<'a> {
    /// Its type, see [`attribute`].
    pub kind: u16,
    /// Its value without padding.
    pub value: &'a [u8],
    /// Where it starts in the message, in octets.
    pub offset: usize,
}

impl<'a> StunMessage<'a> {
    /// Views a datagram that is one message from end to end.
    ///
    /// # Errors
    /// [`WireError::PacketType`] for what is no STUN (first two bits, magic cookie), [`WireError::Truncated`] for fewer
    /// octets than a header, [`WireError::Length`] where the length is not the datagram's, or an attribute overruns it.
    pub fn parse(datagram: &'a [u8]) -> Result<Self, WireError> {
        let kind = u16_at(datagram, 0).ok_or(WireError::Truncated)?;
        let body = usize::from(u16_at(datagram, 2).ok_or(WireError::Truncated)?);
        let cookie = u32_at(datagram, 4).ok_or(WireError::Truncated)?;
        if kind & 0xc000 != 0 || cookie != MAGIC_COOKIE {
            return Err(WireError::PacketType);
        }
        if datagram.len() < HEADER_LEN {
            return Err(WireError::Truncated);
        }
        if body % 4 != 0 || HEADER_LEN + body != datagram.len() {
            return Err(WireError::Length);
        }
        let message = Self { bytes: datagram };
        let mut attributes = message.attributes();
        attributes.by_ref().for_each(drop);
        if attributes.at == datagram.len() { Ok(message) } else { Err(WireError::Length) }
    }

    /// The whole message.
    pub fn as_bytes(&self) -> &'a [u8] {
        self.bytes
    }

    fn kind(&self) -> u16 {
        u16_at(self.bytes, 0).unwrap_or_default()
    }

    /// Its class.
    pub fn class(&self) -> StunClass {
        match self.kind() & 0x0110 {
            0x0000 => StunClass::Request,
            0x0010 => StunClass::Indication,
            0x0100 => StunClass::Success,
            _ => StunClass::Error,
        }
    }

    /// Its method, 12 bits; [`BINDING`] is the one that ICE uses.
    pub fn method(&self) -> u16 {
        let kind = self.kind();
        kind & 0x000f | (kind & 0x00e0) >> 1 | (kind & 0x3e00) >> 2
    }

    /// What ties an answer to it.
    pub fn transaction_id(&self) -> TransactionId {
        chunk_at(self.bytes, 8).copied().unwrap_or_default()
    }

    /// Its attributes in order.
    pub fn attributes(&self) -> StunAttributes<'a> {
        StunAttributes { bytes: self.bytes, at: HEADER_LEN }
    }

    /// The first attribute of a type.
    pub fn attribute(&self, kind: u16) -> Option<StunAttribute<'a>> {
        self.attributes().find(|attribute| attribute.kind == kind)
    }

    /// What a MESSAGE-INTEGRITY or FINGERPRINT at `offset` covers, where the attribute has `len` octets: the header with
    /// its length as if the message ended behind the attribute, and the octets after the header.
    pub fn covered(&self, offset: usize, len: usize) -> Option<([u8; HEADER_LEN], &'a [u8])> {
        let mut header = *chunk_at::<HEADER_LEN>(self.bytes, 0)?;
        let body = self.bytes.get(HEADER_LEN..offset)?;
        let [_, _, high, low, ..] = &mut header;
        [*high, *low] = u16::try_from(body.len().checked_add(len)?).ok()?.to_be_bytes();
        Some((header, body))
    }
}

/// The attributes of a message in order.
#[derive(Clone, Debug)]
pub struct StunAttributes<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Iterator for StunAttributes<'a> {
    type Item = StunAttribute<'a>;

    fn next(&mut self) -> Option<Self::Item> {
        let offset = self.at;
        let kind = u16_at(self.bytes, offset)?;
        let len = usize::from(u16_at(self.bytes, offset + 2)?);
        let value = self.bytes.get(offset + 4..)?.get(..len)?;
        // The length counts no padding, yet padding there must be (RFC 8489 section 14).
        let next = offset + 4 + len.next_multiple_of(4);
        if next > self.bytes.len() {
            return None;
        }
        self.at = next;
        Some(StunAttribute { kind, value, offset })
    }
}

/// The part of USERNAME before the colon in a well-formed binding request: whom ICE asks for (RFC 8445 section 7.2.2).
pub fn local_username_fragment(datagram: &[u8]) -> Option<&[u8]> {
    let message = StunMessage::parse(datagram).ok()?;
    if message.class() != StunClass::Request || message.method() != BINDING {
        return None;
    }
    let username = message.attribute(attribute::USERNAME)?.value;
    split_username(username).map(|(local, _)| local)
}

/// The two fragments of a USERNAME: the receiver's and the sender's. Both have characters.
pub fn split_username(username: &[u8]) -> Option<(&[u8], &[u8])> {
    let colon = username.iter().take(MAX_USERNAME_LEN).position(|&byte| byte == b':')?;
    let (local, remote) = (username.get(..colon)?, username.get(colon + 1..)?);
    (username.len() <= MAX_USERNAME_LEN && !local.is_empty() && !remote.is_empty()).then_some((local, remote))
}

/// The address in the value of an XOR-MAPPED-ADDRESS (RFC 8489 section 14.2).
pub fn xor_mapped_address(value: &[u8], transaction: &TransactionId) -> Option<SocketAddr> {
    let port = u16_at(value, 2)? ^ (MAGIC_COOKIE >> 16) as u16;
    let ip = match (value.get(1)?, value.len()) {
        (1, 8) => IpAddr::V4(Ipv4Addr::from_bits(u32_at(value, 4)? ^ MAGIC_COOKIE)),
        (2, 20) => {
            let address = u128::from_be_bytes(*chunk_at(value, 4)?);
            IpAddr::V6(Ipv6Addr::from_bits(address ^ ipv6_mask(transaction)))
        }
        _ => return None,
    };
    Some(SocketAddr::new(ip, port))
}

/// The magic cookie and the transaction id in one.
fn ipv6_mask(transaction: &TransactionId) -> u128 {
    transaction.iter().fold(u128::from(MAGIC_COOKIE), |mask, &byte| mask << 8 | u128::from(byte))
}

/// Writes a message; the length in its header is right after each attribute.
#[derive(Debug)]
pub struct StunWriter<'b> {
    cursor: Cursor<'b>,
    transaction: TransactionId,
}

impl<'b> StunWriter<'b> {
    /// Starts a message of the binding method.
    ///
    /// # Errors
    /// [`WireError::BufferFull`] where the header has no room.
    pub fn new(
        buffer: &'b mut [u8],
        class: StunClass,
        transaction: TransactionId,
    ) -> Result<Self, WireError> {
        let class = match class {
            StunClass::Request => 0x0000,
            StunClass::Indication => 0x0010,
            StunClass::Success => 0x0100,
            StunClass::Error => 0x0110,
        };
        if buffer.len() < HEADER_LEN {
            return Err(WireError::BufferFull);
        }
        let mut cursor = Cursor::new(buffer, 0);
        cursor.u16(class | BINDING)?;
        cursor.u16(0)?;
        cursor.u32(MAGIC_COOKIE)?;
        cursor.put(&transaction)?;
        Ok(Self { cursor, transaction })
    }

    /// Appends an attribute, padded with zeros.
    ///
    /// # Errors
    /// [`WireError::BufferFull`] or [`WireError::TooLong`]; the message must be thrown away then.
    pub fn attribute(&mut self, kind: u16, value: &[u8]) -> Result<(), WireError> {
        let len = u16::try_from(value.len()).map_err(|_| WireError::TooLong)?;
        self.cursor.u16(kind)?;
        self.cursor.u16(len)?;
        self.cursor.put(value)?;
        self.cursor.align(0)?;
        self.set_length(0)
    }

    /// Appends an XOR-MAPPED-ADDRESS (RFC 8489 section 14.2).
    ///
    /// # Errors
    /// As [`StunWriter::attribute`].
    pub fn xor_mapped_address(&mut self, address: SocketAddr) -> Result<(), WireError> {
        let port = (address.port() ^ (MAGIC_COOKIE >> 16) as u16).to_be_bytes();
        let mut value = [0; 20];
        let mut cursor = Cursor::new(&mut value, 0);
        cursor.u8(0)?;
        match address.ip() {
            IpAddr::V4(ip) => {
                cursor.u8(1)?;
                cursor.put(&port)?;
                cursor.u32(ip.to_bits() ^ MAGIC_COOKIE)?;
            }
            IpAddr::V6(ip) => {
                cursor.u8(2)?;
                cursor.put(&port)?;
                cursor.put(&(ip.to_bits() ^ ipv6_mask(&self.transaction)).to_be_bytes())?;
            }
        }
        let len = cursor.position();
        self.attribute(attribute::XOR_MAPPED_ADDRESS, value.get(..len).unwrap_or_default())
    }

    /// Appends an ERROR-CODE without a reason phrase (RFC 8489 section 14.8); `code` is 300 to 699.
    ///
    /// # Errors
    /// [`WireError::Value`] for another code, else as [`StunWriter::attribute`].
    pub fn error_code(&mut self, code: u16) -> Result<(), WireError> {
        if !(300..700).contains(&code) {
            return Err(WireError::Value);
        }
        self.attribute(attribute::ERROR_CODE, &[0, 0, (code / 100) as u8, (code % 100) as u8])
    }

    /// What was written, with the length that the header has to have where an attribute of `attribute_len` octets
    /// follows: what MESSAGE-INTEGRITY and FINGERPRINT are computed over.
    ///
    /// # Errors
    /// [`WireError::TooLong`].
    pub fn covered(&mut self, attribute_len: usize) -> Result<&[u8], WireError> {
        self.set_length(attribute_len)?;
        Ok(self.cursor.written())
    }

    fn set_length(&mut self, more: usize) -> Result<(), WireError> {
        let body = self.cursor.position().saturating_sub(HEADER_LEN).saturating_add(more);
        let body = u16::try_from(body).map_err(|_| WireError::TooLong)?;
        self.cursor.patch(2, &body.to_be_bytes())
    }

    /// Ends the message and says how many octets it has.
    pub fn finish(self) -> usize {
        self.cursor.position()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(username: &[u8]) -> Vec<u8> {
        let mut buffer = [0; 700];
        let mut writer = StunWriter::new(&mut buffer, StunClass::Request, [7; 12]).unwrap();
        writer.attribute(attribute::PRIORITY, &[0, 0, 0, 1]).unwrap();
        writer.attribute(attribute::USERNAME, username).unwrap();
        let len = writer.finish();
        buffer[..len].to_vec()
    }

    #[test]
    fn the_fragment_before_the_colon_is_found() {
        assert_eq!(local_username_fragment(&request(b"abcd:efgh")), Some(&b"abcd"[..]));
        for refused in [&b"abcd"[..], b":efgh", b"abcd:", b"", &[b'a'; 600]] {
            assert_eq!(local_username_fragment(&request(refused)), None);
        }
        let mut indication = request(b"abcd:efgh");
        indication[1] |= 0x10;
        assert_eq!(local_username_fragment(&indication), None);
    }

    #[test]
    fn every_cut_and_every_wrong_length_is_refused() {
        let whole = request(b"abcd:efghi");
        assert!(StunMessage::parse(&whole).is_ok());
        for len in 0..whole.len() {
            assert!(StunMessage::parse(&whole[..len]).is_err());
        }
        let mut overrun = whole.clone();
        overrun[31] = 200;
        assert_eq!(StunMessage::parse(&overrun).unwrap_err(), WireError::Length);
        let mut no_cookie = whole.clone();
        no_cookie[4] = 0;
        assert_eq!(StunMessage::parse(&no_cookie).unwrap_err(), WireError::PacketType);
    }

    #[test]
    fn class_and_method_survive_their_interleaving() {
        let mut message = request(b"abcd:efgh");
        for kind in 0..0x4000_u16 {
            message[..2].copy_from_slice(&kind.to_be_bytes());
            let view = StunMessage::parse(&message).unwrap();
            let (method, class) = (view.method(), view.class());
            let class = match class {
                StunClass::Request => 0,
                StunClass::Indication => 1,
                StunClass::Success => 2,
                StunClass::Error => 3_u16,
            };
            let low = method & 0x000f | (method & 0x0070) << 1 | (method & 0x0f80) << 2;
            assert_eq!(low | (class & 1) << 4 | (class & 2) << 7, kind);
        }
    }

    #[test]
    fn mapped_addresses_survive() {
        for text in ["192.0.2.1:32853", "[2001:db8:1234:5678:11:2233:4455:6677]:32853"] {
            let address: SocketAddr = text.parse().unwrap();
            let mut buffer = [0; 64];
            let mut writer = StunWriter::new(&mut buffer, StunClass::Success, [9; 12]).unwrap();
            writer.xor_mapped_address(address).unwrap();
            let len = writer.finish();
            let message = StunMessage::parse(&buffer[..len]).unwrap();
            let value = message.attribute(attribute::XOR_MAPPED_ADDRESS).unwrap().value;
            assert_eq!(xor_mapped_address(value, &message.transaction_id()), Some(address));
        }
    }

    #[test]
    fn a_full_buffer_is_an_error() {
        for len in 0..32 {
            let mut buffer = vec![0; len];
            let written = StunWriter::new(&mut buffer, StunClass::Success, [0; 12])
                .and_then(|mut writer| writer.attribute(attribute::SOFTWARE, &[1; 8]));
            assert_eq!(written, Err(WireError::BufferFull), "{len}");
        }
    }
}
