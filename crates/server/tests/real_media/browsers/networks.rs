//! Calls from a network of their own: IPv6, and an address that changes during the call.

use super::figures::Room;
use super::namespace::Namespace;
use super::scenario;
use crate::api::Server;
use crate::{report, take_turn};
use serde_json::json;
use std::time::Duration;

const LIMIT: Duration = Duration::from_secs(150);

#[test]
fn real_media_browsers_ipv6() {
    let _turn = take_turn();
    let directory = tempfile::tempdir().expect("a directory");
    let namespace = Namespace::new("fd77:7475::1/64", "fd77:7475::2/64");
    let chromium = namespace.wrapper(directory.path(), "/usr/bin/chromium");
    let listen = ["--https-listen", "[fd77:7475::1]:0", "--listen-ips", "fd77:7475::1"];
    let server = Server::for_browsers(directory.path(), &listen);
    let peer = json!({ "browser": "chromium", "executable": chromium });
    let options = json!({ "url": server.page(), "room": "call", "seconds": 5, "peers": [peer, peer] });
    let room: Room = scenario::run(directory.path(), "room", &options, LIMIT);
    for index in 0..2 {
        room.assert_watching(index);
        for path in [&room.after[index].send, &room.after[index].receive] {
            assert_eq!(path.remote.as_deref(), Some("fd77:7475::1"), "{path:?}");
        }
    }
}

#[test]
fn real_media_browsers_heal_when_the_address_changes() {
    let _turn = take_turn();
    let directory = tempfile::tempdir().expect("a directory");
    let namespace = Namespace::new("10.117.0.1/24", "10.117.0.2/24");
    let chromium = namespace.wrapper(directory.path(), "/usr/bin/chromium");
    let listen = ["--https-listen", "10.117.0.1:0", "--listen-ips", "10.117.0.1"];
    let server = Server::for_browsers(directory.path(), &listen);
    let [cut, mend] = namespace.renumbering("10.117.0.2/24", "10.117.0.3/24");
    let options = json!({
        "url": server.page(), "room": "call", "seconds": 3,
        "peers": [{ "browser": "chromium", "executable": chromium }, { "browser": "chromium" }],
        "outage": { "cut": cut, "seconds": 1, "mend": mend },
    });
    let room: Room = scenario::run(directory.path(), "room", &options, LIMIT);
    room.assert_watching(0);
    room.assert_watching(1);
    let healed = room.healed.expect("an outage");
    report(&format!("pictures again after {:?} ms", healed.took));
    assert!(healed.took.iter().all(|&took| took <= 9000.0), "{healed:?}");
    assert_eq!((healed.state.as_str(), healed.same), ("joined", true));
}
