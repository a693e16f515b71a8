//! Parity (FlexFEC) towards Chromium that is far away and loses packets.

use super::scenario;
use crate::api::Server;
use crate::{ports, report, take_turn};
use serde::Deserialize;
use serde_json::json;
use std::time::Duration;
use tureen_sim::link::{LinkConfig, Loss};
use tureen_sim::relay::{Filter, Impairment, Relay, RelayConfig};

const LIMIT: Duration = Duration::from_secs(150);
const LOOPBACK: [&str; 4] = ["--listen-ips", "127.0.0.1", "--webrtc-tcp", "false"];
/// The second payload type that the router gives to VP8 is that of its retransmissions.
const CODECS: &str = "audio/opus/48000/2,video/VP8/90000,video/flexfec-03/90000";
const RTX: u8 = 102;
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

/// A path of a viewer's.
struct Path {
    /// Where the viewer sends to.
    near: Relay,
    _far: Relay,
}

/// One that is long and loses packets, and all retransmissions where `repairs` says so.
fn path(port: u16, repairs: Repairing) -> Path {
    let mut config = RelayConfig::new(([127, 0, 0, 1], port).into());
    let link = LinkConfig { delay: DELAY, loss: Loss::Random(LOSS), ..LinkConfig::default() };
    config.to_client = Impairment { link, ..Impairment::default() };
    config.to_target.link.delay = DELAY;
    let far = Relay::start(config).expect("a relay");
    let mut config = RelayConfig::new(far.listen_addr());
    if repairs == Repairing::ByParityAlone {
        let link = LinkConfig { loss: Loss::Random(1.0), ..LinkConfig::default() };
        config.to_client = Impairment { link, filter: Filter::PayloadType(RTX) };
    }
    Path { near: Relay::start(config).expect("a relay"), _far: far }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Repairing {
    ByParityAlone,
    ByBoth,
}

/// Two watch over paths that are alike, the first of them with parity.
fn watch(repairs: Repairing) -> [Viewer; 2] {
    let _turn = take_turn();
    let directory = tempfile::tempdir().expect("a directory");
    let (port, _) = ports::free_pair();
    let listen = ["--shards", "1", "--webrtc-port", &port.to_string(), "--media-codecs", CODECS];
    let server = Server::for_browsers(directory.path(), &[&LOOPBACK[..], &listen].concat());
    let paths = [path(port, repairs), path(port, repairs)];
    let [with, without] = paths.each_ref().map(|path| {
        let address = path.near.listen_addr();
        json!({ "ip": address.ip(), "port": address.port() })
    });
    let options = json!({
        "url": server.page(), "api": server.url("/api/v1"), "room": "far", "seconds": SECONDS,
        "query": { "simulcast": "0", "height": "360", "audio": "0" },
        "viewers": [{ "query": {}, "relay": with }, { "query": { "red": "0" }, "relay": without }],
    });
    let viewers: [Viewer; 2] = scenario::run(directory.path(), "parity", &options, LIMIT);
    report(&format!("{repairs:?}, with parity: {:?}", viewers[0]));
    report(&format!("{repairs:?}, without: {:?}", viewers[1]));
    let [with, without] = &viewers;
    assert!(with.frames_decoded > 0 && without.frames_decoded > 0);
    assert_eq!((without.fec_ssrc, without.fec_packets_received, without.repairs.parity), (None, 0, 0));
    assert!(with.fec_ssrc.is_some() && with.repairs.parity > 0);
    assert!(with.fec_packets_received > 0);
    viewers
}

/// Where no retransmission gets through, each loss stops the picture until a key frame, unless it is made of parity.
#[test]
fn real_media_browsers_parity_repairs_what_is_lost() {
    let [with, without] = watch(Repairing::ByParityAlone);
    assert!(with.total_freezes_duration < without.total_freezes_duration / 2.0);
    assert!(with.frames_decoded > without.frames_decoded);
}

/// What it brings beside retransmissions.
#[test]
fn real_media_browsers_parity_beside_retransmissions() {
    if std::env::var_os("TUREEN_TEST_FULL").is_some() {
        watch(Repairing::ByBoth);
    }
}
