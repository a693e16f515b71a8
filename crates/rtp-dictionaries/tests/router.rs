//! From media codecs to the capabilities of a router.

mod fixture;

use fixture::*;
use tureen_rtp_dictionaries::*;

fn error(json: &str) -> RouterCapabilitiesError {
    generate_router_rtp_capabilities(&read::<Vec<RouterRtpCodecCapability>>(json)).unwrap_err()
}

fn payload_types(capabilities: &RtpCapabilities) -> Vec<(&str, u8)> {
    capabilities.codecs.iter().map(|c| (c.mime_type.as_str(), c.preferred_payload_type)).collect()
}

#[test]
fn codecs_get_payload_types_in_order_and_video_gets_rtx() {
    let router = router(ROUTER_CODECS);
    let expected = [
        ("audio/opus", 100),
        ("audio/red", 101),
        ("video/VP8", 102),
        ("video/rtx", 103),
        ("video/H264", 104),
        ("video/rtx", 105),
        ("video/VP9", 106),
        ("video/rtx", 107),
        ("video/AV1", 108),
        ("video/rtx", 109),
    ];
    assert_eq!(payload_types(&router), expected);
    assert_eq!(router.codecs[3].parameters.get_u64("apt"), Some(102));
    assert_eq!(router.header_extensions, supported_rtp_capabilities().header_extensions);
    assert_eq!(red_blocks(&router.codecs[1].parameters).unwrap().as_slice(), [100, 100]);
}

#[test]
fn parameters_are_merged_and_feedback_is_the_tables() {
    let router = router(
        r#"[{"mimeType":"VIDEO/h264","clockRate":90000,"parameters":{"a":"b","level-asymmetry-allowed":0},
            "rtcpFeedback":[{"type":"foo"}]}]"#,
    );
    let h264 = &router.codecs[0];
    assert_eq!(serde_json::to_string(&h264.parameters).unwrap(), r#"{"level-asymmetry-allowed":0,"a":"b"}"#);
    assert_eq!((h264.mime_type.as_str(), h264.rtcp_feedback.len()), ("video/H264", 5));
}

#[test]
fn preferred_and_static_payload_types_are_kept() {
    let router = router(
        r#"[{"mimeType":"video/VP8","clockRate":90000},
            {"mimeType":"audio/opus","clockRate":48000,"channels":2,"preferredPayloadType":100},
            {"mimeType":"audio/PCMU","clockRate":8000},
            {"mimeType":"audio/CN","clockRate":8000},
            {"mimeType":"audio/CN","clockRate":16000},
            {"mimeType":"video/H265","clockRate":90000,"preferredPayloadType":101}]"#,
    );
    let expected = [
        ("video/VP8", 102),
        ("video/rtx", 103),
        ("audio/opus", 100),
        ("audio/PCMU", 0),
        ("audio/CN", 13),
        ("audio/CN", 104),
        ("video/H265", 101),
        ("video/rtx", 105),
    ];
    assert_eq!(payload_types(&router), expected);
}

#[test]
fn unsupported_codecs_are_refused() {
    let cases = [
        r#"{"mimeType":"audio/chicken","clockRate":8000}"#,
        r#"{"mimeType":"audio/opus","clockRate":48000,"channels":1}"#,
        r#"{"mimeType":"video/VP8","clockRate":90001}"#,
        r#"{"mimeType":"video/rtx","clockRate":90000,"parameters":{"apt":1}}"#,
        r#"{"mimeType":"audio/multiopus","clockRate":48000,"channels":6}"#,
    ];
    for json in cases {
        let error = error(&format!("[{json}]"));
        assert!(matches!(error, RouterCapabilitiesError::UnsupportedCodec { .. }), "{json} {error}");
        assert!(error.to_string().starts_with("mediaCodecs[0]: "), "{error}");
    }
}

#[test]
fn multiopus_matches_by_layout() {
    let router = router(
        r#"[{"mimeType":"audio/multiopus","clockRate":48000,"channels":6,
            "parameters":{"num_streams":4,"coupled_streams":2}}]"#,
    );
    let mapping = router.codecs[0].parameters.get("channel_mapping").unwrap();
    assert_eq!(mapping.to_text().unwrap(), "0,4,1,2,3,5");
}

#[test]
fn bad_codecs_and_too_many_are_named() {
    let opus = r#"{"mimeType":"audio/opus","clockRate":48000,"channels":2,"preferredPayloadType":100}"#;
    let duplicate = error(&format!("[{opus},{opus}]"));
    let fault = CodecFault::DuplicatePayloadType(100);
    let field = "mediaCodecs[1].preferredPayloadType".to_owned();
    assert_eq!(duplicate, RouterCapabilitiesError::Codec { field, fault });

    let vp8 = vec![r#"{"mimeType":"video/VP8","clockRate":90000}"#; 17].join(",");
    let field = "mediaCodecs[16]".to_owned();
    assert_eq!(error(&format!("[{vp8}]")), RouterCapabilitiesError::PayloadTypesExhausted { field });

    let red = r#"[{"mimeType":"audio/PCMU","clockRate":8000},{"mimeType":"audio/red","clockRate":48000,"channels":2}]"#;
    let field = "mediaCodecs[1]".to_owned();
    assert_eq!(error(red), RouterCapabilitiesError::RedWithoutOpus { field });
}

#[test]
fn feedback_by_stream_is_there_if_asked_for_and_then_for_all_media() {
    let by_stream = |router: &RtpCapabilities| {
        let codecs = router.codecs.iter();
        let with = codecs.filter(|codec| codec.rtcp_feedback.contains(&RtcpFeedback::ACK_CCFB));
        with.map(|codec| codec.mime_type.as_str().to_owned()).collect::<Vec<_>>()
    };
    assert!(by_stream(&router(ROUTER_CODECS)).is_empty());
    let mut codecs: Vec<RouterRtpCodecCapability> = read(ROUTER_CODECS);
    codecs[0].rtcp_feedback.push(RtcpFeedback::ACK_CCFB);
    let router = generate_router_rtp_capabilities(&codecs).unwrap();
    assert_eq!(by_stream(&router), ["audio/opus", "video/VP8", "video/H264", "video/VP9", "video/AV1"]);
}
