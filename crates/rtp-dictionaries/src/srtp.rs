//! SRTP keys as dictionaries. Knows how long keys are, and never shows one.

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};

/// An SRTP protection profile (RFC 4568 section 6.2, RFC 7714 section 14).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
pub enum CryptoSuite {
    /// AES-128 in counter mode with an 80-bit HMAC-SHA1 tag.
    #[default]
    #[serde(rename = "AES_CM_128_HMAC_SHA1_80")]
    AesCm128HmacSha1_80,
    /// AES-128 in counter mode with a 32-bit HMAC-SHA1 tag.
    #[serde(rename = "AES_CM_128_HMAC_SHA1_32")]
    AesCm128HmacSha1_32,
    /// AES-128 in Galois counter mode.
    #[serde(rename = "AEAD_AES_128_GCM")]
    AeadAes128Gcm,
    /// AES-256 in Galois counter mode.
    #[serde(rename = "AEAD_AES_256_GCM")]
    AeadAes256Gcm,
}

impl CryptoSuite {
    /// Bytes of the master key.
    pub const fn key_len(self) -> usize {
        match self {
            Self::AesCm128HmacSha1_80 | Self::AesCm128HmacSha1_32 | Self::AeadAes128Gcm => 16,
            Self::AeadAes256Gcm => 32,
        }
    }

    /// Bytes of the master salt.
    pub const fn salt_len(self) -> usize {
        match self {
            Self::AesCm128HmacSha1_80 | Self::AesCm128HmacSha1_32 => 14,
            Self::AeadAes128Gcm | Self::AeadAes256Gcm => 12,
        }
    }

    /// Bytes of key and salt together: 30, 28 or 44.
    pub const fn master_len(self) -> usize {
        self.key_len() + self.salt_len()
    }
}

/// The key that one side sends with. `Debug` does not show it.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SrtpParameters {
    /// The protection profile.
    pub crypto_suite: CryptoSuite,
    /// Master key followed by master salt, in base64 (RFC 4648 section 4).
    pub key_base64: String,
}

impl fmt::Debug for SrtpParameters {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SrtpParameters").field("crypto_suite", &self.crypto_suite).finish_non_exhaustive()
    }
}

/// Why [`SrtpParameters::master_key_and_salt`] refused. Never shows the key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SrtpParametersError {
    /// The key is not base64 (RFC 4648 section 4).
    #[error("keyBase64: not base64")]
    NotBase64,
    /// The key has the wrong length for the suite.
    #[error("keyBase64: {actual} bytes where the suite has {expected}")]
    WrongLength {
        /// What the suite has.
        expected: usize,
        /// What was given.
        actual: usize,
    },
}

impl SrtpParameters {
    /// Writes down a master key followed by its salt.
    ///
    /// # Errors
    /// [`SrtpParametersError::WrongLength`] if there are not as many bytes as the suite has.
    pub fn new(crypto_suite: CryptoSuite, key_and_salt: &[u8]) -> Result<Self, SrtpParametersError> {
        let (expected, actual) = (crypto_suite.master_len(), key_and_salt.len());
        if actual != expected {
            return Err(SrtpParametersError::WrongLength { expected, actual });
        }
        Ok(Self { crypto_suite, key_base64: STANDARD.encode(key_and_salt) })
    }

    /// The master key followed by the master salt, as many bytes as the suite has.
    ///
    /// # Errors
    /// [`SrtpParametersError`] when the key is not base64 or has another length.
    pub fn master_key_and_salt(&self) -> Result<Vec<u8>, SrtpParametersError> {
        let bytes = STANDARD.decode(&self.key_base64).map_err(|_| SrtpParametersError::NotBase64)?;
        let (expected, actual) = (self.crypto_suite.master_len(), bytes.len());
        if actual != expected {
            return Err(SrtpParametersError::WrongLength { expected, actual });
        }
        Ok(bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SUITES: [(CryptoSuite, &str, usize); 4] = [
        (CryptoSuite::AesCm128HmacSha1_80, "\"AES_CM_128_HMAC_SHA1_80\"", 30),
        (CryptoSuite::AesCm128HmacSha1_32, "\"AES_CM_128_HMAC_SHA1_32\"", 30),
        (CryptoSuite::AeadAes128Gcm, "\"AEAD_AES_128_GCM\"", 28),
        (CryptoSuite::AeadAes256Gcm, "\"AEAD_AES_256_GCM\"", 44),
    ];

    #[test]
    fn every_suite_has_its_name_and_length() {
        for (suite, name, len) in SUITES {
            assert_eq!(serde_json::to_string(&suite).unwrap(), name);
            let params = SrtpParameters::new(suite, &vec![7; len]).unwrap();
            assert_eq!(params.master_key_and_salt().unwrap(), vec![7; len]);
            assert!(SrtpParameters::new(suite, &vec![7; len + 1]).is_err());
        }
    }

    #[test]
    fn a_bad_key_is_refused_and_never_shown() {
        let mut params = SrtpParameters::new(CryptoSuite::AeadAes128Gcm, &[1; 28]).unwrap();
        assert!(!format!("{params:?}").contains(&params.key_base64));
        params.crypto_suite = CryptoSuite::AeadAes256Gcm;
        let wrong = SrtpParametersError::WrongLength { expected: 44, actual: 28 };
        assert_eq!(params.master_key_and_salt(), Err(wrong));
        params.key_base64 = "*".into();
        assert_eq!(params.master_key_and_salt(), Err(SrtpParametersError::NotBase64));
    }
}
