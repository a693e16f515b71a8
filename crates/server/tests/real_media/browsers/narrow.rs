//! Chromium behind a link that turns narrow and wide again: the layers follow, and pictures hardly stand still.

use super::scenario;
use crate::api::Server;
use crate::process::Process;
use crate::{ports, report, shared_directory, take_turn};
use serde::Deserialize;
use serde_json::{Value, json};
use std::time::Duration;
use tureen_sim::link::{LinkConfig, QueueLimit};
use tureen_sim::relay::{Impairment, Relay, RelayConfig};

const LIMIT: Duration = Duration::from_secs(240);
/// Chromium withholds the top layer of small pictures otherwise.
const ALL_LAYERS: &str = "--force-fieldtrials=WebRTC-LegacySimulcastLayerLimit/Disabled/";
/// Loopback alone, where a relay can stand in between.
const LOOPBACK: [&str; 4] = ["--listen-ips", "127.0.0.1", "--webrtc-tcp", "false"];
/// Bits a second.
const WIDE: u64 = 3_000_000;
const NARROW: u64 = 700_000;
/// One way.
const DELAY: Duration = Duration::from_millis(40);
const QUEUE: Duration = Duration::from_millis(300);
/// Seconds that the viewer has all before the link turns narrow: what is lost soon after it was won is not tried again for long.
const SETTLE: u32 = 12;
const SECONDS: u32 = 20;
const FRAME_RATE: u32 = 20;
/// Bars in milliseconds: until the picture is one that the link carries, until it is the best again, and of standing still in all.
const DOWNWARD: u32 = 3000;
const UPWARD: u32 = 8000;
const FROZEN: u32 = 1000;
/// How much looser than the bars times are judged: the machine may be busy.
const SLACK: u32 = 3;

/// What the time after a change of rate brought. Some of it is for whoever reads the log alone.
#[derive(Debug, Deserialize)]
#[expect(dead_code, reason = "printed")]
struct Step {
    rate: Option<u64>,
    width: u32,
    spatial: Option<u8>,
    temporal: Option<u8>,
    followed: u32,
    frozen: u32,
    freezes: u32,
    lost: i32,
    nacks: u32,
    plis: u32,
    #[serde(rename = "keyFrames")]
    key_frames: u32,
    fps: u32,
    kbps: u32,
    concealed: u32,
    downlink: Option<f64>,
}

#[derive(Debug, Deserialize)]
#[expect(dead_code, reason = "printed")]
struct Sent {
    width: Option<u32>,
    mode: Option<String>,
    kbps: u32,
    limited: Option<String>,
}

#[derive(Debug, Deserialize)]
struct Watched {
    settled: Step,
    steps: Vec<Step>,
    sent: Vec<Sent>,
    /// What the plot of the publisher's tile says to who does not see it.
    plot: String,
}

/// A relay that carries so much to the viewer.
fn relay(port: u16) -> Relay {
    let mut config = RelayConfig::new(([127, 0, 0, 1], port).into());
    let link = LinkConfig {
        rate: Some(WIDE),
        queue: QueueLimit::Delay(QUEUE),
        delay: DELAY,
        ..LinkConfig::default()
    };
    config.to_client = Impairment { link, ..Impairment::default() };
    config.to_target.link.delay = DELAY;
    Relay::start(config).expect("a relay")
}

/// Sets the rates that the scenario asks for, until it has told its figures. Returns what waited in front of the bottleneck in
/// milliseconds, sampled after the first of them, in order of size.
fn follow(process: &mut Process, relay: &Relay, rates: &[u64]) -> Vec<u128> {
    let (mut rates, mut asked, mut queue) = (rates.iter(), 0, Vec::new());
    process.until(LIMIT, |process| {
        let all = process.stderr().lines().filter(|line| line.starts_with("rate ")).count();
        for rate in rates.by_ref().take(all - asked) {
            relay.set_rate_to_client(Some(*rate));
        }
        asked = all;
        if asked > 0 {
            queue.push(relay.queue_to_client().as_millis());
        }
        (!process.stdout().is_empty()).then_some(())
    });
    queue.sort_unstable();
    queue
}

fn watch(query: &Value, bitrates: &[u32], screenshots: &str) -> Watched {
    let _turn = take_turn();
    let directory = tempfile::tempdir().expect("a directory");
    let (port, _) = ports::free_pair();
    let listen = ["--shards", "1", "--webrtc-port", &port.to_string()];
    let server = Server::for_browsers(directory.path(), &[&LOOPBACK[..], &listen].concat());
    let relay = relay(port);
    let rates = [NARROW, WIDE];
    let steps: Vec<Value> = rates.iter().map(|rate| json!({ "rate": rate, "seconds": SECONDS })).collect();
    let options = json!({
        "url": server.page(), "api": server.url("/api/v1"), "room": "narrow", "query": query, "fps": FRAME_RATE,
        "flags": [ALL_LAYERS], "bitrates": bitrates, "settle": SETTLE, "steps": steps,
        "relay": { "ip": relay.listen_addr().ip(), "port": relay.listen_addr().port() },
        "screenshots": shared_directory().join(screenshots),
    });
    let mut process = scenario::start(directory.path(), "narrow", &options);
    let queue = follow(&mut process, &relay, &rates);
    process.wait(LIMIT);
    if std::env::var_os("TUREEN_TEST_TRACE").is_some() {
        report(&process.stderr());
    }
    let watched: Watched = scenario::figures("narrow", &process);
    report(&format!("sent: {:?}", watched.sent));
    report(&format!("settled: {:?}", watched.settled));
    report(&watched.plot);
    watched.steps.iter().for_each(|step| report(&format!("{step:?}")));
    let quantile = |part: usize| queue.get(queue.len() * part / 100).copied().unwrap_or_default();
    report(&format!(
        "queue in front of the bottleneck, ms: median {}, 95% {}, most {}; {:?}",
        quantile(50),
        quantile(95),
        queue.last().copied().unwrap_or_default(),
        relay.to_client_stats()
    ));
    watched
}

/// Judges times only where the machine had time for its pictures before the link changed.
fn assert_followed(watched: &Watched) {
    let [narrow, wide] = watched.steps.as_slice() else { panic!("two steps: {:?}", watched.steps) };
    let (settled, top) = (&watched.settled, watched.settled.width);
    assert!(narrow.kbps * 1000 <= NARROW as u32, "{narrow:?}");
    let told = |step: &Step| step.downlink.expect("the server tells what there is room for") as u64;
    assert!(told(narrow) < NARROW * 3 / 2, "{narrow:?}");
    assert!(told(wide) > NARROW * 3 / 2, "{wide:?}");
    assert!(
        watched.plot.contains("received: now ") && watched.plot.contains("Room for "),
        "{}",
        watched.plot
    );
    if settled.freezes > 0 || settled.fps * 10 < FRAME_RATE * 9 {
        return report("pictures came late before the link changed: times are not judged");
    }
    assert!(narrow.width < top && narrow.width > 0, "{narrow:?}");
    assert!(narrow.followed <= DOWNWARD * SLACK, "{narrow:?}");
    assert_eq!((wide.width, wide.spatial), (top, Some(2)), "{wide:?}");
    assert!(wide.followed <= UPWARD * SLACK, "{wide:?}");
    let frozen = narrow.frozen + wide.frozen;
    assert!(frozen <= FROZEN * SLACK, "{frozen} ms of standing still");
}

#[test]
fn real_media_browsers_simulcast_follows_a_narrow_link() {
    let query = json!({ "codec": "vp8", "height": "540" });
    let watched = watch(&query, &[150_000, 500_000, 1_500_000], "narrow-vp8");
    assert_followed(&watched);
}

#[test]
fn real_media_browsers_svc_follows_a_narrow_link() {
    let query = json!({ "codec": "vp9", "height": "540", "svc": "L3T3_KEY" });
    let watched = watch(&query, &[1_800_000], "narrow-vp9");
    assert_followed(&watched);
}
