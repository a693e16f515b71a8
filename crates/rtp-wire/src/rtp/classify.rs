//! What protocol a datagram belongs to, from its first two octets.
//!
//! It must not know 5-tuples or keys: those decide whether a datagram is believed, not what it is.

/// The protocol of a datagram on a shared 5-tuple (RFC 7983 section 7, RFC 9443 section 4).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum DatagramKind {
    /// First octet 0 to 3.
    Stun,
    /// First octet 16 to 19.
    Zrtp,
    /// First octet 20 to 63.
    Dtls,
    /// First octet 64 to 79.
    TurnChannel,
    /// First octet 80 to 127 or 192 to 255.
    Quic,
    /// First octet 128 to 191, second octet outside of RTCP's range.
    Rtp,
    /// First octet 128 to 191, second octet 192 to 223 (RFC 5761 section 4).
    Rtcp,
    /// Empty, one octet of RTP, or a first octet that nobody owns.
    Other,
}

/// Sorts a datagram by its first octet, and RTP from RTCP by the second.
#[inline]
pub fn classify(datagram: &[u8]) -> DatagramKind {
    match datagram.first() {
        Some(128..=191) => match datagram.get(1) {
            Some(192..=223) => DatagramKind::Rtcp,
            Some(_) => DatagramKind::Rtp,
            None => DatagramKind::Other,
        },
        Some(0..=3) => DatagramKind::Stun,
        Some(20..=63) => DatagramKind::Dtls,
        Some(16..=19) => DatagramKind::Zrtp,
        Some(64..=79) => DatagramKind::TurnChannel,
        Some(80..=127 | 192..=255) => DatagramKind::Quic,
        Some(4..=15) | None => DatagramKind::Other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_first_octet_follows_the_table_of_rfc_9443() {
        for first in 0..=255u8 {
            let expected = match first {
                0..=3 => DatagramKind::Stun,
                16..=19 => DatagramKind::Zrtp,
                20..=63 => DatagramKind::Dtls,
                64..=79 => DatagramKind::TurnChannel,
                128..=191 => DatagramKind::Rtp,
                80..=127 | 192..=255 => DatagramKind::Quic,
                _ => DatagramKind::Other,
            };
            assert_eq!(classify(&[first, 96]), expected, "first octet {first}");
        }
    }

    #[test]
    fn payload_types_192_to_223_are_rtcp() {
        for second in 0..=255u8 {
            let expected = if (192..=223).contains(&second) { DatagramKind::Rtcp } else { DatagramKind::Rtp };
            assert_eq!(classify(&[0x80, second]), expected, "second octet {second}");
        }
        assert_eq!(classify(&[0x80]), DatagramKind::Other);
        assert_eq!(classify(&[]), DatagramKind::Other);
    }
}
