//! Trickle fragments, as RFC 9725 section 4.3 shows them.

use tureen_rtp_dictionaries::*;
use tureen_sdp_bridge::{AnswerError, Offer, SdpError, TrickleFragment};

use crate::shared::Local;

const CANDIDATES: &str = "a=group:BUNDLE 0 1\r\nm=audio 9 UDP/TLS/RTP/SAVPF 111\r\na=mid:0\r\na=ice-ufrag:EsAw\r\n\
    a=ice-pwd:P2uYro0UCOQ4zxjKXaWCBui1\r\na=candidate:1387637174 1 udp 2122260223 192.0.2.1 61764 typ host generation 0\r\n\
    a=candidate:3471623853 1 udp 2122194687 198.51.100.2 61765 typ host generation 0\r\n\
    a=candidate:9 2 udp 1 198.51.100.2 61766 typ host\r\na=end-of-candidates\r\n";

#[test]
fn candidates_come_with_their_credentials() {
    for text in [CANDIDATES.to_owned(), CANDIDATES.replace("\r\n", "\n")] {
        let fragment = TrickleFragment::parse(&text).unwrap();
        let ice = fragment.ice.clone().unwrap();
        assert_eq!((ice.username_fragment.as_str(), ice.ice_lite), ("EsAw", false));
        let ports: Vec<u16> = fragment.candidates.iter().map(|candidate| candidate.port).collect();
        assert_eq!(ports, [61764, 61765]);
        assert!(fragment.end_of_candidates && !fragment.restarts_ice(&ice));
        assert_eq!(fragment.mid.as_deref(), Some("0"));
    }
}

#[test]
fn other_credentials_are_a_restart_and_are_answered() {
    let fragment = TrickleFragment::parse(CANDIDATES).unwrap();
    let before = IceParameters { username_fragment: "abcd".into(), ..fragment.ice.clone().unwrap() };
    assert!(fragment.restarts_ice(&before));
    let local = Local::new(DtlsRole::Auto);
    let text = fragment.answer_restart(&local.ice, &local.candidates).unwrap();
    assert_eq!(
        text,
        "a=ice-lite\r\na=ice-options:trickle\r\na=group:BUNDLE 0 1\r\nm=audio 9 UDP/TLS/RTP/SAVPF 111\r\na=mid:0\r\n\
         a=ice-ufrag:tureen00\r\na=ice-pwd:0123456789012345678901\r\n\
         a=candidate:udp 1 udp 2130706431 192.0.2.200 44444 typ host\r\na=end-of-candidates\r\n"
    );
    let read = TrickleFragment::parse(&text).unwrap();
    assert_eq!((read.ice.as_ref(), &read.candidates), (Some(&local.ice), &local.candidates));
}

#[test]
fn credentials_may_stand_at_the_session_and_candidates_of_others_do_not_count() {
    let text = "a=ice-ufrag:EsAw\na=ice-pwd:P2uYro0UCOQ4zxjKXaWCBui1\nm=audio 9 RTP/AVP 0\na=mid:a\n\
        a=candidate:1 1 udp 1 192.0.2.1 1 typ host\nm=video 9 RTP/AVP 0\na=mid:b\na=ice-ufrag:other\n\
        a=candidate:2 1 udp 1 192.0.2.1 2 typ host\n";
    let fragment = TrickleFragment::parse(text).unwrap();
    assert_eq!(fragment.candidates.len(), 1);
    assert!(!fragment.end_of_candidates);
    assert!(!TrickleFragment::parse("").unwrap().restarts_ice(fragment.ice.as_ref().unwrap()));
}

#[test]
fn faults_are_named_with_their_line() {
    let error = TrickleFragment::parse("a=mid:0\na=ice-ufrag:x\n").unwrap_err();
    assert!(matches!(error, SdpError::Attribute { line: 2, attribute: "ice-ufrag", .. }));
    let error = TrickleFragment::parse("a=x\nm=audio 9 RTP/AVP 0\na=ice-ufrag:abcd\n").unwrap_err();
    assert_eq!(error, SdpError::Missing { line: 2, attribute: "ice-pwd" });
    assert!(matches!(TrickleFragment::parse("hello").unwrap_err(), SdpError::Syntax { line: 1, .. }));
    let fragment = TrickleFragment::parse(CANDIDATES).unwrap();
    let mut local = Local::new(DtlsRole::Auto);
    local.ice.password.push('\n');
    let refused = fragment.answer_restart(&local.ice, &local.candidates);
    assert_eq!(refused, Err(AnswerError::ControlCharacter("ice-pwd".into())));
}

#[test]
fn candidates_of_offers_are_read_the_same() {
    let text = crate::shared::text("chromium-sendonly");
    let offer = Offer::parse(&text).unwrap();
    let lines: Vec<&str> =
        text.lines().filter(|line| line.contains("ice-") || line.contains("candidate:")).collect();
    let fragment = TrickleFragment::parse(&lines.join("\r\n")).unwrap();
    assert_eq!((fragment.ice.as_ref(), &fragment.candidates), (Some(offer.ice()), &offer.candidates));
}
