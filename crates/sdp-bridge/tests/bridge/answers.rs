//! What is answered.

use tureen_rtp_dictionaries::*;
use tureen_sdp_bridge::{Answer, AnswerError, Direction, Offer, SectionKind};

use crate::shared::{Local, consumer, full_router, names, offer, router, text};

/// Takes all that an offer sends, and sends VP8 or Opus to all that receives.
fn answer(offer: &Offer) -> String {
    answer_of(offer, &full_router())
}

fn answer_of(offer: &Offer, router: &RtpCapabilities) -> String {
    let local = Local::new(DtlsRole::Auto);
    let sent = |kind: MediaKind| {
        let codec = match kind {
            MediaKind::Audio => {
                r#"{"mimeType": "audio/opus", "payloadType": 50, "clockRate": 48000, "channels": 2}"#
            }
            MediaKind::Video => r#"{"mimeType": "video/VP8", "payloadType": 50, "clockRate": 90000}"#,
        };
        from_json::<RtpParameters>(&format!(r#"{{"codecs": [{codec}], "encodings": [{{"ssrc": 5}}]}}"#))
            .unwrap()
    };
    let media: Vec<_> = offer
        .media
        .iter()
        .map(|section| {
            let producer = section.producer_rtp_parameters(router, None).ok();
            let kind = section.media_kind().filter(|_| section.receives());
            (producer, kind.map(|kind| consumer(section, router, &sent(kind))))
        })
        .collect();
    let mut answer = Answer::new(offer, local.transport()).unwrap();
    for (section, (producer, consumer)) in offer.media.iter().zip(&media) {
        let mid = section.mid.as_deref().unwrap_or_default();
        if let Some(producer) = producer {
            answer.receive(mid, producer).unwrap();
        }
        if let Some(consumer) = consumer {
            answer.send(mid, consumer).unwrap();
        }
        if section.kind == SectionKind::Data {
            answer.data(mid, 5000, 100_000).unwrap();
        }
    }
    let text = answer.to_sdp().unwrap();
    assert_eq!(answer.to_sdp().unwrap(), text, "the same again");
    text
}

#[test]
fn feedback_by_stream_is_answered_for_all_payload_types_where_it_was_offered() {
    let offered = text("chromium-sendrecv");
    assert!(offered.contains("a=rtcp-rsize\r\n"));
    let offered = offered.replace("a=rtcp-rsize\r\n", "a=rtcp-rsize\r\na=rtcp-fb:* ack ccfb\r\n");
    let offer = Offer::parse(&offered).unwrap();
    let plain = answer_of(&offer, &full_router());
    assert!(!plain.contains("ccfb") && plain.contains("transport-cc"), "{plain}");
    let mut router = full_router();
    for codec in router.codecs.iter_mut().filter(|codec| codec.mime_type.codec().is_media()) {
        codec.rtcp_feedback.push(RtcpFeedback::ACK_CCFB);
    }
    let answered = answer_of(&offer, &router);
    let sections: Vec<_> =
        answered.split("m=").skip(1).filter(|section| !section.contains("inactive")).collect();
    assert!(!sections.is_empty());
    for section in sections {
        assert_eq!(section.matches("a=rtcp-fb:* ack ccfb\r\n").count(), 1, "{answered}");
    }
    assert_eq!(answered.matches("ccfb").count(), answered.matches("* ack ccfb").count(), "{answered}");
    assert!(!answered.contains("transport-cc") && !answered.contains("goog-remb"), "{answered}");
    assert!(!answered.contains("transport-wide-cc"), "{answered}");
}

#[test]
fn an_answer_mirrors_its_offer() {
    for name in names() {
        let offer = offer(&name);
        let text = answer(&offer);
        assert!(text.lines().count() > 8 && text.split("\r\n").all(|line| !line.contains('\n')), "{name}");
        let read = Offer::parse(&text).unwrap_or_else(|error| panic!("{name}: {error}\n{text}"));
        assert!(read.ice().ice_lite && read.end_of_candidates, "{name}");
        assert_eq!(read.dtls().role, DtlsRole::Server, "{name}");
        let fingerprints = &read.dtls().fingerprints;
        let expected = Local::new(DtlsRole::Auto).dtls.fingerprints.split_off(1);
        assert_eq!(fingerprints, &expected, "{name}: webrtc-rs gives up at any but SHA-256");
        assert_eq!(read.bundle, offer.bundle, "{name}: all of the group was accepted");
        assert_eq!(read.extmap_allow_mixed, offer.extmap_allow_mixed, "{name}");
        assert_eq!(read.media.len(), offer.media.len(), "{name}");
        for (answered, offered) in read.media.iter().zip(&offer.media) {
            assert_eq!((&answered.kind, &answered.mid), (&offered.kind, &offered.mid), "{name}");
            assert_eq!(answered.rejected, offered.rejected, "{name}");
            if answered.rejected || answered.media_kind().is_none() {
                continue;
            }
            assert_eq!(answered.direction.sends(), offered.direction.receives(), "{name}");
            assert_eq!(answered.direction.receives(), offered.direction.sends(), "{name}");
            assert_eq!(answered.rtcp_reduced_size, offered.rtcp_reduced_size, "{name}");
            assert!(answered.extensions.iter().all(|extension| {
                offered.extensions.iter().any(|other| other.id == extension.id && other.uri == extension.uri)
            }));
        }
    }
}

#[test]
fn simulcast_is_received_as_it_is_sent() {
    assert!(answer(&offer("chromium-simulcast")).contains("a=simulcast:recv q;h;f\r\n"));
    let paused = answer(&offer("chromium-simulcast-paused"));
    assert!(paused.contains("a=rid:h recv\r\n") && paused.contains("a=simulcast:recv q;~h;~f\r\n"));
    assert!(!answer(&offer("chromium-sendonly")).contains("a=rid"));
}

#[test]
fn what_is_sent_has_its_names() {
    let text = answer(&offer("chromium-recvonly"));
    for line in [
        "a=sendonly",
        "a=msid:cname 1",
        "a=ssrc-group:FID 1000 1001",
        "a=ssrc:1000 cname:cname",
        "a=fmtp:97 apt=96",
    ] {
        assert!(text.contains(&format!("{line}\r\n")), "{line}\n{text}");
    }
}

#[test]
fn parity_is_named_with_what_it_protects() {
    let offer = offer("chromium-recvonly");
    let codecs = r#"[{"mimeType": "audio/opus", "clockRate": 48000, "channels": 2},
        {"mimeType": "video/VP8", "clockRate": 90000}, {"mimeType": "video/flexfec-03", "clockRate": 90000}]"#;
    let router = router(codecs);
    let text = answer_of(&offer, &router);
    for line in [
        "a=rtpmap:49 flexfec-03/90000",
        "a=fmtp:49 repair-window=10000000",
        "a=ssrc-group:FEC-FR 1000 1002",
        "a=ssrc:1002 cname:cname",
    ] {
        assert!(text.contains(&format!("{line}\r\n")), "{line}\n{text}");
    }
}

#[test]
fn preference_for_red_survives() {
    assert!(answer(&offer("chromium-red-first")).contains("SAVPF 63 111\r\n"));
}

#[test]
fn nothing_is_accepted_unless_it_is_said() {
    let offer = offer("chromium-sendonly");
    let local = Local::new(DtlsRole::Auto);
    let mut answer = Answer::new(&offer, local.transport()).unwrap();
    assert!(!answer.to_sdp().unwrap().contains("BUNDLE"));
    answer.inactive("1").unwrap();
    let text = answer.to_sdp().unwrap();
    assert!(text.contains("a=group:BUNDLE 1\r\n") && text.contains("m=audio 0 UDP/TLS/RTP/SAVPF 111 63"));
    assert!(text.contains("m=video 44444 UDP/TLS/RTP/SAVPF 96\r\nc=IN IP4 192.0.2.200\r\n"));
    let read = Offer::parse(&text).unwrap();
    assert_eq!((read.media[0].rejected, read.media[1].direction), (true, Direction::Inactive));
    answer.reject("1").unwrap();
    assert!(!answer.to_sdp().unwrap().contains("BUNDLE"));
    let text = answer.with_session(7, 9).to_sdp().unwrap();
    assert!(text.starts_with("v=0\r\no=- 7 9 IN IP4 127.0.0.1\r\n"));
}

#[test]
fn roles_follow_from_both_sides() {
    use DtlsRole::{Auto, Client, Server};
    let cases = [
        ("actpass", Auto, Some(Server)),
        ("actpass", Client, Some(Client)),
        ("actpass", Server, Some(Server)),
        ("active", Auto, Some(Server)),
        ("active", Client, None),
        ("passive", Auto, Some(Client)),
        ("passive", Server, None),
    ];
    for (setup, own, expected) in cases {
        let text =
            crate::shared::text("chromium-sendonly").replace("setup:actpass", &format!("setup:{setup}"));
        let (offer, local) = (Offer::parse(&text).unwrap(), Local::new(own));
        let answer = Answer::new(&offer, local.transport());
        assert_eq!(answer.ok().map(|answer| answer.dtls_role()), expected, "{setup} {own:?}");
    }
}

#[test]
fn what_was_not_offered_cannot_be_answered() {
    let (sends, receives) = (offer("chromium-sendonly"), offer("chromium-recvonly"));
    let (local, router) = (Local::new(DtlsRole::Auto), full_router());
    let producer = sends.media[1].producer_rtp_parameters(&router, None).unwrap();
    let mut answer = Answer::new(&sends, local.transport()).unwrap();
    assert_eq!(answer.receive("9", &producer), Err(AnswerError::UnknownMid("9".into())));
    assert!(matches!(answer.send("1", &producer), Err(AnswerError::NotOffered { .. })));
    assert!(matches!(answer.data("1", 5000, 1), Err(AnswerError::NotOffered { .. })));
    assert!(matches!(answer.receive("0", &producer), Err(AnswerError::PayloadType { payload_type: 96, .. })));
    let mut renumbered = producer.clone();
    renumbered.codecs[0].payload_type = 98;
    assert!(matches!(answer.receive("1", &renumbered), Err(AnswerError::PayloadType { .. })));
    let mut renumbered = producer.clone();
    renumbered.header_extensions[0].id = 200;
    assert!(matches!(answer.receive("1", &renumbered), Err(AnswerError::HeaderExtension { id: 200, .. })));
    let empty = RtpParameters::default();
    assert_eq!(answer.receive("1", &empty), Err(AnswerError::NoCodec("1".into())));
    let mut answer = Answer::new(&receives, local.transport()).unwrap();
    let mut consumer = consumer(&receives.media[1], &router, &producer);
    consumer.encodings[0].ssrc = None;
    assert_eq!(answer.send("1", &consumer), Err(AnswerError::NoSsrc("1".into())));
}

#[test]
fn no_value_breaks_out_of_its_line() {
    let (offer, local, router) = (offer("chromium-recvonly"), Local::new(DtlsRole::Auto), full_router());
    let producer = r#"{"codecs": [{"mimeType": "video/VP8", "payloadType": 5, "clockRate": 90000}],
        "encodings": [{"ssrc": 5}], "msid": "a\r\na=evil"}"#;
    let consumer = consumer(&offer.media[1], &router, &from_json(producer).unwrap());
    let mut answer = Answer::new(&offer, local.transport()).unwrap();
    answer.send("1", &consumer).unwrap();
    assert_eq!(answer.to_sdp(), Err(AnswerError::ControlCharacter("msid".into())));
}
