//! RTP header extensions as capabilities and as parameters (RFC 8285). Knows their names, not their bytes.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::media::MediaKind;
use crate::parameter_map::ParameterMap;

/// The URI that identifies a header extension. Unknown ones are kept as text.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum HeaderExtensionUri {
    /// Media identification (RFC 9143).
    Mid,
    /// RTP stream id (RFC 8852).
    RtpStreamId,
    /// Repaired RTP stream id (RFC 8852).
    RepairedRtpStreamId,
    /// Absolute send time.
    AbsSendTime,
    /// Transport-wide sequence number (draft-holmer-rmcat-transport-wide-cc-extensions-01).
    TransportWideCc,
    /// Client-to-mixer audio level (RFC 6464).
    SsrcAudioLevel,
    /// AV1 dependency descriptor.
    DependencyDescriptor,
    /// Coordination of video orientation (3GPP TS 26.114).
    VideoOrientation,
    /// Transmission time offset (RFC 5450).
    TimeOffset,
    /// Absolute capture time.
    AbsCaptureTime,
    /// Playout delay limits.
    PlayoutDelay,
    /// mediasoup's packet id.
    MediasoupPacketId,
    /// Any other extension.
    Other(Box<str>),
}

impl HeaderExtensionUri {
    /// Every extension with a variant of its own.
    pub const KNOWN: [Self; 12] = [
        Self::Mid,
        Self::RtpStreamId,
        Self::RepairedRtpStreamId,
        Self::AbsSendTime,
        Self::TransportWideCc,
        Self::SsrcAudioLevel,
        Self::DependencyDescriptor,
        Self::VideoOrientation,
        Self::TimeOffset,
        Self::AbsCaptureTime,
        Self::PlayoutDelay,
        Self::MediasoupPacketId,
    ];

    /// The URI as text.
    pub fn as_str(&self) -> &str {
        match self {
            Self::Mid => "urn:ietf:params:rtp-hdrext:sdes:mid",
            Self::RtpStreamId => "urn:ietf:params:rtp-hdrext:sdes:rtp-stream-id",
            Self::RepairedRtpStreamId => "urn:ietf:params:rtp-hdrext:sdes:repaired-rtp-stream-id",
            Self::AbsSendTime => "http://www.webrtc.org/experiments/rtp-hdrext/abs-send-time",
            Self::TransportWideCc => {
                "http://www.ietf.org/id/draft-holmer-rmcat-transport-wide-cc-extensions-01"
            }
            Self::SsrcAudioLevel => "urn:ietf:params:rtp-hdrext:ssrc-audio-level",
            Self::DependencyDescriptor => {
                "https://aomediacodec.github.io/av1-rtp-spec/#dependency-descriptor-rtp-header-extension"
            }
            Self::VideoOrientation => "urn:3gpp:video-orientation",
            Self::TimeOffset => "urn:ietf:params:rtp-hdrext:toffset",
            Self::AbsCaptureTime => "http://www.webrtc.org/experiments/rtp-hdrext/abs-capture-time",
            Self::PlayoutDelay => "http://www.webrtc.org/experiments/rtp-hdrext/playout-delay",
            Self::MediasoupPacketId => "urn:mediasoup:params:rtp-hdrext:packet-id",
            Self::Other(uri) => uri,
        }
    }
}

impl From<&str> for HeaderExtensionUri {
    fn from(uri: &str) -> Self {
        Self::KNOWN.into_iter().find(|known| known.as_str() == uri).unwrap_or_else(|| Self::Other(uri.into()))
    }
}

impl fmt::Display for HeaderExtensionUri {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl Serialize for HeaderExtensionUri {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl<'de> Deserialize<'de> for HeaderExtensionUri {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let uri = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        Ok(Self::from(&*uri))
    }
}

/// Which way an extension may be used, seen from the side that states it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum RtpHeaderExtensionDirection {
    /// Both ways.
    #[default]
    SendRecv,
    /// It is sent only.
    SendOnly,
    /// It is received only.
    RecvOnly,
    /// Neither.
    Inactive,
}

impl RtpHeaderExtensionDirection {
    /// True if the stating side sends it.
    pub const fn sends(self) -> bool {
        matches!(self, Self::SendRecv | Self::SendOnly)
    }

    /// True if the stating side receives it.
    pub const fn receives(self) -> bool {
        matches!(self, Self::SendRecv | Self::RecvOnly)
    }
}

/// A header extension that an endpoint supports.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RtpHeaderExtension {
    /// The kind of media that it goes with.
    pub kind: MediaKind,
    /// What it is.
    pub uri: HeaderExtensionUri,
    /// The preferred id, from 1 to 255; above 14 it needs two-byte headers (RFC 8285 section 4.3).
    pub preferred_id: u8,
    /// Whether it should be encrypted (RFC 6904); false by default.
    #[serde(default, deserialize_with = "crate::json::or_default")]
    pub preferred_encrypt: bool,
    /// Which way it is used; `sendrecv` by default.
    #[serde(default, deserialize_with = "crate::json::or_default")]
    pub direction: RtpHeaderExtensionDirection,
}

/// A header extension in use.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RtpHeaderExtensionParameters {
    /// What it is.
    pub uri: HeaderExtensionUri,
    /// Its id on the wire, from 1 to 255; above 14 it needs two-byte headers (RFC 8285 section 4.3).
    pub id: u8,
    /// Whether it is encrypted (RFC 6904); false by default.
    #[serde(default, deserialize_with = "crate::json::or_default")]
    pub encrypt: bool,
    /// Extension attributes (RFC 8285 section 5); empty by default.
    #[serde(default)]
    pub parameters: ParameterMap,
}

impl RtpHeaderExtensionParameters {
    /// An extension in the clear and without attributes.
    pub fn new(uri: HeaderExtensionUri, id: u8) -> Self {
        Self { uri, id, encrypt: false, parameters: ParameterMap::new() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_known_uri_reads_back() {
        for uri in HeaderExtensionUri::KNOWN {
            assert_eq!(HeaderExtensionUri::from(uri.as_str()), uri);
        }
        assert_eq!(HeaderExtensionUri::from("urn:x"), HeaderExtensionUri::Other("urn:x".into()));
    }

    #[test]
    fn absent_members_take_their_defaults() {
        let json = r#"{"kind":"audio","uri":"urn:ietf:params:rtp-hdrext:sdes:mid","preferredId":1,"x":[]}"#;
        let ext: RtpHeaderExtension = serde_json::from_str(json).unwrap();
        assert_eq!((ext.preferred_encrypt, ext.direction), (false, RtpHeaderExtensionDirection::SendRecv));
    }
}
