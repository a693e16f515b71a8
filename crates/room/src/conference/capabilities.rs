//! What a room and its peers can do: the room's codecs from its options, and a peer's capabilities within the room's. Pure; knows no object.

use super::reduce::common_feedback;
use std::collections::BTreeSet;
use tureen::dictionaries::{
    DYNAMIC_PAYLOAD_TYPES, MediaKind, RouterCapabilitiesError, RouterRtpCodecCapability, RtpCapabilities,
    RtpCodecCapability, RtpCodecParameters, RtpHeaderExtension, generate_router_rtp_capabilities,
    matched_capability, matched_rtx,
};

/// Why the codecs of a room were refused.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum MediaCodecsError {
    /// A codec comes with feedback, which is the room's to say.
    #[error("mediaCodecs[{0}].rtcpFeedback cannot be given")]
    RtcpFeedback(usize),
    /// A codec is malformed, or no payload type is left.
    #[error(transparent)]
    Refused(#[from] RouterCapabilitiesError),
}

/// Payload types for codecs that find none among the dynamic ones: those of RFC 5761 section 4 that are not taken for RTCP where both share a
/// port, which 64 to 95 are.
fn spare_payload_types() -> impl Iterator<Item = u8> {
    (35..=63).rev()
}

/// The codecs that a room's Router is made with.
///
/// RTX, RED and FEC are left out, since the Router adds its own, and so are codecs that are not supported. Of codecs that claim one payload
/// type the first has it; the others, and those without one, get a free one: 100 to 127, 96 to 99, then 63 down to 35.
///
/// # Errors
/// [`MediaCodecsError`].
pub fn room_codecs(
    media_codecs: &[RouterRtpCodecCapability],
) -> Result<Vec<RouterRtpCodecCapability>, MediaCodecsError> {
    if let Some(index) = media_codecs.iter().position(|codec| !codec.rtcp_feedback.is_empty()) {
        return Err(MediaCodecsError::RtcpFeedback(index));
    }
    let mut taken = BTreeSet::new();
    let mut codecs = Vec::with_capacity(media_codecs.len());
    for codec in media_codecs.iter().filter(|codec| codec.mime_type.codec().is_media()) {
        let mut codec = codec.clone();
        codec.preferred_payload_type = codec.preferred_payload_type.filter(|own| taken.insert(*own));
        match generate_router_rtp_capabilities(std::slice::from_ref(&codec)) {
            Ok(_) => codecs.push(codec),
            Err(RouterCapabilitiesError::UnsupportedCodec { .. }) => {
                if let Some(payload_type) = codec.preferred_payload_type {
                    taken.remove(&payload_type);
                }
            }
            Err(refused) => return Err(refused.into()),
        }
    }
    spare_dynamic(&mut codecs, &mut taken);
    Ok(codecs)
}

/// Gives the last codecs payload types below the dynamic ones, as far as those are too few for all and their RTX.
fn spare_dynamic(codecs: &mut [RouterRtpCodecCapability], taken: &mut BTreeSet<u8>) {
    let free = DYNAMIC_PAYLOAD_TYPES.iter().filter(|payload_type| !taken.contains(payload_type)).count();
    let rtx = codecs.iter().filter(|codec| codec.kind() == MediaKind::Video).count();
    let open = codecs.iter().filter(|codec| codec.preferred_payload_type.is_none()).count();
    let missing = (open + rtx).saturating_sub(free);
    let open = codecs.iter_mut().rev().filter(|codec| codec.preferred_payload_type.is_none());
    for codec in open.take(missing) {
        codec.preferred_payload_type = spare_payload_types().find(|payload_type| taken.insert(*payload_type));
    }
}

/// A peer's capabilities within the room's.
///
/// Codecs are those of the room that the peer has, under the room's payload types, with the feedback that both have; the room's RTX follows
/// each if the peer has RTX for it. Header extensions are those of both, under the room's ids, in the peer's direction.
pub fn effective_capabilities(room: &RtpCapabilities, peer: &RtpCapabilities) -> RtpCapabilities {
    let media = room.codecs.iter().filter(|codec| codec.mime_type.codec().is_media());
    let mut codecs = Vec::new();
    for codec in media {
        let parameters = as_parameters(codec);
        let Some(known) = matched_capability(&parameters, peer) else { continue };
        let rtcp_feedback = common_feedback(&codec.rtcp_feedback, &known.rtcp_feedback);
        codecs.push(RtpCodecCapability { rtcp_feedback, ..codec.clone() });
        if matched_rtx(&parameters, peer).is_some() {
            codecs.extend(matched_rtx(&parameters, room).cloned());
        }
    }
    let extension = |known: &RtpHeaderExtension| {
        let mut own = peer.header_extensions.iter();
        let own = own.find(|own| own.uri == known.uri && own.kind == known.kind)?;
        Some(RtpHeaderExtension { direction: own.direction, ..known.clone() })
    };
    let header_extensions = room.header_extensions.iter().filter_map(extension).collect();
    RtpCapabilities { codecs, header_extensions }
}

/// Only what is about one kind of media.
pub(super) fn of_kind(capabilities: &RtpCapabilities, kind: MediaKind) -> RtpCapabilities {
    let mut of_kind = capabilities.clone();
    of_kind.codecs.retain(|codec| codec.kind() == kind);
    of_kind.header_extensions.retain(|extension| extension.kind == kind);
    of_kind
}

fn as_parameters(codec: &RtpCodecCapability) -> RtpCodecParameters {
    RtpCodecParameters {
        mime_type: codec.mime_type.clone(),
        payload_type: codec.preferred_payload_type,
        clock_rate: codec.clock_rate,
        channels: codec.channels,
        parameters: codec.parameters.clone(),
        rtcp_feedback: codec.rtcp_feedback.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tureen::dictionaries::{RtcpFeedback, from_json_value};

    fn codecs(value: serde_json::Value) -> Vec<RouterRtpCodecCapability> {
        from_json_value(value).unwrap()
    }

    fn payload_types(capabilities: &RtpCapabilities) -> Vec<(String, u8)> {
        let of = |codec: &RtpCodecCapability| (codec.mime_type.to_string(), codec.preferred_payload_type);
        capabilities.codecs.iter().map(of).collect()
    }

    #[test]
    fn feature_codecs_and_unknown_ones_are_left_out() {
        let given = codecs(serde_json::json!([
            {"mimeType": "video/rtx", "clockRate": 90000, "preferredPayloadType": 97, "parameters": {"apt": 96}},
            {"mimeType": "audio/red", "clockRate": 48000, "channels": 2},
            {"mimeType": "video/ulpfec", "clockRate": 90000},
            {"mimeType": "audio/unheard-of", "clockRate": 48000, "preferredPayloadType": 98},
            {"mimeType": "video/VP8", "clockRate": 90000, "preferredPayloadType": 98}
        ]));
        let made = room_codecs(&given).unwrap();
        assert_eq!(made.len(), 1);
        assert_eq!(made[0].preferred_payload_type, Some(98), "the unknown codec claims nothing");
    }

    #[test]
    fn feedback_is_not_the_callers_to_give() {
        let given = codecs(serde_json::json!([
            {"mimeType": "video/VP8", "clockRate": 90000},
            {"mimeType": "video/VP9", "clockRate": 90000, "rtcpFeedback": [{"type": "nack"}]}
        ]));
        let refused = room_codecs(&given);
        assert_eq!(refused, Err(MediaCodecsError::RtcpFeedback(1)));
        assert!(refused.unwrap_err().to_string().contains("mediaCodecs[1].rtcpFeedback"));
    }

    #[test]
    fn a_payload_type_that_is_taken_is_replaced_and_video_gets_rtx() {
        let given = codecs(serde_json::json!([
            {"mimeType": "audio/opus", "clockRate": 48000, "channels": 2, "preferredPayloadType": 100},
            {"mimeType": "video/VP8", "clockRate": 90000, "preferredPayloadType": 100}
        ]));
        let room = generate_router_rtp_capabilities(&room_codecs(&given).unwrap()).unwrap();
        let expected = [("audio/opus", 100), ("video/VP8", 101), ("video/rtx", 102)];
        let expected = expected.map(|(name, payload_type)| (name.to_owned(), payload_type));
        assert_eq!(payload_types(&room), expected);
    }

    #[test]
    fn payload_types_go_on_below_the_dynamic_ones() {
        let many: Vec<_> =
            (0..25).map(|_| serde_json::json!({"mimeType": "video/VP8", "clockRate": 90000})).collect();
        let room = generate_router_rtp_capabilities(&room_codecs(&codecs(many.into())).unwrap()).unwrap();
        assert_eq!(room.codecs.len(), 50);
        let distinct: BTreeSet<_> = room.codecs.iter().map(|codec| codec.preferred_payload_type).collect();
        assert_eq!(distinct.len(), 50);
        let below: Vec<_> = distinct.into_iter().filter(|payload_type| *payload_type < 96).collect();
        assert_eq!(below, (46..=63).collect::<Vec<u8>>());
    }

    #[test]
    fn a_peer_has_what_both_have_under_the_rooms_numbers() {
        let given = codecs(serde_json::json!([
            {"mimeType": "audio/opus", "clockRate": 48000, "channels": 2},
            {"mimeType": "video/VP8", "clockRate": 90000},
            {"mimeType": "video/VP9", "clockRate": 90000}
        ]));
        let room = generate_router_rtp_capabilities(&room_codecs(&given).unwrap()).unwrap();
        let peer: RtpCapabilities = from_json_value(serde_json::json!({
            "codecs": [
                {"mimeType": "video/VP9", "clockRate": 90000, "preferredPayloadType": 35,
                 "rtcpFeedback": [{"type": "nack"}, {"type": "unheard-of"}]},
                {"mimeType": "video/VP8", "clockRate": 90000, "preferredPayloadType": 96},
                {"mimeType": "video/rtx", "clockRate": 90000, "preferredPayloadType": 97, "parameters": {"apt": 96}},
                {"mimeType": "video/H264", "clockRate": 90000, "preferredPayloadType": 98}
            ],
            "headerExtensions": [
                {"kind": "video", "uri": "urn:3gpp:video-orientation", "preferredId": 2, "direction": "recvonly"},
                {"kind": "video", "uri": "urn:unheard-of", "preferredId": 3}
            ]
        }))
        .unwrap();
        let effective = effective_capabilities(&room, &peer);
        let expected = [("video/VP8", 101), ("video/rtx", 102), ("video/VP9", 103)];
        assert_eq!(
            payload_types(&effective),
            expected.map(|(name, payload_type)| (name.to_owned(), payload_type))
        );
        assert_eq!(effective.codecs[2].rtcp_feedback, [RtcpFeedback::NACK]);
        assert_eq!(effective.header_extensions.len(), 1);
        assert_eq!(effective.header_extensions[0].preferred_id, 8);
        assert!(!effective.header_extensions[0].direction.sends(), "the peer's direction");
        assert_eq!(effective_capabilities(&room, &effective), effective);
        assert!(of_kind(&effective, MediaKind::Audio).codecs.is_empty());
    }
}
