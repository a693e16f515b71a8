//! WHIP and WHEP with real clients: browsers, aiortc and GStreamer's webrtcbin publish and play through the server, and
//! see and are seen by people in rooms.
//!
//! Pictures that were decoded are counted by the clients themselves. Needs what `cargo xtask test --only setup` installs.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::api::Server;
use crate::process::Process;
use crate::{report, take_turn};

/// How long anything may take that starts browsers.
const LIMIT: Duration = Duration::from_secs(150);
/// Seconds over which figures are taken.
const SECONDS: u64 = 4;
/// Pictures that have to be decoded in that time: a tenth of what is sent, for the machine may be busy.
const FRAMES: i64 = 12;
/// DTLS 1.2 as getStats writes it (RFC 6347 section 4.1).
const DTLS_1_2: &str = "FEFD";
/// The SRTP profiles with an authenticated cipher (RFC 7714 section 14.2), as getStats and OpenSSL write them.
const GCM: [&str; 2] = ["SRTP_AEAD_AES_128_GCM", "SRTP_AEAD_AES_256_GCM"];

fn clients() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/clients")
}

/// A server, and a directory for what its clients say.
struct Scene {
    server: Server,
    directory: TempDir,
}

impl Scene {
    fn new() -> Self {
        let directory = tempfile::tempdir().expect("a directory");
        Self { server: Server::start(directory.path()), directory }
    }

    fn url(&self, path: &str) -> String {
        self.server.url(path)
    }

    /// A scenario of `clients/browser`.
    fn browsers(&self, name: &str, script: &str, mut options: Value) -> Process {
        options["url"] = self.url("").into();
        options["room"] = "real".into();
        let folder = clients().join("browser");
        assert!(folder.join("node_modules").is_dir(), "run npm ci in {}", folder.display());
        let mut command = Command::new("node");
        command.current_dir(&folder).arg(script).arg(options.to_string());
        Process::start(self.directory.path(), name, &mut command)
    }

    /// aiortc, in the environment that set-up made.
    fn aiortc(&self, name: &str, mut options: Value) -> Process {
        let python = Path::new(env!("CARGO_TARGET_TMPDIR")).join("../python-clients/bin/python");
        assert!(python.exists(), "no {}: run cargo xtask test --only setup", python.display());
        let kind = if options["role"] == "play" { "whep" } else { "whip" };
        options["endpoint"] = self.url(&format!("/{kind}/real")).into();
        let mut command = Command::new(python);
        command.arg("-B").arg(clients().join("aiortc_whip.py")).arg(options.to_string());
        Process::start(self.directory.path(), name, &mut command)
    }

    /// GStreamer, under a certificate with an elliptic curve: its own is RSA.
    fn webrtcbin(&self, codec: &str) -> Process {
        let made = rcgen::generate_simple_self_signed(["client".to_owned()]).expect("a certificate");
        let pem = self.directory.path().join("client.pem");
        std::fs::write(&pem, made.signing_key.serialize_pem() + &made.cert.pem()).expect("a file");
        let options = json!({ "endpoint": self.url("/whip/real"), "codec": codec, "pem": pem });
        // The system's own: GStreamer's bindings belong to it.
        let mut command = Command::new("/usr/bin/python3");
        command
            .args(["-B", "-W", "ignore"])
            .arg(clients().join("webrtcbin_whip.py"))
            .arg(options.to_string());
        Process::start(self.directory.path(), "webrtcbin", &mut command)
    }
}

/// Waits until a publisher is connected.
fn published(mut process: Process) -> Process {
    process.until(LIMIT, |process| process.stderr().contains("publishing").then_some(()));
    process
}

/// Asks a client to end, and gives its figures.
fn finished(mut process: Process) -> Value {
    process.finish(LIMIT);
    figures(&process)
}

/// Waits until a client has ended by itself, and gives its figures.
fn ended(mut process: Process) -> Value {
    process.wait(LIMIT);
    figures(&process)
}

fn figures(process: &Process) -> Value {
    let text = process.stdout();
    let figures = serde_json::from_str(text.trim()).unwrap_or_else(|error| panic!("{error}: {text:?}"));
    report(&format!("{figures}"));
    figures
}

/// The streams of one kind.
fn streams<'a>(figures: &'a Value, kind: &str) -> Vec<&'a Value> {
    let all = figures["streams"].as_array().map(Vec::as_slice).unwrap_or_default();
    all.iter().filter(|stream| stream["kind"] == kind).collect()
}

fn sum(figures: &Value, kind: &str, what: &str) -> i64 {
    streams(figures, kind).iter().filter_map(|stream| stream[what].as_i64()).sum()
}

/// A browser's player has decoded pictures and heard sound in the time between.
fn assert_plays(play: &Value) {
    let (before, after) = (&play["before"], &play["after"]);
    let frames = sum(after, "video", "frames") - sum(before, "video", "frames");
    assert!(frames >= FRAMES, "{frames} pictures: {play}");
    assert!(sum(after, "audio", "bytes") > sum(before, "audio", "bytes"), "no sound: {play}");
    let energy = |figures| streams(figures, "audio")[0]["energy"].as_f64();
    assert!(energy(after) > energy(before), "silence: {play}");
    assert!(after["firstFrameMs"].as_u64().is_some_and(|took| took < 20_000), "{play}");
}

/// The server was the DTLS server, and chose an authenticated cipher.
fn assert_keys(figures: &Value) {
    assert_eq!(figures["state"], "connected", "{figures}");
    assert_eq!(figures["setup"], "passive", "{figures}");
    assert_eq!(figures["tls"], DTLS_1_2, "{figures}");
    assert_eq!(figures["role"], "client", "{figures}");
    assert!(GCM.iter().any(|cipher| figures["cipher"] == *cipher), "{figures}");
}

#[test]
fn real_media_whip_chromium_to_whep_chromium() {
    let _turn = take_turn();
    let scene = Scene::new();
    let options = json!({ "publish": "chromium", "play": "chromium", "seconds": SECONDS, "again": true });
    let figures = ended(scene.browsers("whip", "whip.mjs", options));
    assert_plays(&figures["play"]);
    crate::report(&format!("the publisher left and came back: {}", figures["again"]));
    for role in ["publish", "play"] {
        assert_keys(&figures[role]["after"]);
    }
}

#[test]
fn real_media_whip_of_a_foreign_page_with_simulcast_restart_and_end() {
    let _turn = take_turn();
    let scene = Scene::new();
    let rids = json!(["q", "h", "f"]);
    let options = json!({
        "publish": "chromium", "play": "chromium", "foreign": true, "rids": rids, "seconds": SECONDS,
    });
    let figures = ended(scene.browsers("whip", "whip.mjs", options));
    assert_plays(&figures["play"]);
    let mut sent = streams(&figures["publish"]["after"], "video");
    // Not by width: a browser that has too much to do scales its layers down, to one width even.
    sent.sort_by_key(|stream| stream["rid"].to_string());
    assert_eq!(sent.iter().map(|stream| &stream["rid"]).collect::<Vec<_>>(), ["f", "h", "q"]);
    assert!(sent.iter().all(|stream| stream["frames"].as_i64() > Some(0)), "{figures}");
    for role in ["publish", "play"] {
        let after = &figures[role]["restart"];
        assert!(
            after["changed"] == true && after["frames"].as_i64().is_some_and(|frames| frames > 3),
            "{figures}"
        );
        assert_eq!(figures[role]["removed"], json!([200, 404]));
    }
}

#[test]
fn real_media_whip_firefox_to_whep_firefox() {
    let _turn = take_turn();
    let scene = Scene::new();
    let options = json!({ "publish": "firefox", "play": "firefox", "seconds": SECONDS });
    let figures = ended(scene.browsers("whip", "whip.mjs", options));
    assert_plays(&figures["play"]);
    for role in ["publish", "play"] {
        assert_keys(&figures[role]["after"]);
    }
}

#[test]
fn real_media_whip_aiortc_to_whep_aiortc() {
    let _turn = take_turn();
    for codec in ["VP8", "H264"] {
        let scene = Scene::new();
        let publisher = published(scene.aiortc("publish", json!({ "role": "publish", "codec": codec })));
        let played = ended(scene.aiortc("play", json!({ "role": "play", "seconds": SECONDS })));
        let sent = finished(publisher);
        assert!(played["frames"].as_i64().is_some_and(|frames| frames >= FRAMES), "{codec}: {played}");
        assert_eq!(played["width"], 640, "{codec}: {played}");
        assert!(played["audioPeak"].as_i64().is_some_and(|peak| peak > 2000), "{codec}: {played}");
        for figures in [&played, &sent] {
            assert_eq!(figures["tls"], "DTLSv1.2", "{figures}");
            assert_eq!(figures["role"], "client", "{figures}");
            assert!(GCM.iter().any(|cipher| figures["cipher"] == *cipher), "{figures}");
            assert_eq!(figures["removed"], 200, "{figures}");
        }
    }
}

#[test]
fn real_media_whip_webrtcbin_to_whep_chromium() {
    let _turn = take_turn();
    for codec in ["VP8", "H264"] {
        let scene = Scene::new();
        let publisher = published(scene.webrtcbin(codec));
        let figures =
            ended(scene.browsers("whip", "whip.mjs", json!({ "play": "chromium", "seconds": SECONDS })));
        let sent = finished(publisher);
        assert_plays(&figures["play"]);
        assert_keys(&figures["play"]["after"]);
        let codecs: Vec<&Value> =
            streams(&figures["play"]["after"], "video").iter().map(|stream| &stream["codec"]).collect();
        assert_eq!(codecs, [&json!(format!("video/{codec}"))]);
        assert!(sent["packets"].as_object().is_some_and(|sources| sources.len() >= 2), "{sent}");
        assert_eq!(sent["removed"], 200, "{sent}");
    }
}

#[test]
fn real_media_whip_is_seen_by_people_in_the_room() {
    let _turn = take_turn();
    let scene = Scene::new();
    let publisher = published(scene.browsers("whip", "whip.mjs", json!({ "publish": "chromium" })));
    let viewer = json!({ "browser": "chromium", "query": { "video": "0", "audio": "0" } });
    let seen = ended(scene.browsers("room", "room.mjs", json!({ "seconds": SECONDS, "peers": [viewer] })));
    let sent = finished(publisher);
    assert_keys(&sent["publish"]["after"]);
    let inbound = |when: &str, kind: &str, what: &str| -> i64 {
        let all = seen[when][0]["inbound"].as_array().expect("streams");
        all.iter().filter(|stream| stream["kind"] == kind).filter_map(|stream| stream[what].as_i64()).sum()
    };
    let frames = inbound("after", "video", "frames") - inbound("before", "video", "frames");
    assert!(frames >= FRAMES, "{frames} pictures: {seen}");
    assert!(inbound("after", "audio", "bytes") > 0, "{seen}");
}

#[test]
fn real_media_whip_plays_people_of_the_room() {
    let _turn = take_turn();
    let scene = Scene::new();
    let person = json!({ "browser": "chromium" });
    let room = scene.browsers("room", "room.mjs", json!({ "seconds": 25, "peers": [person] }));
    // The page tries again until somebody sends.
    let query = json!({ "play": "1" });
    let figures = ended(scene.browsers(
        "whip",
        "whip.mjs",
        json!({ "play": "chromium", "seconds": SECONDS, "query": query }),
    ));
    drop(room);
    assert_plays(&figures["play"]);
    assert_keys(&figures["play"]["after"]);
}
