//! The table of codecs and header extensions that a router can be given.

use crate::capabilities::SupportedRtpCapabilities;
use crate::codec::{RouterRtpCodecCapability, RtcpFeedback, default_channels};
use crate::header_extension::{HeaderExtensionUri, RtpHeaderExtension, RtpHeaderExtensionDirection};
use crate::media::{MediaKind, MimeType};
use crate::parameter_map::{ParameterMap, ParameterValue};

/// Payload types for codecs without a static one, in the order in which they are given out.
pub const DYNAMIC_PAYLOAD_TYPES: [u8; 32] = [
    100, 101, 102, 103, 104, 105, 106, 107, 108, 109, 110, 111, 112, 113, 114, 115, 116, 117, 118, 119, 120,
    121, 122, 123, 124, 125, 126, 127, 96, 97, 98, 99,
];

/// The id of the dependency descriptor in [`supported_rtp_capabilities`].
pub(crate) const DEPENDENCY_DESCRIPTOR_ID: u8 = 7;

/// Microseconds from a protected packet to its parity, at the most (draft-ietf-payload-flexible-fec-scheme-03 section 5.1). Receivers that are
/// browsers say this.
const REPAIR_WINDOW: u64 = 10_000_000;

struct Entry {
    mime_type: &'static str,
    payload_type: Option<u8>,
    clock_rate: u32,
    channels: u8,
    parameters: &'static [(&'static str, Value)],
    rtcp_feedback: &'static [RtcpFeedback],
}

enum Value {
    Text(&'static str),
    Number(u64),
}

const OPUS_FEEDBACK: &[RtcpFeedback] = &[RtcpFeedback::NACK, RtcpFeedback::TRANSPORT_CC];
const AUDIO_FEEDBACK: &[RtcpFeedback] = &[RtcpFeedback::TRANSPORT_CC];
const VIDEO_FEEDBACK: &[RtcpFeedback] = &[
    RtcpFeedback::NACK,
    RtcpFeedback::NACK_PLI,
    RtcpFeedback::CCM_FIR,
    RtcpFeedback::GOOG_REMB,
    RtcpFeedback::TRANSPORT_CC,
];

const fn audio(mime_type: &'static str, clock_rate: u32) -> Entry {
    Entry {
        mime_type,
        payload_type: None,
        clock_rate,
        channels: 1,
        parameters: &[],
        rtcp_feedback: AUDIO_FEEDBACK,
    }
}

/// A codec with a payload type of RFC 3551 section 6, table 4.
const fn static_audio(mime_type: &'static str, payload_type: u8) -> Entry {
    Entry { payload_type: Some(payload_type), ..audio(mime_type, 8000) }
}

const fn multiopus(channels: u8, parameters: &'static [(&'static str, Value)]) -> Entry {
    Entry { channels, parameters, rtcp_feedback: OPUS_FEEDBACK, ..audio("audio/multiopus", 48000) }
}

const fn comfort_noise(clock_rate: u32) -> Entry {
    Entry { payload_type: Some(13), rtcp_feedback: &[], ..audio("audio/CN", clock_rate) }
}

const fn telephone_event(clock_rate: u32) -> Entry {
    Entry { rtcp_feedback: &[], ..audio("audio/telephone-event", clock_rate) }
}

const fn video(mime_type: &'static str) -> Entry {
    Entry { rtcp_feedback: VIDEO_FEEDBACK, ..audio(mime_type, 90000) }
}

const CODECS: &[Entry] = &[
    Entry { channels: 2, rtcp_feedback: OPUS_FEEDBACK, ..audio("audio/opus", 48000) },
    multiopus(
        4,
        &[
            ("channel_mapping", Value::Text("0,1,2,3")),
            ("num_streams", Value::Number(2)),
            ("coupled_streams", Value::Number(2)),
        ],
    ),
    multiopus(
        6,
        &[
            ("channel_mapping", Value::Text("0,4,1,2,3,5")),
            ("num_streams", Value::Number(4)),
            ("coupled_streams", Value::Number(2)),
        ],
    ),
    multiopus(
        8,
        &[
            ("channel_mapping", Value::Text("0,6,1,2,3,4,5,7")),
            ("num_streams", Value::Number(5)),
            ("coupled_streams", Value::Number(3)),
        ],
    ),
    Entry { channels: 2, rtcp_feedback: OPUS_FEEDBACK, ..audio("audio/red", 48000) },
    static_audio("audio/PCMU", 0),
    static_audio("audio/PCMA", 8),
    static_audio("audio/G722", 9),
    audio("audio/ISAC", 32000),
    audio("audio/ISAC", 16000),
    audio("audio/iLBC", 8000),
    audio("audio/SILK", 24000),
    audio("audio/SILK", 16000),
    audio("audio/SILK", 12000),
    audio("audio/SILK", 8000),
    comfort_noise(32000),
    comfort_noise(16000),
    comfort_noise(8000),
    telephone_event(48000),
    telephone_event(32000),
    telephone_event(16000),
    telephone_event(8000),
    video("video/VP8"),
    video("video/VP9"),
    Entry { parameters: &[("level-asymmetry-allowed", Value::Number(1))], ..video("video/H264") },
    video("video/H265"),
    video("video/AV1"),
    Entry {
        parameters: &[("repair-window", Value::Number(REPAIR_WINDOW))],
        rtcp_feedback: &[],
        ..video("video/flexfec-03")
    },
];

/// Id, extension, direction for audio, direction for video.
type ExtensionEntry =
    (u8, HeaderExtensionUri, Option<RtpHeaderExtensionDirection>, Option<RtpHeaderExtensionDirection>);

const BOTH: Option<RtpHeaderExtensionDirection> = Some(RtpHeaderExtensionDirection::SendRecv);
const RECV: Option<RtpHeaderExtensionDirection> = Some(RtpHeaderExtensionDirection::RecvOnly);

const HEADER_EXTENSIONS: &[ExtensionEntry] = &[
    (1, HeaderExtensionUri::Mid, BOTH, BOTH),
    (2, HeaderExtensionUri::RtpStreamId, None, RECV),
    (3, HeaderExtensionUri::RepairedRtpStreamId, None, RECV),
    (4, HeaderExtensionUri::AbsSendTime, BOTH, BOTH),
    (5, HeaderExtensionUri::TransportWideCc, RECV, BOTH),
    (6, HeaderExtensionUri::SsrcAudioLevel, BOTH, None),
    (DEPENDENCY_DESCRIPTOR_ID, HeaderExtensionUri::DependencyDescriptor, None, BOTH),
    (8, HeaderExtensionUri::VideoOrientation, None, BOTH),
    (9, HeaderExtensionUri::TimeOffset, None, BOTH),
    (10, HeaderExtensionUri::AbsCaptureTime, BOTH, BOTH),
    (11, HeaderExtensionUri::PlayoutDelay, BOTH, BOTH),
    (12, HeaderExtensionUri::MediasoupPacketId, BOTH, BOTH),
];

/// Every codec and header extension that a router can be given. Directions are the router's.
pub fn supported_rtp_capabilities() -> SupportedRtpCapabilities {
    SupportedRtpCapabilities {
        codecs: CODECS.iter().filter_map(codec_capability).collect(),
        header_extensions: supported_header_extensions(),
    }
}

/// The header extensions of the table, one entry for each kind of media.
pub(crate) fn supported_header_extensions() -> Vec<RtpHeaderExtension> {
    let mut extensions = Vec::new();
    for (id, uri, audio, video) in HEADER_EXTENSIONS {
        for (kind, direction) in [(MediaKind::Audio, audio), (MediaKind::Video, video)] {
            let Some(direction) = *direction else { continue };
            let (uri, preferred_id, preferred_encrypt) = (uri.clone(), *id, false);
            extensions.push(RtpHeaderExtension { kind, uri, preferred_id, preferred_encrypt, direction });
        }
    }
    extensions
}

/// `None` never comes out of the table: a test reads it whole.
fn codec_capability(entry: &Entry) -> Option<RouterRtpCodecCapability> {
    let mime_type: MimeType = entry.mime_type.parse().ok()?;
    let value = |value: &Value| match value {
        Value::Text(text) => ParameterValue::from(*text),
        Value::Number(number) => ParameterValue::from(*number),
    };
    Some(RouterRtpCodecCapability {
        preferred_payload_type: entry.payload_type,
        clock_rate: entry.clock_rate,
        channels: default_channels(&mime_type).map(|_| entry.channels),
        parameters: ParameterMap::from_iter(entry.parameters.iter().map(|(name, v)| (*name, value(v)))),
        rtcp_feedback: entry.rtcp_feedback.to_vec(),
        mime_type,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::media::Codec;

    #[test]
    fn the_whole_table_comes_out() {
        let capabilities = supported_rtp_capabilities();
        assert_eq!(capabilities.codecs.len(), CODECS.len());
        assert!(capabilities.codecs.iter().all(|codec| codec.mime_type.codec() != Codec::Other));
        assert_eq!(capabilities.header_extensions.len(), 18);
    }

    #[test]
    fn dynamic_payload_types_are_distinct_and_in_the_dynamic_range() {
        let mut sorted = DYNAMIC_PAYLOAD_TYPES.to_vec();
        sorted.sort_unstable();
        assert_eq!(sorted, (96..=127).collect::<Vec<u8>>());
    }

    #[test]
    fn the_table_survives_json() {
        let capabilities = supported_rtp_capabilities();
        let json = serde_json::to_string(&capabilities).unwrap();
        assert_eq!(serde_json::from_str::<SupportedRtpCapabilities>(&json).unwrap(), capabilities);
    }
}
