//! The protection profiles and their lengths. Knows no key and no packet.

/// Tag of AES-GCM in bytes (RFC 7714 section 12).
pub(crate) const GCM_TAG_LEN: usize = 16;
/// The E flag and the SRTCP index that every SRTCP packet carries (RFC 3711 section 3.4).
pub(crate) const SRTCP_WORD_LEN: usize = 4;

/// An SRTP protection profile (RFC 5764 section 4.1.2, RFC 7714 section 14.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Profile {
    /// AES-128 in counter mode with an 80 bit HMAC-SHA1 tag (RFC 3711).
    AesCm128HmacSha1_80,
    /// AES-128 in counter mode with a 32 bit HMAC-SHA1 tag on SRTP and 80 bits on SRTCP (RFC 3711).
    AesCm128HmacSha1_32,
    /// AES-128 in Galois/counter mode (RFC 7714).
    AeadAes128Gcm,
    /// AES-256 in Galois/counter mode (RFC 7714).
    AeadAes256Gcm,
}

impl Profile {
    /// Every profile that this crate implements, cheapest first.
    pub const ALL: [Self; 4] =
        [Self::AeadAes128Gcm, Self::AeadAes256Gcm, Self::AesCm128HmacSha1_80, Self::AesCm128HmacSha1_32];

    /// The number of the profile in the IANA registry of DTLS-SRTP protection profiles.
    #[must_use]
    pub const fn iana_id(self) -> u16 {
        match self {
            Self::AesCm128HmacSha1_80 => 0x0001,
            Self::AesCm128HmacSha1_32 => 0x0002,
            Self::AeadAes128Gcm => 0x0007,
            Self::AeadAes256Gcm => 0x0008,
        }
    }

    /// The profile of an IANA number, or `None` for one that this crate does not implement.
    #[must_use]
    pub const fn from_iana_id(id: u16) -> Option<Self> {
        match id {
            0x0001 => Some(Self::AesCm128HmacSha1_80),
            0x0002 => Some(Self::AesCm128HmacSha1_32),
            0x0007 => Some(Self::AeadAes128Gcm),
            0x0008 => Some(Self::AeadAes256Gcm),
            _ => None,
        }
    }

    /// The name of the crypto suite in SDP security descriptions (RFC 4568 section 6.2, RFC 7714 section 14.1).
    #[must_use]
    pub const fn suite_name(self) -> &'static str {
        match self {
            Self::AesCm128HmacSha1_80 => "AES_CM_128_HMAC_SHA1_80",
            Self::AesCm128HmacSha1_32 => "AES_CM_128_HMAC_SHA1_32",
            Self::AeadAes128Gcm => "AEAD_AES_128_GCM",
            Self::AeadAes256Gcm => "AEAD_AES_256_GCM",
        }
    }

    /// Length of the master key (and of the session encryption key) in bytes.
    #[must_use]
    pub const fn key_len(self) -> usize {
        match self {
            Self::AeadAes256Gcm => 32,
            _ => 16,
        }
    }

    /// Length of the master salt in bytes.
    #[must_use]
    pub const fn salt_len(self) -> usize {
        if self.is_aead() { 12 } else { 14 }
    }

    /// Length in bytes of the keying material of one direction: the master key, then the master salt.
    #[must_use]
    pub const fn keying_material_len(self) -> usize {
        self.key_len() + self.salt_len()
    }

    /// Length in bytes of the authentication tag of an SRTP packet.
    #[must_use]
    pub const fn rtp_tag_len(self) -> usize {
        match self {
            Self::AesCm128HmacSha1_80 => 10,
            Self::AesCm128HmacSha1_32 => 4,
            Self::AeadAes128Gcm | Self::AeadAes256Gcm => GCM_TAG_LEN,
        }
    }

    /// Length in bytes of the authentication tag of an SRTCP packet.
    #[must_use]
    pub const fn rtcp_tag_len(self) -> usize {
        if self.is_aead() { GCM_TAG_LEN } else { 10 }
    }

    /// Bytes that protection adds to an RTP packet.
    #[must_use]
    pub const fn rtp_overhead(self) -> usize {
        self.rtp_tag_len()
    }

    /// Bytes that protection adds to a compound RTCP packet: the tag, the E flag and the index.
    #[must_use]
    pub const fn rtcp_overhead(self) -> usize {
        self.rtcp_tag_len() + SRTCP_WORD_LEN
    }

    /// Whether encryption and authentication are one operation under a nonce that must never repeat.
    #[must_use]
    pub const fn is_aead(self) -> bool {
        matches!(self, Self::AeadAes128Gcm | Self::AeadAes256Gcm)
    }
}

#[cfg(test)]
mod tests {
    use super::Profile;

    #[test]
    fn iana_ids_round_trip() {
        for profile in Profile::ALL {
            assert_eq!(Profile::from_iana_id(profile.iana_id()), Some(profile));
        }
        assert_eq!(Profile::from_iana_id(0x0005), None);
    }

    #[test]
    fn keying_material_has_the_lengths_of_the_rfcs() {
        let lengths = Profile::ALL.map(Profile::keying_material_len);
        assert_eq!(lengths, [28, 44, 30, 30]);
        assert_eq!(Profile::AesCm128HmacSha1_32.rtcp_overhead(), 14);
        assert_eq!(Profile::AeadAes128Gcm.rtcp_overhead(), 20);
    }
}
