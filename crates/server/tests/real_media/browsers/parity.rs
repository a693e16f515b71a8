//! Parity (FlexFEC) towards Chromium that is far away and loses packets.

use super::scenario;
use crate::api::Server;
use crate::{ports, report, take_turn};
use serde::Deserialize;
use serde_json::json;
use std::time::Duration;
use tureen_sim::link::{LinkConfig, Loss};
use tureen_sim::relay::{Impairment, Relay, RelayConfig};

const LIMIT: Duration = Duration::from_secs(150);
const LOOPBACK: [&str; 4] = ["--listen-ips", "127.0.0.1", "--webrtc-tcp", "false"];
const CODECS: &str = "audio/opus/48000/2,video/VP8/90000,video/flexfec-03/90000";
/// One way.
const DELAY: Duration = Duration::from_millis(100);
const LOSS: f64 = 0.05;
/// Until the server knows the path, and then once more.
const SECONDS: u32 = 15;

/// What `getStats` grew by, and what the server says of the consumer's repairs.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
#[expect(dead_code, reason = "printed")]
struct Viewer {
    frames_decoded: u32,
    freeze_count: u32,
    total_freezes_duration: f64,
    packets_received: u32,
    packets_lost: i32,
    nack_count: u32,
    pli_count: u32,
    fec_packets_received: u32,
    fec_packets_discarded: u32,
    fec_bytes_received: u32,
    bytes_received: u32,
    retransmitted_packets_received: u32,
    jitter_buffer_delay: f64,
    jitter_buffer_emitted_count: u32,
    fec_ssrc: Option<u32>,
    repairs: Repairs,
}

#[derive(Debug, Deserialize)]
#[expect(dead_code, reason = "printed")]
struct Repairs {
    asked: u32,
    sent: u32,
    parity: u32,
}

/// A path that is long and loses packets.
fn far(port: u16) -> Relay {
    let mut config = RelayConfig::new(([127, 0, 0, 1], port).into());
    let link = LinkConfig { delay: DELAY, loss: Loss::Random(LOSS), ..LinkConfig::default() };
    config.to_client = Impairment { link, ..Impairment::default() };
    config.to_target.link.delay = DELAY;
    Relay::start(config).expect("a relay")
}

/// Two watch over paths that are alike, the first of them with parity.
///
/// `asks` says whether they ask for what they miss.
fn watch(asks: bool) -> [Viewer; 2] {
    let _turn = take_turn();
    let directory = tempfile::tempdir().expect("a directory");
    let (port, _) = ports::free_pair();
    let listen = ["--shards", "1", "--webrtc-port", &port.to_string(), "--media-codecs", CODECS];
    let server = Server::for_browsers(directory.path(), &[&LOOPBACK[..], &listen].concat());
    let paths = [far(port), far(port)];
    let [with, without] = paths.each_ref().map(|path| {
        let address = path.listen_addr();
        json!({ "ip": address.ip(), "port": address.port() })
    });
    let options = json!({
        "url": server.page(), "api": server.url("/api/v1"), "room": "far", "seconds": SECONDS, "asks": asks,
        "query": { "simulcast": "0", "height": "360", "audio": "0" },
        "viewers": [{ "query": {}, "relay": with }, { "query": { "red": "0" }, "relay": without }],
    });
    let viewers: [Viewer; 2] = scenario::run(directory.path(), "parity", &options, LIMIT);
    report(&format!("asks: {asks}, with parity: {:?}", viewers[0]));
    report(&format!("asks: {asks}, without: {:?}", viewers[1]));
    let [with, without] = &viewers;
    assert!(with.frames_decoded > 0 && without.frames_decoded > 0);
    assert_eq!((without.fec_ssrc, without.fec_packets_received, without.repairs.parity), (None, 0, 0));
    assert!(with.fec_ssrc.is_some() && with.repairs.parity > 0);
    assert!(with.fec_packets_received > 0);
    viewers
}

/// Where nothing is sent again, each loss stops the picture until a key frame, unless it is made of parity.
#[test]
fn real_media_browsers_parity_repairs_what_is_lost() {
    let [with, without] = watch(false);
    assert!(with.frames_decoded * 2 > without.frames_decoded * 3, "{with:?} {without:?}");
    assert!(with.total_freezes_duration < without.total_freezes_duration);
}

/// What it brings beside retransmissions.
#[test]
fn real_media_browsers_parity_beside_retransmissions() {
    let [with, without] = watch(true);
    assert!(with.retransmitted_packets_received > 0 && without.retransmitted_packets_received > 0);
}
