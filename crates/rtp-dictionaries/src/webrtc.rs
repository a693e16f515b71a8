//! ICE and DTLS as dictionaries, with the JSON field names of ORTC. Knows neither sockets nor certificates.

use serde::{Deserialize, Serialize};
use std::fmt;

/// The local role in ICE: a lite agent (RFC 8445 section 2.5) only ever is controlled.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum IceRole {
    /// The remote nominates.
    #[default]
    Controlled,
}

/// The credentials of an ICE agent (RFC 8839 section 5.4). `Debug` does not show the password.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct IceParameters {
    /// 4 to 256 ICE characters.
    pub username_fragment: String,
    /// 22 to 256 ICE characters.
    pub password: String,
    /// Whether the agent is a lite one; false by default.
    #[serde(default)]
    pub ice_lite: bool,
}

impl fmt::Debug for IceParameters {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("IceParameters")
            .field("username_fragment", &self.username_fragment)
            .field("ice_lite", &self.ice_lite)
            .finish_non_exhaustive()
    }
}

/// What carries datagrams.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum TransportProtocol {
    /// UDP.
    #[default]
    Udp,
    /// TCP with the framing of RFC 4571.
    Tcp,
}

impl TransportProtocol {
    /// Its name, in lower case.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Udp => "udp",
            Self::Tcp => "tcp",
        }
    }
}

impl fmt::Display for TransportProtocol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// The kind of an ICE candidate (RFC 8445 section 5.1.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum IceCandidateType {
    /// An address of the host itself.
    #[default]
    Host,
    /// An address that a STUN server saw.
    Srflx,
    /// An address that the peer saw.
    Prflx,
    /// An address of a relay.
    Relay,
}

/// Who opens the connection of a TCP candidate (RFC 6544 section 4.5).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum IceCandidateTcpType {
    /// The peer does.
    Passive,
    /// This side does.
    Active,
    /// Both try.
    So,
}

/// An address at which an ICE agent can be tried.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct IceCandidate {
    /// Equal for candidates that fare alike (RFC 8445 section 5.1.1.3).
    pub foundation: String,
    /// Higher is tried first (RFC 8445 section 5.1.2).
    pub priority: u32,
    /// An IP address or a host name.
    pub address: String,
    /// The same under its older name, which clients in the field still read.
    #[serde(default)]
    pub ip: String,
    /// What carries datagrams.
    pub protocol: TransportProtocol,
    /// The port, 1 to 65535.
    pub port: u16,
    /// Its kind.
    #[serde(rename = "type")]
    pub candidate_type: IceCandidateType,
    /// With TCP: who connects.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tcp_type: Option<IceCandidateTcpType>,
}

/// How far ICE has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum IceState {
    /// No valid request was received yet.
    #[default]
    New,
    /// A valid request was received, without a nomination.
    Connected,
    /// A valid request with a nomination was received.
    Completed,
    /// It was connected or completed, and consent has run out on every tuple (RFC 7675).
    Disconnected,
    /// The transport is closed.
    Closed,
}

/// The role in the DTLS handshake.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum DtlsRole {
    /// Either (`actpass` in SDP, RFC 5763 section 5).
    #[default]
    Auto,
    /// Sends the ClientHello (`active`).
    Client,
    /// Waits for it (`passive`).
    Server,
}

/// A hash function of certificate fingerprints (RFC 8122 section 5).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum FingerprintAlgorithm {
    /// SHA-1, for old peers.
    #[serde(rename = "sha-1")]
    Sha1,
    /// SHA-224.
    #[serde(rename = "sha-224")]
    Sha224,
    /// SHA-256, which all WebRTC endpoints have.
    #[serde(rename = "sha-256")]
    Sha256,
    /// SHA-384.
    #[serde(rename = "sha-384")]
    Sha384,
    /// SHA-512.
    #[serde(rename = "sha-512")]
    Sha512,
}

impl FingerprintAlgorithm {
    /// Every algorithm, weakest first.
    pub const ALL: [Self; 5] = [Self::Sha1, Self::Sha224, Self::Sha256, Self::Sha384, Self::Sha512];

    /// Its name in SDP.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Sha1 => "sha-1",
            Self::Sha224 => "sha-224",
            Self::Sha256 => "sha-256",
            Self::Sha384 => "sha-384",
            Self::Sha512 => "sha-512",
        }
    }

    /// Bytes of the hash.
    pub const fn len(self) -> usize {
        match self {
            Self::Sha1 => 20,
            Self::Sha224 => 28,
            Self::Sha256 => 32,
            Self::Sha384 => 48,
            Self::Sha512 => 64,
        }
    }

    /// Never; a hash has bytes.
    pub const fn is_empty(self) -> bool {
        false
    }
}

/// The fingerprint of a certificate.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DtlsFingerprint {
    /// The hash function.
    pub algorithm: FingerprintAlgorithm,
    /// The hash, in pairs of hexadecimal digits with colons between (RFC 8122 section 5).
    pub value: String,
}

/// Why [`DtlsFingerprint::hash`] refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("value: not {expected} bytes in hexadecimal digits with colons between")]
pub struct InvalidFingerprint {
    /// Bytes that the algorithm's hash has.
    pub expected: usize,
}

impl DtlsFingerprint {
    /// Writes down a hash.
    pub fn new(algorithm: FingerprintAlgorithm, hash: &[u8]) -> Self {
        let pairs: Vec<String> = hash.iter().map(|byte| format!("{byte:02X}")).collect();
        Self { algorithm, value: pairs.join(":") }
    }

    /// The bytes of the hash.
    ///
    /// # Errors
    /// [`InvalidFingerprint`] where the text is no hash of the algorithm's length.
    pub fn hash(&self) -> Result<Vec<u8>, InvalidFingerprint> {
        let expected = self.algorithm.len();
        let refused = InvalidFingerprint { expected };
        let byte = |pair: &str| {
            let digits = pair.len() == 2 && pair.bytes().all(|digit| digit.is_ascii_hexdigit());
            if digits { u8::from_str_radix(pair, 16).map_err(|_| refused) } else { Err(refused) }
        };
        let hash = self.value.split(':').take(expected + 1).map(byte).collect::<Result<Vec<_>, _>>()?;
        if hash.len() == expected { Ok(hash) } else { Err(refused) }
    }
}

/// What a DTLS endpoint tells of itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DtlsParameters {
    /// Its role; `auto` by default.
    #[serde(default)]
    pub role: DtlsRole,
    /// Fingerprints of its certificate, each by another algorithm.
    pub fingerprints: Vec<DtlsFingerprint>,
}

/// How far DTLS has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum DtlsState {
    /// The remote's parameters are not known yet.
    #[default]
    New,
    /// The handshake is under way.
    Connecting,
    /// The peer is who it should be, and keys are installed.
    Connected,
    /// The handshake failed, or the peer is somebody else.
    Failed,
    /// The peer said goodbye, or the transport is closed.
    Closed,
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn dictionaries_have_the_names_that_clients_read() {
        let candidate = IceCandidate {
            foundation: "tcpcandidate".into(),
            priority: 1_015_022_079,
            address: "192.0.2.1".into(),
            ip: "192.0.2.1".into(),
            protocol: TransportProtocol::Tcp,
            port: 44_444,
            candidate_type: IceCandidateType::Host,
            tcp_type: Some(IceCandidateTcpType::Passive),
        };
        let text = json!({
            "foundation": "tcpcandidate", "priority": 1_015_022_079, "address": "192.0.2.1", "ip": "192.0.2.1",
            "protocol": "tcp", "port": 44_444, "type": "host", "tcpType": "passive",
        });
        assert_eq!(serde_json::to_value(&candidate).unwrap(), text);
        let ice =
            IceParameters { username_fragment: "abcd".into(), password: "secret".into(), ice_lite: true };
        let text = json!({ "usernameFragment": "abcd", "password": "secret", "iceLite": true });
        assert_eq!(serde_json::to_value(&ice).unwrap(), text);
        assert!(!format!("{ice:?}").contains("secret"));
        let dtls: DtlsParameters =
            serde_json::from_value(json!({ "fingerprints": [{ "algorithm": "sha-256", "value": "00" }] }))
                .unwrap();
        assert_eq!(dtls.role, DtlsRole::Auto);
    }

    #[test]
    fn a_fingerprint_is_exactly_as_long_as_its_algorithm_says() {
        for algorithm in FingerprintAlgorithm::ALL {
            let hash: Vec<u8> = (0..algorithm.len()).map(|byte| byte as u8).collect();
            let mut fingerprint = DtlsFingerprint::new(algorithm, &hash);
            assert_eq!(fingerprint.hash(), Ok(hash));
            fingerprint.value.make_ascii_lowercase();
            assert!(fingerprint.hash().is_ok());
            fingerprint.value.push_str(":00");
            assert_eq!(fingerprint.hash(), Err(InvalidFingerprint { expected: algorithm.len() }));
        }
        for text in ["", ":", "0:1", "+1:02", "xx"] {
            let fingerprint = DtlsFingerprint { algorithm: FingerprintAlgorithm::Sha1, value: text.into() };
            assert!(fingerprint.hash().is_err(), "{text}");
        }
    }
}
