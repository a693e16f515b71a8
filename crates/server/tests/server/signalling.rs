//! Rooms over WebSocket: every method as it should go, in the order that clients rely on.

use crate::client::Client;
use crate::support::{TestServer, opus, settings, vp8};
use serde_json::{Value, json};

#[test]
fn a_connection_is_greeted_and_told_what_the_room_understands() {
    let server = TestServer::start(settings());
    let mut client = Client::connect(&server, "speaker");
    assert_eq!(client.notified("mediasoup-version")["version"], env!("CARGO_PKG_VERSION"));
    let capabilities = client.ok("getRouterRtpCapabilities", Value::Null);
    assert_eq!(capabilities, server.get_json("/rooms/r"));
    let health = server.get_json("/healthz");
    assert_eq!(
        (&health["rooms"], &health["peers"], &health["broadcasters"]),
        (&json!(1), &json!(1), &json!(0))
    );
}

#[test]
fn who_joins_is_told_who_is_there_and_the_others_of_who_joins() {
    let server = TestServer::start(settings());
    let (mut speaker, peers) = Client::join(&server, "speaker");
    assert_eq!(peers, json!({ "peers": [] }));
    let (mut viewer, peers) = Client::join(&server, "viewer");
    let device = json!({ "flag": "test", "name": "Test", "version": "1" });
    assert_eq!(peers, json!({ "peers": [{ "id": "speaker", "displayName": "speaker", "device": device }] }));
    assert_eq!(
        speaker.notified("newPeer"),
        json!({ "id": "viewer", "displayName": "viewer", "device": device })
    );
    viewer.ok("changeDisplayName", json!({ "displayName": "Viewer" }));
    let renamed = json!({ "peerId": "viewer", "displayName": "Viewer", "oldDisplayName": "viewer" });
    assert_eq!(speaker.notified("peerDisplayNameChanged"), renamed);
    viewer.goodbye();
    assert_eq!(speaker.notified("peerClosed"), json!({ "peerId": "viewer" }));
}

#[test]
fn a_transport_comes_with_all_that_a_client_needs() {
    let mut with_ice = settings();
    with_ice.ice_servers = vec!["turn:turn.example;username=me;credential=word".parse().unwrap()];
    let server = TestServer::start(with_ice);
    let mut client = Client::connect(&server, "speaker");
    let made = client.ok("createWebRtcTransport", json!({ "producing": true, "consuming": true }));
    assert_eq!(made["iceParameters"]["iceLite"], true);
    let candidates = made["iceCandidates"].as_array().unwrap();
    assert!(candidates.iter().any(|candidate| candidate["protocol"] == "udp"), "{candidates:?}");
    assert!(candidates.iter().any(|candidate| candidate["protocol"] == "tcp"), "{candidates:?}");
    assert!(candidates.iter().all(|candidate| candidate["ip"] == "127.0.0.1" && candidate["type"] == "host"));
    assert!(!made["dtlsParameters"]["fingerprints"].as_array().unwrap().is_empty());
    let urls = json!([{ "urls": ["turn:turn.example"], "username": "me", "credential": "word" }]);
    assert_eq!(made["iceServers"], urls);
    let only_tcp = client.ok("createWebRtcTransport", json!({ "forceTcp": true }));
    let candidates = only_tcp["iceCandidates"].as_array().unwrap();
    assert!(!candidates.is_empty() && candidates.iter().all(|candidate| candidate["protocol"] == "tcp"));

    let id = &made["id"];
    let restarted = client.ok("restartIce", json!({ "transportId": id }));
    assert_ne!(restarted["usernameFragment"], made["iceParameters"]["usernameFragment"]);
    let remote = json!({ "role": "client", "fingerprints": made["dtlsParameters"]["fingerprints"] });
    client.ok("connectWebRtcTransport", json!({ "transportId": id, "dtlsParameters": remote }));
    client.refused(
        "connectWebRtcTransport",
        json!({ "transportId": id, "dtlsParameters": remote }),
        400,
        "already",
    );
    let stats = client.ok("getTransportStats", json!({ "transportId": id }));
    assert_eq!(stats[0]["type"], "webrtc-transport");
}

#[test]
fn a_producer_becomes_a_consumer_that_starts_when_the_client_is_ready() {
    let server = TestServer::start(settings());
    let (mut speaker, _) = Client::join(&server, "speaker");
    let (mut viewer, _) = Client::join(&server, "viewer");
    let producer = speaker.produce(vp8(2222));
    let (id, offer) = viewer.offered();
    assert_eq!((&offer["peerId"], &offer["producerId"]), (&json!("speaker"), &json!(producer)));
    assert_eq!((&offer["kind"], &offer["type"]), (&json!("video"), &json!("simple")));
    assert_eq!(offer["appData"], json!({ "source": "test", "peerId": "speaker" }));
    assert_eq!(offer["producerPaused"], false);
    assert!(offer["rtpParameters"]["encodings"][0]["ssrc"].is_u64());
    let consumer = offer["id"].clone();
    let of = json!({ "consumerId": consumer });
    let paused = |server: &TestServer| {
        server.get_json("/api/v1/rooms/r/peers/viewer")["consumers"][0]["paused"].as_bool().unwrap()
    };
    assert!(paused(&server));
    viewer.respond(id);
    let score = viewer.notified("consumerScore");
    assert_eq!(score["consumerId"], consumer);
    assert!(score["score"]["score"].is_u64() && !paused(&server));

    viewer.ok("pauseConsumer", of.clone());
    assert!(paused(&server));
    viewer.ok("resumeConsumer", of.clone());
    viewer.ok("requestConsumerKeyFrame", of.clone());
    viewer.ok("setConsumerPriority", json!({ "consumerId": consumer, "priority": 7 }));
    viewer.ok(
        "setConsumerPreferredLayers",
        json!({ "consumerId": consumer, "spatialLayer": 1, "temporalLayer": 0 }),
    );
    assert!(viewer.ok("getConsumerStats", of.clone()).is_array());
    let explained = viewer.ok("explainConsumer", of.clone());
    assert_eq!(explained["consumerId"], consumer);
    assert_eq!(explained["obstacle"]["reason"], "notConnected");
    assert_eq!(explained["obstacle"]["text"], "its transport is not connected");
    let path = format!("/api/v1/rooms/r/peers/viewer/consumers/{}", consumer.as_str().unwrap());
    assert_eq!(server.get_json(&path)["obstacle"], explained["obstacle"]);

    speaker.ok("pauseProducer", json!({ "producerId": producer }));
    assert_eq!(viewer.notified("consumerPaused"), of);
    speaker.ok("resumeProducer", json!({ "producerId": producer }));
    assert_eq!(viewer.notified("consumerResumed"), of);
    assert!(speaker.ok("getProducerStats", json!({ "producerId": producer })).is_array());
    speaker.ok("closeProducer", json!({ "producerId": producer }));
    assert_eq!(viewer.notified("consumerClosed"), of);
    viewer.refused("pauseConsumer", of, 404, "consumer");
}

#[test]
fn the_answer_to_join_comes_before_the_consumers() {
    let server = TestServer::start(settings());
    let (mut speaker, _) = Client::join(&server, "speaker");
    for ssrc in 1..=5 {
        speaker.produce(opus(ssrc));
    }
    let (mut viewer, _) = Client::join(&server, "viewer");
    assert!(viewer.heard().iter().all(|message| message["request"] != true), "{:?}", viewer.heard());
    for _ in 0..5 {
        viewer.offered();
    }
}

#[test]
fn a_client_that_asks_for_replicas_gets_them_up_to_four() {
    let server = TestServer::start(settings());
    let (mut speaker, _) = Client::join(&server, "speaker");
    let producer = speaker.produce(opus(1));
    for (asked, expected) in [("undefined", 1), ("2", 3), ("200", 5)] {
        let query = format!("roomId=r&peerId=viewer&consumerReplicas={asked}");
        let mut viewer = Client::try_connect(&server, &query).unwrap();
        viewer.ok("createWebRtcTransport", json!({ "consuming": true }));
        viewer.join_as("viewer");
        let mut ids: Vec<String> = (0..expected).map(|_| viewer.offered().1["id"].to_string()).collect();
        ids.sort();
        ids.dedup();
        assert_eq!(ids.len(), expected);
        // Another would have come before the end of the producer.
        speaker.ok("pauseProducer", json!({ "producerId": producer }));
        // A pause that is over before it was told is not told.
        viewer.notified("consumerPaused");
        speaker.ok("resumeProducer", json!({ "producerId": producer }));
        assert!(viewer.heard().iter().all(|message| message["method"] != "newConsumer"));
        viewer.goodbye();
    }
}

#[test]
fn broadcasters_and_clients_see_each_other() {
    let server = TestServer::start(settings());
    let (mut speaker, _) = Client::join(&server, "speaker");
    let voice = speaker.produce(opus(1));
    let joined =
        server.post_json("/rooms/r/broadcasters", &json!({ "id": "camera", "displayName": "Camera" }));
    assert_eq!(joined["peers"][0]["producers"], json!([{ "id": voice, "kind": "audio" }]));
    assert_eq!(speaker.notified("newPeer")["id"], "camera");
    let (transport, _) = server.transport("/rooms/r/broadcasters/camera", json!({ "comedia": true }));
    let picture = server.post_json(&format!("{transport}/producers"), &vp8(2));
    let (_, offer) = speaker.offered();
    assert_eq!((&offer["peerId"], &offer["producerId"]), (&json!("camera"), &picture["id"]));
    assert_eq!(offer["appData"]["peerId"], "camera");
    assert_eq!(
        server.get("/rooms/r/broadcasters/speaker/transports/x/stats").0,
        404,
        "a client is no broadcaster"
    );
    let taken = Client::try_connect(&server, "roomId=r&peerId=camera").err().unwrap();
    assert!(taken.0 == 400 && taken.1.contains("camera"), "{taken:?}");
    assert_eq!(server.delete("/rooms/r/broadcasters/camera").0, 204);
    assert_eq!(speaker.notified("consumerClosed")["consumerId"], offer["id"]);
    assert_eq!(speaker.notified("peerClosed")["peerId"], "camera");
}

#[test]
fn a_broadcaster_may_have_webrtc_transports() {
    let server = TestServer::start(settings());
    let path = format!("{}/transports", server.broadcaster("r", "b"));
    let made = server.post_json(&path, &json!({ "type": "webrtc" }));
    assert!(made["iceCandidates"][0]["port"].is_u64() && made["iceParameters"]["iceLite"] == true);
    let transport = format!("{path}/{}", made["id"].as_str().unwrap());
    assert_eq!(server.post(&format!("{transport}/connect"), &json!({})).0, 400);
    let remote = json!({ "dtlsParameters": { "role": "client", "fingerprints": made["dtlsParameters"]["fingerprints"] } });
    assert_eq!(server.post(&format!("{transport}/connect"), &remote).0, 204);
    server.post_json(&format!("{transport}/producers"), &opus(1));
    assert_eq!(server.delete(&transport).0, 204);
}
