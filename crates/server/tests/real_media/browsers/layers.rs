//! Layers that a viewer asks for, one after another, while Chromium publishes: what is seen follows, without loss and in order.

use super::scenario;
use crate::api::Server;
use crate::{report, take_turn};
use serde::Deserialize;
use serde_json::{Value, json};
use std::time::Duration;

/// Seconds between two steps.
const REST: u64 = 3;
/// The longest that the next layer may take to be seen, in milliseconds: the bar and the slack of a busy machine.
const UPWARD: f64 = 1500.0 * SLACK;
const DOWNWARD: f64 = 500.0 * SLACK;
/// The longest time between two pictures, what the frame rate itself makes of it included.
const LONGEST_GAP: f64 = 300.0 * SLACK;
const SLACK: f64 = 3.0;
/// Chromium withholds the top layer of small pictures otherwise.
const ALL_LAYERS: &str = "--force-fieldtrials=WebRTC-LegacySimulcastLayerLimit/Disabled/";

/// Spatial and temporal layer.
type Layers = (u8, u8);

const STEPS: &[Layers] = &[(2, 2), (0, 2), (2, 2), (2, 0), (1, 2)];

/// What one step brought. Some of it is for whoever reads the log alone.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
#[expect(dead_code, reason = "printed")]
struct Step {
    wanted: Layers,
    current: (Option<u8>, Option<u8>),
    pictures: u32,
    width: u32,
    changed_after: f64,
    longest_gap: f64,
    backwards: u32,
    repeated: u32,
    kbps: u32,
    fps: f64,
    lost: i32,
    plis: u32,
    freezes: u32,
    dropped: u32,
    key_frames: u32,
}

#[derive(Debug, Deserialize)]
struct Sent {
    width: Option<u32>,
    mode: Option<String>,
}

#[derive(Debug, Deserialize)]
struct Watched {
    #[serde(rename = "type")]
    consumer_type: String,
    sent: Vec<Sent>,
    steps: Vec<Step>,
}

fn watch(query: &Value, fps: u32, steps: &[Layers]) -> Watched {
    let _turn = take_turn();
    let directory = tempfile::tempdir().expect("a directory");
    let server = Server::for_browsers(directory.path(), &[]);
    let options = json!({
        "url": server.page(), "room": "layers", "query": query, "fps": fps, "flags": [ALL_LAYERS],
        "steps": steps, "rest": REST,
    });
    let limit = Duration::from_secs(90 + (REST + 1) * steps.len() as u64);
    let watched: Watched = scenario::run(directory.path(), "layers", &options, limit);
    report(&format!("{}: {:?}", watched.consumer_type, watched.sent));
    watched.steps.iter().for_each(|step| report(&format!("{step:?}")));
    watched
}

/// The script, or in a full run fifty steps at random.
fn script() -> Vec<Layers> {
    if std::env::var_os("TUREEN_TEST_FULL").is_none() {
        return STEPS.to_vec();
    }
    // A linear congruential generator (Knuth, MMIX) draws the same steps in each run.
    let mut state = 7u64;
    let mut draw = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        ((state >> 33) % 3) as u8
    };
    STEPS.iter().copied().chain((0..50).map(|_| (draw(), draw()))).collect()
}

/// What holds for each codec. `has_temporal`: its encoder makes temporal layers.
fn assert_followed(watched: &Watched, has_temporal: bool) {
    let top = watched.sent.iter().filter_map(|sent| sent.width).max().expect("a picture is sent");
    let mut before = (2, 2);
    for step in &watched.steps {
        let (spatial, temporal) = step.wanted;
        assert_eq!(step.current.0, Some(spatial), "{step:?}");
        assert_eq!(step.width, top >> (2 - spatial), "{step:?}");
        let bound = if spatial > before.0 { UPWARD } else { DOWNWARD };
        assert!(step.changed_after <= bound, "{step:?}");
        assert!(step.longest_gap <= LONGEST_GAP, "{step:?}");
        assert_eq!((step.lost, step.backwards), (0, 0), "{step:?}");
        assert!(step.repeated <= 1, "only where encodings change, {step:?}");
        assert!(step.pictures > 0, "{step:?}");
        if has_temporal {
            assert_eq!(step.current.1, Some(temporal), "{step:?}");
        }
        before = step.wanted;
    }
    if has_temporal {
        let rate = |layer: u8| {
            let of_layer = watched.steps.iter().filter(|step| step.wanted.1 == layer);
            let (sum, count) = of_layer.fold((0.0, 0.0), |(sum, count), step| (sum + step.fps, count + 1.0));
            sum / count
        };
        // A quarter or a third of all frames are in the base layer.
        assert!(rate(0) < 0.55 * rate(2), "{} {}", rate(0), rate(2));
    }
}

#[test]
fn real_media_browsers_layers_of_vp8_simulcast() {
    let watched = watch(&json!({ "codec": "vp8", "height": "360" }), 20, &script());
    assert_eq!((watched.consumer_type.as_str(), watched.sent.len()), ("simulcast", 3));
    assert_followed(&watched, true);
}

#[test]
fn real_media_browsers_layers_of_h264_simulcast() {
    let watched = watch(&json!({ "codec": "h264", "height": "360" }), 20, &script());
    assert_eq!((watched.consumer_type.as_str(), watched.sent.len()), ("simulcast", 3));
    assert_followed(&watched, false);
}

fn svc(codec: &str, mode: &str) {
    let watched = watch(&json!({ "codec": codec, "height": "540", "svc": mode }), 12, &script());
    assert_eq!(watched.consumer_type, "svc");
    assert_eq!(watched.sent[0].mode.as_deref(), Some(mode));
    assert_followed(&watched, true);
}

#[test]
fn real_media_browsers_layers_of_vp9_with_own_references() {
    svc("vp9", "L3T3_KEY");
}

#[test]
fn real_media_browsers_layers_of_vp9() {
    svc("vp9", "L3T3");
}

#[test]
fn real_media_browsers_layers_of_av1() {
    svc("av1", "L3T3");
}
