//! What a sender sends: a receiver's parameters, reduced to what one peer can take. Pure; knows no object and no transport.

use tureen::dictionaries::{
    RtcpFeedback, RtpCapabilities, RtpCodecCapability, RtpCodecParameters, RtpEncodingParameters,
    RtpEncodingRtx, RtpHeaderExtension, RtpHeaderExtensionParameters, RtpParameters,
    keep_one_bandwidth_estimation, matched_capability, matched_rtx,
};

/// What a sender's packets are known by, whatever it sends: it stays when parameters and transports change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SenderIdentity {
    /// Its MID.
    pub mid: String,
    /// Its SSRC; that of its retransmissions is one more.
    pub ssrc: u32,
}

/// The part of a receiver's parameters that a peer with these capabilities can take, under a sender's own MID and SSRC.
///
/// - A media codec stays if the peer has it, an RTX codec if its media codec stays and the peer has RTX for that. Feedback stays if both have
///   it. Payload types are the room's on either side, and stay.
/// - An encoding stays if its codec does, and loses its retransmissions where those have no codec any more. Only the first that stays is kept.
/// - A header extension stays if the peer receives it, under the id of the capabilities.
/// - User parameters stay as they are.
///
/// Without any encoding the stream is not available to the peer; see [`is_available`].
pub fn reduce(
    parameters: &RtpParameters,
    capabilities: &RtpCapabilities,
    identity: &SenderIdentity,
) -> RtpParameters {
    let mut codecs = reduce_codecs(parameters, capabilities);
    let mut header_extensions = reduce_header_extensions(parameters, &codecs, capabilities);
    keep_one_bandwidth_estimation(&mut codecs, &mut header_extensions);
    let encodings = reduce_encodings(parameters, &codecs, identity.ssrc).into_iter().collect();
    RtpParameters {
        mid: Some(identity.mid.clone()),
        codecs,
        header_extensions,
        encodings,
        rtcp: parameters.rtcp.clone(),
        msid: parameters.msid.clone(),
        user_parameters: parameters.user_parameters.clone(),
    }
}

/// Whether a peer can take what was reduced for it.
pub fn is_available(reduced: &RtpParameters) -> bool {
    !reduced.encodings.is_empty()
}

fn is_media(codec: &RtpCodecParameters) -> bool {
    codec.mime_type.codec().is_media()
}

fn reduce_codecs(parameters: &RtpParameters, capabilities: &RtpCapabilities) -> Vec<RtpCodecParameters> {
    let known = |codec: &RtpCodecParameters| {
        if is_media(codec) {
            return matched_capability(codec, capabilities);
        }
        let apt = codec.apt().filter(|_| codec.is_rtx())?;
        let mut media = parameters.codecs.iter().filter(|media| is_media(media));
        let repaired = media.find(|media| media.payload_type == apt)?;
        matched_capability(repaired, capabilities)?;
        matched_rtx(repaired, capabilities)
    };
    let reduce = |codec: &RtpCodecParameters| {
        let rtcp_feedback = common_feedback(&codec.rtcp_feedback, &known(codec)?.rtcp_feedback);
        Some(RtpCodecParameters { rtcp_feedback, ..codec.clone() })
    };
    parameters.codecs.iter().filter_map(reduce).collect()
}

/// The feedback that both have, in the order of the first.
pub(super) fn common_feedback(one: &[RtcpFeedback], other: &[RtcpFeedback]) -> Vec<RtcpFeedback> {
    one.iter().filter(|feedback| other.contains(feedback)).cloned().collect()
}

fn reduce_encodings(
    parameters: &RtpParameters,
    codecs: &[RtpCodecParameters],
    ssrc: u32,
) -> Option<RtpEncodingParameters> {
    let first_media = parameters.codecs.iter().find(|codec| is_media(codec))?.payload_type;
    let payload_type = |encoding: &RtpEncodingParameters| encoding.codec_payload_type.unwrap_or(first_media);
    let stays = |encoding: &&RtpEncodingParameters| {
        codecs.iter().any(|codec| is_media(codec) && codec.payload_type == payload_type(encoding))
    };
    let encoding = parameters.encodings.iter().find(stays)?;
    let with_rtx = codecs.iter().any(RtpCodecParameters::is_rtx);
    Some(RtpEncodingParameters {
        ssrc: Some(ssrc),
        rid: None,
        codec_payload_type: Some(payload_type(encoding)),
        rtx: with_rtx.then(|| RtpEncodingRtx { ssrc: ssrc.wrapping_add(1) }),
        fec: None,
        ..encoding.clone()
    })
}

/// Where no codec is left, there is nothing to extend.
fn reduce_header_extensions(
    parameters: &RtpParameters,
    codecs: &[RtpCodecParameters],
    capabilities: &RtpCapabilities,
) -> Vec<RtpHeaderExtensionParameters> {
    let kind = codecs.first().map(RtpCodecParameters::kind);
    let reduce = |extension: &RtpHeaderExtensionParameters| {
        let mut known = capabilities.header_extensions.iter();
        let known = known.find(|known| {
            known.uri == extension.uri && Some(known.kind) == kind && known.direction.receives()
        })?;
        Some(RtpHeaderExtensionParameters { id: known.preferred_id, ..extension.clone() })
    };
    parameters.header_extensions.iter().filter_map(reduce).collect()
}

/// Capabilities that have exactly what parameters say, for negotiating a consumer that sends just that.
pub(super) fn as_capabilities(parameters: &RtpParameters) -> RtpCapabilities {
    let codec = |codec: &RtpCodecParameters| RtpCodecCapability {
        mime_type: codec.mime_type.clone(),
        preferred_payload_type: codec.payload_type,
        clock_rate: codec.clock_rate,
        channels: codec.channels,
        parameters: codec.parameters.clone(),
        rtcp_feedback: codec.rtcp_feedback.clone(),
    };
    let kind = parameters.codecs.first().map(RtpCodecParameters::kind);
    let extension = |extension: &RtpHeaderExtensionParameters| {
        Some(RtpHeaderExtension {
            kind: kind?,
            uri: extension.uri.clone(),
            preferred_id: extension.id,
            preferred_encrypt: extension.encrypt,
            direction: Default::default(),
        })
    };
    RtpCapabilities {
        codecs: parameters.codecs.iter().map(codec).collect(),
        header_extensions: parameters.header_extensions.iter().filter_map(extension).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use tureen::dictionaries::from_json_value;
    use tureen::dictionaries::{HeaderExtensionUri, MediaKind};

    fn identity() -> SenderIdentity {
        SenderIdentity { mid: "abcdefgh".into(), ssrc: 5000 }
    }

    fn sent() -> RtpParameters {
        let value = serde_json::json!({
            "mid": "source",
            "codecs": [
                {"mimeType": "video/VP8", "clockRate": 90000, "payloadType": 101,
                 "rtcpFeedback": [{"type": "nack"}, {"type": "nack", "parameter": "pli"}, {"type": "goog-remb"}]},
                {"mimeType": "video/rtx", "clockRate": 90000, "payloadType": 102, "parameters": {"apt": 101}},
                {"mimeType": "video/H264", "clockRate": 90000, "payloadType": 103,
                 "parameters": {"packetization-mode": 1, "profile-level-id": "42e01f"}},
                {"mimeType": "video/rtx", "clockRate": 90000, "payloadType": 104, "parameters": {"apt": 103}}
            ],
            "headerExtensions": [
                {"uri": "urn:3gpp:video-orientation", "id": 3},
                {"uri": "http://www.webrtc.org/experiments/rtp-hdrext/abs-send-time", "id": 5}
            ],
            "encodings": [
                {"ssrc": 1000, "rtx": {"ssrc": 1001}, "codecPayloadType": 101},
                {"ssrc": 2000, "codecPayloadType": 103, "maxBitrate": 5}
            ],
            "rtcp": {"cname": "someone"},
            "msid": "stream track"
        });
        from_json_value(value).unwrap()
    }

    fn vp8(feedback: serde_json::Value) -> serde_json::Value {
        serde_json::json!({"mimeType": "video/VP8", "clockRate": 90000, "preferredPayloadType": 101, "rtcpFeedback": feedback})
    }

    fn h264(mode: u8) -> serde_json::Value {
        serde_json::json!({"mimeType": "video/H264", "clockRate": 90000, "preferredPayloadType": 103,
            "parameters": {"packetization-mode": mode, "profile-level-id": "42e01f"}})
    }

    fn rtx(payload_type: u8, apt: u8) -> serde_json::Value {
        serde_json::json!({"mimeType": "video/rtx", "clockRate": 90000, "preferredPayloadType": payload_type,
            "parameters": {"apt": apt}})
    }

    fn capabilities(codecs: &[serde_json::Value]) -> RtpCapabilities {
        from_json_value(serde_json::json!({"codecs": codecs})).unwrap()
    }

    fn payload_types(parameters: &RtpParameters) -> Vec<u8> {
        parameters.codecs.iter().map(|codec| codec.payload_type).collect()
    }

    #[test]
    fn a_codec_that_the_peer_does_not_have_goes_with_its_rtx_and_its_encodings() {
        let reduced = reduce(&sent(), &capabilities(&[h264(1), rtx(104, 103)]), &identity());
        assert_eq!(payload_types(&reduced), [103, 104]);
        assert_eq!(reduced.encodings.len(), 1);
        assert_eq!(reduced.encodings[0].codec_payload_type, Some(103));
        assert_eq!(reduced.encodings[0].max_bitrate, Some(5));
        assert!(is_available(&reduced));
    }

    #[test]
    fn nothing_is_available_where_no_codec_fits() {
        for none in [capabilities(&[]), capabilities(&[h264(0)]), capabilities(&[rtx(102, 101)])] {
            let reduced = reduce(&sent(), &none, &identity());
            assert!(reduced.codecs.is_empty() && !is_available(&reduced), "{none:?}");
        }
    }

    #[test]
    fn channels_of_audio_must_agree() {
        let opus = |channels: u8| {
            serde_json::json!({"mimeType": "audio/opus", "clockRate": 48000, "channels": channels,
                               "payloadType": 100, "preferredPayloadType": 100})
        };
        let value = serde_json::json!({"codecs": [opus(2)], "encodings": [{"ssrc": 1}]});
        let sent: RtpParameters = from_json_value(value).unwrap();
        assert!(is_available(&reduce(&sent, &capabilities(&[opus(2)]), &identity())));
        assert!(!is_available(&reduce(&sent, &capabilities(&[opus(1)]), &identity())));
    }

    #[test]
    fn an_encoding_without_a_payload_type_is_of_the_first_media_codec() {
        let mut sent = sent();
        sent.encodings.truncate(1);
        sent.encodings[0].codec_payload_type = None;
        let reduced = reduce(&sent, &capabilities(&[vp8(serde_json::json!([]))]), &identity());
        assert_eq!(reduced.encodings[0].codec_payload_type, Some(101));
        assert!(!is_available(&reduce(&sent, &capabilities(&[h264(1)]), &identity())));
    }

    #[test]
    fn feedback_is_what_both_have_and_bandwidth_needs_its_extension() {
        let all =
            serde_json::json!([{"type": "nack"}, {"type": "goog-remb"}, {"type": "ccm", "parameter": "fir"}]);
        let mut peer = capabilities(&[vp8(all)]);
        let reduced = reduce(&sent(), &peer, &identity());
        assert_eq!(reduced.codecs[0].rtcp_feedback, [RtcpFeedback::NACK]);
        peer.header_extensions.push(RtpHeaderExtension {
            kind: MediaKind::Video,
            uri: HeaderExtensionUri::AbsSendTime,
            preferred_id: 4,
            preferred_encrypt: false,
            direction: Default::default(),
        });
        let reduced = reduce(&sent(), &peer, &identity());
        assert_eq!(reduced.codecs[0].rtcp_feedback, [RtcpFeedback::NACK, RtcpFeedback::GOOG_REMB]);
        assert_eq!(reduced.header_extensions.len(), 1);
        assert_eq!(reduced.header_extensions[0].id, 4, "the id of the capabilities");
    }

    #[test]
    fn what_is_the_senders_own_is_not_the_sources() {
        let peer = capabilities(&[vp8(serde_json::json!([])), rtx(102, 101)]);
        let reduced = reduce(&sent(), &peer, &identity());
        assert_eq!(reduced.mid.as_deref(), Some("abcdefgh"));
        assert_eq!(reduced.encodings[0].ssrc, Some(5000));
        assert_eq!(reduced.encodings[0].rtx, Some(RtpEncodingRtx { ssrc: 5001 }));
        assert_eq!(reduced.rtcp, sent().rtcp);
        assert_eq!(reduced.msid, sent().msid);
        let without = reduce(&sent(), &capabilities(&[vp8(serde_json::json!([]))]), &identity());
        assert_eq!((payload_types(&without), without.encodings[0].rtx), (vec![101], None));
    }

    fn subset<T: Clone + std::fmt::Debug + 'static>(of: Vec<T>) -> impl Strategy<Value = Vec<T>> {
        let count = of.len();
        prop::sample::subsequence(of, 0..=count)
    }

    fn any_capabilities() -> impl Strategy<Value = RtpCapabilities> {
        let feedback = serde_json::json!([{"type": "nack"}, {"type": "goog-remb"}]);
        let codecs = subset(vec![vp8(feedback), rtx(102, 101), h264(1), rtx(104, 103)]);
        let uris = vec![HeaderExtensionUri::VideoOrientation, HeaderExtensionUri::AbsSendTime];
        (codecs, subset(uris), 1..14_u8).prop_map(|(codecs, uris, id)| RtpCapabilities {
            header_extensions: uris
                .into_iter()
                .zip(id..)
                .map(|(uri, preferred_id)| RtpHeaderExtension {
                    kind: MediaKind::Video,
                    uri,
                    preferred_id,
                    preferred_encrypt: false,
                    direction: Default::default(),
                })
                .collect(),
            ..capabilities(&codecs)
        })
    }

    fn any_parameters() -> impl Strategy<Value = RtpParameters> {
        let whole = sent();
        (
            subset(whole.codecs.clone()),
            subset(whole.encodings.clone()),
            subset(whole.header_extensions.clone()),
        )
            .prop_map(move |(codecs, encodings, header_extensions)| RtpParameters {
                codecs,
                encodings,
                header_extensions,
                ..whole.clone()
            })
    }

    proptest! {
        #[test]
        fn what_is_left_is_a_part_of_both_sides(parameters in any_parameters(), peer in any_capabilities()) {
            let reduced = reduce(&parameters, &peer, &identity());
            for codec in &reduced.codecs {
                let source = parameters.codecs.iter().find(|source| source.payload_type == codec.payload_type);
                let source = source.expect("a codec of the source");
                prop_assert_eq!(&source.parameters, &codec.parameters);
                prop_assert!(codec.rtcp_feedback.iter().all(|feedback| source.rtcp_feedback.contains(feedback)));
                let apt = codec.apt().filter(|_| codec.is_rtx());
                let served = |apt| reduced.codecs.iter().any(|media| is_media(media) && media.payload_type == apt);
                prop_assert!(apt.is_none_or(served), "RTX without its codec");
                prop_assert!(codec.is_rtx() || matched_capability(codec, &peer).is_some());
            }
            for extension in &reduced.header_extensions {
                prop_assert!(parameters.header_extensions.iter().any(|source| source.uri == extension.uri));
                prop_assert!(peer.header_extensions.iter()
                    .any(|known| known.uri == extension.uri && known.preferred_id == extension.id));
            }
            prop_assert!(reduced.encodings.len() <= 1);
            for encoding in &reduced.encodings {
                let payload_type = encoding.codec_payload_type.expect("settled");
                prop_assert!(reduced.codecs.iter().any(|codec| is_media(codec) && codec.payload_type == payload_type));
            }
        }

        #[test]
        fn reducing_again_changes_nothing(parameters in any_parameters(), peer in any_capabilities()) {
            let once = reduce(&parameters, &peer, &identity());
            prop_assert_eq!(&reduce(&once, &peer, &identity()), &once);
            prop_assert_eq!(&reduce(&once, &as_capabilities(&once), &identity()), &once);
        }

        #[test]
        fn it_is_available_exactly_if_the_codec_of_an_encoding_fits(parameters in any_parameters(), peer in any_capabilities()) {
            let fits = parameters.encodings.iter().any(|encoding| {
                parameters.codecs.iter().any(|codec| {
                    Some(codec.payload_type) == encoding.codec_payload_type && matched_capability(codec, &peer).is_some()
                })
            });
            prop_assert_eq!(is_available(&reduce(&parameters, &peer, &identity())), fits);
        }
    }
}
