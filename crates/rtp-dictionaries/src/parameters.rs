//! RTP in use, as dictionaries: what a producer sends, what a consumer gets, and how one maps to the other.

use serde::{Deserialize, Serialize};

use crate::codec::RtpCodecParameters;
use crate::header_extension::RtpHeaderExtensionParameters;
use crate::json::{bitrate, or_default};
use crate::scalability_mode::{ScalabilityMode, parse_scalability_mode};

/// Everything that describes the RTP of a producer or a consumer.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RtpParameters {
    /// Media identification (RFC 5888), unique in its transport.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mid: Option<String>,
    /// Codecs in use, each RTX or RED codec with the media codec that it serves.
    pub codecs: Vec<RtpCodecParameters>,
    /// Header extensions in use; empty by default.
    #[serde(default, deserialize_with = "or_default")]
    pub header_extensions: Vec<RtpHeaderExtensionParameters>,
    /// Streams, from the lowest resolution to the highest; empty by default.
    #[serde(default, deserialize_with = "or_default")]
    pub encodings: Vec<RtpEncodingParameters>,
    /// RTCP settings.
    #[serde(default, deserialize_with = "or_default")]
    pub rtcp: RtcpParameters,
    /// Media stream identification (RFC 8830).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub msid: Option<String>,
    /// What a program says of the stream beyond all this, as `userParameters` of ORTC. Only carried, and only by what says so; negotiation
    /// leaves it out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user_parameters: Option<UserParameters>,
}

/// Names and values of a program's own choice.
pub type UserParameters = serde_json::Map<String, serde_json::Value>;

/// One stream of a producer or a consumer.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RtpEncodingParameters {
    /// The synchronization source of the media.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ssrc: Option<u32>,
    /// The RTP stream id (RFC 8852), where there is no SSRC to know it by.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rid: Option<String>,
    /// The payload type of the codec of this stream; the first media codec by default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub codec_payload_type: Option<u8>,
    /// Its retransmission stream.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rtx: Option<RtpEncodingRtx>,
    /// The stream of its parity packets, of a consumer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fec: Option<RtpEncodingFec>,
    /// Whether silence is not sent; false by default.
    #[serde(default, deserialize_with = "or_default", skip_serializing_if = "std::ops::Not::not")]
    pub dtx: bool,
    /// Layers in the stream, such as `L1T3`; see [`parse_scalability_mode`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scalability_mode: Option<String>,
    /// The divisor of the source's width and height (W3C WebRTC). Only carried.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scale_resolution_down_by: Option<f64>,
    /// In bit/s; a fraction is cut off.
    #[serde(default, deserialize_with = "bitrate", skip_serializing_if = "Option::is_none")]
    pub max_bitrate: Option<u64>,
}

impl RtpEncodingParameters {
    /// The layers of the stream; one spatial and one temporal layer by default.
    pub fn layers(&self) -> ScalabilityMode {
        parse_scalability_mode(self.scalability_mode.as_deref().unwrap_or_default())
    }
}

/// The retransmission stream of an encoding.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RtpEncodingRtx {
    /// Its synchronization source.
    pub ssrc: u32,
}

/// The parity stream of an encoding (ORTC section 9.9, `RTCRtpFecParameters`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RtpEncodingFec {
    /// How it protects.
    pub mechanism: FecMechanism,
    /// Its synchronization source.
    pub ssrc: u32,
}

/// A way to protect packets by others.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum FecMechanism {
    /// FlexFEC, under the name `flexfec-03`.
    FlexFec,
}

/// RTCP settings.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RtcpParameters {
    /// The canonical name in SDES (RFC 3550 section 6.5.1).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cname: Option<String>,
    /// Whether reduced-size RTCP (RFC 5506) is in use; true by default.
    #[serde(default = "yes")]
    pub reduced_size: bool,
    /// Whether RTP and RTCP share a port (RFC 5761). The transport decides; this member is only carried.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mux: Option<bool>,
}

const fn yes() -> bool {
    true
}

impl Default for RtcpParameters {
    fn default() -> Self {
        Self { cname: None, reduced_size: true, mux: None }
    }
}

/// How the payload types and streams of a producer are called inside a router.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RtpMapping {
    /// Payload types.
    pub codecs: Vec<RtpCodecMapping>,
    /// Streams, in the order of the producer's encodings.
    pub encodings: Vec<RtpEncodingMapping>,
}

impl RtpMapping {
    /// The router's payload type for one of the producer's.
    pub fn payload_type(&self, payload_type: u8) -> Option<u8> {
        let entry = self.codecs.iter().find(|entry| entry.payload_type == payload_type)?;
        Some(entry.mapped_payload_type)
    }
}

/// A payload type of a producer and the router's for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RtpCodecMapping {
    /// On the producer's wire.
    pub payload_type: u8,
    /// In the router.
    pub mapped_payload_type: u8,
}

/// A stream of a producer and the router's SSRC for it.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RtpEncodingMapping {
    /// On the producer's wire, if it said so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ssrc: Option<u32>,
    /// On the producer's wire, if it said so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rid: Option<String>,
    /// Layers in the stream.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scalability_mode: Option<String>,
    /// In the router.
    pub mapped_ssrc: u32,
}

/// A choice of layers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct MediaLayers {
    /// The spatial layer, from 0.
    pub spatial_layer: u8,
    /// The temporal layer, from 0; the highest by default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub temporal_layer: Option<u8>,
}

/// What a producer sends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ProducerType {
    /// One stream of one layer.
    Simple,
    /// Several streams of the same source.
    Simulcast,
    /// One stream of several layers.
    Svc,
}

impl ProducerType {
    /// The type that `params` describe: `simulcast` with several encodings, `svc` with one encoding of more than
    /// one spatial or temporal layer, else `simple`.
    pub fn of(params: &RtpParameters) -> Self {
        match params.encodings.as_slice() {
            [] => Self::Simple,
            [encoding] => {
                let layers = encoding.layers();
                let layered = layers.spatial_layers > 1 || layers.temporal_layers > 1;
                if layered { Self::Svc } else { Self::Simple }
            }
            _ => Self::Simulcast,
        }
    }
}

/// How a consumer forwards.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ConsumerType {
    /// The one stream as it is.
    Simple,
    /// One of several streams at a time.
    Simulcast,
    /// Some layers of the one stream.
    Svc,
    /// All streams as they are.
    Pipe,
}

impl ConsumerType {
    /// The type of a consumer of a producer: `pipe` if it carries every encoding, else the producer's.
    pub const fn of(producer: ProducerType, pipe: bool) -> Self {
        match producer {
            _ if pipe => Self::Pipe,
            ProducerType::Simple => Self::Simple,
            ProducerType::Simulcast => Self::Simulcast,
            ProducerType::Svc => Self::Svc,
        }
    }
}
