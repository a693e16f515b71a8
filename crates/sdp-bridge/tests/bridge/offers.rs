//! What is read from recorded offers, and what a router is told of it.

use tureen_rtp_dictionaries::*;
use tureen_sdp_bridge::{Direction, SectionKind, UnsupportedMediaError};

use crate::shared::{full_router, names, offer, router, text};

fn mime_types(params: &RtpParameters) -> Vec<(&str, u8)> {
    params.codecs.iter().map(|codec| (codec.mime_type.as_str(), codec.payload_type)).collect()
}

fn rids(params: &RtpParameters) -> Vec<&str> {
    params.encodings.iter().filter_map(|encoding| encoding.rid.as_deref()).collect()
}

fn extension_id(params: &RtpParameters, uri: HeaderExtensionUri) -> Option<u8> {
    params.header_extensions.iter().find(|extension| extension.uri == uri).map(|extension| extension.id)
}

#[test]
fn every_recorded_offer_is_read_and_what_it_sends_can_be_produced() {
    let router = full_router();
    for name in names() {
        let offer = offer(&name);
        assert!(!offer.dtls().fingerprints.is_empty() && offer.dtls().role == DtlsRole::Auto, "{name}");
        // A restart was recorded before its candidates were there.
        assert_eq!(offer.candidates.is_empty(), !text(&name).contains("a=candidate"), "{name}");
        let mut produced = 0;
        for section in offer.media.iter().filter(|section| section.sends() && section.media_kind().is_some())
        {
            let mut params = section.producer_rtp_parameters(&router, None).expect(&name);
            let before = params.clone();
            validate_rtp_parameters(&mut params).expect(&name);
            assert_eq!(params, before, "{name}: nothing was left for validation to fill in");
            get_producer_rtp_parameters_mapping(&params, &router, 1).expect(&name);
            produced += 1;
        }
        let receives = name.contains("recv") && !name.contains("sendrecv");
        assert_eq!(produced == 0, receives || name.ends_with("datachannel"), "{name}");
    }
}

#[test]
fn a_browser_that_sends() {
    let offer = offer("chromium-sendonly");
    assert_eq!(offer.bundle, ["0", "1"]);
    assert!(offer.extmap_allow_mixed && offer.trickles() && !offer.ice().ice_lite);
    let [audio, video] = &offer.media[..] else { panic!("two sections") };
    assert_eq!((audio.direction, video.direction), (Direction::SendOnly, Direction::SendOnly));
    let audio = audio.producer_rtp_parameters(&full_router(), None).unwrap();
    assert_eq!(mime_types(&audio), [("audio/opus", 111)]);
    assert_eq!(audio.codecs[0].parameters.get_u64("minptime"), Some(10));
    assert_eq!(audio.codecs[0].rtcp_feedback, [RtcpFeedback::TRANSPORT_CC]);
    let video = video.producer_rtp_parameters(&full_router(), None).unwrap();
    assert_eq!(mime_types(&video), [("video/VP8", 96), ("video/rtx", 97)]);
    assert!(!video.codecs[0].rtcp_feedback.contains(&RtcpFeedback::GOOG_REMB));
    assert!(video.encodings[0].ssrc.is_some() && video.encodings[0].rtx.is_some());
    assert_eq!(audio.rtcp.cname, video.rtcp.cname);
    assert!(audio.rtcp.cname.is_some() && video.rtcp.reduced_size);
    assert_eq!(video.mid.as_deref(), Some("1"));
    let stream = |params: &RtpParameters| params.msid.clone().unwrap().split(' ').next().map(str::to_owned);
    assert_eq!(stream(&audio), stream(&video));
}

#[test]
fn the_offerers_first_codec_that_the_router_has_is_taken() {
    let h264 = router(
        r#"[{"mimeType": "video/H264", "clockRate": 90000,
             "parameters": {"packetization-mode": 1, "profile-level-id": "4d0032"}}]"#,
    );
    let offer = offer("chromium-sendonly");
    let video = offer.media[1].producer_rtp_parameters(&h264, None).unwrap();
    assert_eq!(mime_types(&video), [("video/H264", 116), ("video/rtx", 117)]);
    assert_eq!(video.codecs[0].parameters.get("profile-level-id").unwrap().to_text().unwrap(), "4d001f");
    let line = offer.media[0].line;
    let refused = offer.media[0].producer_rtp_parameters(&h264, None);
    assert_eq!(refused, Err(UnsupportedMediaError::NoSupportedCodec { line }));
}

#[test]
fn simulcast_has_an_encoding_for_each_rid() {
    for name in ["chromium-simulcast", "firefox-simulcast", "chromium-all-extensions"] {
        let offer = offer(name);
        let video = offer.media[1].producer_rtp_parameters(&full_router(), Some("L1T3")).unwrap();
        assert_eq!(rids(&video), ["q", "h", "f"], "{name}");
        assert!(video.encodings.iter().all(|encoding| encoding.ssrc.is_none()), "{name}");
        assert!(video.encodings.iter().all(|encoding| encoding.layers().temporal_layers == 3), "{name}");
        assert!(video.rtcp.cname.is_some(), "{name}");
        assert_eq!(ProducerType::of(&video), ProducerType::Simulcast);
    }
    let paused = &offer("chromium-simulcast-paused").media[0];
    let simulcast = paused.streams.simulcast.as_ref().unwrap();
    let marks: Vec<bool> = simulcast.send.iter().map(|stream| stream[0].paused).collect();
    assert_eq!(marks, [false, true, true]);
    assert_eq!(rids(&paused.producer_rtp_parameters(&full_router(), None).unwrap()), ["q", "h", "f"]);
}

#[test]
fn rids_that_say_their_size_are_put_in_its_order() {
    let text = self::text("chromium-simulcast")
        .replace("a=rid:q send", "a=rid:q send pt=96;max-width=1920;max-height=1080;max-br=9000")
        .replace("a=rid:h send", "a=rid:h send max-width=640;max-height=360")
        .replace("a=rid:f send", "a=rid:f send max-width=320;max-height=180;max-fps=15")
        .replace("a=simulcast:send q;h;f", "a=simulcast:send q,f;h;f");
    let offer = tureen_sdp_bridge::Offer::parse(&text).unwrap();
    let video = offer.media[1].producer_rtp_parameters(&full_router(), None).unwrap();
    assert_eq!(rids(&video), ["f", "h", "q"]);
    assert_eq!(video.encodings[2].max_bitrate, Some(9000));
    let streams = &offer.media[1].streams;
    assert_eq!((streams.rids[0].payload_types.as_slice(), streams.rids[2].max_fps), (&[96][..], Some(15)));
    assert_eq!(streams.simulcast.as_ref().unwrap().send[0].len(), 2);
}

#[test]
fn a_group_of_ssrcs_is_simulcast_too() {
    let text = self::text("aiortc-sendonly");
    let first = text.lines().position(|line| line.starts_with("m=video")).unwrap();
    let mut lines: Vec<&str> = text.lines().take(first).collect();
    let video = text.lines().skip(first).filter(|line| !line.starts_with("a=ssrc"));
    lines.extend(video);
    lines.extend(["a=ssrc-group:SIM 1 2", "a=ssrc-group:FID 1 11", "a=ssrc-group:FID 2 12"]);
    lines.extend(["a=ssrc:1 cname:x", "a=ssrc:2 cname:x", "a=ssrc:11 cname:x", "a=ssrc:12 cname:x"]);
    let offer = tureen_sdp_bridge::Offer::parse(&lines.join("\n")).unwrap();
    let video = offer.media[1].producer_rtp_parameters(&full_router(), None).unwrap();
    let ssrcs: Vec<_> =
        video.encodings.iter().map(|encoding| (encoding.ssrc, encoding.rtx.map(|rtx| rtx.ssrc))).collect();
    assert_eq!(ssrcs, [(Some(1), Some(11)), (Some(2), Some(12))]);
}

#[test]
fn the_caller_tells_the_scalability_mode() {
    for (name, codec, mode) in
        [("chromium-svc-vp9", "video/VP9", "L3T3_KEY"), ("chromium-svc-av1", "video/AV1", "L3T3")]
    {
        let video = offer(name).media[1].producer_rtp_parameters(&full_router(), Some(mode)).unwrap();
        assert_eq!(video.codecs[0].mime_type.as_str(), codec);
        assert_eq!(ProducerType::of(&video), ProducerType::Svc);
        assert_eq!(extension_id(&video, HeaderExtensionUri::DependencyDescriptor), Some(12));
    }
}

#[test]
fn ids_above_fourteen_stay_and_encrypted_extensions_go() {
    let offer = offer("chromium-all-extensions");
    let video = offer.media[1].producer_rtp_parameters(&full_router(), None).unwrap();
    assert_eq!(extension_id(&video, HeaderExtensionUri::DependencyDescriptor), Some(17));
    assert_eq!(extension_id(&video, HeaderExtensionUri::AbsCaptureTime), Some(5));
    assert_eq!(extension_id(&video, HeaderExtensionUri::RepairedRtpStreamId), Some(11));
    let encrypted: Vec<u8> = offer.media[1].extensions.iter().filter(|e| e.encrypt).map(|e| e.id).collect();
    assert_eq!(encrypted, [9]);
    let receives = &self::offer("chromium-recv-all-extensions").media[1].rtp_capabilities();
    assert!(receives.header_extensions.iter().any(|extension| extension.preferred_id == 17));
    assert!(receives.header_extensions.iter().all(|extension| extension.preferred_id != 9));
}

#[test]
fn red_goes_along_where_it_is_preferred() {
    let red = offer("chromium-red-first").media[0].producer_rtp_parameters(&full_router(), None).unwrap();
    assert_eq!(mime_types(&red), [("audio/opus", 111), ("audio/red", 63)]);
    assert_eq!(red.codecs[1].parameters, red_parameters(&[111, 111]));
    let opus = r#"[{"mimeType": "audio/opus", "clockRate": 48000, "channels": 2}]"#;
    let plain = offer("chromium-red-first").media[0].producer_rtp_parameters(&router(opus), None).unwrap();
    assert_eq!(mime_types(&plain), [("audio/opus", 111)]);
}

#[test]
fn a_receiver_keeps_its_numbers() {
    for name in ["chromium-recvonly", "firefox-recvonly", "aiortc-recvonly"] {
        let offer = offer(name);
        let router = full_router();
        // The numbers of this producer are nobody else's.
        let producer: RtpParameters = from_json(
            r#"{"codecs": [{"mimeType": "video/VP8", "payloadType": 50, "clockRate": 90000}],
                "headerExtensions": [{"uri": "urn:3gpp:video-orientation", "id": 3}],
                "encodings": [{"ssrc": 5}]}"#,
        )
        .unwrap();
        let section = &offer.media[1];
        let consumer = crate::shared::consumer(section, &router, &producer);
        let number = |mime_type: &str| {
            let known = section.codecs.iter().find(|codec| codec.mime_type.as_str() == mime_type);
            known.unwrap().payload_type
        };
        let vp8 = number("video/VP8");
        let rtx = section.codecs.iter().find(|codec| codec.apt() == Some(vp8)).unwrap().payload_type;
        assert_eq!(mime_types(&consumer), [("video/VP8", vp8), ("video/rtx", rtx)], "{name}");
        assert_eq!(consumer.codecs[1].apt(), Some(vp8), "{name}");
        for extension in &consumer.header_extensions {
            let same = |offered: &&tureen_sdp_bridge::OfferedExtension| offered.uri == extension.uri;
            assert_eq!(section.extensions.iter().find(same).unwrap().id, extension.id, "{name}");
        }
        assert!(extension_id(&consumer, HeaderExtensionUri::Mid).is_some(), "{name}");
    }
}

#[test]
fn capabilities_of_all_sections_are_valid_together() {
    for name in names() {
        let mut merged = offer(&name).rtp_capabilities();
        validate_rtp_capabilities(&mut merged).expect(&name);
        assert_eq!(merged.codecs.is_empty(), !name.contains("recv"), "{name}");
    }
}

#[test]
fn stopped_sections_restarts_and_data_channels() {
    for browser in ["chromium", "firefox"] {
        let stopped = offer(&format!("{browser}-stopped"));
        assert_eq!(stopped.bundle, ["0"]);
        assert!(stopped.media[1].rejected && !stopped.media[1].sends());
        let restarted = offer(&format!("{browser}-icerestart"));
        assert!(restarted.restarts_ice(offer(&format!("{browser}-sendonly")).ice()));
        assert!(!restarted.restarts_ice(restarted.ice()));
        assert!(restarted.session_version > 0);
        let offer = offer(&format!("{browser}-datachannel-and-media"));
        let data = offer.media.iter().find(|section| section.kind == SectionKind::Data).unwrap();
        assert_eq!(data.data.unwrap().sctp_port, 5000);
        assert!(data.data.unwrap().max_message_size >= 262_144);
    }
}

#[test]
fn sections_for_bundle_only_are_not_rejected() {
    let offer = offer("firefox-maxbundle");
    assert!(text("firefox-maxbundle").contains("a=bundle-only"));
    assert!(offer.media.iter().all(|section| !section.rejected));
}
