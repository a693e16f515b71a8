//! From a producer to its consumers, with what mediasoup-client writes in Chrome.

mod fixture;

use fixture::*;
use tureen_rtp_dictionaries::*;

fn feedback(params: &RtpParameters, index: usize) -> Vec<String> {
    let feedback = params.codecs[index].rtcp_feedback.iter();
    feedback.map(|fb| format!("{} {}", fb.kind, fb.parameter).trim_end().to_owned()).collect()
}

fn vp8(members: &str) -> RtpParameters {
    let codec = r#"{"mimeType":"video/VP8","payloadType":96,"clockRate":90000}"#;
    parameters(&format!(r#"{{"codecs":[{codec}],{members}}}"#))
}

#[test]
fn a_producer_is_mapped_to_the_router() {
    let mapping =
        get_producer_rtp_parameters_mapping(&parameters(SIMULCAST), &router(ROUTER_CODECS), u32::MAX)
            .unwrap();
    let codecs: Vec<_> = mapping.codecs.iter().map(|c| (c.payload_type, c.mapped_payload_type)).collect();
    assert_eq!(codecs, [(96, 102), (97, 103)]);
    let encodings: Vec<_> =
        mapping.encodings.iter().map(|e| (e.rid.as_deref(), e.ssrc, e.mapped_ssrc)).collect();
    assert_eq!(encodings, [(Some("r0"), None, u32::MAX), (Some("r1"), None, 0), (Some("r2"), None, 1)]);
    let json = serde_json::to_value(&mapping.encodings[0]).unwrap();
    assert_eq!(json, serde_json::json!({"rid":"r0","scalabilityMode":"L1T3","mappedSsrc":u32::MAX}));
}

#[test]
fn a_producer_that_the_router_cannot_take_is_refused() {
    let router = router(ROUTER_CODECS);
    let error = |json: &str| get_producer_rtp_parameters_mapping(&read(json), &router, SSRC).unwrap_err();
    let codec = |mime: &str, parameters: &str| {
        let head = format!(r#""mimeType":"{mime}","payloadType":97,"clockRate":90000"#);
        format!(r#"{{"codecs":[{{{head},"parameters":{parameters}}}],"encodings":[{{"ssrc":1}}]}}"#)
    };
    let unsupported = [
        codec("video/H265", "{}"),
        codec("video/VP9", "{}"),
        codec("video/H264", r#"{"packetization-mode":1,"profile-level-id":"64001f"}"#),
        codec("video/H264", r#"{"packetization-mode":0,"profile-level-id":"42e01f"}"#),
        codec("video/AV1", r#"{"profile":1}"#),
    ];
    for json in unsupported {
        assert!(matches!(error(&json), RtpMappingError::UnsupportedCodec { .. }), "{json}");
    }
    assert_eq!(error(&codec("video/rtx", r#"{"apt":96}"#)), RtpMappingError::NoMediaCodec);
    let unknown = error(
        r#"{"codecs":[{"mimeType":"video/VP8","payloadType":96,"clockRate":90000},
            {"mimeType":"video/rtx","payloadType":97,"clockRate":90000,"parameters":{"apt":95}}]}"#,
    );
    assert_eq!(unknown, RtpMappingError::MissingMediaCodec { field: "codecs[1]".into() });
    let two =
        get_producer_rtp_parameters_mapping(&vp8(r#""mid":"0","encodings":[{"ssrc":1},{}]"#), &router, SSRC);
    assert_eq!(two, Err(RtpMappingError::UnidentifiedEncoding { field: "encodings[1]".into() }));
}

#[test]
fn rtx_needs_a_router_with_rtx() {
    let mut router = router(ROUTER_CODECS);
    router.codecs.retain(|codec| codec.preferred_payload_type != 103);
    let error = get_producer_rtp_parameters_mapping(&parameters(SIMULCAST), &router, SSRC).unwrap_err();
    assert_eq!(error, RtpMappingError::UnsupportedRtx { field: "codecs[1]".into(), payload_type: 102 });
}

#[test]
fn a_mid_stands_for_the_only_encoding() {
    let router = router(ROUTER_CODECS);
    let consumable = consumable(&router, &vp8(r#""mid":"a""#));
    assert_eq!(ssrcs(&consumable), [(Some(300_000_000), None)]);
    let nothing = get_producer_rtp_parameters_mapping(&vp8(r#""encodings":[]"#), &router, SSRC);
    assert_eq!(nothing, Err(RtpMappingError::UnidentifiedEncoding { field: "encodings[0]".into() }));
}

#[test]
fn consumable_simulcast() {
    let consumable = consumable(&router(ROUTER_CODECS), &parameters(SIMULCAST));
    assert_eq!(codecs(&consumable), [("video/VP8", 102), ("video/rtx", 103)]);
    // The producer's parameters stay, those of the router do not come in.
    assert!(consumable.codecs[0].parameters.is_empty());
    assert_eq!(extension_ids(&consumable), [1, 4, 5, 7, 8, 9, 11, 12]);
    assert_eq!(
        ssrcs(&consumable),
        [(Some(300_000_000), None), (Some(300_000_001), None), (Some(300_000_002), None)]
    );
    assert!(consumable.encodings.iter().all(|encoding| encoding.rid.is_none()));
    assert_eq!(consumable.encodings[2].max_bitrate, Some(2_500_000));
    assert_eq!(consumable.rtcp.cname.as_deref(), Some("Qj7lNlAOrWuLcJkZ"));
}

#[test]
fn abs_capture_time_is_offered_only_if_produced() {
    let router = router(ROUTER_CODECS);
    let mut params = parameters(AUDIO);
    assert_eq!(extension_ids(&consumable(&router, &params)), [1, 4, 6, 11, 12]);
    params.header_extensions.push(RtpHeaderExtensionParameters::new(HeaderExtensionUri::AbsCaptureTime, 7));
    assert_eq!(extension_ids(&consumable(&router, &params)), [1, 4, 6, 10, 11, 12]);
}

#[test]
fn codecs_that_the_router_cannot_tell_apart_become_one() {
    let params = parameters(
        r#"{"codecs":[{"mimeType":"video/VP8","payloadType":96,"clockRate":90000},
            {"mimeType":"video/VP8","payloadType":97,"clockRate":90000}],"encodings":[{"ssrc":1}]}"#,
    );
    let consumable = consumable(&router(ROUTER_CODECS), &params);
    assert_eq!(codecs(&consumable), [("video/VP8", 102), ("video/rtx", 103)]);
}

#[test]
fn a_wrong_kind_or_mapping_is_refused() {
    let (router, params) = (router(ROUTER_CODECS), parameters(AUDIO));
    let mapping = get_producer_rtp_parameters_mapping(&params, &router, SSRC).unwrap();
    let wrong = get_consumable_rtp_parameters(MediaKind::Video, &params, &router, &mapping).unwrap_err();
    assert_eq!(wrong.to_string(), "codecs[0]: audio/opus is not video");
    let empty = RtpMapping::default();
    let unmapped = get_consumable_rtp_parameters(MediaKind::Audio, &params, &router, &empty).unwrap_err();
    assert_eq!(unmapped, ConsumableParametersError::Unmapped { field: "codecs[0]".into() });
}

#[test]
fn simulcast_becomes_one_encoding_of_layers() {
    let consumable = consumable(&router(ROUTER_CODECS), &parameters(SIMULCAST));
    let consumer = consume(&consumable, &capabilities());
    assert_eq!(codecs(&consumer), [("video/VP8", 102), ("video/rtx", 103)]);
    assert_eq!(feedback(&consumer, 0), ["transport-cc", "ccm fir", "nack", "nack pli"]);
    assert_eq!(extension_ids(&consumer), [1, 4, 5, 8, 9, 11]);
    let expected = RtpEncodingParameters {
        ssrc: Some(SSRC),
        rtx: Some(RtpEncodingRtx { ssrc: SSRC + 1 }),
        scalability_mode: Some("L3T3".into()),
        max_bitrate: Some(2_500_000),
        ..Default::default()
    };
    assert_eq!(consumer.encodings, [expected]);
    assert_eq!(ProducerType::of(&consumable), ProducerType::Simulcast);
    assert_eq!(ConsumerType::of(ProducerType::Simulcast, false), ConsumerType::Simulcast);
}

#[test]
fn without_rtx_there_is_no_nack() {
    let consumable = consumable(&router(ROUTER_CODECS), &parameters(SIMULCAST));
    let capabilities = capabilities();
    let offer = ConsumerOffer { enable_rtx: false, ..offer(&consumable, &capabilities) };
    let consumer = get_consumer_rtp_parameters(offer).unwrap();
    assert_eq!(codecs(&consumer), [("video/VP8", 102)]);
    assert_eq!(feedback(&consumer, 0), ["transport-cc", "ccm fir", "nack pli"]);
    assert_eq!(ssrcs(&consumer), [(Some(SSRC), None)]);
}

#[test]
fn rtx_for_another_codec_does_not_count() {
    let consumable = consumable(&router(ROUTER_CODECS), &parameters(SIMULCAST));
    let mut capabilities = capabilities();
    capabilities.codecs.retain(|codec| codec.preferred_payload_type != 103);
    let consumer = consume(&consumable, &capabilities);
    assert_eq!((codecs(&consumer), ssrcs(&consumer)), (vec![("video/VP8", 102)], vec![(Some(SSRC), None)]));
}

#[test]
fn bandwidth_is_estimated_in_one_way() {
    let consumable = consumable(&router(ROUTER_CODECS), &parameters(SIMULCAST));
    let mut capabilities = capabilities();
    capabilities.header_extensions.retain(|ext| ext.uri != HeaderExtensionUri::TransportWideCc);
    assert_eq!(
        feedback(&consume(&consumable, &capabilities), 0),
        ["goog-remb", "ccm fir", "nack", "nack pli"]
    );
    capabilities.header_extensions.retain(|ext| ext.uri != HeaderExtensionUri::AbsSendTime);
    assert_eq!(feedback(&consume(&consumable, &capabilities), 0), ["ccm fir", "nack", "nack pli"]);
}

#[test]
fn extensions_need_the_same_id_kind_and_a_receiver() {
    let consumable = consumable(&router(ROUTER_CODECS), &parameters(SIMULCAST));
    let mut capabilities = capabilities();
    for ext in &mut capabilities.header_extensions {
        match ext.preferred_id {
            8 => ext.preferred_id = 7,
            9 => ext.direction = RtpHeaderExtensionDirection::SendOnly,
            11 => ext.kind = MediaKind::Audio,
            _ => {}
        }
    }
    assert_eq!(extension_ids(&consume(&consumable, &capabilities)), [1, 4, 5]);
}

#[test]
fn a_level_does_not_keep_h264_from_being_consumed_but_a_profile_does() {
    let h264 = |id: &str| {
        let parameters = format!(r#"{{"packetization-mode":1,"profile-level-id":"{id}"}}"#);
        format!(
            r#"{{"codecs":[{{"mimeType":"video/H264","payloadType":108,"clockRate":90000,"parameters":{parameters}}}],
            "encodings":[{{"ssrc":1,"scalabilityMode":"L1T2"}}]}}"#
        )
    };
    let params = parameters(&h264("42e015"));
    let consumable = consumable(&router(ROUTER_CODECS), &params);
    assert_eq!(ProducerType::of(&params), ProducerType::Svc);
    let mut capabilities = capabilities();
    let consumer = consume(&consumable, &capabilities);
    assert_eq!(consumer.codecs[0].parameters, params.codecs[0].parameters);
    assert_eq!(consumer.encodings[0].scalability_mode.as_deref(), Some("L1T2"));
    capabilities.codecs[4].parameters.insert("profile-level-id", "640034");
    assert!(!can_consume(&consumable, &capabilities));
    let error = get_consumer_rtp_parameters(offer(&consumable, &capabilities));
    assert_eq!(error, Err(ConsumerParametersError::NoCompatibleMediaCodecs));
}

#[test]
fn red_is_renamed_to_the_routers_opus_and_needs_it() {
    let consumable = consumable(&router(ROUTER_CODECS), &parameters(AUDIO));
    assert_eq!(codecs(&consumable), [("audio/opus", 100), ("audio/red", 101)]);
    assert_eq!(red_blocks(&consumable.codecs[1].parameters).unwrap().as_slice(), [100, 100]);
    let mut capabilities = capabilities();
    assert_eq!(codecs(&consume(&consumable, &capabilities)), [("audio/opus", 100), ("audio/red", 101)]);
    capabilities.codecs.retain(|codec| codec.mime_type.codec() != Codec::Red);
    assert_eq!(codecs(&consume(&consumable, &capabilities)), [("audio/opus", 100)]);
    let mut red_only = self::capabilities();
    red_only.codecs.retain(|codec| codec.mime_type.codec() == Codec::Red);
    assert!(!can_consume(&consumable, &red_only));
}

#[test]
fn red_that_says_its_blocks_is_renamed_block_by_block() {
    for list in [r#"{"":"111/111/111"}"#, r#"{"111/111/111":null}"#] {
        let params =
            parameters(&AUDIO.replacen(r#""parameters": {}"#, &format!(r#""parameters": {list}"#), 1));
        let consumable = consumable(&router(ROUTER_CODECS), &params);
        assert_eq!(red_blocks(&consumable.codecs[1].parameters).unwrap().as_slice(), [100, 100, 100]);
    }
}

#[test]
fn parity_is_for_who_takes_it_and_of_one_way_only() {
    let with_parity = ROUTER_CODECS.trim_end().strip_suffix(']').unwrap().to_owned()
        + r#", {"mimeType": "video/flexfec-03", "clockRate": 90000}]"#;
    let router = router(&with_parity);
    let payload_type = |codec: &RtpCodecCapability| {
        (codec.mime_type.codec() == Codec::FlexFec).then_some(codec.preferred_payload_type)
    };
    let parity = router.codecs.iter().find_map(payload_type).unwrap();
    let of_router = ("video/flexfec-03", parity);
    let known = router.codecs.iter().find(|codec| codec.preferred_payload_type == parity).unwrap();
    assert_eq!(known.parameters.get_u64("repair-window"), Some(10_000_000));
    assert!(!router.codecs.iter().any(|rtx| rtx.parameters.get_u64("apt") == Some(u64::from(parity))));
    // A producer's own is of another way.
    let own = RtpCodecParameters::new(known.mime_type.clone(), 49, 90_000);
    let mut params = parameters(SIMULCAST);
    params.codecs.push(own);
    let consumable = consumable(&router, &params);
    assert_eq!(codecs(&consumable).iter().filter(|codec| **codec == of_router).count(), 1);
    assert_eq!(codecs(&consumable).last(), Some(&of_router));
    let taken = consume(&consumable, &router);
    assert!(codecs(&taken).contains(&of_router));
    assert_eq!(
        taken.encodings[0].fec,
        Some(RtpEncodingFec { mechanism: FecMechanism::FlexFec, ssrc: SSRC + 2 })
    );
    assert_eq!(taken, read(&serde_json::to_string(&taken).unwrap()));
    let refused = consume(&consumable, &capabilities());
    assert!(!codecs(&refused).contains(&of_router) && refused.encodings[0].fec.is_none());
    let piped = get_pipe_consumer_rtp_parameters(&consumable, true, SSRC, RTX_SSRC);
    assert!(!codecs(&piped).contains(&of_router));
    let piped =
        get_consumer_rtp_parameters(ConsumerOffer { pipe: true, ..offer(&consumable, &router) }).unwrap();
    assert!(
        !codecs(&piped).contains(&of_router) && piped.encodings.iter().all(|encoding| encoding.fec.is_none())
    );
}

#[test]
fn a_piped_consumer_carries_every_encoding() {
    let consumable = consumable(&router(ROUTER_CODECS), &parameters(SIMULCAST));
    let capabilities = capabilities();
    let offer = ConsumerOffer { pipe: true, ..offer(&consumable, &capabilities) };
    let consumer = get_consumer_rtp_parameters(offer).unwrap();
    let expected = [0, 1, 2].map(|i| (Some(SSRC + i), Some(RTX_SSRC + i)));
    assert_eq!(ssrcs(&consumer), expected);
    assert_eq!(consumer.encodings[1].scalability_mode.as_deref(), Some("L1T3"));
    let offer = ConsumerOffer { enable_rtx: false, ..offer };
    let without = ssrcs(&get_consumer_rtp_parameters(offer).unwrap());
    assert_eq!(without, [0, 1, 2].map(|i| (Some(SSRC + i), None)));
    assert_eq!(ConsumerType::of(ProducerType::Simulcast, true), ConsumerType::Pipe);
}

#[test]
fn rows_of_ssrcs_never_run_into_each_other() {
    let consumable = consumable(&router(ROUTER_CODECS), &parameters(SIMULCAST));
    for rtx_base in [SSRC - 2, SSRC, SSRC + 2] {
        let pipe = get_pipe_consumer_rtp_parameters(&consumable, true, SSRC, rtx_base);
        assert_eq!(ssrcs(&pipe), [0, 1, 2].map(|i| (Some(SSRC + i), Some(SSRC + 3 + i))));
    }
}

#[test]
fn a_pipe_consumer_keeps_payload_types_and_needs_no_second_mapping() {
    let (router, params) = (router(ROUTER_CODECS), parameters(SIMULCAST));
    let consumable = consumable(&router, &params);
    let pipe = get_pipe_consumer_rtp_parameters(&consumable, false, SSRC, RTX_SSRC);
    assert_eq!(codecs(&pipe), [("video/VP8", 102)]);
    assert_eq!(feedback(&pipe, 0), ["nack pli", "ccm fir"]);
    assert_eq!(extension_ids(&pipe), [7, 8, 9, 11, 12]);

    let pipe = get_pipe_consumer_rtp_parameters(&consumable, true, SSRC, RTX_SSRC);
    assert_eq!(codecs(&pipe), codecs(&consumable));
    assert_eq!(feedback(&pipe, 0), ["nack", "nack pli", "ccm fir"]);
    let far = get_producer_rtp_parameters_mapping(&pipe, &router, SSRC).unwrap();
    assert!(far.codecs.iter().all(|entry| entry.payload_type == entry.mapped_payload_type));

    let audio = self::consumable(&router, &parameters(AUDIO));
    let pipe = get_pipe_consumer_rtp_parameters(&audio, false, SSRC, RTX_SSRC);
    assert_eq!(extension_ids(&pipe), [6, 11, 12]);
}

#[test]
fn the_type_of_a_producer_follows_its_encodings() {
    let cases = [
        (r#""encodings":[]"#, ProducerType::Simple),
        (r#""encodings":[{"ssrc":1}]"#, ProducerType::Simple),
        (r#""encodings":[{"ssrc":1,"scalabilityMode":"L1T1"}]"#, ProducerType::Simple),
        (r#""encodings":[{"ssrc":1,"scalabilityMode":"L1T3"}]"#, ProducerType::Svc),
        (r#""encodings":[{"ssrc":1,"scalabilityMode":"S3T1"}]"#, ProducerType::Svc),
        (r#""encodings":[{"ssrc":1},{"ssrc":2}]"#, ProducerType::Simulcast),
    ];
    for (members, expected) in cases {
        assert_eq!(ProducerType::of(&vp8(members)), expected, "{members}");
    }
    assert_eq!(serde_json::to_string(&ProducerType::Svc).unwrap(), "\"svc\"");
}

/// A router, a producer of it, and a receiver, that take feedback by stream where it is so.
fn by_stream(has_router: bool, has_receiver: bool) -> RtpParameters {
    let mut codecs: Vec<RouterRtpCodecCapability> = read(ROUTER_CODECS);
    if has_router {
        codecs[0].rtcp_feedback.push(RtcpFeedback::ACK_CCFB);
    }
    let router = generate_router_rtp_capabilities(&codecs).unwrap();
    let mut capabilities = capabilities();
    for codec in
        capabilities.codecs.iter_mut().filter(|codec| has_receiver && codec.mime_type.codec().is_media())
    {
        codec.rtcp_feedback.push(RtcpFeedback::ACK_CCFB);
    }
    consume(&consumable(&router, &parameters(SIMULCAST)), &capabilities)
}

#[test]
fn feedback_by_stream_takes_the_place_of_transport_wide_feedback_where_both_have_it() {
    let without = by_stream(false, false);
    assert_eq!(by_stream(true, false), without);
    assert_eq!(by_stream(false, true), without);
    assert!(extension_ids(&without).contains(&5));
    let with = by_stream(true, true);
    assert_eq!(feedback(&with, 0), ["ccm fir", "nack", "nack pli", "ack ccfb"]);
    assert!(!extension_ids(&with).contains(&5));
}
