//! When media was captured (abs-capture-time), as a viewer in Chromium is told of what another Chromium publishes.

use super::scenario;
use crate::api::Server;
use crate::{report, take_turn};
use serde::Deserialize;
use serde_json::json;
use std::time::Duration;

const LIMIT: Duration = Duration::from_secs(100);
const SECONDS: u32 = 6;
/// Milliseconds that a capture may be away from now: all clocks are those of one machine.
const AGE: f64 = 1000.0;

/// How often the extension is in an offer and in its answer.
#[derive(Debug, Deserialize)]
struct Negotiated {
    offered: u32,
    answered: u32,
}

/// In milliseconds: when it was captured, and how long that was ago.
#[derive(Debug, Deserialize)]
struct Capture {
    time: f64,
    age: f64,
    /// What the capturer's clock is behind that of who sends to the viewer.
    offset: Option<f64>,
}

#[derive(Debug, Deserialize)]
struct Told {
    published: Negotiated,
    played: Negotiated,
    /// By the receiver of each kind.
    audio: Vec<Capture>,
    video: Vec<Capture>,
}

fn assert_sane(what: &str, captures: &[Capture]) {
    let ages: Vec<f64> = captures.iter().map(|capture| capture.age).collect();
    let (least, most) =
        ages.iter().fold((f64::MAX, f64::MIN), |(least, most), age| (least.min(*age), most.max(*age)));
    report(&format!("{what}: {} captures, {least:.0} to {most:.0} ms old", captures.len()));
    assert!(captures.len() >= 10, "{what}: {captures:?}");
    assert!(captures.windows(2).all(|pair| pair[0].time <= pair[1].time), "{what} goes back: {captures:?}");
    assert!(
        captures.first().map(|first| first.time) < captures.last().map(|last| last.time),
        "{what} stands still"
    );
    assert!(least >= -AGE && most <= AGE, "{what}: {captures:?}");
}

#[test]
fn real_media_browsers_are_told_when_media_was_captured() {
    let _turn = take_turn();
    let directory = tempfile::tempdir().expect("a directory");
    let server = Server::for_browsers(directory.path(), &[]);
    let options = json!({ "url": server.page(), "room": "capture", "seconds": SECONDS });
    let told: Told = scenario::run(directory.path(), "capture", &options, LIMIT);
    for Negotiated { offered, answered } in [&told.published, &told.played] {
        assert_eq!((*offered, *answered), (2, 2), "of two sections each");
    }
    assert_sane("sound", &told.audio);
    assert_sane("pictures", &told.video);
    // The server's word for how far the clocks are apart.
    let offsets = told.video.iter().chain(&told.audio).filter_map(|capture| capture.offset);
    let offsets: Vec<f64> = offsets.collect();
    assert!(!offsets.is_empty() && offsets.iter().all(|offset| offset.abs() <= AGE), "{offsets:?}");
}
