//! A call between browsers on two servers, each in a network of its own, that are linked by their settings: also after the network between
//! them was gone. What is written crosses too.

use super::figures::Room;
use super::road::Road;
use super::scenario;
use crate::process::Process;
use crate::{report, take_turn};
use serde_json::{Value, json};
use std::path::Path;
use std::time::Duration;

/// In their networks nobody else has ports.
const HTTP_PORT: u16 = 18_080;
const HTTPS_PORT: u16 = 18_443;
const TOKEN: &str = "real-media";
const ROOM: &str = "call";
const START_LIMIT: Duration = Duration::from_secs(20);
const LIMIT: Duration = Duration::from_secs(150);
const OUTAGE_SECONDS: u32 = 5;
/// The bar in milliseconds, and the slack of a busy machine.
const HEALED_WITHIN: f64 = 2000.0;
const SLACK: f64 = 3.0;

/// A server in one end of the road, and where its page is. The first keeps the link with the second.
fn serve(directory: &Path, road: &Road, end: usize) -> (Process, String) {
    let [own, other] = [end, 1 - end].map(|end| Road::ADDRESSES[end]);
    let mut command = road.ends[end].command(env!("CARGO_BIN_EXE_tureen"));
    command.args(["serve", "--webrtc-port", "0", "--listen-ips", own]);
    command.args(["--http-listen", &format!("0.0.0.0:{HTTP_PORT}")]);
    command.args(["--https-listen", &format!("{own}:{HTTPS_PORT}")]);
    if end == 0 {
        command.args(["--links", &format!("{ROOM}=http://{other}:{HTTP_PORT};token={TOKEN};data=true")]);
    } else {
        command.args(["--static-tokens", &format!("admin:*:{TOKEN},publish:*:people")]);
    }
    let mut process = Process::start(directory, &format!("tureen-{end}"), &mut command);
    process.until(START_LIMIT, |process| process.stdout().contains("metrics").then_some(()));
    (process, format!("https://{own}:{HTTPS_PORT}/"))
}

/// A browser beside each server.
fn peers(directory: &Path, road: &Road, pages: &[String; 2]) -> Value {
    let peer = |end: usize| {
        let chromium = road.ends[end].wrapper(directory, "/usr/bin/chromium");
        let mut query = json!({ "codec": "vp8", "height": "180" });
        if end == 1 {
            query["token"] = "people".into();
        }
        json!({ "browser": "chromium", "executable": chromium, "url": pages[end], "query": query })
    };
    json!([peer(0), peer(1)])
}

#[test]
fn real_media_browsers_on_linked_servers_heal_after_an_outage() {
    let _turn = take_turn();
    let directory = tempfile::tempdir().expect("a directory");
    let road = Road::new();
    // The first server starts before the one that it is linked with.
    let [(_first, here), (_second, there)] = [0, 1].map(|end| serve(directory.path(), &road, end));
    let options = json!({
        "room": ROOM, "seconds": 6, "chat": true,
        "peers": peers(directory.path(), &road, &[here, there]),
        "outage": { "cut": [road.opening(false)], "seconds": OUTAGE_SECONDS, "mend": [road.opening(true)] },
    });
    let room: Room = scenario::run(directory.path(), "room", &options, LIMIT);
    for index in 0..2 {
        room.assert_watching(index);
        assert_eq!(room.after[index].video_codec(), Some("video/VP8"));
    }
    // Each reads the other under its name, over the network that was gone.
    for (index, said) in room.chat.as_ref().expect("a chat").iter().enumerate() {
        let other = 2 - index;
        let (name, text) = (format!("Peer {other}"), format!("Hello from {other}"));
        assert!(said.iter().any(|it| !it.own && it.name == name && it.text == text), "{said:?}");
    }
    let healed = room.healed.expect("an outage");
    report(&format!("pictures again after {:?} ms", healed.took));
    assert_eq!(healed.leaked, [0.0, 0.0], "the two are not cut off from each other");
    assert!(healed.took.iter().all(|&took| took <= HEALED_WITHIN * SLACK), "{healed:?}");
    assert_eq!((healed.state.as_str(), healed.same), ("joined", true));
}
