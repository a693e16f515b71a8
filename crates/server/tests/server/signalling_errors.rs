//! Signalling with clients that are wrong, hostile or gone.

use crate::client::Client;
use crate::support::{TestServer, eventually, opus, settings};
use serde_json::{Value, json};
use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;
use tokio_tungstenite::tungstenite::Message;

const NOBODY: &str = "00000000-0000-4000-8000-000000000000";

fn peers(server: &TestServer) -> u64 {
    server.get_json("/healthz")["peers"].as_u64().unwrap()
}

#[test]
fn connections_that_name_nobody_are_refused_with_a_status() {
    let server = TestServer::start(settings());
    let refused = |query: &str| Client::try_connect(&server, query).err().expect("a refusal");
    for (query, part) in [
        ("", "roomId"),
        ("roomId=r", "peerId"),
        ("roomId=&peerId=a", "room"),
        ("roomId=r&peerId=", "id"),
        ("roomId=a%0Ab&peerId=a", "room"),
        (&format!("roomId={}&peerId=a", "x".repeat(129)), "room"),
    ] {
        let (status, text) = refused(query);
        assert!(status == 400 && text.contains(part), "{query}: {status} {text}");
    }
    assert_eq!(server.get_json("/healthz")["rooms"], 0);
    let plain =
        server.agent().get(server.url("/?roomId=r&peerId=a")).header("Upgrade", "websocket").call().unwrap();
    assert_eq!(plain.status(), 200, "no upgrade, the page");
}

#[test]
fn every_wrong_argument_is_told_by_name() {
    let server = TestServer::start(settings());
    let (mut speaker, _) = Client::join(&server, "speaker");
    let transport = speaker.transport();
    let producer = speaker.produce(opus(1));
    let hinted = |hint: &str| {
        let mut data = opus(2);
        data["transportId"] = transport.clone().into();
        data["contentHint"] = hint.into();
        data
    };
    for (method, data, part) in [
        ("fly", json!({}), "fly"),
        ("join", json!({}), "joined already"),
        ("createWebRtcTransport", json!({ "forceTcp": 7 }), "forceTcp"),
        ("connectWebRtcTransport", json!({}), "transportId"),
        (
            "connectWebRtcTransport",
            json!({ "transportId": transport, "dtlsParameters": { "fingerprints": [{}] } }),
            "dtlsParameters.fingerprints[0]",
        ),
        (
            "connectWebRtcTransport",
            json!({ "transportId": transport, "dtlsParameters": { "fingerprints": [] } }),
            "fingerprint",
        ),
        ("restartIce", Value::Null, "transportId"),
        ("produce", json!({ "transportId": transport, "kind": "smell" }), "kind"),
        ("produce", json!({ "transportId": transport, "kind": "audio" }), "rtpParameters"),
        ("produce", hinted("loud"), "contentHint"),
        ("produce", hinted("detail"), "contentHint"),
        ("produce", json!([]), "data"),
        ("pauseProducer", json!({}), "producerId"),
        ("setConsumerPreferredLayers", json!({ "consumerId": NOBODY, "spatialLayer": -1 }), "spatialLayer"),
        ("setConsumerPriority", json!({ "consumerId": NOBODY, "priority": 256 }), "priority"),
        ("changeDisplayName", json!({ "displayName": {} }), "displayName"),
    ] {
        speaker.refused(method, data, 400, part);
    }
    for method in ["closeProducer", "pauseProducer", "resumeProducer", "getProducerStats"] {
        speaker.refused(method, json!({ "producerId": NOBODY }), 404, NOBODY);
        speaker.refused(method, json!({ "producerId": "../x" }), 404, "../x");
    }
    for method in
        ["pauseConsumer", "resumeConsumer", "requestConsumerKeyFrame", "getConsumerStats", "explainConsumer"]
    {
        speaker.refused(method, json!({ "consumerId": NOBODY }), 404, NOBODY);
    }
    for method in ["restartIce", "getTransportStats"] {
        speaker.refused(method, json!({ "transportId": NOBODY }), 404, NOBODY);
    }
    for method in ["applyNetworkThrottle", "resetNetworkThrottle"] {
        speaker.refused(method, json!({}), 501, "not supported");
    }
    speaker.ok("getProducerStats", json!({ "producerId": producer }));
}

#[test]
fn what_belongs_to_others_is_out_of_reach() {
    let server = TestServer::start(settings());
    let (mut speaker, _) = Client::join(&server, "speaker");
    let (mut viewer, _) = Client::join(&server, "viewer");
    let mut elsewhere = Client::try_connect(&server, "roomId=s&peerId=speaker").unwrap();
    elsewhere.join_as("speaker");
    let transport = speaker.transport();
    let producer = speaker.produce(opus(1));
    let (_, offer) = viewer.offered();
    for other in [&mut viewer, &mut elsewhere] {
        other.refused("closeProducer", json!({ "producerId": producer }), 404, &producer);
        let mut media = opus(2);
        media["transportId"] = transport.as_str().into();
        other.refused("produce", media, 404, &transport);
        other.refused("restartIce", json!({ "transportId": transport }), 404, &transport);
    }
    speaker.refused("pauseConsumer", json!({ "consumerId": offer["id"] }), 404, "consumer");
    speaker.ok("getProducerStats", json!({ "producerId": producer }));
}

#[test]
fn methods_that_come_after_join_say_so() {
    let server = TestServer::start(settings());
    let mut client = Client::connect(&server, "speaker");
    let mut media = opus(1);
    media["transportId"] = client.transport().into();
    client.refused("produce", media, 400, "after join");
    client.refused("changeDisplayName", json!({ "displayName": "x" }), 400, "after join");
}

#[test]
fn a_second_connection_replaces_the_first_and_goes_on_or_starts_anew() {
    let server = TestServer::start(settings());
    let (mut watcher, _) = Client::join(&server, "watcher");
    let (mut first, _) = Client::join(&server, "speaker");
    watcher.notified("newPeer");
    let transport = first.transport();
    let producer = first.produce(opus(1));
    let mut second = Client::connect(&server, "speaker");
    assert_eq!(first.closed(), Some(4000));
    second.ok("restartIce", json!({ "transportId": transport }));
    second.ok("getProducerStats", json!({ "producerId": producer }));
    assert!(watcher.heard().iter().all(|message| message["method"] != "peerClosed"));

    let (mut third, _) = Client::join(&server, "speaker");
    assert_eq!(second.closed(), Some(4000));
    assert_eq!(watcher.notified("peerClosed")["peerId"], "speaker");
    assert_eq!(watcher.notified("newPeer")["id"], "speaker");
    third.refused("getProducerStats", json!({ "producerId": producer }), 404, &producer);
    third.refused("restartIce", json!({ "transportId": transport }), 404, &transport);
    assert_eq!(peers(&server), 2);
}

#[test]
fn who_loses_the_connection_comes_back_to_what_was_missed() {
    let server = TestServer::start(settings());
    let (mut watcher, _) = Client::join(&server, "watcher");
    let (mut speaker, _) = Client::join(&server, "speaker");
    let transport = speaker.transport();
    watcher.produce(opus(1));
    let (_, unanswered) = speaker.offered();
    drop(speaker);
    let later = watcher.produce(opus(2));
    let mut speaker = Client::connect(&server, "speaker");
    speaker.notified("mediasoup-version");
    speaker.ok("restartIce", json!({ "transportId": transport }));
    let mut offers = [speaker.offered().1, speaker.offered().1];
    assert_eq!(offers[0]["id"], unanswered["id"], "told again, since it was not answered");
    assert_eq!(offers[1]["producerId"].take(), json!(later));
    assert!(watcher.heard().iter().all(|message| message["method"] != "peerClosed"));
}

#[test]
fn a_peer_is_dropped_after_the_grace_time_and_at_once_after_a_goodbye() {
    let mut short = settings();
    short.peer_grace = 1;
    let server = TestServer::start(short);
    let (mut watcher, _) = Client::join(&server, "watcher");
    let (speaker, _) = Client::join(&server, "speaker");
    drop(speaker);
    assert_eq!(watcher.notified("peerClosed")["peerId"], "speaker");
    assert_eq!(peers(&server), 1);

    let server = TestServer::start(settings());
    let (speaker, _) = Client::join(&server, "speaker");
    speaker.goodbye();
    eventually("the end of the room", || (server.get_json("/healthz")["rooms"] == 0).then_some(()));
    drop(Client::connect(&server, "fleeting"));
    eventually("the end of who never joined", || (peers(&server) == 0).then_some(()));
}

#[test]
fn what_is_no_message_ends_the_connection() {
    let server = TestServer::start(settings());
    let cases = [
        (Message::Text("{".into()), 1008),
        (Message::Text("[]".into()), 1008),
        (Message::Text(r#"{"request":true,"id":"x","method":"y"}"#.into()), 1008),
        (Message::Text("[".repeat(100_000).into()), 1008),
        (Message::Binary(vec![1].into()), 1003),
    ];
    for (message, code) in cases {
        let mut client = Client::connect(&server, "speaker");
        client.send_message(message).unwrap();
        assert_eq!(client.closed(), Some(code));
    }
    let mut client = Client::connect(&server, "speaker");
    client.send_text(json!({ "notification": true, "method": "x" }).to_string()).unwrap();
    client.send_text(json!({ "response": true, "id": 77, "ok": true }).to_string()).unwrap();
    client.ok("getRouterRtpCapabilities", Value::Null);
}

#[test]
fn a_message_too_large_ends_the_connection() {
    let mut small = settings();
    small.max_message_bytes = 10_000;
    let server = TestServer::start(small);
    let mut client = Client::connect(&server, "speaker");
    let request = |size: usize| json!({ "request": true, "id": 900, "method": "x".repeat(size) }).to_string();
    client.send_text(request(9_000)).unwrap();
    client.ok("getRouterRtpCapabilities", Value::Null);
    // The server may have hung up before all of it was sent.
    let _ = client.send_text(request(20_000_000));
    assert!(matches!(client.closed(), Some(1009) | None));
    eventually("the end of the peer", || (peers(&server) == 0).then_some(()));
}

#[test]
fn a_client_too_eager_is_held_back_request_by_request() {
    let mut slow = settings();
    slow.max_messages_per_second = 5;
    let server = TestServer::start(slow);
    let mut client = Client::connect(&server, "speaker");
    let answers: Vec<_> = (0..40).map(|_| client.call("getRouterRtpCapabilities", Value::Null)).collect();
    assert!(answers[..10].iter().all(Result::is_ok));
    assert!(answers.iter().any(|answer| matches!(answer, Err((429, _)))), "{:?}", answers.last());
}

#[test]
fn a_client_that_never_reads_is_dropped_and_harms_nobody() {
    let mut open = settings();
    open.max_messages_per_second = 0;
    open.peer_grace = 0;
    let server = TestServer::start(open);
    let mut socket = TcpStream::connect(server.address()).unwrap();
    socket.set_write_timeout(Some(Duration::from_millis(200))).unwrap();
    let upgrade = "GET /?roomId=r&peerId=deaf HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
        Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Protocol: protoo\r\n\r\n";
    socket.write_all(upgrade.as_bytes()).unwrap();
    let mut head = [0; 12];
    socket.read_exact(&mut head).unwrap();
    assert_eq!(&head, b"HTTP/1.1 101");
    // A masked frame, with a mask of zeros (RFC 6455 section 5.3).
    let text = r#"{"request":true,"id":1,"method":"getRouterRtpCapabilities"}"#;
    let mut frame = vec![0x81, 0x80 | u8::try_from(text.len()).unwrap(), 0, 0, 0, 0];
    frame.extend(text.as_bytes());
    eventually("the end of the deaf", || {
        for _ in 0..2_000 {
            if socket.write_all(&frame).is_err() {
                break;
            }
        }
        (peers(&server) == 0).then_some(())
    });
    let (_speaker, _) = Client::join(&server, "speaker");
}

#[test]
fn connections_have_a_limit_that_websockets_count_for() {
    let mut few = settings();
    few.max_connections = 2;
    let server = TestServer::start(few);
    let (speaker, _) = Client::join(&server, "speaker");
    let _viewer = Client::connect(&server, "viewer");
    let mut third = TcpStream::connect(server.address()).unwrap();
    third.set_read_timeout(Some(Duration::from_millis(500))).unwrap();
    third.write_all(b"GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").unwrap();
    assert!(third.read(&mut [0; 1]).is_err(), "nobody answers yet");
    speaker.goodbye();
    third.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    let mut answer = String::new();
    third.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
}

#[test]
fn a_request_whose_head_never_ends_is_dropped() {
    let server = TestServer::start(settings());
    let mut socket = TcpStream::connect(server.address()).unwrap();
    socket.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    socket.write_all(b"GET / HTTP/1.1\r\nHost: ").unwrap();
    let mut rest = Vec::new();
    socket.read_to_end(&mut rest).expect("the server ends it");
}

#[test]
fn limits_of_a_peer_hold_over_websocket() {
    let mut tight = settings();
    (tight.max_transports, tight.max_producers, tight.max_peers) = (2, 1, 2);
    let server = TestServer::start(tight);
    let (mut speaker, _) = Client::join(&server, "speaker");
    let transport = speaker.transport();
    speaker.refused("createWebRtcTransport", json!({}), 503, "transports");
    let produce = |ssrc: u32| {
        let mut media = opus(ssrc);
        media["transportId"] = transport.as_str().into();
        media
    };
    speaker.ok("produce", produce(1));
    speaker.refused("produce", produce(2), 503, "producers");
    let _viewer = Client::connect(&server, "viewer");
    assert_eq!(Client::try_connect(&server, "roomId=r&peerId=third").err().unwrap().0, 503);
}

#[test]
fn stopping_the_server_ends_connections() {
    let server = TestServer::start(settings());
    let (mut speaker, _) = Client::join(&server, "speaker");
    let stopping = std::thread::spawn(move || server.shutdown());
    assert!(matches!(speaker.closed(), Some(4000) | None));
    stopping.join().unwrap();
}
