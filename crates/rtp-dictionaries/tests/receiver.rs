//! Consumers under the numbers of their receiver.

use tureen_rtp_dictionaries::*;

fn router() -> RtpCapabilities {
    let codecs: Vec<RouterRtpCodecCapability> = from_json(
        r#"[{"mimeType": "audio/opus", "clockRate": 48000, "channels": 2},
            {"mimeType": "audio/red", "clockRate": 48000, "channels": 2},
            {"mimeType": "video/H264", "clockRate": 90000,
             "parameters": {"packetization-mode": 1, "profile-level-id": "42e01f"}},
            {"mimeType": "video/VP8", "clockRate": 90000},
            {"mimeType": "video/flexfec-03", "clockRate": 90000}]"#,
    )
    .unwrap();
    generate_router_rtp_capabilities(&codecs).unwrap()
}

/// What `sent` becomes for a receiver.
fn received(sent: &str, receiver: &str) -> Result<ReceiverParameters, ConsumerParametersError> {
    let (router, sent): (_, RtpParameters) = (router(), from_json(sent).unwrap());
    let mapping = get_producer_rtp_parameters_mapping(&sent, &router, 1).unwrap();
    let consumable = get_consumable_rtp_parameters(sent.codecs[0].kind(), &sent, &router, &mapping).unwrap();
    get_receiver_consumer_rtp_parameters(ConsumerOffer {
        consumable: &consumable,
        remote_rtp_capabilities: &from_json(receiver).unwrap(),
        pipe: false,
        enable_rtx: true,
        ssrc_base: 1,
        rtx_ssrc_base: 2,
    })
}

fn numbers(received: &ReceiverParameters) -> Vec<(&str, u8)> {
    let codecs = received.parameters.codecs.iter();
    codecs.map(|codec| (codec.mime_type.subtype(), codec.payload_type)).collect()
}

const H264: &str = r#"{"codecs": [{"mimeType": "video/H264", "payloadType": 5, "clockRate": 90000,
    "parameters": {"packetization-mode": 1, "profile-level-id": "42e01f"}}], "encodings": [{"ssrc": 5}]}"#;

#[test]
fn codecs_and_extensions_take_the_receivers_numbers() {
    let received = received(
        H264,
        r#"{"codecs": [
                {"mimeType": "video/VP8", "preferredPayloadType": 102, "clockRate": 90000},
                {"mimeType": "video/H264", "preferredPayloadType": 39, "clockRate": 90000, "rtcpFeedback": [{"type": "nack"}],
                 "parameters": {"packetization-mode": 1, "profile-level-id": "42e034"}},
                {"mimeType": "video/H264", "preferredPayloadType": 100, "clockRate": 90000, "rtcpFeedback": [{"type": "nack"}],
                 "parameters": {"packetization-mode": 1, "profile-level-id": "42e01f"}},
                {"mimeType": "video/rtx", "preferredPayloadType": 101, "clockRate": 90000, "parameters": {"apt": 100}}],
            "headerExtensions": [
                {"kind": "audio", "uri": "urn:ietf:params:rtp-hdrext:sdes:mid", "preferredId": 3},
                {"kind": "video", "uri": "urn:ietf:params:rtp-hdrext:sdes:mid", "preferredId": 17},
                {"kind": "video", "uri": "urn:3gpp:video-orientation", "preferredId": 1, "direction": "sendonly"}]}"#,
    )
    .unwrap();
    // 39 comes first, but has no RTX.
    assert_eq!(numbers(&received), [("H264", 100), ("rtx", 101)]);
    assert_eq!(received.parameters.codecs[1].apt(), Some(100));
    let ids: Vec<(&str, u8)> =
        received.parameters.header_extensions.iter().map(|ext| (ext.uri.as_str(), ext.id)).collect();
    assert_eq!(ids, [("urn:ietf:params:rtp-hdrext:sdes:mid", 17)]);
    let router = router();
    let h264 = router.codecs.iter().find(|codec| codec.mime_type.codec() == Codec::H264).unwrap();
    assert_eq!(received.payload_type(h264.preferred_payload_type), Some(100));
    assert_eq!(received.codecs.len(), 2);
    assert!(received.parameters.encodings[0].rtx.is_some());
}

#[test]
fn what_has_no_number_goes() {
    let received = received(
        H264,
        r#"{"codecs": [{"mimeType": "video/H264", "preferredPayloadType": 39, "clockRate": 90000,
             "parameters": {"packetization-mode": 1, "profile-level-id": "42e01f"}}]}"#,
    )
    .unwrap();
    assert_eq!(numbers(&received), [("H264", 39)]);
    assert_eq!(received.parameters.encodings[0].rtx, None);
    assert!(received.parameters.header_extensions.is_empty());
    let other = r#"{"codecs": [{"mimeType": "video/VP8", "preferredPayloadType": 39, "clockRate": 90000}]}"#;
    assert_eq!(self::received(H264, other), Err(ConsumerParametersError::NoCompatibleMediaCodecs));
}

#[test]
fn blocks_of_red_are_renamed() {
    let sent = r#"{"codecs": [
        {"mimeType": "audio/opus", "payloadType": 11, "clockRate": 48000, "channels": 2},
        {"mimeType": "audio/red", "payloadType": 12, "clockRate": 48000, "channels": 2, "parameters": {"": "11/11"}}],
        "encodings": [{"ssrc": 5}]}"#;
    let receiver = r#"{"codecs": [
        {"mimeType": "audio/red", "preferredPayloadType": 63, "clockRate": 48000, "channels": 2},
        {"mimeType": "audio/opus", "preferredPayloadType": 111, "clockRate": 48000, "channels": 2}]}"#;
    let received = received(sent, receiver).unwrap();
    assert_eq!(numbers(&received), [("opus", 111), ("red", 63)]);
    assert_eq!(received.parameters.codecs[1].parameters, red_parameters(&[111, 111]));
}

#[test]
fn parity_has_the_receivers_number() {
    let h264 = r#"{"mimeType": "video/H264", "preferredPayloadType": 102, "clockRate": 90000,
        "parameters": {"packetization-mode": 1, "profile-level-id": "42e01f"}}"#;
    let parity = r#"{"mimeType": "video/flexfec-03", "preferredPayloadType": 49, "clockRate": 90000}"#;
    let with_parity = received(H264, &format!(r#"{{"codecs": [{h264}, {parity}]}}"#)).unwrap();
    assert_eq!(numbers(&with_parity), [("H264", 102), ("flexfec-03", 49)]);
    assert_eq!(with_parity.parameters.encodings[0].fec.map(|fec| fec.ssrc), Some(3));
    let without = received(H264, &format!(r#"{{"codecs": [{h264}]}}"#)).unwrap();
    assert_eq!(without.parameters.encodings[0].fec, None);
}

#[test]
fn the_routers_own_capabilities_change_nothing() {
    let (router, sent): (_, RtpParameters) = (router(), from_json(H264).unwrap());
    let mapping = get_producer_rtp_parameters_mapping(&sent, &router, 1).unwrap();
    let consumable = get_consumable_rtp_parameters(MediaKind::Video, &sent, &router, &mapping).unwrap();
    let offer = ConsumerOffer {
        consumable: &consumable,
        remote_rtp_capabilities: &router,
        pipe: false,
        enable_rtx: true,
        ssrc_base: 1,
        rtx_ssrc_base: 2,
    };
    let received = get_receiver_consumer_rtp_parameters(offer).unwrap();
    assert_eq!(received.parameters, get_consumer_rtp_parameters(offer).unwrap());
    assert!(received.codecs.iter().all(|entry| entry.payload_type == entry.mapped_payload_type));
}
