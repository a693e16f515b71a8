//! The certificate that DTLS endpoints of a server share, and its fingerprints. Knows no handshake.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use dimpl::crypto::{Buf, cert_named_group};
use sha1::{Digest, Sha1};
use sha2::{Sha224, Sha256, Sha384, Sha512};
use std::fmt;
use std::sync::Arc;
use std::time::Duration;
use tureen_rtp_dictionaries::{DtlsFingerprint, FingerprintAlgorithm};

/// Octets of a UDP payload that handshake flights are cut to.
pub(crate) const MTU: usize = 1200;
/// When a flight is first sent again; WebRTC endpoints start far below the second of RFC 6347 section 4.2.4.1, since
/// media waits.
const FIRST_RETRANSMISSION: Duration = Duration::from_millis(200);
/// How often a flight is sent again, each time after twice the wait: 25 s in all.
const RETRANSMISSIONS: usize = 7;
/// How long a handshake takes at most.
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(30);

/// Why a certificate cannot be had.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CertificateError {
    /// The text holds no certificate in PEM (RFC 7468 section 5).
    #[error("certificate: no PEM block of that name, or no base64 in it")]
    CertificatePem,
    /// The text holds no private key in PEM (RFC 7468 section 10), or an encrypted one.
    #[error("private key: no PEM block of that name, or no base64 in it")]
    KeyPem,
    /// The certificate is no X.509 with an ECDSA key on P-256 or P-384. RSA certificates are not supported.
    #[error("certificate: not X.509 with an ECDSA key on P-256 or P-384")]
    UnsupportedCertificate,
    /// The private key is no ECDSA key on P-256 or P-384.
    #[error("private key: not an ECDSA key on P-256 or P-384")]
    UnsupportedKey,
    /// The private key is not the certificate's.
    #[error("private key: not the one of the certificate")]
    KeyMismatch,
    /// The cryptographic library failed.
    #[error("the cryptographic library failed")]
    Crypto,
}

/// A certificate with its private key; clones share it. `Debug` shows neither.
#[derive(Clone)]
pub struct DtlsCertificate(Arc<Inner>);

struct Inner {
    pair: dimpl::DtlsCertificate,
    fingerprints: Vec<DtlsFingerprint>,
    /// Checking the cryptographic library costs milliseconds, so it is done once for all endpoints.
    config: Arc<dimpl::Config>,
}

impl fmt::Debug for DtlsCertificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DtlsCertificate").finish_non_exhaustive()
    }
}

impl DtlsCertificate {
    /// Makes a self-signed certificate with a new ECDSA key on P-256, valid for a year from now on. The cryptographic
    /// library draws the key and reads the date.
    ///
    /// # Errors
    /// [`CertificateError::Crypto`].
    pub fn generate() -> Result<Self, CertificateError> {
        let pair = dimpl::certificate::generate_self_signed_certificate();
        Self::new(pair.map_err(|_| CertificateError::Crypto)?)
    }

    /// Takes the first certificate and the first private key (PKCS #8 or SEC 1, not encrypted) of texts in PEM.
    ///
    /// # Errors
    /// What is wrong with which of the two.
    pub fn from_pem(certificate: &str, private_key: &str) -> Result<Self, CertificateError> {
        let certificate = pem_block(certificate, &["CERTIFICATE"]).ok_or(CertificateError::CertificatePem)?;
        let private_key =
            pem_block(private_key, &["PRIVATE KEY", "EC PRIVATE KEY"]).ok_or(CertificateError::KeyPem)?;
        Self::new(dimpl::DtlsCertificate { certificate, private_key })
    }

    fn new(pair: dimpl::DtlsCertificate) -> Result<Self, CertificateError> {
        let config = dimpl::Config::builder()
            .mtu(MTU)
            // A tuple that ICE has validated needs no proof of its return path.
            .use_server_cookie(false)
            .flight_start_rto(FIRST_RETRANSMISSION)
            .flight_retries(RETRANSMISSIONS)
            .handshake_timeout(HANDSHAKE_TIMEOUT)
            .build()
            .map_err(|_| CertificateError::Crypto)?;
        check_pair(&pair, &config)?;
        let fingerprints = FingerprintAlgorithm::ALL
            .map(|algorithm| DtlsFingerprint::new(algorithm, &hash(algorithm, &pair.certificate)))
            .to_vec();
        Ok(Self(Arc::new(Inner { pair, fingerprints, config: Arc::new(config) })))
    }

    /// Its fingerprints by every algorithm, weakest first.
    pub fn fingerprints(&self) -> &[DtlsFingerprint] {
        &self.0.fingerprints
    }

    /// The certificate alone, in PEM.
    pub fn certificate_pem(&self) -> String {
        certificate_pem(&self.0.pair.certificate)
    }

    pub(crate) fn pair(&self) -> dimpl::DtlsCertificate {
        self.0.pair.clone()
    }

    pub(crate) fn config(&self) -> Arc<dimpl::Config> {
        Arc::clone(&self.0.config)
    }
}

/// Proves that the key signs what the certificate verifies, so that no handshake has to find out.
fn check_pair(pair: &dimpl::DtlsCertificate, config: &dimpl::Config) -> Result<(), CertificateError> {
    const PROBE: &[u8] = b"tureen certificate check";
    cert_named_group(&pair.certificate).map_err(|_| CertificateError::UnsupportedCertificate)?;
    let provider = config.crypto_provider();
    let mut key = provider
        .key_provider
        .load_private_key(&pair.private_key)
        .map_err(|_| CertificateError::UnsupportedKey)?;
    let (hash, algorithm) = (key.hash_algorithm(), key.algorithm());
    let mut signature = Buf::new();
    key.sign(PROBE, hash, &mut signature).map_err(|_| CertificateError::Crypto)?;
    provider
        .signature_verification
        .verify_signature(&pair.certificate, PROBE, &signature, hash, algorithm)
        .map_err(|_| CertificateError::KeyMismatch)
}

/// The fingerprint of a certificate in DER (RFC 8122 section 5).
pub(crate) fn hash(algorithm: FingerprintAlgorithm, der: &[u8]) -> Vec<u8> {
    match algorithm {
        FingerprintAlgorithm::Sha1 => Sha1::digest(der).to_vec(),
        FingerprintAlgorithm::Sha224 => Sha224::digest(der).to_vec(),
        FingerprintAlgorithm::Sha256 => Sha256::digest(der).to_vec(),
        FingerprintAlgorithm::Sha384 => Sha384::digest(der).to_vec(),
        FingerprintAlgorithm::Sha512 => Sha512::digest(der).to_vec(),
    }
}

/// Whether a certificate's key is RSA: whether it holds the object identifier rsaEncryption (RFC 8017 appendix A.1),
/// which no other key and no signature algorithm is called by.
pub(crate) fn has_rsa_key(der: &[u8]) -> bool {
    const RSA_ENCRYPTION: &[u8] = &[0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x01];
    der.windows(RSA_ENCRYPTION.len()).any(|window| window == RSA_ENCRYPTION)
}

/// A certificate in PEM (RFC 7468 section 5).
pub(crate) fn certificate_pem(der: &[u8]) -> String {
    let mut text = String::from("-----BEGIN CERTIFICATE-----\n");
    for line in der.chunks(48) {
        text.push_str(&STANDARD.encode(line));
        text.push('\n');
    }
    text.push_str("-----END CERTIFICATE-----\n");
    text
}

/// The octets of the first block that has one of these labels.
fn pem_block(text: &str, labels: &[&str]) -> Option<Vec<u8>> {
    let found = labels.iter().find_map(|label| {
        let (_, rest) = text.split_once(&format!("-----BEGIN {label}-----"))?;
        let (body, _) = rest.split_once(&format!("-----END {label}-----"))?;
        Some(body)
    })?;
    let base64: String = found.split_ascii_whitespace().collect();
    STANDARD.decode(base64).ok().filter(|der| !der.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key_pem(pair: &dimpl::DtlsCertificate) -> String {
        format!(
            "-----BEGIN PRIVATE KEY-----\n{}\n-----END PRIVATE KEY-----",
            STANDARD.encode(&pair.private_key)
        )
    }

    #[test]
    fn a_generated_certificate_survives_pem_and_has_five_fingerprints() {
        let generated = DtlsCertificate::generate().unwrap();
        let again =
            DtlsCertificate::from_pem(&generated.certificate_pem(), &key_pem(&generated.pair())).unwrap();
        assert_eq!(again.fingerprints(), generated.fingerprints());
        let algorithms: Vec<_> =
            generated.fingerprints().iter().map(|fingerprint| fingerprint.algorithm).collect();
        assert_eq!(algorithms, FingerprintAlgorithm::ALL);
    }

    #[test]
    fn what_does_not_fit_together_is_refused_by_name() {
        let (one, other) = (DtlsCertificate::generate().unwrap(), DtlsCertificate::generate().unwrap());
        let refused = |certificate: &str, key: &str| DtlsCertificate::from_pem(certificate, key).unwrap_err();
        let (pem, key) = (one.certificate_pem(), key_pem(&one.pair()));
        assert_eq!(refused(&pem, &key_pem(&other.pair())), CertificateError::KeyMismatch);
        assert_eq!(refused("", &key), CertificateError::CertificatePem);
        assert_eq!(refused(&pem, &pem), CertificateError::KeyPem);
        let garbage = certificate_pem(&[0x30; 40]);
        assert_eq!(refused(&garbage, &key), CertificateError::UnsupportedCertificate);
        let garbage = garbage.replace("CERTIFICATE", "PRIVATE KEY");
        assert_eq!(refused(&pem, &garbage), CertificateError::UnsupportedKey);
    }
}
