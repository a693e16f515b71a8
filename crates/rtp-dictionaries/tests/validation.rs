//! What validation refuses, which member it names, and which defaults it fills in.

mod fixture;

use fixture::*;
use tureen_rtp_dictionaries::*;

fn params_error(json: &str) -> String {
    let mut params: RtpParameters = read(json);
    validate_rtp_parameters(&mut params).unwrap_err().to_string()
}

fn capabilities_error(json: &str) -> String {
    let mut capabilities: RtpCapabilities = read(json);
    validate_rtp_capabilities(&mut capabilities).unwrap_err().to_string()
}

fn starts(message: &str, field: &str) {
    assert!(message.starts_with(&format!("{field}: ")), "{message} should name {field}");
}

#[test]
fn ill_typed_members_are_named() {
    let cases = [
        (
            r#"{"codecs":[{"mimeType":"audio/opus","payloadType":"x","clockRate":1}]}"#,
            "codecs[0].payloadType",
        ),
        (r#"{"codecs":[{"mimeType":"text/x","payloadType":1,"clockRate":1}]}"#, "codecs[0].mimeType"),
        (r#"{"codecs":[{"mimeType":7,"payloadType":1,"clockRate":1}]}"#, "codecs[0].mimeType"),
        (
            r#"{"codecs":[{"mimeType":"video/rtx","payloadType":1,"clockRate":1,"parameters":{"apt":[]}}]}"#,
            "codecs[0].parameters.apt",
        ),
        (r#"{"codecs":{}}"#, "codecs"),
        (r#"{"codecs":[],"encodings":[{"ssrc":-1}]}"#, "encodings[0].ssrc"),
        (r#"{"codecs":[],"encodings":[{},{"rtx":{"ssrc":"a"}}]}"#, "encodings[1].rtx.ssrc"),
        (r#"{"codecs":[],"encodings":[{"maxBitrate":-1}]}"#, "encodings[0].maxBitrate"),
        (r#"{"codecs":[],"encodings":[{"dtx":1}]}"#, "encodings[0].dtx"),
        (r#"{"codecs":[],"headerExtensions":[{"uri":"u","id":256}]}"#, "headerExtensions[0].id"),
        (r#"{"codecs":[],"rtcp":{"cname":1}}"#, "rtcp.cname"),
        (r#"{"codecs":[],"mid":1}"#, "mid"),
        ("{}", "."),
    ];
    for (json, field) in cases {
        assert_eq!(from_json::<RtpParameters>(json).unwrap_err().field, field, "{json}");
    }
    let trailing = from_json::<RtpCapabilities>("{} {}").unwrap_err();
    assert_eq!(trailing.field, ".");
    let direction = r#"{"headerExtensions":[{"kind":"audio","uri":"u","preferredId":1,"direction":"up"}]}"#;
    let error = from_json_value::<RtpCapabilities>(serde_json::from_str(direction).unwrap()).unwrap_err();
    assert_eq!(error.field, "headerExtensions[0].direction");
}

#[test]
fn bad_codecs_of_parameters_are_named() {
    let vp8 = r#"{"mimeType":"video/VP8","payloadType":96,"clockRate":90000}"#;
    let cases = [
        (r#"{"mimeType":"video/VP8","payloadType":128,"clockRate":1}"#, "codecs[1].payloadType"),
        (r#"{"mimeType":"video/VP9","payloadType":96,"clockRate":1}"#, "codecs[1].payloadType"),
        (r#"{"mimeType":"video/VP9","payloadType":97,"clockRate":0}"#, "codecs[1].clockRate"),
        (r#"{"mimeType":"audio/x","payloadType":97,"clockRate":1,"channels":0}"#, "codecs[1].channels"),
        (r#"{"mimeType":"video/rtx","payloadType":97,"clockRate":1}"#, "codecs[1].parameters.apt"),
        (
            r#"{"mimeType":"video/rtx","payloadType":97,"clockRate":1,"parameters":{"apt":"x"}}"#,
            "codecs[1].parameters.apt",
        ),
        (
            r#"{"mimeType":"video/VP9","payloadType":97,"clockRate":1,"parameters":{"apt":128}}"#,
            "codecs[1].parameters.apt",
        ),
        (
            r#"{"mimeType":"video/rtx","payloadType":97,"clockRate":1,"parameters":{"apt":97}}"#,
            "codecs[1].parameters.apt",
        ),
        (r#"{"mimeType":"audio/red","payloadType":63,"clockRate":48000}"#, "codecs[1].parameters"),
    ];
    for (second, field) in cases {
        starts(&params_error(&format!(r#"{{"codecs":[{vp8},{second}]}}"#)), field);
    }
}

#[test]
fn bad_extensions_and_encodings_are_named() {
    let cases = [
        (r#""headerExtensions":[{"uri":"","id":1}]"#, "headerExtensions[0].uri"),
        (r#""headerExtensions":[{"uri":"a","id":0}]"#, "headerExtensions[0].id"),
        (r#""headerExtensions":[{"uri":"a","id":3},{"uri":"b","id":3}]"#, "headerExtensions[1].id"),
        (r#""encodings":[{"ssrc":1},{"ssrc":1}]"#, "encodings[1].ssrc"),
        (r#""encodings":[{"ssrc":1,"rtx":{"ssrc":1}}]"#, "encodings[0].rtx.ssrc"),
        (r#""encodings":[{"rid":"a"},{"rid":"b"},{"rid":"a"}]"#, "encodings[2].rid"),
        (r#""encodings":[{"codecPayloadType":9}]"#, "encodings[0].codecPayloadType"),
    ];
    for (members, field) in cases {
        starts(&params_error(&format!(r#"{{"codecs":[],{members}}}"#)), field);
    }
    let many = vec!["{}"; MAX_ENCODINGS + 1].join(",");
    starts(&params_error(&format!(r#"{{"codecs":[],"encodings":[{many}]}}"#)), "encodings");
}

#[test]
fn bad_capabilities_are_named() {
    let opus = r#"{"mimeType":"audio/opus","preferredPayloadType":100,"clockRate":48000}"#;
    let cases = [
        (format!(r#""codecs":[{opus},{opus}]"#), "codecs[1].preferredPayloadType"),
        (
            r#""codecs":[{"mimeType":"audio/a","preferredPayloadType":0,"clockRate":0}]"#.into(),
            "codecs[0].clockRate",
        ),
        (
            r#""headerExtensions":[{"kind":"audio","uri":"","preferredId":1}]"#.into(),
            "headerExtensions[0].uri",
        ),
        (
            r#""headerExtensions":[{"kind":"audio","uri":"u","preferredId":0}]"#.into(),
            "headerExtensions[0].preferredId",
        ),
    ];
    for (members, field) in cases {
        starts(&capabilities_error(&format!("{{{members}}}")), field);
    }
    let missing = r#"{"codecs":[{"mimeType":"audio/opus","clockRate":48000}]}"#;
    let error = from_json::<RtpCapabilities>(missing).unwrap_err();
    assert_eq!((error.field.as_str(), error.reason.contains("preferredPayloadType")), ("codecs[0]", true));
}

#[test]
fn defaults_are_filled_in() {
    let json = r#"{"mid":"","msid":null,"codecs":[
        {"mimeType":"audio/PCMU","payloadType":0,"clockRate":8000,"rtcpFeedback":[{"type":"nack"}]},
        {"mimeType":"video/VP8","payloadType":96,"clockRate":90000,"channels":2,"rtcpFeedback":null}],
        "headerExtensions":null,"encodings":[{"rid":"","ssrc":7,"scalabilityMode":"","scaleResolutionDownBy":1.5}]}"#;
    let params = parameters(json);
    assert_eq!((params.codecs[0].channels, params.codecs[1].channels), (Some(1), None));
    assert_eq!(params.codecs[0].rtcp_feedback, [RtcpFeedback::NACK]);
    assert_eq!((params.mid, params.msid, params.rtcp.reduced_size), (None, None, true));
    let expected =
        RtpEncodingParameters { ssrc: Some(7), scale_resolution_down_by: Some(1.5), ..Default::default() };
    assert_eq!(params.encodings, [expected]);
}

#[test]
fn what_chrome_writes_is_valid() {
    assert_eq!(capabilities().codecs.len(), 7);
    assert_eq!(parameters(AUDIO).rtcp.mux, Some(true));
    let simulcast = parameters(SIMULCAST);
    assert_eq!(simulcast.encodings[0].max_bitrate, Some(150_000));
    assert_eq!(simulcast.encodings[1].scale_resolution_down_by, Some(2.0));
}
