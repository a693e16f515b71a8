//! Media kinds and MIME types. Knows the names of codecs, and nothing of their parameters.

use std::fmt;
use std::hash::{Hash, Hasher};
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// What a stream carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum MediaKind {
    /// Sound.
    Audio,
    /// Pictures.
    Video,
}

impl MediaKind {
    /// The name on the wire: `audio` or `video`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Audio => "audio",
            Self::Video => "video",
        }
    }
}

impl fmt::Display for MediaKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The payload formats that this crate knows by name.
///
/// [`Codec::Other`] stands for every other subtype; its spelling stays in the [`MimeType`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Codec {
    /// `audio/opus` (RFC 7587).
    Opus,
    /// `audio/multiopus`, Opus with more than two channels.
    MultiOpus,
    /// `audio/PCMU` (RFC 3551 section 4.5.14).
    Pcmu,
    /// `audio/PCMA` (RFC 3551 section 4.5.14).
    Pcma,
    /// `audio/G722` (RFC 3551 section 4.5.2).
    G722,
    /// `audio/ISAC`.
    Isac,
    /// `audio/iLBC` (RFC 3952).
    Ilbc,
    /// `audio/SILK`.
    Silk,
    /// `audio/CN`, comfort noise (RFC 3389).
    ComfortNoise,
    /// `audio/telephone-event` (RFC 4733).
    TelephoneEvent,
    /// `audio/red` (RFC 2198).
    Red,
    /// `video/VP8` (RFC 7741).
    Vp8,
    /// `video/VP9` (RFC 9628).
    Vp9,
    /// `video/H264` (RFC 6184).
    H264,
    /// `video/H265` (RFC 7798).
    H265,
    /// `video/AV1` (RTP payload format for AV1, AOMedia).
    Av1,
    /// `rtx`, retransmissions of another payload type (RFC 4588).
    Rtx,
    /// `flexfec-03`, parity over the packets of a stream (draft-ietf-payload-flexible-fec-scheme-03).
    FlexFec,
    /// `ulpfec`, `x-ulpfecuc`, `flexfec` and `video/red`: redundancy that is not forwarded.
    Fec,
    /// Any other subtype.
    Other,
}

/// Subtypes in lower case, by the kind they belong to.
const CODECS: &[(MediaKind, &str, Codec)] = &[
    (MediaKind::Audio, "opus", Codec::Opus),
    (MediaKind::Audio, "multiopus", Codec::MultiOpus),
    (MediaKind::Audio, "pcmu", Codec::Pcmu),
    (MediaKind::Audio, "pcma", Codec::Pcma),
    (MediaKind::Audio, "g722", Codec::G722),
    (MediaKind::Audio, "isac", Codec::Isac),
    (MediaKind::Audio, "ilbc", Codec::Ilbc),
    (MediaKind::Audio, "silk", Codec::Silk),
    (MediaKind::Audio, "cn", Codec::ComfortNoise),
    (MediaKind::Audio, "telephone-event", Codec::TelephoneEvent),
    (MediaKind::Audio, "red", Codec::Red),
    (MediaKind::Audio, "rtx", Codec::Rtx),
    (MediaKind::Video, "vp8", Codec::Vp8),
    (MediaKind::Video, "vp9", Codec::Vp9),
    (MediaKind::Video, "h264", Codec::H264),
    (MediaKind::Video, "h265", Codec::H265),
    (MediaKind::Video, "av1", Codec::Av1),
    (MediaKind::Video, "rtx", Codec::Rtx),
    (MediaKind::Video, "red", Codec::Fec),
    (MediaKind::Video, "ulpfec", Codec::Fec),
    (MediaKind::Audio, "ulpfec", Codec::Fec),
    (MediaKind::Video, "x-ulpfecuc", Codec::Fec),
    (MediaKind::Video, "flexfec", Codec::Fec),
    (MediaKind::Video, "flexfec-03", Codec::FlexFec),
];

impl Codec {
    /// True for a codec that can stand alone; false for `rtx`, `red` and FEC, which serve another codec.
    pub const fn is_media(self) -> bool {
        !matches!(self, Self::Rtx | Self::Red | Self::FlexFec | Self::Fec)
    }
}

/// `audio/…` or `video/…`. Compares without regard to case (RFC 6838 section 4.2), keeps its spelling.
#[derive(Clone)]
pub struct MimeType {
    kind: MediaKind,
    codec: Codec,
    text: Box<str>,
}

/// The text is neither `audio/` nor `video/` followed by a subtype.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a MIME type is audio/ or video/ followed by a subtype")]
#[non_exhaustive]
pub struct InvalidMimeType;

impl MimeType {
    /// The kind that the type starts with.
    pub const fn kind(&self) -> MediaKind {
        self.kind
    }

    /// The codec that the subtype names.
    pub const fn codec(&self) -> Codec {
        self.codec
    }

    /// The whole type as it was spelled, such as `video/VP8`.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// What follows the slash, as it was spelled.
    pub fn subtype(&self) -> &str {
        self.text.split_once('/').map_or("", |(_, subtype)| subtype)
    }

    /// `audio/rtx` or `video/rtx`.
    pub fn rtx(kind: MediaKind) -> Self {
        Self { kind, codec: Codec::Rtx, text: format!("{kind}/rtx").into() }
    }
}

impl FromStr for MimeType {
    type Err = InvalidMimeType;

    fn from_str(text: &str) -> Result<Self, InvalidMimeType> {
        let (kind, subtype) = text.split_once('/').ok_or(InvalidMimeType)?;
        let kind = match kind {
            k if k.eq_ignore_ascii_case("audio") => MediaKind::Audio,
            k if k.eq_ignore_ascii_case("video") => MediaKind::Video,
            _ => return Err(InvalidMimeType),
        };
        if subtype.is_empty() {
            return Err(InvalidMimeType);
        }
        let codec = CODECS
            .iter()
            .find(|(k, name, _)| *k == kind && name.eq_ignore_ascii_case(subtype))
            .map_or(Codec::Other, |(_, _, codec)| *codec);
        Ok(Self { kind, codec, text: text.into() })
    }
}

impl PartialEq for MimeType {
    fn eq(&self, other: &Self) -> bool {
        self.text.eq_ignore_ascii_case(&other.text)
    }
}

impl Eq for MimeType {}

impl Hash for MimeType {
    fn hash<H: Hasher>(&self, state: &mut H) {
        for byte in self.text.bytes() {
            state.write_u8(byte.to_ascii_lowercase());
        }
        state.write_u8(0xff);
    }
}

impl fmt::Debug for MimeType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl fmt::Display for MimeType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl Serialize for MimeType {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.text)
    }
}

impl<'de> Deserialize<'de> for MimeType {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        text.parse().map_err(|error| de::Error::custom(format_args!("{error}, not {text:?}")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mime_types_compare_without_case_and_keep_their_spelling() {
        let a: MimeType = "video/vp8".parse().unwrap();
        let b: MimeType = "VIDEO/VP8".parse().unwrap();
        assert_eq!(a, b);
        assert_eq!((a.kind(), a.codec(), a.as_str()), (MediaKind::Video, Codec::Vp8, "video/vp8"));
        assert_eq!(b.subtype(), "VP8");
        assert_ne!(a, "video/VP9".parse().unwrap());
    }

    #[test]
    fn only_audio_and_video_with_a_subtype_parse() {
        for text in ["", "audio", "audio/", "/opus", "application/rtx", "text/red", "vídeo/VP8"] {
            assert_eq!(text.parse::<MimeType>(), Err(InvalidMimeType), "{text}");
        }
    }

    #[test]
    fn codecs_belong_to_a_kind() {
        assert_eq!("audio/vp8".parse::<MimeType>().unwrap().codec(), Codec::Other);
        assert_eq!("video/red".parse::<MimeType>().unwrap().codec(), Codec::Fec);
        assert_eq!("audio/RED".parse::<MimeType>().unwrap().codec(), Codec::Red);
        assert!(!Codec::Rtx.is_media() && !Codec::Red.is_media() && Codec::ComfortNoise.is_media());
    }
}
