//! The clients with nothing but a lossy path between them: what the tests of the server measure with is right, and can
//! tell a repaired stream from one that is not.

use tureen_sim::link::{LinkConfig, Loss};
use tureen_sim::relay::{Filter, Impairment, Relay, RelayConfig};

use crate::clients::{
    AUDIO_SSRC, Address, Codec, FfmpegStream, GstreamerStream, Publisher, Receiver, Reception, SECONDS,
    SrtpKey, TONE, VIDEO_SSRC, ffmpeg_publish, prepare,
};
use crate::pictures::{Comparison, GOOD_SSIM};
use crate::tone::Sound;
use crate::{ports, report, take_turn};

/// A free pair of ports.
pub(crate) fn pair() -> Address {
    let (rtp, rtcp) = ports::free_pair();
    Address { rtp, rtcp }
}

fn reception(codec: Codec, payload_type: u8, at: Address, rtcp_to: u16) -> Reception {
    Reception { codec, payload_type, rtx_payload_type: None, at, rtcp_to, nack: false, srtp: None }
}

/// A relay in front of `target` that loses this share of RTP, and of RTP alone.
pub(crate) fn lossy_relay(target: u16, share: f64, seed: u64) -> Relay {
    let mut config = RelayConfig::new(([127, 0, 0, 1], target).into());
    config.to_target.link = LinkConfig { loss: Loss::Random(share), ..LinkConfig::default() };
    config.to_target = Impairment { filter: Filter::Rtp, ..config.to_target };
    config.seed = seed;
    Relay::start(config).expect("a relay")
}

#[test]
fn real_media_direct_vp8_opus() {
    let _turn = take_turn();
    let source = prepare();
    let directory = tempfile::tempdir().unwrap();
    let (audio, video, also, nowhere) = (pair(), pair(), pair(), pair());
    let listener =
        Receiver::gstreamer(directory.path(), "listen", &reception(Codec::Opus, 101, audio, nowhere.rtcp));
    let viewer =
        Receiver::gstreamer(directory.path(), "view", &reception(Codec::Vp8, 102, video, nowhere.rtcp));
    let other =
        Receiver::ffmpeg(directory.path(), "view-ffmpeg", &reception(Codec::Vp8, 102, also, nowhere.rtcp));
    let stream = |codec, ssrc, payload_type, to| FfmpegStream { codec, ssrc, payload_type, to, srtp: None };
    let streams = [
        stream(Codec::Opus, AUDIO_SSRC, 101, audio),
        stream(Codec::Vp8, VIDEO_SSRC, 102, video),
        stream(Codec::Vp8, VIDEO_SSRC, 102, also),
    ];
    ffmpeg_publish(directory.path(), &source, &streams).finish();
    let sound = Sound::read(&listener.finish().0);
    for (name, receiver) in [("GStreamer", viewer), ("FFmpeg", other)] {
        let comparison = source.compare(&receiver.finish().0);
        report(&format!("direct VP8, {name}: {}", comparison.summary()));
        comparison.assert_faithful(1.0);
    }
    sound.assert_tone(TONE, SECONDS as f64 - 1.0);
}

#[test]
fn real_media_direct_h264_srtp() {
    let _turn = take_turn();
    let source = prepare();
    let directory = tempfile::tempdir().unwrap();
    let suite = "AES_CM_128_HMAC_SHA1_80".to_owned();
    let ours =
        SrtpKey { suite: suite.clone(), base64: "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwd".to_owned() };
    let theirs = SrtpKey { suite, base64: "KCkqKywtLi8wMTIzNDU2Nzg5Ojs8PT4/QEFCQ0RF".to_owned() };
    let (one, other, nowhere) = (pair(), pair(), pair());
    let secure = |at| Reception {
        srtp: Some((theirs.clone(), ours.clone())),
        ..reception(Codec::H264, 103, at, nowhere.rtcp)
    };
    let receivers = [
        ("GStreamer", Receiver::gstreamer(directory.path(), "view", &secure(one))),
        ("FFmpeg", Receiver::ffmpeg(directory.path(), "view-ffmpeg", &secure(other))),
    ];
    let streams = [one, other].map(|to| FfmpegStream {
        codec: Codec::H264,
        ssrc: VIDEO_SSRC,
        payload_type: 103,
        to,
        srtp: Some(ours.clone()),
    });
    ffmpeg_publish(directory.path(), &source, &streams).finish();
    for (name, receiver) in receivers {
        let comparison = source.compare(&receiver.finish().0);
        report(&format!("direct H264 over SRTP, {name}: {}", comparison.summary()));
        comparison.assert_faithful(1.0);
    }
}

/// GStreamer to GStreamer over a path that loses 3% of RTP: what arrives, and both statistics.
fn lossy_run(nack: bool, rtx_payload_type: Option<u8>, srtp: bool) -> Comparison {
    let _turn = take_turn();
    let source = prepare();
    let directory = tempfile::tempdir().unwrap();
    let key = SrtpKey {
        suite: "AEAD_AES_128_GCM".to_owned(),
        base64: "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGw==".to_owned(),
    };
    let srtp = srtp.then(|| (key.clone(), key));
    let (from, at) = (pair(), pair());
    let relay = lossy_relay(at.rtp, 0.03, 11);
    let reception =
        Reception { rtx_payload_type, nack, srtp: srtp.clone(), ..reception(Codec::Vp8, 102, at, from.rtcp) };
    let viewer = Receiver::gstreamer(directory.path(), "view", &reception);
    let to = Address { rtp: relay.listen_addr().port(), rtcp: at.rtcp };
    let stream = GstreamerStream { codec: Codec::Vp8, payload_type: 102, rtx_payload_type, from, to, srtp };
    let sent = Publisher::gstreamer(directory.path(), &source, &stream).finish();
    let (output, received) = viewer.finish();
    let comparison = source.compare(&output);
    report(&format!("direct, nack {nack}, rtx {rtx_payload_type:?}: {}", comparison.summary()));
    report(&format!("  {:?}\n  sender {sent}\n  receiver {received}", relay.to_target_stats()));
    assert!(relay.to_target_stats().rtp_dropped > 20, "the path lost next to nothing");
    comparison
}

#[test]
fn real_media_direct_loss_rtx() {
    lossy_run(true, Some(103), false).assert_faithful(1.0);
}

#[test]
fn real_media_direct_loss_plain() {
    lossy_run(true, None, false).assert_faithful(1.0);
}

#[test]
fn real_media_direct_loss_srtp_rtx() {
    lossy_run(true, Some(103), true).assert_faithful(1.0);
}

#[test]
fn real_media_direct_loss_without_repair_shows() {
    assert!(lossy_run(false, None, false).share(GOOD_SSIM) < 0.7);
}
