//! Codecs of rooms as one line of text each, and the ones that rooms have by default.

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use std::fmt;
use std::str::FromStr;
use tureen::dictionaries::{MediaKind, MimeType, ParameterValue, RouterRtpCodecCapability};

/// A codec of a room, written as `audio/opus/48000/2` or
/// `video/H264/90000;packetization-mode=1;profile-level-id=42e01f`.
#[derive(Clone, Debug, PartialEq)]
pub struct MediaCodec(pub RouterRtpCodecCapability);

/// Why a text names no codec.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum MediaCodecError {
    /// It does not start with a kind and a subtype.
    #[error("'{0}' does not start with audio/ or video/ and a subtype")]
    MimeType(String),
    /// There is no clock rate in Hz, or it is 0.
    #[error("'{0}' has no clock rate in Hz behind its subtype")]
    ClockRate(String),
    /// The channels are not 1 to 255, or a video codec has some.
    #[error("'{0}': channels must be 1 to 255, and only for audio")]
    Channels(String),
    /// A parameter has no value.
    #[error("parameter '{0}' has no value")]
    Parameter(String),
}

impl FromStr for MediaCodec {
    type Err = MediaCodecError;

    fn from_str(text: &str) -> Result<Self, MediaCodecError> {
        let mut parts = text.split(';');
        let name = parts.next().unwrap_or_default().trim();
        let mut fields = name.split('/');
        let mime = match (fields.next(), fields.next()) {
            (Some(kind), Some(subtype)) => format!("{kind}/{subtype}").parse::<MimeType>(),
            _ => return Err(MediaCodecError::MimeType(name.into())),
        };
        let mime = mime.map_err(|_| MediaCodecError::MimeType(name.into()))?;
        let clock_rate = fields.next().and_then(|rate| rate.parse().ok()).filter(|&rate| rate != 0);
        let clock_rate = clock_rate.ok_or_else(|| MediaCodecError::ClockRate(name.into()))?;
        let mut codec = RouterRtpCodecCapability::new(mime, clock_rate);
        if let Some(channels) = fields.next() {
            let channels = channels.parse::<u8>().ok().filter(|&channels| channels != 0);
            if channels.is_none() || codec.kind() == MediaKind::Video || fields.next().is_some() {
                return Err(MediaCodecError::Channels(name.into()));
            }
            codec.channels = channels;
        }
        for parameter in parts {
            let (name, value) = parameter
                .split_once('=')
                .filter(|(name, value)| !name.trim().is_empty() && !value.trim().is_empty())
                .ok_or_else(|| MediaCodecError::Parameter(parameter.trim().into()))?;
            codec.parameters.insert(name.trim(), parameter_value(value.trim()));
        }
        Ok(Self(codec))
    }
}

/// Numbers stay numbers, as in JSON; but `42001f` and `0042` are texts.
fn parameter_value(text: &str) -> ParameterValue {
    match text.parse::<u64>() {
        Ok(number) if number.to_string() == text => number.into(),
        _ => text.into(),
    }
}

impl fmt::Display for MediaCodec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let codec = &self.0;
        write!(f, "{}/{}", codec.mime_type, codec.clock_rate)?;
        if let Some(channels) = codec.channels.filter(|&channels| channels > 1) {
            write!(f, "/{channels}")?;
        }
        for (name, value) in codec.parameters.iter() {
            write!(f, ";{name}={}", value.to_text().unwrap_or_default())?;
        }
        Ok(())
    }
}

impl Serialize for MediaCodec {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for MediaCodec {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(de::Error::custom)
    }
}

const DEFAULT_CODECS: &[&str] = &[
    "audio/opus/48000/2",
    "audio/PCMU/8000",
    "audio/PCMA/8000",
    "audio/G722/8000",
    "video/VP8/90000",
    "video/VP9/90000;profile-id=0",
    "video/VP9/90000;profile-id=2",
    "video/H264/90000;level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=42e01f",
    "video/H264/90000;level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=64001f",
    "video/H265/90000",
    "video/AV1/90000",
];

/// The codecs of rooms where nothing else is said.
pub fn default_codecs() -> Vec<MediaCodec> {
    // A test says that all of them parse.
    DEFAULT_CODECS.iter().filter_map(|text| text.parse().ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_default_codec_parses_and_writes_itself_back() {
        let codecs = default_codecs();
        assert_eq!(codecs.iter().map(ToString::to_string).collect::<Vec<_>>(), DEFAULT_CODECS);
    }

    #[test]
    fn a_router_takes_the_default_codecs() {
        let codecs: Vec<_> = default_codecs().into_iter().map(|codec| codec.0).collect();
        let capabilities = tureen::dictionaries::generate_router_rtp_capabilities(&codecs).unwrap();
        for name in ["opus", "VP8", "VP9", "H264", "H265", "AV1"] {
            assert!(capabilities.codecs.iter().any(|codec| codec.mime_type.subtype() == name), "{name}");
        }
    }

    #[test]
    fn a_wrong_text_is_refused_with_its_reason() {
        type E = MediaCodecError;
        let error = |text: &str| text.parse::<MediaCodec>().unwrap_err();
        assert_eq!(error("opus"), E::MimeType("opus".into()));
        assert_eq!(error("text/plain/1"), E::MimeType("text/plain/1".into()));
        assert_eq!(error("audio/opus"), E::ClockRate("audio/opus".into()));
        assert_eq!(error("audio/opus/0"), E::ClockRate("audio/opus/0".into()));
        assert_eq!(error("audio/opus/48000/0"), E::Channels("audio/opus/48000/0".into()));
        assert_eq!(error("video/VP8/90000/2"), E::Channels("video/VP8/90000/2".into()));
        assert_eq!(error("video/VP9/90000;profile-id"), E::Parameter("profile-id".into()));
        assert_eq!(error("video/VP9/90000;=1"), E::Parameter("=1".into()));
    }

    #[test]
    fn numbers_are_numbers_and_hexadecimal_is_text() {
        let codec: MediaCodec =
            "video/H264/90000;packetization-mode=1;profile-level-id=420010".parse().unwrap();
        assert_eq!(codec.0.parameters.get_u64("packetization-mode"), Some(1));
        assert_eq!(codec.to_string(), "video/H264/90000;packetization-mode=1;profile-level-id=420010");
    }
}
