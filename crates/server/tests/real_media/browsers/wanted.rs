//! Chromium sends what somebody wants: layers stop when nobody does, and leave again soon after somebody asks.

use super::figures::Room;
use super::scenario;
use crate::api::Server;
use crate::{report, take_turn};
use serde::Deserialize;
use serde_json::{Value, json};
use std::time::Duration;

const LIMIT: Duration = Duration::from_secs(180);
/// Chromium withholds the top layer of small pictures otherwise.
const ALL_LAYERS: &str = "--force-fieldtrials=WebRTC-LegacySimulcastLayerLimit/Disabled/";
/// From the viewer's asking until frames of the layer leave the publisher, in milliseconds.
const WANTED_AGAIN: f64 = 300.0;
/// From its connection until a joiner sees something, where all had stopped.
const FIRST_PICTURE: f64 = 1000.0;
/// How much looser than the bars times are judged: the machine may be busy.
const SLACK: f64 = 3.0;

#[derive(Debug, Deserialize)]
struct Encoding {
    active: bool,
    frames: u64,
    bytes: u64,
    width: Option<u32>,
    #[serde(rename = "sentMode")]
    sent_mode: Option<String>,
}

#[derive(Debug, Deserialize)]
struct Score {
    score: u8,
}

#[derive(Debug, Deserialize)]
struct Producer {
    score: Option<Vec<Score>>,
}

#[derive(Debug, Deserialize)]
struct Layers {
    spatial: Option<u8>,
}

#[derive(Debug, Deserialize)]
struct Seen {
    current: Option<Layers>,
    width: u32,
    shown: u64,
}

#[derive(Debug, Deserialize)]
struct Moment {
    seen: Seen,
    encodings: Vec<Encoding>,
    producer: Producer,
}

impl Moment {
    fn spatial(&self) -> Option<u8> {
        self.seen.current.as_ref()?.spatial
    }

    fn active(&self) -> Vec<bool> {
        self.encodings.iter().map(|encoding| encoding.active).collect()
    }

    fn bytes(&self) -> u64 {
        self.encodings.iter().map(|encoding| encoding.bytes).sum()
    }
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Economy {
    before: Moment,
    rested: Moment,
    later: Moment,
    after: Moment,
    stopped: f64,
    switched_on: Option<f64>,
    left: Option<f64>,
    wide: Option<f64>,
    longest_gap: f64,
    first_picture: f64,
}

/// Seconds that are watched while layers rest.
const REST: u64 = 3;

fn economy(query: &Value) -> Economy {
    let _turn = take_turn();
    let directory = tempfile::tempdir().expect("a directory");
    let server = Server::for_browsers(directory.path(), &[]);
    let options = json!({
        "url": server.page(), "room": "economy", "query": query, "fps": 20, "flags": [ALL_LAYERS], "rest": REST,
        "top": 2,
    });
    let found: Economy = scenario::run(directory.path(), "wanted", &options, LIMIT);
    let rate = (found.later.bytes() - found.rested.bytes()) * 8 / 1000 / REST;
    report(&format!(
        "unwanted layers stopped after {:.0} ms, then {rate} kbit/s; wanted again: switched on after {:?} ms, frames \
         left after {:?} ms, seen after {:?} ms, longest gap {:.0} ms; first picture of a joiner {:.0} ms after its \
         connection",
        found.stopped, found.switched_on, found.left, found.wide, found.longest_gap, found.first_picture,
    ));
    found
}

/// What holds whatever the layers are.
fn assert_served(found: &Economy) {
    assert_eq!((found.before.spatial(), found.later.spatial()), (Some(2), Some(0)));
    assert!(found.later.seen.shown > found.rested.seen.shown, "the low layer goes on");
    assert_eq!(found.later.seen.width, found.before.seen.width / 4);
    for moment in [&found.rested, &found.later, &found.after] {
        let scores = moment.producer.score.as_deref().unwrap_or_default();
        assert!(!scores.is_empty() && scores.iter().all(|it| it.score > 0), "nothing is dead: {scores:?}");
    }
    let left = found.left.expect("frames of the top layer left again");
    assert!(left <= WANTED_AGAIN * SLACK, "{left} ms until frames of the top layer left");
    assert_eq!(found.after.spatial(), Some(2));
    assert_eq!(found.after.seen.width, found.before.seen.width);
    let wide = found.wide.expect("the top layer is seen again");
    assert!(wide <= 1500.0 * SLACK, "{wide} ms until the top layer was seen");
    let first = found.first_picture;
    assert!(first <= FIRST_PICTURE * SLACK, "{first} ms until the joiner saw something");
}

#[test]
fn real_media_browsers_publishers_send_no_encoding_that_nobody_wants() {
    let found = economy(&json!({ "codec": "vp8", "height": "360" }));
    assert_eq!(found.before.active(), [true, true, true]);
    assert_eq!(found.later.active(), [true, false, false]);
    for (rested, later) in found.rested.encodings.iter().zip(&found.later.encodings).skip(1) {
        assert_eq!(rested.frames, later.frames, "none left: {:?}", found.later);
    }
    assert!(found.later.encodings[0].frames > found.rested.encodings[0].frames);
    assert_eq!(found.after.active(), [true, true, true]);
    assert_served(&found);
}

/// Bits a second that publishers are allowed: half of what Chromium starts with.
const CAP: f64 = 150_000.0;

#[test]
fn real_media_browsers_publishers_keep_to_the_servers_limit() {
    let _turn = take_turn();
    let directory = tempfile::tempdir().expect("a directory");
    let cap = CAP.to_string();
    let server = Server::for_browsers(directory.path(), &["--max-incoming-bitrate", &cap]);
    let options = json!({
        "url": server.page(), "room": "limit", "seconds": 16,
        "peers": [
            { "browser": "chromium", "query": { "height": "360", "codec": "vp9", "svc": "L1T1" } },
            { "browser": "chromium", "query": { "video": "0", "audio": "0" } },
        ],
    });
    let room: Room = scenario::run(directory.path(), "room", &options, LIMIT);
    room.assert_watching(1);
    let bytes = |index: usize, of: &[super::figures::Peer]| -> f64 {
        of[index].outbound.iter().map(|stream| stream.bytes).sum()
    };
    let rate = (bytes(0, &room.after) - bytes(0, &room.before)) * 8.0 / room.seconds;
    let available = room.after[0].send.available_outgoing;
    report(&format!("{rate:.0} bit/s sent, {available:?} available by the browser's own account"));
    assert!(available.expect("Chromium tells") <= CAP, "{available:?}");
    assert!(rate <= CAP * 1.15 && rate > CAP * 0.3, "{rate}");
    let targets: f64 = room.after[0].outbound.iter().filter_map(|stream| stream.target).sum();
    assert!(targets <= CAP, "{targets}");
}

#[test]
fn real_media_browsers_publishers_send_no_spatial_layer_that_nobody_wants() {
    let mode = "L3T3_KEY";
    let found = economy(&json!({ "codec": "vp9", "height": "540", "svc": mode }));
    let sent = |moment: &Moment| {
        let encoding = &moment.encodings[0];
        (encoding.sent_mode.clone().unwrap_or_default(), encoding.width)
    };
    assert_eq!(sent(&found.before).0, mode);
    assert_eq!(sent(&found.later), ("L1T3".to_owned(), Some(found.later.seen.width)));
    assert_eq!(sent(&found.after), sent(&found.before));
    assert_served(&found);
}
