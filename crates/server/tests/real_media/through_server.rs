//! The clients with the server between them: everything that is published arrives, whole and in order.

use std::path::Path;

use serde_json::Value;
use tempfile::TempDir;
use tureen_sim::relay::Relay;

use crate::api::{Broadcaster, PlainTransport, Room, Server, rtp_parameters, without_rtx};
use crate::clients::{
    AUDIO_SSRC, Address, Codec, FfmpegStream, GstreamerStream, Publisher, Receiver, Reception, SECONDS,
    SrtpKey, TONE, VIDEO_SSRC, ffmpeg_publish, prepare,
};
use crate::direct::{lossy_relay, pair};
use crate::pictures::Source;
use crate::tone::Sound;
use crate::{report, take_turn};

const LOSS: f64 = 0.03;
const AUDIO_PAYLOAD_TYPE: u8 = 101;
const VIDEO_PAYLOAD_TYPE: u8 = 102;
const RTX_PAYLOAD_TYPE: u8 = 103;
/// Share of the pictures that has to arrive.
const SHARE: f64 = 1.0;

/// The program that receives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Program {
    Ffmpeg,
    Gstreamer,
}

/// A stream on its way from the server to a client that is listening already.
struct Viewing {
    receiver: Receiver,
    /// The lossy path in front of the client, where there is one.
    relay: Option<Relay>,
}

/// What differs between viewers.
#[derive(Clone, Debug)]
struct Viewer {
    program: Program,
    codec: Codec,
    srtp: Option<SrtpKey>,
    nack: bool,
    loss: bool,
}

impl Viewer {
    const fn new(program: Program, codec: Codec) -> Self {
        Self { program, codec, srtp: None, nack: false, loss: false }
    }

    /// Consumes a producer on a transport of its own, and starts the client for it.
    fn view(&self, broadcaster: &Broadcaster<'_>, directory: &Path, name: &str, producer: &str) -> Viewing {
        let suite = self.srtp.as_ref().map(|key| key.suite.as_str());
        let transport = broadcaster.plain_transport(false, suite);
        let at = pair();
        let relay = self.loss.then(|| lossy_relay(at.rtp, LOSS, 5));
        let rtp = relay.as_ref().map_or(at.rtp, |relay| relay.listen_addr().port());
        let stream = transport.consume(producer);
        let reception = Reception {
            codec: self.codec,
            payload_type: stream.payload_type(self.codec),
            rtx_payload_type: stream.rtx_payload_type().filter(|_| self.nack),
            at,
            rtcp_to: transport.address.rtcp,
            nack: self.nack,
            srtp: self.srtp.clone().zip(transport.srtp.clone()),
        };
        let receiver = match self.program {
            Program::Ffmpeg => Receiver::ffmpeg(directory, name, &reception),
            Program::Gstreamer => Receiver::gstreamer(directory, name, &reception),
        };
        transport.connect(Some(Address { rtp, rtcp: at.rtcp }), self.srtp.as_ref());
        Viewing { receiver, relay }
    }
}

/// The server, a turn, and a place for files.
///
/// Dropped in this order: the server's log is shown where a test fails, so its directory outlives it.
struct Stage {
    server: Server,
    source: Source,
    directory: TempDir,
    _turn: std::fs::File,
}

impl Stage {
    fn set() -> Self {
        let turn = take_turn();
        let source = prepare();
        let directory = tempfile::tempdir().expect("a directory");
        let server = Server::start(directory.path());
        Self { server, source, directory, _turn: turn }
    }

    fn room(&self) -> Room<'_> {
        self.server.room("real-media")
    }

    fn path(&self) -> &Path {
        self.directory.path()
    }

    /// Ends a viewer of video, reports on it, and holds it to the pictures that were sent. Gives its statistics.
    fn judge(&self, about: &str, viewing: Viewing) -> Value {
        let (output, statistics) = viewing.receiver.finish();
        let comparison = self.source.compare(&output);
        report(&format!("{about}: {}\n  {statistics}", comparison.summary()));
        if let Some(relay) = &viewing.relay {
            report(&format!("  {:?}", relay.to_target_stats()));
        }
        comparison.assert_faithful(SHARE);
        statistics
    }
}

/// A key of the client's own.
fn key(suite: &str, base64: &str) -> SrtpKey {
    SrtpKey { suite: suite.to_owned(), base64: base64.to_owned() }
}

/// A number somewhere in statistics, as `/rtx/num-rtx-packets`.
fn count(statistics: &Value, pointer: &str) -> u64 {
    statistics
        .pointer(pointer)
        .and_then(Value::as_u64)
        .unwrap_or_else(|| panic!("no {pointer}: {statistics}"))
}

fn publish_on(
    transport: &PlainTransport<'_>,
    codec: Codec,
    payload_type: u8,
    ssrc: u32,
) -> (FfmpegStream, String) {
    let producer = transport.produce(codec.kind(), &rtp_parameters(codec, payload_type, ssrc, None));
    let stream = FfmpegStream { codec, ssrc, payload_type, to: transport.address, srtp: None };
    (stream, producer)
}

#[test]
fn real_media_vp8_opus() {
    let stage = Stage::set();
    let publisher = stage.room().broadcaster("publisher", None);
    let (audio, audio_producer) =
        publish_on(&publisher.plain_transport(true, None), Codec::Opus, AUDIO_PAYLOAD_TYPE, AUDIO_SSRC);
    let (video, video_producer) =
        publish_on(&publisher.plain_transport(true, None), Codec::Vp8, VIDEO_PAYLOAD_TYPE, VIDEO_SSRC);
    let viewer = stage.room().broadcaster("viewer", Some(stage.room().rtp_capabilities()));
    let view = |program, codec, name, producer: &str| {
        Viewer::new(program, codec).view(&viewer, stage.path(), name, producer)
    };
    let heard = [
        view(Program::Gstreamer, Codec::Opus, "listen", &audio_producer),
        view(Program::Ffmpeg, Codec::Opus, "listen-ffmpeg", &audio_producer),
    ];
    let seen = [
        view(Program::Gstreamer, Codec::Vp8, "view", &video_producer),
        view(Program::Ffmpeg, Codec::Vp8, "view-ffmpeg", &video_producer),
    ];
    ffmpeg_publish(stage.path(), &stage.source, &[audio, video]).finish();
    for viewing in heard {
        let sound = Sound::read(&viewing.receiver.finish().0);
        report(&format!("Opus: {:.1} s, {:.1} Hz", sound.seconds(), sound.frequency()));
        sound.assert_tone(TONE, SECONDS as f64 - 1.0);
    }
    for viewing in seen {
        stage.judge("VP8", viewing);
    }
}

#[test]
fn real_media_h264_srtp() {
    const CM: &str = "AES_CM_128_HMAC_SHA1_80";
    const GCM: &str = "AEAD_AES_128_GCM";
    let stage = Stage::set();
    let transport = stage.room().broadcaster("publisher", None).plain_transport(true, Some(CM));
    let publisher_key = key(CM, "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwd");
    transport.connect(None, Some(&publisher_key));
    let (video, producer) = publish_on(&transport, Codec::H264, VIDEO_PAYLOAD_TYPE, VIDEO_SSRC);
    let viewer = stage.room().broadcaster("viewer", Some(stage.room().rtp_capabilities()));
    let view = |program, name, key| {
        let viewer_settings = Viewer { srtp: Some(key), ..Viewer::new(program, Codec::H264) };
        viewer_settings.view(&viewer, stage.path(), name, &producer)
    };
    let seen = [
        view(Program::Gstreamer, "view-gcm", key(GCM, "ICEiIyQlJicoKSorLC0uLzAxMjM0NTY3ODk6Ow==")),
        view(Program::Gstreamer, "view-cm", key(CM, "KCkqKywtLi8wMTIzNDU2Nzg5Ojs8PT4/QEFCQ0RF")),
        view(Program::Ffmpeg, "view-ffmpeg", key(CM, "MDEyMzQ1Njc4OTo7PD0+P0BBQkNERUZHSElKS0xN")),
    ];
    let stream = FfmpegStream { srtp: Some(publisher_key), ..video };
    ffmpeg_publish(stage.path(), &stage.source, &[stream]).finish();
    for viewing in seen {
        stage.judge("H264 over SRTP", viewing);
    }
}

/// Loses packets between the publisher and the server.
fn loss_before_server(rtx_payload_type: Option<u8>) {
    let stage = Stage::set();
    let publisher = stage.room().broadcaster("publisher", None);
    // Not comedia: the server knows from the first packet on where its NACKs go.
    let transport = publisher.plain_transport(false, None);
    let parameters = rtp_parameters(Codec::Vp8, VIDEO_PAYLOAD_TYPE, VIDEO_SSRC, rtx_payload_type);
    let producer = transport.produce("video", &parameters);
    let from = pair();
    let relay = lossy_relay(transport.address.rtp, LOSS, 5);
    transport.connect(Some(Address { rtp: relay.target_side_addr().port(), rtcp: from.rtcp }), None);
    let viewer = stage.room().broadcaster("viewer", Some(stage.room().rtp_capabilities()));
    // The path to the viewer is whole, so it asks for nothing: what it sees, the server has had repaired. Only a
    // picture that was late for the jitter buffer would be missing.
    let viewing = Viewer::new(Program::Gstreamer, Codec::Vp8).view(&viewer, stage.path(), "view", &producer);
    let stream = GstreamerStream {
        codec: Codec::Vp8,
        payload_type: VIDEO_PAYLOAD_TYPE,
        rtx_payload_type,
        from,
        to: Address { rtp: relay.listen_addr().port(), rtcp: transport.address.rtcp },
        srtp: None,
    };
    let sent = Publisher::gstreamer(stage.path(), &stage.source, &stream).finish();
    let lost = relay.to_target_stats().rtp_dropped;
    report(&format!("publisher, rtx {rtx_payload_type:?}: {sent}\n  {:?}", relay.to_target_stats()));
    stage.judge("VP8 with loss before the server", viewing);
    let repairs = if rtx_payload_type.is_some() { "/rtx/num-rtx-packets" } else { "/rtx/fulfilled-requests" };
    assert!(lost > 20, "the path lost next to nothing: {lost}");
    // A packet that is lost twice is repaired twice; the very last may be lost unnoticed.
    assert!(count(&sent, repairs) + 3 >= lost, "{lost} lost, repaired: {sent}");
}

#[test]
fn real_media_loss_publisher_rtx() {
    loss_before_server(Some(RTX_PAYLOAD_TYPE));
}

#[test]
fn real_media_loss_publisher_plain() {
    loss_before_server(None);
}

/// Loses packets between the server and a viewer.
fn loss_behind_server(rtx: bool) {
    let stage = Stage::set();
    let transport = stage.room().broadcaster("publisher", None).plain_transport(true, None);
    let (video, producer) = publish_on(&transport, Codec::Vp8, VIDEO_PAYLOAD_TYPE, VIDEO_SSRC);
    let capabilities = stage.room().rtp_capabilities();
    let capabilities = if rtx { capabilities } else { without_rtx(capabilities) };
    let viewer = stage.room().broadcaster("viewer", Some(capabilities));
    let settings = Viewer { nack: true, loss: true, ..Viewer::new(Program::Gstreamer, Codec::Vp8) };
    let viewing = settings.view(&viewer, stage.path(), "view", &producer);
    ffmpeg_publish(stage.path(), &stage.source, &[video]).finish();
    let dropped = |viewing: &Viewing| viewing.relay.as_ref().map(|relay| relay.to_target_stats().rtp_dropped);
    let lost = dropped(&viewing).unwrap_or_default();
    let received = stage.judge("VP8 with loss behind the server", viewing);
    assert!(lost > 20, "the path lost next to nothing: {lost}");
    let requests = count(&received, "/session/sent-nack-count");
    assert!(requests >= lost / 2, "{lost} lost, asked for: {received}");
    let repairs = received.pointer("/rtx/num-rtx-assoc-packets").and_then(Value::as_u64);
    assert_eq!(repairs.is_some(), rtx, "RFC 4588 retransmissions in: {received}");
    // Of the lost packets, some are retransmissions themselves.
    assert!(repairs.is_none_or(|repairs| repairs * 10 >= lost * 8), "{lost} lost, repaired: {received}");
}

#[test]
fn real_media_loss_viewer_rtx() {
    loss_behind_server(true);
}

#[test]
fn real_media_loss_viewer_plain() {
    loss_behind_server(false);
}
