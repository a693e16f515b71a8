//! Two servers with a network between them, linked: what FFmpeg publishes at one, FFmpeg shows at the other, also after the network was gone.

use crate::api::{Server, rtp_parameters};
use crate::browsers::namespace::Namespace;
use crate::clients::{Codec, VIDEO_SSRC};
use crate::process::Process;
use crate::{report, take_turn};
use serde_json::{Value, json};
use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

const HERE: &str = "10.118.0.1";
const THERE: &str = "10.118.0.2";
/// In the namespace nobody else has ports.
const HTTP_PORT: u16 = 18_080;
const VIEWER_PORT: u16 = 18_100;
const TOKEN: &str = "real-media";
const PAYLOAD_TYPE: u8 = 102;
const SIZE: &str = "320x240";
/// Octets of a picture of that size, in I420.
const PICTURE: u64 = 320 * 240 * 3 / 2;
const LIMIT: Duration = Duration::from_secs(20);
const OUTAGE: Duration = Duration::from_secs(5);
const HEALED_WITHIN: Duration = Duration::from_secs(2);

/// The server in the namespace.
struct Far {
    _process: Process,
    agent: ureq::Agent,
}

impl Far {
    fn start(directory: &Path, namespace: &Namespace) -> Self {
        let mut command = namespace.command(env!("CARGO_BIN_EXE_tureen"));
        command.args(["serve", "--tls", "false", "--webrtc-port", "0"]);
        command.args(["--http-listen", &format!("0.0.0.0:{HTTP_PORT}")]);
        command.args(["--static-tokens", &format!("admin:*:{TOKEN}")]);
        let mut process = Process::start(directory, "far", &mut command);
        let config = ureq::Agent::config_builder().http_status_as_error(false);
        let agent: ureq::Agent = config.timeout_global(Some(Duration::from_secs(5))).build().into();
        let ready = || agent.get(far_url("/healthz")).call().is_ok();
        process.until(LIMIT, |_| ready().then_some(()));
        Self { _process: process, agent }
    }

    fn get(&self, path: &str) -> Value {
        let request = self.agent.get(far_url(path)).header("Authorization", format!("Bearer {TOKEN}"));
        json_of(path, request.call())
    }

    fn post(&self, path: &str, body: &Value) -> Value {
        let request = self.agent.post(far_url(path)).header("Authorization", format!("Bearer {TOKEN}"));
        json_of(path, request.send_json(body))
    }
}

fn far_url(path: &str) -> String {
    format!("http://{THERE}:{HTTP_PORT}{path}")
}

fn json_of(path: &str, answer: Result<ureq::http::Response<ureq::Body>, ureq::Error>) -> Value {
    let mut answer = answer.unwrap_or_else(|error| panic!("{path}: {error}"));
    let text = answer.body_mut().read_to_string().expect("text");
    assert!(answer.status().is_success(), "{path}: {} {text}", answer.status());
    if text.is_empty() { Value::Null } else { serde_json::from_str(&text).expect("JSON") }
}

/// Sends pictures with a key frame each second.
fn publish(directory: &Path, rtp: u16, rtcp: u16) -> Process {
    let mut command = Command::new("ffmpeg");
    command.args(["-hide_banner", "-loglevel", "warning", "-re", "-f", "lavfi"]);
    command.args(["-i", &format!("testsrc2=size={SIZE}:rate=15"), "-t", "60"]);
    command.args("-c:v libvpx -deadline realtime -cpu-used 8 -b:v 500k -g 15 -f rtp".split(' '));
    command.args(["-ssrc", &VIDEO_SSRC.to_string(), "-payload_type", &PAYLOAD_TYPE.to_string()]);
    command.arg(format!("rtp://127.0.0.1:{rtp}?rtcpport={rtcp}&pkt_size=1200"));
    Process::start(directory, "publisher", &mut command)
}

/// Decodes what comes to the viewer's port of the namespace into a file.
fn view(directory: &Path, namespace: &Namespace, payload_type: u64) -> (Process, impl Fn() -> u64 + use<>) {
    let description = directory.join("view.sdp");
    let lines = format!(
        "v=0\r\no=- 0 0 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=video {VIEWER_PORT} RTP/AVP \
         {payload_type}\r\na=rtpmap:{payload_type} VP8/90000\r\n"
    );
    fs::write(&description, lines).expect("an SDP file");
    let output = directory.join("view.yuv");
    let mut command = namespace.command("ffmpeg");
    command.args(["-hide_banner", "-loglevel", "error", "-protocol_whitelist", "file,udp,rtp"]);
    command.args(["-fflags", "nobuffer", "-i"]).arg(&description);
    command.args("-fps_mode passthrough -pix_fmt yuv420p -f rawvideo -flush_packets 1 -y".split(' '));
    let viewer = Process::start(directory, "viewer", command.arg(&output));
    let pictures = move || fs::metadata(&output).map_or(0, |file| file.len() / PICTURE);
    (viewer, pictures)
}

#[test]
fn real_media_pipe_heals_after_an_outage() {
    if fs::metadata("/proc/self").map_or(1, |own| own.uid()) != 0 {
        report("skipped: network namespaces need root");
        return;
    }
    let _turn = take_turn();
    let directory = tempfile::tempdir().expect("a directory");
    let namespace = Namespace::new(&format!("{HERE}/24"), &format!("{THERE}/24"));
    let far = Far::start(directory.path(), &namespace);
    let near = Server::start(directory.path());
    let room = near.room("r");
    let transport = room.broadcaster("publisher", None).plain_transport(true, None);
    let parameters = rtp_parameters(Codec::Vp8, PAYLOAD_TYPE, VIDEO_SSRC, None);
    let producer = transport.produce("video", &parameters);
    let _publisher = publish(directory.path(), transport.address.rtp, transport.address.rtcp);
    let link = json!({ "url": format!("http://{THERE}:{HTTP_PORT}"), "token": TOKEN });
    assert_eq!(near.request("/api/v1/rooms/r/pipe-to", Some(&link)).0, 200);

    let arrived = |state: Value| state["pipes"][0]["producers"][0]["id"] == producer.as_str();
    let start = Instant::now();
    // The room is there once the link has made it.
    let has_room = || far.get("/api/v1/rooms")["rooms"][0]["id"] == "r";
    while !(has_room() && arrived(far.get("/api/v1/rooms/r/pipes"))) {
        assert!(start.elapsed() < LIMIT, "the producer does not arrive");
        thread::sleep(Duration::from_millis(50));
    }
    let path = "/rooms/r/broadcasters";
    far.post(path, &json!({ "id": "viewer", "displayName": "viewer" }));
    let made = far.post(&format!("{path}/viewer/transports"), &json!({ "type": "plain" }));
    let transport = format!("{path}/viewer/transports/{}", made["id"].as_str().expect("an id"));
    far.post(&format!("{transport}/connect"), &json!({ "ip": "127.0.0.1", "port": VIEWER_PORT }));
    let consumed = far.post(&format!("{transport}/consume?producerId={producer}"), &json!({}));
    let payload_type = consumed["rtpParameters"]["codecs"][0]["payloadType"].as_u64().expect("a number");
    let (mut viewer, pictures) = view(directory.path(), &namespace, payload_type);
    viewer.until(LIMIT, |_| (pictures() > 30).then_some(()));

    namespace.set_joined(false);
    thread::sleep(OUTAGE);
    let before = pictures();
    namespace.set_joined(true);
    let joined = Instant::now();
    viewer.until(LIMIT, |_| (pictures() > before).then_some(()));
    let healed = joined.elapsed();
    viewer.until(LIMIT, |_| (pictures() > before + 30).then_some(()));
    report(&format!("pictures {} ms after the outage", healed.as_millis()));
    assert!(healed <= HEALED_WITHIN, "{healed:?}");
    assert!(arrived(far.get("/api/v1/rooms/r/pipes")), "the same producer, over the same pipe");
}
