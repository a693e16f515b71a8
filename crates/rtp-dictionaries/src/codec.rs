//! Codecs as capabilities and as parameters. Knows their shape, not how they are matched.

use std::borrow::Cow;

use serde::ser::SerializeStruct;
use serde::{Deserialize, Serialize, Serializer};

use crate::json::or_default;
use crate::media::{Codec, MediaKind, MimeType};
use crate::parameter_map::ParameterMap;

/// An RTCP feedback message that an endpoint understands for a codec (RFC 4585 section 4.2).
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RtcpFeedback {
    /// Such as `nack`, `ccm`, `ack`, `goog-remb` or `transport-cc`.
    #[serde(rename = "type")]
    pub kind: Cow<'static, str>,
    /// Such as `pli` or `fir`; empty by default.
    #[serde(default, deserialize_with = "or_default")]
    pub parameter: Cow<'static, str>,
}

impl RtcpFeedback {
    /// Generic NACK (RFC 4585 section 6.2.1).
    pub const NACK: Self = Self::new("nack", "");
    /// Picture loss indication (RFC 4585 section 6.3.1).
    pub const NACK_PLI: Self = Self::new("nack", "pli");
    /// Full intra request (RFC 5104 section 4.3.1).
    pub const CCM_FIR: Self = Self::new("ccm", "fir");
    /// Receiver estimated maximum bitrate (draft-alvestrand-rmcat-remb).
    pub const GOOG_REMB: Self = Self::new("goog-remb", "");
    /// Transport-wide congestion control feedback (draft-holmer-rmcat-transport-wide-cc-extensions).
    pub const TRANSPORT_CC: Self = Self::new("transport-cc", "");
    /// Congestion control feedback by stream (RFC 8888 section 6), for all payload types of a session or for none.
    pub const ACK_CCFB: Self = Self::new("ack", "ccfb");

    const fn new(kind: &'static str, parameter: &'static str) -> Self {
        Self { kind: Cow::Borrowed(kind), parameter: Cow::Borrowed(parameter) }
    }
}

/// A codec that an endpoint supports, with its payload type settled.
///
/// The `kind` member of its JSON is derived from the MIME type, and ignored when read.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RtpCodecCapability {
    /// The media type.
    pub mime_type: MimeType,
    /// The payload type, from 0 to 127.
    pub preferred_payload_type: u8,
    /// In Hz.
    pub clock_rate: u32,
    /// Audio channels; 1 by default, never there for video.
    pub channels: Option<u8>,
    /// Format parameters; empty by default.
    #[serde(default)]
    pub parameters: ParameterMap,
    /// Feedback that is understood; empty by default.
    #[serde(default, deserialize_with = "or_default")]
    pub rtcp_feedback: Vec<RtcpFeedback>,
}

/// A codec that a router shall support, or that this crate does: the payload type may be left open.
///
/// The `kind` member of its JSON is derived from the MIME type, and ignored when read.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RouterRtpCodecCapability {
    /// The media type.
    pub mime_type: MimeType,
    /// The payload type, from 0 to 127; by default the codec's static one or a free dynamic one.
    pub preferred_payload_type: Option<u8>,
    /// In Hz.
    pub clock_rate: u32,
    /// Audio channels; 1 by default, never there for video.
    pub channels: Option<u8>,
    /// Format parameters; empty by default.
    #[serde(default)]
    pub parameters: ParameterMap,
    /// Feedback; a router takes what this crate supports, whatever stands here, and [`RtcpFeedback::ACK_CCFB`] if any of its codecs
    /// has it here. Empty by default.
    #[serde(default, deserialize_with = "or_default")]
    pub rtcp_feedback: Vec<RtcpFeedback>,
}

/// A codec in use.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RtpCodecParameters {
    /// The media type.
    pub mime_type: MimeType,
    /// The payload type on the wire, from 0 to 127.
    pub payload_type: u8,
    /// In Hz.
    pub clock_rate: u32,
    /// Audio channels; 1 by default, never there for video.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub channels: Option<u8>,
    /// Format parameters; empty by default.
    #[serde(default)]
    pub parameters: ParameterMap,
    /// Feedback in use; empty by default.
    #[serde(default, deserialize_with = "or_default")]
    pub rtcp_feedback: Vec<RtcpFeedback>,
}

impl RtpCodecCapability {
    /// A codec of one channel without parameters and feedback.
    pub fn new(mime_type: MimeType, preferred_payload_type: u8, clock_rate: u32) -> Self {
        let channels = default_channels(&mime_type);
        let (parameters, rtcp_feedback) = (ParameterMap::new(), Vec::new());
        Self { mime_type, preferred_payload_type, clock_rate, channels, parameters, rtcp_feedback }
    }

    /// Audio or video.
    pub fn kind(&self) -> MediaKind {
        self.mime_type.kind()
    }
}

impl RouterRtpCodecCapability {
    /// A codec of one channel without payload type, parameters and feedback.
    pub fn new(mime_type: MimeType, clock_rate: u32) -> Self {
        let channels = default_channels(&mime_type);
        let (parameters, rtcp_feedback) = (ParameterMap::new(), Vec::new());
        Self { mime_type, preferred_payload_type: None, clock_rate, channels, parameters, rtcp_feedback }
    }

    /// Audio or video.
    pub fn kind(&self) -> MediaKind {
        self.mime_type.kind()
    }
}

impl RtpCodecParameters {
    /// A codec of one channel without parameters and feedback.
    pub fn new(mime_type: MimeType, payload_type: u8, clock_rate: u32) -> Self {
        let channels = default_channels(&mime_type);
        let (parameters, rtcp_feedback) = (ParameterMap::new(), Vec::new());
        Self { mime_type, payload_type, clock_rate, channels, parameters, rtcp_feedback }
    }

    /// Audio or video.
    pub fn kind(&self) -> MediaKind {
        self.mime_type.kind()
    }

    /// True for `rtx`.
    pub fn is_rtx(&self) -> bool {
        self.mime_type.codec() == Codec::Rtx
    }

    /// The payload type that this RTX codec repairs (RFC 4588 section 8); `None` without a valid `apt`.
    pub fn apt(&self) -> Option<u8> {
        associated_payload_type(&self.parameters)
    }
}

/// The `apt` parameter, if it is a payload type.
pub(crate) fn associated_payload_type(parameters: &ParameterMap) -> Option<u8> {
    let apt = parameters.get_u64("apt")?;
    u8::try_from(apt).ok().filter(|apt| *apt <= crate::MAX_PAYLOAD_TYPE)
}

/// Audio has one channel unless it says otherwise; video has no such thing.
pub(crate) fn default_channels(mime_type: &MimeType) -> Option<u8> {
    (mime_type.kind() == MediaKind::Audio).then_some(1)
}

impl Serialize for RtpCodecCapability {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let capability = Capability {
            mime_type: &self.mime_type,
            preferred_payload_type: Some(self.preferred_payload_type),
            clock_rate: self.clock_rate,
            channels: self.channels,
            parameters: &self.parameters,
            rtcp_feedback: &self.rtcp_feedback,
        };
        capability.serialize(serializer)
    }
}

impl Serialize for RouterRtpCodecCapability {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let capability = Capability {
            mime_type: &self.mime_type,
            preferred_payload_type: self.preferred_payload_type,
            clock_rate: self.clock_rate,
            channels: self.channels,
            parameters: &self.parameters,
            rtcp_feedback: &self.rtcp_feedback,
        };
        capability.serialize(serializer)
    }
}

/// What both capabilities look like in JSON.
struct Capability<'a> {
    mime_type: &'a MimeType,
    preferred_payload_type: Option<u8>,
    clock_rate: u32,
    channels: Option<u8>,
    parameters: &'a ParameterMap,
    rtcp_feedback: &'a [RtcpFeedback],
}

impl Capability<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let optional =
            usize::from(self.preferred_payload_type.is_some()) + usize::from(self.channels.is_some());
        let mut out = serializer.serialize_struct("RtpCodecCapability", 5 + optional)?;
        out.serialize_field("kind", &self.mime_type.kind())?;
        out.serialize_field("mimeType", self.mime_type)?;
        if let Some(payload_type) = self.preferred_payload_type {
            out.serialize_field("preferredPayloadType", &payload_type)?;
        }
        out.serialize_field("clockRate", &self.clock_rate)?;
        if let Some(channels) = self.channels {
            out.serialize_field("channels", &channels)?;
        }
        out.serialize_field("parameters", self.parameters)?;
        out.serialize_field("rtcpFeedback", self.rtcp_feedback)?;
        out.end()
    }
}
