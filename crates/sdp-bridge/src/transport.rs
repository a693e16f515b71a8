//! ICE (RFC 8839) and DTLS (RFC 8842, RFC 8122) attributes, between SDP and dictionaries. Knows no media.

use tureen_rtp_dictionaries::{
    DtlsFingerprint, DtlsParameters, DtlsRole, FingerprintAlgorithm, IceCandidate, IceCandidateTcpType,
    IceCandidateType, IceParameters, TransportProtocol,
};

use crate::error::{AttributeFault, SdpError};
use crate::lines::Attribute;

/// The most candidates that are kept; more are ignored.
pub const MAX_CANDIDATES: usize = 64;

/// The most fingerprints of a section.
const MAX_FINGERPRINTS: usize = 16;

/// The ICE and DTLS attributes of the session or of one section. Without `Debug`: there is a password in it.
#[derive(Clone, Default)]
pub(crate) struct TransportAttributes {
    pub(crate) username_fragment: Option<String>,
    pub(crate) password: Option<String>,
    pub(crate) ice_lite: bool,
    pub(crate) ice_options: Vec<String>,
    pub(crate) candidates: Vec<IceCandidate>,
    pub(crate) end_of_candidates: bool,
    pub(crate) fingerprints: Vec<DtlsFingerprint>,
    pub(crate) setup: Option<DtlsRole>,
}

impl TransportAttributes {
    pub(crate) fn parse(attributes: &[Attribute<'_>]) -> Result<Self, SdpError> {
        let mut found = Self::default();
        for attribute in attributes {
            found.read(attribute)?;
        }
        Ok(found)
    }

    /// Takes an attribute in, if it is one of these.
    pub(crate) fn read(&mut self, attribute: &Attribute<'_>) -> Result<(), SdpError> {
        let value = attribute.value.trim();
        match attribute.key {
            "ice-ufrag" => {
                let expected = || attribute.malformed("ice-ufrag", "4 to 256 ICE characters");
                self.username_fragment = Some(ice_text(value, 4).ok_or_else(expected)?);
            }
            "ice-pwd" => {
                let expected = || attribute.malformed("ice-pwd", "22 to 256 ICE characters");
                self.password = Some(ice_text(value, 22).ok_or_else(expected)?);
            }
            "ice-lite" => self.ice_lite = true,
            "ice-options" => {
                self.ice_options = value.split_whitespace().take(16).map(str::to_owned).collect();
            }
            "candidate" if self.candidates.len() < MAX_CANDIDATES => {
                // What this agent does not understand it leaves out (RFC 8839 section 5.1).
                self.candidates.extend(parse_candidate(value));
            }
            "end-of-candidates" => self.end_of_candidates = true,
            "fingerprint" => self.read_fingerprint(attribute)?,
            "setup" => {
                let expected = || attribute.malformed("setup", "actpass, active or passive");
                self.setup = Some(setup_role(value).ok_or_else(expected)?);
            }
            _ => {}
        }
        Ok(())
    }

    fn read_fingerprint(&mut self, attribute: &Attribute<'_>) -> Result<(), SdpError> {
        let malformed = || attribute.malformed("fingerprint", "<hash function> <hash as AB:CD:...>");
        let (name, value) = attribute.value.trim().split_once(' ').ok_or_else(malformed)?;
        let known = |algorithm: &FingerprintAlgorithm| algorithm.name().eq_ignore_ascii_case(name);
        // Others are to be ignored (RFC 8122 section 5.1).
        let Some(algorithm) = FingerprintAlgorithm::ALL.into_iter().find(known) else { return Ok(()) };
        let fingerprint = DtlsFingerprint { algorithm, value: value.trim().to_owned() };
        fingerprint.hash().map_err(|_| malformed())?;
        if self.fingerprints.len() == MAX_FINGERPRINTS {
            return Err(attribute.error("fingerprint", AttributeFault::TooMany(MAX_FINGERPRINTS)));
        }
        self.fingerprints.push(fingerprint);
        Ok(())
    }

    /// The credentials, of this section or else of the session.
    pub(crate) fn ice(&self, session: &Self, line: usize) -> Result<IceParameters, SdpError> {
        let missing = |attribute| SdpError::Missing { line, attribute };
        let username_fragment = self.username_fragment.clone().or_else(|| session.username_fragment.clone());
        let password = self.password.clone().or_else(|| session.password.clone());
        Ok(IceParameters {
            username_fragment: username_fragment.ok_or_else(|| missing("ice-ufrag"))?,
            password: password.ok_or_else(|| missing("ice-pwd"))?,
            ice_lite: session.ice_lite,
        })
    }

    /// Role and fingerprints, of this section or else of the session.
    pub(crate) fn dtls(&self, session: &Self, line: usize) -> Result<DtlsParameters, SdpError> {
        let missing = |attribute| SdpError::Missing { line, attribute };
        let own = Some(&self.fingerprints).filter(|fingerprints| !fingerprints.is_empty());
        let fingerprints = own.unwrap_or(&session.fingerprints).clone();
        if fingerprints.is_empty() {
            return Err(missing("fingerprint"));
        }
        let role = self.setup.or(session.setup).ok_or_else(|| missing("setup"))?;
        Ok(DtlsParameters { role, fingerprints })
    }
}

/// ICE characters (RFC 8839 section 5.4), `min` to 256 of them.
fn ice_text(value: &str, min: usize) -> Option<String> {
    let is_ice_char = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'+' || byte == b'/';
    // Some agents use URL-safe Base64, which costs nothing to take.
    let taken = |byte: u8| is_ice_char(byte) || matches!(byte, b'-' | b'_' | b'=');
    ((min..=256).contains(&value.len()) && value.bytes().all(taken)).then(|| value.to_owned())
}

fn setup_role(value: &str) -> Option<DtlsRole> {
    match value {
        "actpass" => Some(DtlsRole::Auto),
        "active" => Some(DtlsRole::Client),
        "passive" => Some(DtlsRole::Server),
        _ => None,
    }
}

/// The value of `a=setup`.
pub(crate) fn setup_value(role: DtlsRole) -> &'static str {
    match role {
        DtlsRole::Auto => "actpass",
        DtlsRole::Client => "active",
        DtlsRole::Server => "passive",
    }
}

/// Reads a candidate as `a=candidate:` or `RTCIceCandidate.candidate` have it, with or without the leading
/// `candidate:`. `None` for what is no candidate for RTP, or has a transport or a type that is not known.
pub fn parse_candidate(text: &str) -> Option<IceCandidate> {
    let text = text.strip_prefix("candidate:").unwrap_or(text);
    let mut words = text.split_whitespace();
    let foundation = words.next().filter(|word| word.len() <= 32)?.to_owned();
    // The second component is RTCP, which is multiplexed here (RFC 5761).
    words.next().filter(|component| *component == "1")?;
    let protocol = match words.next()? {
        word if word.eq_ignore_ascii_case("udp") => TransportProtocol::Udp,
        word if word.eq_ignore_ascii_case("tcp") => TransportProtocol::Tcp,
        _ => return None,
    };
    let priority = words.next()?.parse().ok()?;
    let address = words.next().filter(|word| word.len() <= 253)?.to_owned();
    let port = words.next()?.parse().ok()?;
    words.next().filter(|word| *word == "typ")?;
    let candidate_type = match words.next()? {
        "host" => IceCandidateType::Host,
        "srflx" => IceCandidateType::Srflx,
        "prflx" => IceCandidateType::Prflx,
        "relay" => IceCandidateType::Relay,
        _ => return None,
    };
    let mut tcp_type = None;
    while let Some(name) = words.next() {
        let value = words.next()?;
        if name == "tcptype" {
            tcp_type = Some(parse_tcp_type(value)?);
        }
    }
    let ip = address.clone();
    Some(IceCandidate { foundation, priority, address, ip, protocol, port, candidate_type, tcp_type })
}

fn parse_tcp_type(text: &str) -> Option<IceCandidateTcpType> {
    match text {
        "passive" => Some(IceCandidateTcpType::Passive),
        "active" => Some(IceCandidateTcpType::Active),
        "so" => Some(IceCandidateTcpType::So),
        _ => None,
    }
}

/// The value of `a=candidate`, for RTP (component 1).
pub fn candidate_value(candidate: &IceCandidate) -> String {
    let protocol = match candidate.protocol {
        TransportProtocol::Udp => "udp",
        TransportProtocol::Tcp => "tcp",
    };
    let candidate_type = match candidate.candidate_type {
        IceCandidateType::Host => "host",
        IceCandidateType::Srflx => "srflx",
        IceCandidateType::Prflx => "prflx",
        IceCandidateType::Relay => "relay",
    };
    let tcp_type = match candidate.tcp_type {
        None => "",
        Some(IceCandidateTcpType::Passive) => " tcptype passive",
        Some(IceCandidateTcpType::Active) => " tcptype active",
        Some(IceCandidateTcpType::So) => " tcptype so",
    };
    let IceCandidate { foundation, priority, address, port, .. } = candidate;
    // Everything but host candidates has a related address, hidden here (RFC 8839 section 5.1).
    let related = if candidate_type == "host" { "" } else { " raddr 0.0.0.0 rport 9" };
    format!("{foundation} 1 {protocol} {priority} {address} {port} typ {candidate_type}{related}{tcp_type}")
}
