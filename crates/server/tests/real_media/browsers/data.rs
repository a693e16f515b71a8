//! Data channels through the server: browsers with mediasoup-client, aiortc with the room protocol, and the page's own chat.

use super::scenario;
use crate::api::Server;
use crate::{ports, report, shared_directory, take_turn};
use serde::Deserialize;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;
use tureen_sim::link::{LinkConfig, Loss};
use tureen_sim::relay::{Impairment, Relay, RelayConfig};

const LIMIT: Duration = Duration::from_secs(80);
/// Loopback alone, where a relay can stand in between.
const LOOPBACK: [&str; 4] = ["--listen-ips", "127.0.0.1", "--webrtc-tcp", "false"];

/// What was heard over one channel.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Heard {
    texts: u64,
    in_order: bool,
    whole: bool,
    size: u64,
}

#[derive(Debug, Deserialize)]
struct Exchange {
    texts: u64,
    size: u64,
    /// By listener, then by speaker and label.
    heard: BTreeMap<String, BTreeMap<String, Heard>>,
}

#[derive(Debug, Deserialize)]
struct Flood {
    messages: u64,
    right: u64,
    seconds: f64,
}

/// Bytes a second.
#[derive(Debug, Deserialize)]
struct Speed {
    direct: f64,
    server: f64,
}

/// The program and arguments of the client in Python.
fn aiortc() -> Value {
    let python = Path::new(env!("CARGO_TARGET_TMPDIR")).join("../python-clients/bin/python");
    assert!(python.exists(), "no {}: run cargo xtask test --only setup", python.display());
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/clients/aiortc_data.py");
    json!([python, ["-B", script]])
}

#[test]
fn real_media_data_chromium_firefox_and_aiortc_hear_each_other() {
    let _turn = take_turn();
    let directory = tempfile::tempdir().expect("a directory");
    let server = Server::for_browsers(directory.path(), &["--shards", "2"]);
    let options = json!({
        "url": server.page(), "http": server.url(""), "room": "data", "task": "exchange",
        "browsers": ["chromium", "firefox"], "aiortc": aiortc(),
    });
    let exchange: Exchange = scenario::run(directory.path(), "data", &options, LIMIT);
    let peers = ["aiortc", "chromium0", "firefox1"];
    assert_eq!(exchange.heard.keys().collect::<Vec<_>>(), peers);
    for (listener, heard) in &exchange.heard {
        for speaker in peers.iter().filter(|speaker| *speaker != listener) {
            for label in ["ordered", "unordered"] {
                let from = &heard[&format!("{speaker}/{label}")];
                assert_eq!((from.texts, from.size), (exchange.texts, exchange.size), "{exchange:#?}");
                assert!(from.whole && (from.in_order || label == "unordered"), "{exchange:#?}");
            }
        }
    }
}

/// A relay to the server that loses every twentieth datagram both ways.
fn lossy(port: u16, seed: u64) -> Relay {
    let mut config = RelayConfig::new(([127, 0, 0, 1], port).into());
    let link = LinkConfig { loss: Loss::Random(0.05), ..LinkConfig::default() };
    config.to_target = Impairment { link, ..Impairment::default() };
    config.to_client = config.to_target.clone();
    config.seed = seed;
    Relay::start(config).expect("a relay")
}

#[test]
fn real_media_data_arrives_complete_and_in_order_over_a_lossy_link() {
    let _turn = take_turn();
    let directory = tempfile::tempdir().expect("a directory");
    let (port, _) = ports::free_pair();
    let listen = ["--shards", "1", "--webrtc-port", &port.to_string(), "--max-data-messages-per-second", "0"];
    let server = Server::for_browsers(directory.path(), &[&LOOPBACK[..], &listen].concat());
    let relays = [lossy(port, 1), lossy(port, 2)];
    let addresses = relays.each_ref().map(|relay| {
        let address = relay.listen_addr();
        json!({ "ip": address.ip(), "port": address.port() })
    });
    let options = json!({
        "url": server.page(), "room": "data", "task": "flood", "messages": 10_000, "relays": addresses,
    });
    let flood: Flood = scenario::run(directory.path(), "data", &options, LIMIT);
    report(&format!("{} messages in {:.1} s", flood.messages, flood.seconds));
    for relay in &relays {
        let (there, back) = (relay.to_target_stats(), relay.to_client_stats());
        report(&format!("  {there:?} {back:?}"));
        assert!(there.dropped() > 50 && back.dropped() > 50, "the link lost next to nothing");
    }
    assert_eq!((flood.messages, flood.right), (10_000, 10_000), "{flood:?}");
}

#[test]
fn real_media_data_is_not_much_slower_than_without_a_server() {
    let _turn = take_turn();
    let directory = tempfile::tempdir().expect("a directory");
    let unlimited = ["--shards", "1", "--max-data-messages-per-second", "0"];
    let server = Server::for_browsers(directory.path(), &[&LOOPBACK[..], &unlimited].concat());
    let options = json!({ "url": server.page(), "room": "data", "task": "speed", "seconds": 4 });
    let speed: Speed = scenario::run(directory.path(), "data", &options, LIMIT);
    let share = speed.server / speed.direct;
    let megabytes = |rate: f64| rate / 1e6;
    report(&format!(
        "through the server {:.1} MB/s, directly {:.1} MB/s: {share:.2}",
        megabytes(speed.server),
        megabytes(speed.direct)
    ));
    // Half is what is wanted; a machine that has neighbours may make it a third of that.
    assert!(share >= 0.5 / 3.0, "{speed:?}");
}

#[derive(Debug, Deserialize)]
struct Message {
    own: bool,
    name: String,
    text: String,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Chat {
    /// By page.
    messages: Vec<Vec<Message>>,
    badge: String,
    label: String,
    after_opening: Option<String>,
    /// Elements that what was written made.
    injected: u64,
    focused: String,
}

#[test]
fn real_media_data_the_page_chats_and_the_bot_answers() {
    let _turn = take_turn();
    let directory = tempfile::tempdir().expect("a directory");
    let server = Server::for_browsers(directory.path(), &["--shards", "2"]);
    let options =
        json!({ "url": server.page(), "room": "chat", "screenshots": shared_directory().join("chat") });
    let chat: Chat = scenario::run(directory.path(), "chat", &options, LIMIT);
    for (page, name) in chat.messages.iter().zip(["Ada", "Grace"]) {
        let texts: Vec<(bool, &str, &str)> =
            page.iter().map(|message| (message.own, message.name.as_str(), message.text.as_str())).collect();
        let who = |speaker: &'static str| (speaker == name, if speaker == name { "You" } else { speaker });
        let said = |speaker, text| {
            let (own, name) = who(speaker);
            (own, name, text)
        };
        assert!(texts.contains(&said("Ada", "Hello there")), "{texts:?}");
        assert!(texts.contains(&said("Grace", "<b id=injected>Hi</b>, Ada")), "{texts:?}");
        let answer = texts.iter().find(|(_, name, _)| *name == "Bot").expect("the bot's answer");
        assert_eq!(*answer, (false, "Bot", "Ada, I heard you say: is anybody there?"));
        let question = "@bot is anybody there?";
        assert_eq!(texts.iter().any(|(own, _, text)| *own && *text == question), name == "Ada");
    }
    assert_eq!((chat.badge.as_str(), chat.label.as_str()), ("1", "Chat, 1 unread message"));
    assert_eq!((chat.after_opening, chat.injected), (None, 0));
    assert_eq!(chat.focused, "control-chat", "closing by key gives the focus back");
}

#[derive(Debug, Deserialize)]
struct Haste {
    answers: u64,
    toasts: Vec<String>,
}

#[test]
fn real_media_data_who_writes_too_fast_is_told() {
    let _turn = take_turn();
    let directory = tempfile::tempdir().expect("a directory");
    let server = Server::for_browsers(directory.path(), &["--max-data-messages-per-second", "5"]);
    let options = json!({ "url": server.page(), "room": "haste", "messages": 40 });
    let haste: Haste = scenario::run(directory.path(), "haste", &options, LIMIT);
    let (_, metrics) = server.request("/metrics", None);
    let lines = metrics.lines().filter(|line| line.starts_with("tureen_data_messages_limited_total{"));
    let values = lines.map(|line| line.rsplit(' ').next().unwrap_or_default().parse::<u64>());
    let limited: u64 = values.map(|value| value.expect("a number")).sum();
    report(&format!("{} of 40 messages answered, {limited} limited", haste.answers));
    // Two seconds' worth at once, and what comes by until the last is written.
    assert!((10..30).contains(&haste.answers), "{haste:?}");
    assert_eq!(haste.answers + limited, 40, "{haste:?}");
    assert!(haste.toasts.iter().any(|text| text.contains("too fast")), "{haste:?}");
}
