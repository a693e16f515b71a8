//! Every class of error: its status, and the name of what is wrong in its text.

use crate::support::{TestServer, opus, settings, vp8};
use serde_json::{Value, json};

const NOBODY: &str = "00000000-0000-4000-8000-000000000000";

fn assert_answer(answer: (u16, String), status: u16, part: &str) {
    assert!(answer.0 == status && answer.1.contains(part), "expected {status} with '{part}', got {answer:?}");
}

#[test]
fn wrong_arguments_are_told_by_name() {
    let server = TestServer::start(settings());
    let join = "/rooms/r/broadcasters";
    assert_answer(server.post(join, &json!({})), 400, "id");
    assert_answer(server.post(join, &json!({ "id": 7 })), 400, "id");
    assert_answer(server.post(join, &json!({ "id": "" })), 400, "id: must not be empty");
    assert_answer(server.post(join, &json!({ "id": "x".repeat(129) })), 400, "id: ");
    assert_answer(server.post(join, &json!({ "id": "x", "device": { "name": [] } })), 400, "device.name");
    let codecs = json!({ "codecs": [{ "mimeType": 1 }] });
    assert_answer(
        server.post(join, &json!({ "id": "x", "rtpCapabilities": codecs })),
        400,
        "rtpCapabilities.codecs[0]",
    );
    assert_answer(server.post_text(join, "{"), 400, "body");
    assert_answer(server.post_text(join, ""), 400, "body");
    assert_answer(server.post_text(join, r#"{"id":"x"} {}"#), 400, "body");
    assert_eq!(server.get_json("/healthz")["rooms"], 0, "nothing came of it");
    assert_answer(server.get(&format!("/rooms/{}", "x".repeat(129))), 400, "room");
    assert_answer(server.get("/rooms/a%0Ab"), 400, "room");
}

#[test]
fn wrong_transports_are_refused() {
    let server = TestServer::start(settings());
    let path = format!("{}/transports", server.broadcaster("r", "b"));
    assert_answer(server.post(&path, &json!({})), 400, "type");
    assert_answer(server.post(&path, &json!({ "type": "pigeon" })), 400, "type");
    assert_answer(server.post(&path, &json!({ "type": "plain", "comedia": 1 })), 400, "comedia");
    let suite = json!({ "type": "plain", "enableSrtp": true, "srtpCryptoSuite": "ROT13" });
    assert_answer(server.post(&path, &suite), 400, "srtpCryptoSuite");
}

#[test]
fn wrong_remotes_are_refused() {
    let server = TestServer::start(settings());
    let broadcaster = server.broadcaster("r", "b");
    let connect = |options: Value| format!("{}/connect", server.transport(&broadcaster, options).0);
    let path = connect(json!({}));
    let remote = |port: u16| json!({ "ip": "127.0.0.1", "port": port });
    assert_answer(server.post(&path, &json!({})), 400, "ip");
    assert_answer(server.post(&path, &json!({ "ip": "127.0.0.1" })), 400, "port");
    assert_answer(server.post(&path, &json!({ "ip": "nowhere", "port": 1 })), 400, "ip");
    assert_answer(server.post(&path, &json!({ "ip": "127.0.0.1", "port": 65_536 })), 400, "port");
    assert_answer(server.post(&path, &remote(0)), 400, "port");
    assert_answer(server.post(&path, &json!({ "ip": "::1", "port": 1 })), 400, "ip");
    assert_eq!(server.post(&path, &remote(9)).0, 204, "what was refused left no trace");
    assert_answer(server.post(&path, &remote(9)), 400, "already");
    assert_answer(server.post(&connect(json!({ "rtcpMux": false })), &remote(9)), 400, "rtcpPort");
    assert_answer(server.post(&connect(json!({ "comedia": true })), &remote(9)), 400, "ip");
    let secure = connect(json!({ "enableSrtp": true }));
    assert_answer(server.post(&secure, &remote(9)), 400, "srtpParameters");
    let mut wrong = remote(9);
    wrong["srtpParameters"] = json!({ "cryptoSuite": "AES_CM_128_HMAC_SHA1_80", "keyBase64": "AAAA" });
    assert_answer(server.post(&secure, &wrong), 400, "keyBase64");
}

#[test]
fn wrong_producers_and_consumers_are_refused_and_disturb_nothing() {
    let server = TestServer::start(settings());
    let (path, _) = server.transport(&server.broadcaster("r", "b"), json!({ "comedia": true }));
    let produce = format!("{path}/producers");
    let producer = server.post_json(&produce, &opus(1));
    let id = producer["id"].as_str().unwrap();
    let consume = format!("{path}/consume?producerId={id}");
    let consumer = server.post_json(&consume, &json!({}));

    let mut wrong = vp8(2);
    wrong["kind"] = "smell".into();
    assert_answer(server.post(&produce, &wrong), 400, "kind");
    let mut wrong = vp8(2);
    wrong["rtpParameters"]["codecs"][0]["payloadType"] = 300.into();
    assert_answer(server.post(&produce, &wrong), 400, "rtpParameters.codecs[0].payloadType");
    let mut wrong = vp8(2);
    wrong["rtpParameters"]["codecs"][0]["mimeType"] = "video/theora".into();
    assert_answer(server.post(&produce, &wrong), 400, "theora");
    let mut wrong = vp8(2);
    wrong["rtpParameters"]["encodings"] = json!([]);
    assert_answer(server.post(&produce, &wrong), 400, "encodings");
    assert_answer(server.post(&produce, &opus(1)), 400, "ssrc 1 ");
    assert_answer(server.post(&produce, &json!({ "kind": "audio" })), 400, "rtpParameters");

    assert_answer(server.post_text(&format!("{path}/consume"), ""), 400, "producerId");
    assert_answer(server.post_text(&format!("{path}/consume?producerId=x"), ""), 400, "producerId");
    assert_answer(server.post_text(&format!("{path}/consume?producerId={NOBODY}"), ""), 404, NOBODY);
    assert_answer(server.post(&consume, &json!({ "paused": "no" })), 400, "paused");
    let deaf = json!({ "rtpCapabilities": { "codecs": [], "headerExtensions": [] } });
    assert_eq!(server.post(&consume, &deaf).0, 400);
    assert_answer(server.post(&format!("{path}/produce/data"), &json!({})), 400, "sctpStreamParameters");
    assert_answer(server.post(&format!("{path}/consume/data"), &json!({})), 400, "dataProducerId");

    server.get_json(&format!("{produce}/{id}/stats"));
    server.get_json(&format!("{path}/consumers/{}/stats", consumer["id"].as_str().unwrap()));
}

#[test]
fn unknown_objects_are_not_found() {
    let server = TestServer::start(settings());
    let broadcaster = server.broadcaster("r", "b");
    let (path, _) = server.transport(&broadcaster, json!({ "comedia": true }));
    let producer = server.post_json(&format!("{path}/producers"), &opus(1));
    let id = producer["id"].as_str().unwrap();

    assert_answer(server.delete("/rooms/no/broadcasters/b"), 404, "room 'no'");
    assert_answer(server.delete("/rooms/r/broadcasters/no"), 404, "broadcaster 'no'");
    for transport in [NOBODY, "no"] {
        let path = format!("{broadcaster}/transports/{transport}");
        assert_answer(server.get(&format!("{path}/stats")), 404, transport);
        assert_answer(
            server.post(&format!("{path}/connect"), &json!({ "ip": "127.0.0.1", "port": 9 })),
            404,
            transport,
        );
        assert_answer(server.post(&format!("{path}/producers"), &opus(3)), 404, transport);
        assert_answer(server.post_text(&format!("{path}/consume?producerId={id}"), ""), 404, transport);
        assert_answer(server.delete(&path), 404, transport);
    }
    for class in ["producers", "consumers"] {
        for object in [NOBODY, "no"] {
            let path = format!("{path}/{class}/{object}");
            assert_answer(server.get(&format!("{path}/stats")), 404, object);
            assert_answer(server.delete(&path), 404, object);
            assert_answer(server.post_text(&format!("{path}/pause"), ""), 404, object);
            assert_answer(server.post_text(&format!("{path}/resume"), ""), 404, object);
        }
    }
    assert_answer(server.get("/nowhere"), 404, "");
    assert_eq!(server.get("/rooms/r/broadcasters").0, 405);
}

#[test]
fn objects_of_other_rooms_and_broadcasters_are_out_of_reach() {
    let server = TestServer::start(settings());
    let (own, transport) = server.transport(&server.broadcaster("one", "b"), json!({ "comedia": true }));
    let producer = server.post_json(&format!("{own}/producers"), &opus(1));
    let id = producer["id"].as_str().unwrap();
    let elsewhere = server.broadcaster("two", "b");
    let neighbour = server.broadcaster("one", "c");
    let transport = transport["id"].as_str().unwrap();
    for other in [&elsewhere, &neighbour] {
        assert_eq!(server.get(&format!("{other}/transports/{transport}/stats")).0, 404);
        assert_eq!(server.delete(&format!("{other}/transports/{transport}/producers/{id}")).0, 404);
    }
    let (there, _) = server.transport(&elsewhere, json!({ "comedia": true }));
    assert_answer(server.post_text(&format!("{there}/consume?producerId={id}"), ""), 404, id);
    server.get_json(&format!("{own}/producers/{id}/stats"));
}

#[test]
fn an_id_is_taken_once_in_a_room() {
    let server = TestServer::start(settings());
    server.broadcaster("r", "b");
    assert_answer(server.post("/rooms/r/broadcasters", &json!({ "id": "b" })), 400, "id: 'b'");
    server.broadcaster("s", "b");
}
