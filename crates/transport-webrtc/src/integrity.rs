//! MESSAGE-INTEGRITY and FINGERPRINT of STUN (RFC 8489 sections 14.5 and 14.7). Knows neither users nor tuples.

use hmac::{Hmac, KeyInit, Mac};
use sha1::Sha1;
use std::fmt;
use tureen_rtp_wire::WireError;
use tureen_rtp_wire::stun::{
    FINGERPRINT_LEN, FINGERPRINT_XOR, MESSAGE_INTEGRITY_LEN, StunAttribute, StunMessage, StunWriter,
    attribute,
};

/// The key of a short-term credential, hashed into its first block already (RFC 8489 section 9.1.1).
#[derive(Clone)]
pub(crate) struct IntegrityKey(Hmac<Sha1>);

impl fmt::Debug for IntegrityKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("IntegrityKey")
    }
}

impl IntegrityKey {
    pub(crate) fn new(password: &[u8]) -> Self {
        // HMAC takes a key of any length (RFC 2104 section 2); the type only covers other constructions too.
        Self(Hmac::new_from_slice(password).unwrap_or_else(|_| Hmac::new(&Default::default())))
    }

    /// Whether the message's MESSAGE-INTEGRITY is right; compared in constant time.
    pub(crate) fn verifies(&self, message: &StunMessage<'_>, integrity: StunAttribute<'_>) -> bool {
        let Some((header, body)) = message.covered(integrity.offset, MESSAGE_INTEGRITY_LEN) else {
            return false;
        };
        let mac = self.0.clone().chain_update(header).chain_update(body);
        mac.verify_slice(integrity.value).is_ok()
    }

    pub(crate) fn sign(&self, writer: &mut StunWriter<'_>) -> Result<(), WireError> {
        let mac = self.0.clone().chain_update(writer.covered(MESSAGE_INTEGRITY_LEN)?);
        writer.attribute(attribute::MESSAGE_INTEGRITY, &mac.finalize().into_bytes())
    }
}

/// Whether the FINGERPRINT, if there is one, is right and ends the message.
pub(crate) fn fingerprint_holds(message: &StunMessage<'_>) -> bool {
    let Some(fingerprint) = message.attribute(attribute::FINGERPRINT) else {
        return true;
    };
    let Some((header, body)) = message.covered(fingerprint.offset, FINGERPRINT_LEN) else {
        return false;
    };
    let mut crc = crc32fast::Hasher::new();
    crc.update(&header);
    crc.update(body);
    fingerprint.value == (crc.finalize() ^ FINGERPRINT_XOR).to_be_bytes()
        && fingerprint.offset + FINGERPRINT_LEN == message.as_bytes().len()
}

pub(crate) fn append_fingerprint(writer: &mut StunWriter<'_>) -> Result<(), WireError> {
    let crc = crc32fast::hash(writer.covered(FINGERPRINT_LEN)?) ^ FINGERPRINT_XOR;
    writer.attribute(attribute::FINGERPRINT, &crc.to_be_bytes())
}

#[cfg(test)]
#[path = "integrity_tests.rs"]
mod tests;
