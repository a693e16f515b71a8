//! In which way Chromium and the server tell each other of the path: on streams (RFC 8888) where both are asked to, else by transport-wide
//! numbers.

use super::scenario;
use crate::api::Server;
use crate::{report, take_turn};
use serde::Deserialize;
use serde_json::{Value, json};
use std::time::Duration;

const LIMIT: Duration = Duration::from_secs(150);
const SECONDS: u64 = 6;
/// Chromium takes feedback on streams where it is offered, and with the second word offers it.
const BY_STREAM: &str = "--force-fieldtrials=WebRTC-RFC8888CongestionControlFeedback/Enabled,offer:true/";

#[derive(Debug, Deserialize)]
struct Call {
    publisher: Publisher,
    viewer: Viewer,
}

#[derive(Debug, Deserialize)]
struct Publisher {
    /// Lines of the server's answer about feedback.
    answer: Vec<String>,
    /// Reports on its streams that it read.
    reports: u64,
    marked: u64,
    available: f64,
}

#[derive(Debug, Deserialize)]
struct Viewer {
    offer: Vec<String>,
    answer: Vec<String>,
    decoded: u64,
    packets: u64,
    /// Packets that came as ECT(1).
    marked: u64,
    explanation: Value,
}

fn call(server: &[&str], flags: &[&str]) -> Call {
    let _turn = take_turn();
    let directory = tempfile::tempdir().expect("a directory");
    let server = Server::for_browsers(directory.path(), server);
    let (url, api) = (server.page(), server.url("/api/v1"));
    let options = json!({ "url": url, "api": api, "room": "feedback", "flags": flags, "seconds": SECONDS });
    let call: Call = scenario::run(directory.path(), "feedback", &options, LIMIT);
    report(&format!("{call:#?}"));
    let (_, metrics) = server.request("/metrics", None);
    for line in metrics.lines().filter(|line| line.starts_with("tureen_feedback_")) {
        report(line);
    }
    call
}

fn has(lines: &[String], word: &str) -> bool {
    lines.iter().any(|line| line.contains(word))
}

/// The server knows the path by what the viewer reports: of one that reports nothing it knows nothing after two seconds.
fn assert_known(call: &Call) {
    let path = &call.viewer.explanation["path"];
    assert!(path["availableBitrate"].as_f64().is_some_and(|bitrate| bitrate > 100_000.0), "{call:#?}");
    assert!(call.viewer.decoded > 10 * SECONDS, "{call:#?}");
    assert!(call.publisher.available > 100_000.0, "{call:#?}");
}

#[test]
fn real_media_browsers_feedback_by_stream() {
    let call = call(&["--stream-feedback", "true", "--webrtc-ecn", "true"], &[BY_STREAM]);
    let Call { publisher, viewer } = &call;
    for lines in [&publisher.answer, &viewer.offer, &viewer.answer] {
        assert!(has(lines, " ack ccfb"), "{lines:?}");
        assert!(!has(lines, "transport-cc") && !has(lines, "transport-wide-cc"), "{lines:?}");
    }
    assert_known(&call);
    assert!(publisher.reports > 20, "{publisher:?}");
    assert!(viewer.marked > viewer.packets / 2, "{} of {} are marked", viewer.marked, viewer.packets);
}

#[test]
fn real_media_browsers_feedback_stays_transport_wide_where_one_side_does_not_ask() {
    for (server, flags) in [(&["--stream-feedback", "true"][..], &[][..]), (&[], &[BY_STREAM])] {
        let call = call(server, flags);
        for lines in [&call.publisher.answer, &call.viewer.offer] {
            assert!(has(lines, "transport-cc") && !has(lines, "ccfb"), "{lines:?}");
        }
        assert_known(&call);
        assert_eq!((call.publisher.reports, call.publisher.marked, call.viewer.marked), (0, 0, 0));
    }
}
