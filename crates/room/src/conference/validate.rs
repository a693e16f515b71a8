//! What a receiver may be told that its endpoint sends. Pure; knows no object.

use super::error::ReceiveError;
use super::ids::random_name;
use tureen::dictionaries::{
    MediaKind, RtpCapabilities, RtpCodecParameters, RtpParameters, matched_capability, matched_rtx,
    validate_rtp_parameters,
};

/// The longest CNAME, in bytes: the length of an SDES item has eight bits (RFC 3550 section 6.5).
const MAX_CNAME_LEN: usize = 255;

/// Checks parameters against the room's capabilities, and fills in what they leave out: payload types of encodings, and the CNAME.
pub(super) fn validate(
    mut parameters: RtpParameters,
    kind: MediaKind,
    room: &RtpCapabilities,
) -> Result<RtpParameters, ReceiveError> {
    if parameters.mid.as_deref() == Some("") {
        return Err(ReceiveError::EmptyMid);
    }
    validate_rtp_parameters(&mut parameters)?;
    let media = parameters.codecs.iter().find(|codec| codec.mime_type.codec().is_media());
    let first_media = media.ok_or(ReceiveError::NoCodecs)?.payload_type;
    if parameters.encodings.is_empty() {
        return Err(ReceiveError::NoEncodings);
    }
    if parameters.rtcp.cname.as_ref().is_some_and(|cname| cname.len() > MAX_CNAME_LEN) {
        return Err(ReceiveError::Cname);
    }
    for (index, codec) in parameters.codecs.iter().enumerate() {
        if codec.kind() != kind {
            return Err(ReceiveError::Kind { field: format!("codecs[{index}]"), kind });
        }
        if !is_the_rooms(codec, &parameters, room) {
            let field = format!("codecs[{index}].payloadType");
            return Err(ReceiveError::PayloadType { field, payload_type: codec.payload_type });
        }
    }
    for encoding in &mut parameters.encodings {
        encoding.codec_payload_type.get_or_insert(first_media);
    }
    parameters.rtcp.cname.get_or_insert_with(random_name);
    Ok(parameters)
}

/// Whether a codec goes by the payload type that the room has for it.
fn is_the_rooms(codec: &RtpCodecParameters, parameters: &RtpParameters, room: &RtpCapabilities) -> bool {
    let known = if codec.is_rtx() {
        let mut media = parameters.codecs.iter();
        let repaired = media.find(|media| Some(media.payload_type) == codec.apt() && !media.is_rtx());
        repaired.and_then(|media| matched_rtx(media, room))
    } else {
        matched_capability(codec, room)
    };
    known.is_some_and(|known| known.preferred_payload_type == codec.payload_type)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::conference::room_codecs;
    use serde_json::{Value, json};
    use tureen::dictionaries::{from_json_value, generate_router_rtp_capabilities};

    fn room() -> RtpCapabilities {
        let codecs = json!([
            {"mimeType": "audio/opus", "clockRate": 48000, "channels": 2},
            {"mimeType": "video/VP8", "clockRate": 90000}
        ]);
        generate_router_rtp_capabilities(&room_codecs(&from_json_value::<Vec<_>>(codecs).unwrap()).unwrap())
            .unwrap()
    }

    fn check(kind: MediaKind, parameters: Value) -> Result<RtpParameters, String> {
        let parameters = from_json_value(parameters).unwrap();
        validate(parameters, kind, &room()).map_err(|error| error.to_string())
    }

    fn vp8(payload_type: u8) -> Value {
        json!({"mimeType": "video/VP8", "clockRate": 90000, "payloadType": payload_type})
    }

    fn rtx(payload_type: u8, apt: u8) -> Value {
        json!({"mimeType": "video/rtx", "clockRate": 90000, "payloadType": payload_type, "parameters": {"apt": apt}})
    }

    #[test]
    fn what_is_left_out_is_filled_in() {
        let taken =
            check(MediaKind::Video, json!({"codecs": [vp8(101), rtx(102, 101)], "encodings": [{"ssrc": 1}]}));
        let taken = taken.unwrap();
        assert_eq!(taken.encodings[0].codec_payload_type, Some(101));
        assert_eq!(taken.rtcp.cname.map(|cname| cname.len()), Some(8));
    }

    #[test]
    fn what_is_refused_is_named() {
        let one = json!([{"ssrc": 1}]);
        let cases = [
            (json!({"codecs": [], "encodings": one}), "codecs: there is no media codec"),
            (json!({"codecs": [vp8(101)], "encodings": []}), "encodings: must not be empty"),
            (json!({"mid": "", "codecs": [vp8(101)], "encodings": one}), "mid: must not be empty"),
            (json!({"codecs": [vp8(101), vp8(101)], "encodings": one}), "codecs[1].payloadType"),
            (json!({"codecs": [vp8(101), rtx(102, 96)], "encodings": one}), "codecs[1].parameters.apt"),
            (json!({"codecs": [vp8(96)], "encodings": one}), "codecs[0].payloadType: 96"),
            (json!({"codecs": [vp8(101), rtx(97, 101)], "encodings": one}), "codecs[1].payloadType: 97"),
            (
                json!({"codecs": [vp8(101)], "encodings": [{"ssrc": 1, "codecPayloadType": 100}]}),
                "encodings[0].codecPayloadType",
            ),
            (
                json!({"codecs": [vp8(101)], "encodings": one, "rtcp": {"cname": "x".repeat(256)}}),
                "rtcp.cname",
            ),
        ];
        for (parameters, expected) in cases {
            let refused = check(MediaKind::Video, parameters.clone()).unwrap_err();
            assert!(refused.starts_with(expected), "{parameters}: {refused}");
        }
        let refused = check(MediaKind::Audio, json!({"codecs": [vp8(101)], "encodings": one})).unwrap_err();
        assert_eq!(refused, "codecs[0]: is not audio");
    }
}
