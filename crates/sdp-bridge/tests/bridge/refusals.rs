//! Descriptions that are refused, and the line that the error names.

use tureen_rtp_dictionaries::IceCandidateType;
use tureen_sdp_bridge::{
    AttributeFault, MAX_LEN, MAX_MEDIA_SECTIONS, Offer, SdpError, UnsupportedMediaError, candidate_value,
    parse_candidate,
};

use crate::shared::{full_router, text};

/// The number of the first line of `text` that starts so.
fn line_of(text: &str, start: &str) -> usize {
    1 + text.lines().position(|line| line.starts_with(start)).unwrap_or_else(|| panic!("{start}"))
}

/// The recorded offer with the first line that starts with `start` replaced.
fn with(start: &str, replacement: &str) -> (usize, Result<Offer, SdpError>) {
    let text = text("chromium-simulcast");
    let line = line_of(&text, start);
    let lines: Vec<&str> =
        text.lines().zip(1..).map(|(old, number)| if number == line { replacement } else { old }).collect();
    (line, Offer::parse(&lines.join("\r\n")))
}

#[test]
fn a_bad_attribute_is_named_with_its_line() {
    let cases = [
        ("a=ice-ufrag:", "a=ice-ufrag:abc", "ice-ufrag"),
        ("a=ice-pwd:", "a=ice-pwd:too short", "ice-pwd"),
        ("a=fingerprint:", "a=fingerprint:sha-256 00:11", "fingerprint"),
        ("a=setup:", "a=setup:holdconn", "setup"),
        ("a=mid:", "a=mid:", "mid"),
        ("a=mid:", "a=mid:0123456789abcdefX", "mid"),
        ("a=rtpmap:111", "a=rtpmap:111 opus", "rtpmap"),
        ("a=rtpmap:111", "a=rtpmap:128 opus/48000/2", "rtpmap"),
        ("a=rtpmap:111", "a=rtpmap:111 opus/0", "rtpmap"),
        ("a=fmtp:111", "a=fmtp:x y=1", "fmtp"),
        ("a=fmtp:97", "a=fmtp:97 apt=200", "fmtp"),
        ("a=rtcp-fb:111", "a=rtcp-fb:x nack", "rtcp-fb"),
        ("a=extmap:1 ", "a=extmap:0 urn:x", "extmap"),
        ("a=extmap:1 ", "a=extmap:256 urn:x", "extmap"),
        ("a=extmap:1 ", "a=extmap:1/up urn:x", "extmap"),
        ("a=rid:q", "a=rid:q both", "rid"),
        ("a=rid:q", "a=rid:ü send", "rid"),
        ("a=simulcast:", "a=simulcast:send q;;f", "simulcast"),
        ("a=simulcast:", "a=simulcast:q", "simulcast"),
        ("a=ssrc:", "a=ssrc:-1 cname:x", "ssrc"),
    ];
    for (start, replacement, attribute) in cases {
        match with(start, replacement) {
            (expected, Err(SdpError::Attribute { line, attribute: named, fault })) => {
                assert_eq!((line, named), (expected, attribute), "{replacement}");
                assert!(matches!(fault, AttributeFault::Malformed(_)), "{replacement}");
            }
            (_, other) => panic!("{replacement}: {other:?}"),
        }
    }
}

#[test]
fn what_is_there_twice_is_refused() {
    for (start, replacement, attribute) in [
        ("a=rtpmap:63 ", "a=rtpmap:111 opus/48000/2", "rtpmap"),
        ("a=extmap:2 ", "a=extmap:1 urn:x", "extmap"),
        ("a=rid:h", "a=rid:q send", "rid"),
    ] {
        let (line, result) = with(start, replacement);
        let fault = AttributeFault::Duplicate;
        assert_eq!(result.unwrap_err(), SdpError::Attribute { line, attribute, fault }, "{replacement}");
    }
    let (_, result) = with("a=mid:1", "a=mid:0");
    assert!(matches!(
        result,
        Err(SdpError::Attribute { attribute: "mid", fault: AttributeFault::Duplicate, .. })
    ));
}

#[test]
fn what_is_missing_is_named_with_its_m_line() {
    let text = text("chromium-simulcast");
    let audio = line_of(&text, "m=audio");
    for attribute in ["ice-ufrag", "ice-pwd", "fingerprint", "setup", "mid", "rtcp-mux"] {
        let (_, result) = with(&format!("a={attribute}"), "a=x");
        assert_eq!(result.unwrap_err(), SdpError::Missing { line: audio, attribute });
    }
    let (_, result) = with("a=group:", "a=group:BUNDLE 0");
    assert_eq!(result.unwrap_err(), SdpError::NotBundled { line: line_of(&text, "m=video") });
    let (_, result) = with("a=group:", "a=x");
    assert_eq!(result.unwrap_err(), SdpError::NotBundled { line: audio });
    let data = self::text("chromium-datachannel").replace("a=sctp-port:5000", "a=x");
    let line = line_of(&data, "m=application");
    assert_eq!(Offer::parse(&data).unwrap_err(), SdpError::Missing { line, attribute: "sctp-port" });
    let nothing = "v=0\r\no=- 1 1 IN IP4 0.0.0.0\r\ns=-\r\nt=0 0\r\n";
    assert_eq!(Offer::parse(nothing).unwrap_err(), SdpError::NoMedia);
}

#[test]
fn syntax_is_named_with_its_line() {
    for (start, replacement) in [
        ("s=", "s"),
        ("t=", "t=x 0"),
        ("o=", "o=- 1"),
        ("m=video", "m=tuba 9 UDP 1"),
        ("c=", "c=ATM"),
        ("v=", "v=1"),
    ] {
        match with(start, replacement) {
            (expected, Err(SdpError::Syntax { line, .. })) => assert_eq!(line, expected, "{replacement}"),
            (_, other) => panic!("{replacement}: {other:?}"),
        }
    }
    for formats in ["x", "128", "111 111"] {
        let (_, result) = with("m=audio", &format!("m=audio 9 UDP/TLS/RTP/SAVPF {formats}"));
        assert!(matches!(result, Err(SdpError::Syntax { .. })), "{formats}");
    }
}

#[test]
fn size_is_bounded() {
    let long = text("chromium-simulcast") + &"a=x\r\n".repeat(MAX_LEN / 5);
    assert_eq!(Offer::parse(&long).unwrap_err(), SdpError::TooLong(long.len()));
    let section = "m=audio 0 UDP/TLS/RTP/SAVPF 0\r\n";
    let many = text("chromium-simulcast") + &section.repeat(MAX_MEDIA_SECTIONS - 2);
    assert_eq!(Offer::parse(&many).unwrap().media.len(), MAX_MEDIA_SECTIONS);
    assert!(matches!(Offer::parse(&(many + section)), Err(SdpError::TooManyMediaSections { .. })));
    let feedback: String = (0..40).map(|i| format!("a=rtcp-fb:96 x{i}\r\n")).collect();
    let rids: String = (0..70).map(|i| format!("a=rid:x{i} send\r\n")).collect();
    let ssrcs: String = (0..200).map(|i| format!("a=ssrc:{i} cname:x\r\n")).collect();
    let names: String = (0..99).map(|i| format!("n{i}=1;")).collect();
    for more in [feedback, rids, ssrcs, format!("a=fmtp:96 {names}\r\n")] {
        let result = Offer::parse(&(text("chromium-simulcast") + &more));
        assert!(
            matches!(result, Err(SdpError::Attribute { fault: AttributeFault::TooMany(_), .. })),
            "{}",
            more.split('\n').next().unwrap_or_default()
        );
    }
}

#[test]
fn streams_that_nothing_tells_apart_are_refused() {
    let cases = [("rtp-stream-id", ":sdes:rtp-stream-id"), ("mid", ":sdes:mid")];
    for (name, uri) in cases {
        let text = text("chromium-simulcast").replace(uri, ":other");
        let offer = Offer::parse(&text).unwrap();
        let refused = offer.media[1].producer_rtp_parameters(&full_router(), None).unwrap_err();
        let line = offer.media[1].line;
        match refused {
            UnsupportedMediaError::UnidentifiedStreams { line: named, missing } => {
                assert_eq!(named, line);
                assert!(missing.ends_with(name));
            }
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn other_media_can_only_be_rejected() {
    let text =
        text("chromium-datachannel").replace("UDP/DTLS/SCTP webrtc-datachannel", "UDP/TLS/RTP/SAVPF 1");
    let offer = Offer::parse(&text).unwrap();
    let refused = offer.media[0].producer_rtp_parameters(&full_router(), None);
    assert_eq!(refused, Err(UnsupportedMediaError::NotSending { line: offer.media[0].line }));
}

#[test]
fn candidates_are_read_as_they_are_written() {
    for text in [
        "1 1 udp 2122194687 192.0.2.1 37986 typ host",
        "1 1 tcp 1518214911 192.0.2.1 9 typ host tcptype active",
        "a/b 1 udp 1 2001:db8::1 65535 typ srflx raddr 0.0.0.0 rport 9",
        "x 1 udp 1 3f2b.local 5 typ relay raddr 0.0.0.0 rport 9",
    ] {
        assert_eq!(candidate_value(&parse_candidate(text).unwrap()), text);
    }
    let text = "candidate:1 1 UDP 9 192.0.2.1 5 typ prflx raddr 192.0.2.9 rport 7 generation 0 network-id 1";
    assert_eq!(parse_candidate(text).unwrap().candidate_type, IceCandidateType::Prflx);
    for text in [
        "",
        "1 2 udp 1 192.0.2.1 5 typ host",
        "1 1 sctp 1 192.0.2.1 5 typ host",
        "1 1 udp x 192.0.2.1 5 typ host",
        "1 1 udp 1 192.0.2.1 65536 typ host",
        "1 1 udp 1 192.0.2.1 5 typ",
        "1 1 udp 1 192.0.2.1 5 typ moon",
        "1 1 tcp 1 192.0.2.1 5 typ host tcptype",
    ] {
        assert_eq!(parse_candidate(text), None, "{text}");
    }
}
