//! Calls over the machine's own address: every codec, both browsers, both versions of DTLS.

use super::figures::{Room, SKEW_MS};
use super::scenario;
use crate::api::Server;
use crate::{report, shared_directory, take_turn};
use serde::Deserialize;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::time::Duration;

const LIMIT: Duration = Duration::from_secs(150);
/// Chromium withholds the top layer of small pictures otherwise.
const ALL_LAYERS: &str = "--force-fieldtrials=WebRTC-LegacySimulcastLayerLimit/Disabled/";

const GCM: &str = "AEAD_AES_256_GCM";
const CM: &str = "AES128_CM_HMAC_SHA1_80";
/// As `getStats` writes versions.
const DTLS_12: &str = "FEFD";
const DTLS_13: &str = "FEFC";

/// The peers of a call meet in a room of a server that was started for it.
fn call(server: &[&str], seconds: u64, peers: &Value, screenshot: Option<&str>) -> Room {
    let _turn = take_turn();
    let directory = tempfile::tempdir().expect("a directory");
    let server = Server::for_browsers(directory.path(), server);
    let mut options = json!({ "url": server.page(), "room": "call", "seconds": seconds, "peers": peers });
    if let Some(name) = screenshot {
        options["screenshot"] = shared_directory().join(name).to_str().into();
        options["overlay"] = true.into();
    }
    scenario::run(directory.path(), "room", &options, LIMIT)
}

fn both_watch(room: &Room) {
    room.assert_watching(0);
    room.assert_watching(1);
    room.assert_soon_watching(1);
}

/// The height of pictures where two browsers both encode and decode: small enough for a machine that has neighbours, and in a full run
/// that of the bar.
fn two_way_height() -> &'static str {
    if std::env::var_os("TUREEN_TEST_FULL").is_none() { "180" } else { "360" }
}

fn chromium_room(codec: &str, mime_type: &str) -> Room {
    let height = two_way_height();
    let room = call(
        &[],
        6,
        &json!([
            { "browser": "chromium", "query": { "codec": codec, "height": height } },
            { "browser": "chromium", "query": { "codec": codec, "height": height } },
        ]),
        None,
    );
    both_watch(&room);
    for peer in &room.after {
        assert_eq!(peer.video_codec(), Some(mime_type));
    }
    room
}

#[test]
fn real_media_browsers_chromium_to_chromium() {
    let peers = json!([
        { "browser": "chromium", "flags": [ALL_LAYERS], "query": { "height": two_way_height() } },
        { "browser": "chromium", "flags": [ALL_LAYERS], "query": { "height": two_way_height() } },
    ]);
    let room = call(&[], 20, &peers, Some("chromium-to-chromium.png"));
    both_watch(&room);
    room.assert_explained();
    room.assert_somebody_spoke();
    room.assert_protection(DTLS_12, GCM);
    for index in 0..2 {
        assert_eq!(room.sent_layers(index).len(), 3, "{:#?}", room.after[index].outbound);
    }
}

/// A small picture, so that a busy machine has time for both browsers.
#[test]
fn real_media_browsers_sound_and_picture_are_in_step() {
    let _turn = take_turn();
    let directory = tempfile::tempdir().expect("a directory");
    let server = Server::for_browsers(directory.path(), &[]);
    let options = json!({
        "url": server.page(), "room": "step", "seconds": 5, "step": SKEW_MS,
        "peers": [
            { "browser": "chromium", "query": { "video": "0", "audio": "0" } },
            { "browser": "chromium", "query": { "height": "180" } },
        ],
    });
    let room: Room = scenario::run(directory.path(), "room", &options, LIMIT);
    room.assert_watching(0);
    room.assert_in_step();
}

#[test]
fn real_media_browsers_one_publisher_sends_all_layers_at_720p() {
    let peers = json!([
        { "browser": "chromium" },
        { "browser": "chromium", "query": { "video": "0", "audio": "0" } },
    ]);
    let room = call(&[], 16, &peers, Some("one-publisher.png"));
    room.assert_watching(1);
    let layers = room.sent_layers(0);
    report(&format!("{layers:#?}"));
    assert_eq!(layers.len(), 3);
    let top = layers.iter().find(|layer| layer.width == Some(1280.0)).expect("the top layer");
    assert_ne!(top.limited.as_deref(), Some("bandwidth"));
    assert!(top.target.is_some_and(|rate| rate > 1_000_000.0));
}

#[test]
fn real_media_browsers_first_call_of_firefox() {
    let room =
        call(&[], 6, &json!([{ "browser": "firefox" }, { "browser": "firefox" }]), Some("firefox.png"));
    both_watch(&room);
}

#[test]
fn real_media_browsers_firefox_and_chromium() {
    let peers = json!([{ "browser": "firefox" }, { "browser": "chromium" }]);
    let room = call(&[], 8, &peers, Some("firefox-and-chromium.png"));
    both_watch(&room);
    room.assert_protection(DTLS_12, GCM);
}

#[test]
fn real_media_browsers_h264() {
    chromium_room("h264", "video/H264");
}

#[test]
fn real_media_browsers_vp9() {
    let room = chromium_room("vp9", "video/VP9");
    report(&format!("modes: {:?}", room.after[0].outbound.iter().map(|out| &out.mode).collect::<Vec<_>>()));
}

#[test]
fn real_media_browsers_av1() {
    let room = chromium_room("av1", "video/AV1");
    report(&format!("modes: {:?}", room.after[0].outbound.iter().map(|out| &out.mode).collect::<Vec<_>>()));
}

#[test]
fn real_media_browsers_dtls_13() {
    let peers = json!([{ "browser": "chromium" }, { "browser": "chromium" }]);
    let room = call(&["--webrtc-dtls-13", "true"], 5, &peers, None);
    both_watch(&room);
    room.assert_protection(DTLS_13, CM);
}

/// Whoever takes redundant audio gets what Chromium sends; for others it is unpacked.
#[test]
fn real_media_browsers_redundant_audio() {
    let codecs = "audio/opus/48000/2,audio/red/48000/2,video/VP8/90000";
    let peers = json!([
        { "browser": "chromium", "query": { "video": "0" } },
        { "browser": "chromium", "query": { "video": "0", "audio": "0" } },
        { "browser": "chromium", "query": { "video": "0", "audio": "0", "red": "0" } },
    ]);
    let room = call(&["--media-codecs", codecs], 4, &peers, None);
    room.assert_listening(1);
    room.assert_listening(2);
    // Chromium does not tell redundancy from what is in it, but for its size: each packet has the one before in it.
    let (redundant, plain) = (room.audio_received(1), room.audio_received(2));
    report(&format!("{redundant} bytes of redundant audio, {plain} unpacked"));
    assert!(redundant > 1.5 * plain, "{redundant} and {plain} bytes");
}

/// A viewer who comes within seconds of a key frame is shown pictures without another one.
#[test]
fn real_media_browsers_viewer_starts_from_the_cached_run() {
    let peers = json!([
        { "browser": "chromium", "query": { "height": "180", "simulcast": "0" } },
        { "browser": "chromium", "query": { "video": "0", "audio": "0" } },
    ]);
    let room = call(&["--key-frame-cache", "10000"], 3, &peers, None);
    room.assert_watching(1);
    room.assert_soon_watching(1);
    let sent =
        room.after[0].outbound.iter().find(|stream| stream.kind == "video").expect("pictures are sent");
    assert_eq!(sent.plis, Some(0), "{sent:?}");
}

#[test]
fn real_media_browsers_tcp_alone() {
    let peers = json!([
        { "browser": "chromium", "query": { "tcp": "1" } },
        { "browser": "chromium", "query": { "tcp": "1" } },
    ]);
    let room = call(&[], 6, &peers, None);
    both_watch(&room);
    for peer in &room.after {
        assert_eq!(peer.send.protocol.as_deref(), Some("tcp"));
        assert_eq!(peer.receive.protocol.as_deref(), Some("tcp"));
    }
}

/// What the scenario `mediasoup` tells: rates in frames a second, the width of the last picture and the notifications.
#[derive(Debug, Deserialize)]
struct Mediasoup {
    flowing: f64,
    restarted: f64,
    width: u32,
    notified: BTreeSet<String>,
}

/// The scenario itself waits for each step, and fails where one does not come: pictures that flow, stop at a pause of either
/// side, flow again, survive new ICE credentials and end with the producer, and all notifications of that.
#[test]
fn real_media_browsers_mediasoup_client() {
    let _turn = take_turn();
    let directory = tempfile::tempdir().expect("a directory");
    let server = Server::for_browsers(directory.path(), &[]);
    let options = json!({ "url": server.page(), "room": "call" });
    let figures: Mediasoup = scenario::run(directory.path(), "mediasoup", &options, LIMIT);
    report(&format!("{figures:?}"));
    assert!(figures.flowing > 0.0 && figures.restarted > 0.0 && figures.width > 0, "{figures:?}");
    assert!(figures.notified.contains("consumerClosed"), "{figures:?}");
}
