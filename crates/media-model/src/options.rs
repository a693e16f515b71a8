//! What objects are made with. Identifiers come from outside, so that a Core draws none.

use crate::codec::payload_format;
use crate::data::SctpOptions;
use crate::error::{OutgoingBitrateError, ProduceError};
use crate::id::{ConsumerId, ProducerId, RtpObserverId};
use serde::{Deserialize, Serialize};
use std::ops::RangeInclusive;
use std::time::Duration;
use tureen_rtp_dictionaries::{
    MediaKind, MediaLayers, RouterRtpCodecCapability, RtpCapabilities, RtpParameters,
};
use tureen_rtp_wire::payload::PayloadFormat;

/// How a router is made.
#[derive(Clone, Debug, Default)]
pub struct RouterOptions {
    /// The codecs that may be produced. Default none.
    pub media_codecs: Vec<RouterRtpCodecCapability>,
}

/// What a Core needs to know of a transport beside its adapter.
#[derive(Clone, Copy, Debug)]
pub struct TransportOptions {
    /// Whether media on it is exchanged with the program itself. Default `false`.
    pub direct: bool,
    /// SCTP, where the adapter carries it. Default none.
    pub sctp: Option<SctpOptions>,
    /// The largest message of the program on a direct transport, in bytes. Default 262144.
    pub max_message_size: u32,
    /// Whether whole producers go over it to another router, and how. Default not.
    pub pipe: Option<PipeOptions>,
    /// Whether what goes out is fitted to what the path carries, as far as the remote lets that be known. Default not.
    pub outgoing: Option<OutgoingBitrates>,
}

/// Where the estimate of what a transport may send starts, and what it stays within. Bits per second.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OutgoingBitrates {
    /// The estimate until the remote reports. Default 600,000.
    pub initial: u32,
    /// The estimate does not fall below; 0 for the least there is, 30,000. Default 0.
    pub min: u32,
    /// It does not grow above; 0 for no limit. Default 0.
    pub max: u32,
}

impl OutgoingBitrates {
    /// The lowest bound that may be set.
    pub const LEAST: u32 = 30_000;

    pub(crate) fn check(self) -> Result<(), OutgoingBitrateError> {
        let Self { min, max, .. } = self;
        let too_low = |bitrate: u32| (1..Self::LEAST).contains(&bitrate);
        if too_low(max) {
            return Err(OutgoingBitrateError::MaxTooLow(max));
        }
        if too_low(min) {
            return Err(OutgoingBitrateError::MinTooLow(min));
        }
        if max > 0 && min > max { Err(OutgoingBitrateError::MinAboveMax { min, max }) } else { Ok(()) }
    }
}

impl Default for OutgoingBitrates {
    fn default() -> Self {
        Self { initial: 600_000, min: 0, max: 0 }
    }
}

/// A transport that leads to another router: its consumers carry every encoding, and negotiate nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PipeOptions {
    /// Whether packets lost between the routers are asked for and sent again (RFC 4585, RFC 4588). Default `false`.
    pub enable_rtx: bool,
}

impl Default for TransportOptions {
    fn default() -> Self {
        Self { direct: false, sctp: None, max_message_size: 262_144, pipe: None, outgoing: None }
    }
}

/// How a producer is made.
#[derive(Clone, Debug)]
pub struct ProducerOptions {
    /// Its id.
    pub id: ProducerId,
    /// Audio or video.
    pub kind: MediaKind,
    /// What the endpoint sends.
    pub rtp_parameters: RtpParameters,
    /// Whether it starts paused. Default `false`.
    pub paused: bool,
    /// The least time between two key-frame requests towards the source. Default 0.
    pub key_frame_request_delay: Duration,
    /// What is kept since the last key frame, for consumers to start from instead of asking the source. Default nothing. Of use for
    /// video whose key frames can be told, and refused for anything else.
    pub key_frame_cache: Option<KeyFrameCache>,
    /// What its pictures show. Default nothing, which counts as [`ContentHint::Motion`]. Refused for audio.
    pub content_hint: Option<ContentHint>,
}

/// What the pictures of a producer show, in the words that a track's `contentHint` has for video (W3C MediaStreamTrack Content Hints,
/// section 5). It says which layer comes next where a path does not carry all of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ContentHint {
    /// Movement: a camera. A higher spatial layer comes with the higher temporal ones of the layer below.
    Motion,
    /// What has to stay sharp: a screen, a drawing. A higher spatial layer comes before any higher temporal one.
    Detail,
    /// The same, for text: sharpness goes before movement as with [`ContentHint::Detail`].
    Text,
}

/// The range of [`KeyFrameCache::max_bytes`]: up to what a receiver that missed some of it can ask for again.
pub const KEY_FRAME_CACHE_BYTES: RangeInclusive<usize> = 1024..=1_048_576;
/// The range of [`KeyFrameCache::max_age`].
pub const KEY_FRAME_CACHE_AGE: RangeInclusive<Duration> = Duration::from_millis(1)..=Duration::from_secs(10);

/// What is kept of each of a producer's streams, so that a consumer that comes to wait for a key frame, and has no picture yet, is sent all
/// that came since the last one. The source is not asked for a key frame then, however many consumers come. Where it came longer ago,
/// more than that came since, or any of it is missing, the source is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct KeyFrameCache {
    /// The most bytes of packets, [`KEY_FRAME_CACHE_BYTES`]. Default 524288.
    pub max_bytes: usize,
    /// The longest time since the key frame began, [`KEY_FRAME_CACHE_AGE`]. Default 2 s. In JSON in milliseconds.
    #[serde(with = "millis")]
    pub max_age: Duration,
}

impl Default for KeyFrameCache {
    fn default() -> Self {
        Self { max_bytes: 524_288, max_age: Duration::from_secs(2) }
    }
}

impl KeyFrameCache {
    /// Whether it can be of use: for video of codecs whose key frames can be told.
    pub fn suits(kind: MediaKind, parameters: &RtpParameters) -> bool {
        let mut media = parameters.codecs.iter().filter(|codec| codec.mime_type.codec().is_media());
        kind == MediaKind::Video && media.all(|codec| payload_format(codec) != PayloadFormat::Opaque)
    }

    pub(crate) fn check(self, kind: MediaKind, parameters: &RtpParameters) -> Result<(), ProduceError> {
        if !KEY_FRAME_CACHE_BYTES.contains(&self.max_bytes) {
            return Err(ProduceError::KeyFrameCacheMaxBytes);
        }
        if !KEY_FRAME_CACHE_AGE.contains(&self.max_age) {
            return Err(ProduceError::KeyFrameCacheMaxAge);
        }
        if !Self::suits(kind, parameters) {
            return Err(ProduceError::KeyFrameCacheUnsuited);
        }
        Ok(())
    }
}

/// A duration as a number of milliseconds.
mod millis {
    use serde::{Deserialize, Deserializer, Serializer};
    use std::time::Duration;

    pub(super) fn serialize<S: Serializer>(duration: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_u64(u64::try_from(duration.as_millis()).unwrap_or(u64::MAX))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
        u64::deserialize(deserializer).map(Duration::from_millis)
    }
}

/// Whose payload types and header-extension ids a consumer's packets carry.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum ConsumerNumbering {
    /// The router's, which the endpoint takes from the consumer's parameters.
    #[default]
    Router,
    /// Those that the endpoint's capabilities prefer: an SDP offer has fixed them already (RFC 3264 section 6.1).
    Receiver,
}

/// What a consumer's packets are known by, where that was settled before the consumer: one that is made on a transport where another with the
/// same SSRCs ended goes on with its sequence numbers, so that no packet index is used twice (RFC 3711 section 9.1).
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct ConsumerIdentity {
    /// The SSRC of its first encoding, which nobody else on its transport has. With `pipe` the other encodings have those that follow.
    /// Retransmissions have the one behind, or as many. Default drawn.
    pub ssrc: Option<u32>,
    /// The canonical name of its source (RFC 3550 section 6.5.1), 1 to 255 bytes. Default its transport's.
    pub cname: Option<String>,
}

/// How a consumer is made.
#[derive(Clone, Debug)]
pub struct ConsumerOptions {
    /// Its id.
    pub id: ConsumerId,
    /// What it consumes.
    pub producer_id: ProducerId,
    /// What its endpoint can receive. Not looked at on a pipe, where the endpoint is a router.
    pub rtp_capabilities: RtpCapabilities,
    /// Whether it starts paused. Default `false`.
    pub paused: bool,
    /// Its MID, 1 to 16 bytes; default the transport's next number, and none on a pipe.
    pub mid: Option<String>,
    /// The layers wanted of a simulcast or SVC source; default the best.
    pub preferred_layers: Option<MediaLayers>,
    /// Whether lost packets are sent again in a stream of their own (RFC 4588). Default `true` for video. On a pipe its own option counts.
    pub enable_rtx: Option<bool>,
    /// Whether packets of Opus without sound are left out. Default `false`.
    pub ignore_dtx: bool,
    /// Whether every encoding is carried, each as a stream of its own. Default `false`; on a pipe it always is.
    pub pipe: bool,
    /// Whose numbers its packets carry. Default the router's, which they always are on a pipe.
    pub numbering: ConsumerNumbering,
    /// What its packets are known by. Default drawn, and its transport's.
    pub identity: ConsumerIdentity,
}

/// How an audio level observer is made.
#[derive(Clone, Copy, Debug)]
pub struct AudioLevelObserverOptions {
    /// Its id.
    pub id: RtpObserverId,
    /// The most producers that one event tells of, 1 or more. Default 1.
    pub max_entries: u16,
    /// The average level in dBov, -127 to 0, from which on a producer is told of. Default -80.
    pub threshold: i8,
    /// The time between two events, clamped to [`AudioLevelObserverOptions::INTERVAL`]. Default 1 s.
    pub interval: Duration,
}

impl AudioLevelObserverOptions {
    /// The range of `interval`.
    pub const INTERVAL: RangeInclusive<Duration> = Duration::from_millis(250)..=Duration::from_secs(5);

    /// The defaults.
    pub fn new(id: RtpObserverId) -> Self {
        Self { id, max_entries: 1, threshold: -80, interval: Duration::from_secs(1) }
    }
}

/// How an active speaker observer is made.
#[derive(Clone, Copy, Debug)]
pub struct ActiveSpeakerObserverOptions {
    /// Its id.
    pub id: RtpObserverId,
    /// The time between two decisions, clamped to [`ActiveSpeakerObserverOptions::INTERVAL`] and taken in whole tenths of a second.
    /// Default 300 ms.
    pub interval: Duration,
}

impl ActiveSpeakerObserverOptions {
    /// The range of `interval`.
    pub const INTERVAL: RangeInclusive<Duration> = Duration::from_millis(100)..=Duration::from_secs(5);

    /// The defaults.
    pub fn new(id: RtpObserverId) -> Self {
        Self { id, interval: Duration::from_millis(300) }
    }
}

/// How an observer is made that has only the loudest producers forwarded.
#[derive(Clone, Copy, Debug)]
pub struct LastNAudioOptions {
    /// Its id.
    pub id: RtpObserverId,
    /// How many, 1 or more.
    pub n: u8,
}
