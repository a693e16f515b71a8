//! Limits: what is too large, too often or too much; and what is idle.

use crate::support::{TestServer, eventually, opus, settings};
use serde_json::json;

#[test]
fn a_body_too_large_is_refused() {
    let server = TestServer::start(settings());
    let join = "/rooms/r/broadcasters";
    let body = |size: usize| json!({ "id": "b", "displayName": "x".repeat(size) });
    assert_eq!(server.post(join, &body(70_000)).0, 413);
    assert_eq!(server.post(join, &body(60_000)).0, 200);
}

#[test]
fn a_client_too_eager_is_held_back() {
    let mut slow = settings();
    slow.max_requests_per_second = 2;
    let server = TestServer::start(slow);
    let statuses: Vec<u16> = (0..20).map(|_| server.get("/healthz").0).collect();
    assert_eq!(statuses[..4], [200; 4]);
    assert!(statuses.contains(&429), "{statuses:?}");
    eventually("to be served again", || (server.get("/healthz").0 == 200).then_some(()));
}

#[test]
fn every_count_has_its_limit() {
    let mut tight = settings();
    (tight.max_rooms, tight.max_broadcasters, tight.max_transports) = (1, 2, 1);
    (tight.max_producers, tight.max_consumers) = (1, 1);
    let server = TestServer::start(tight);
    let refused = |path: &str, body: serde_json::Value, what: &str| {
        let (status, text) = server.post(path, &body);
        assert!(status == 503 && text.contains(what), "{path}: {status} {text}");
    };
    let broadcaster = server.broadcaster("r", "a");
    refused("/rooms/s/broadcasters", json!({ "id": "a" }), "rooms");
    let second = server.broadcaster("r", "b");
    refused("/rooms/r/broadcasters", json!({ "id": "c" }), "broadcasters");
    let (path, _) = server.transport(&broadcaster, json!({ "comedia": true }));
    refused(&format!("{broadcaster}/transports"), json!({ "type": "plain" }), "transports");
    let producer = server.post_json(&format!("{path}/producers"), &opus(1));
    refused(&format!("{path}/producers"), opus(2), "producers");
    let consume = format!("{path}/consume?producerId={}", producer["id"].as_str().unwrap());
    let consumer = server.post_json(&consume, &json!({}));
    refused(&consume, json!({}), "consumers");
    assert_eq!(server.delete(&format!("{path}/consumers/{}", consumer["id"].as_str().unwrap())).0, 204);
    server.post_json(&consume, &json!({}));
    assert_eq!(server.delete(&second).0, 204);
    server.broadcaster("r", "c");
}

#[test]
fn ports_run_out_without_harm() {
    let mut narrow = settings();
    (narrow.rtc_min_port, narrow.rtc_max_port) = (39_871, 39_872);
    let server = TestServer::start(narrow);
    let broadcaster = server.broadcaster("r", "b");
    let path = format!("{broadcaster}/transports");
    let body = json!({ "type": "plain" });
    let made = (0..3).filter(|_| server.post(&path, &body).0 == 200).count();
    assert!(made <= 2);
    let (status, text) = server.post(&path, &body);
    assert!(status == 503 && text.contains("port"), "{status} {text}");
}

#[test]
fn an_idle_broadcaster_is_removed() {
    let mut impatient = settings();
    impatient.idle_timeout = 1;
    let server = TestServer::start(impatient);
    let broadcaster = server.broadcaster("r", "b");
    server.transport(&broadcaster, json!({ "comedia": true }));
    eventually("the end of the idle", || (server.get_json("/healthz")["rooms"] == 0).then_some(()));
    assert_eq!(server.delete(&broadcaster).0, 404);
}
