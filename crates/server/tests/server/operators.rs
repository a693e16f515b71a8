//! The operators' API, webhooks, and TLS.

use crate::client::Client;
use crate::support::{TestServer, answer, opus, settings};
use serde_json::{Value, json};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::mpsc;
use std::time::Duration;
use tureen_server::Secret;

#[test]
fn operators_see_rooms_and_peers() {
    let server = TestServer::start(settings());
    assert_eq!(server.get_json("/api/v1/rooms"), json!({ "rooms": [] }));
    let (mut speaker, _) = Client::join(&server, "speaker");
    let producer = speaker.produce(opus(1));
    let rooms = server.get_json("/api/v1/rooms");
    assert_eq!((&rooms["rooms"][0]["id"], &rooms["rooms"][0]["peers"]), (&json!("r"), &json!(1)));
    let room = server.get_json("/api/v1/rooms/r");
    assert_eq!((&room["locked"], &room["peers"][0]["id"]), (&json!(false), &json!("speaker")));
    let peer = server.get_json("/api/v1/rooms/r/peers/speaker");
    assert_eq!(
        (&peer["role"], &peer["joined"], &peer["displayName"]),
        (&json!("publish"), &json!(true), &json!("speaker"))
    );
    assert_eq!((&peer["producers"][0]["id"], &peer["muted"]), (&json!(producer), &json!([])));
    assert_eq!(
        server.get_json("/api/v1/rooms/r/peers")["peers"][0]["transports"].as_array().unwrap().len(),
        2
    );
    let load = server.get_json("/api/v1/load");
    assert_eq!((&load["peers"], load["shards"].as_array().unwrap().len()), (&json!(1), 2));
    for path in ["/api/v1/rooms/s", "/api/v1/rooms/r/peers/viewer", "/api/v1/nothing", "/api/v1/rooms/..%2Fr"]
    {
        assert_eq!(server.get(path).0, 404, "{path}");
    }
}

#[test]
fn paths_that_climb_lead_nowhere() {
    let server = TestServer::start(settings());
    for path in [
        "/../etc/passwd",
        "/rooms/../../etc/passwd",
        "/%2e%2e/%2e%2e/etc/passwd",
        "/rooms/..%2f..%2fetc/x",
        "//etc/passwd",
    ] {
        let mut socket = TcpStream::connect(server.address()).unwrap();
        write!(socket, "GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").unwrap();
        let mut answer = String::new();
        socket.read_to_string(&mut answer).unwrap();
        assert!(answer.starts_with("HTTP/1.1 404"), "{path}: {answer}");
    }
}

#[test]
fn what_is_muted_stays_muted_until_the_operator_says_so() {
    let server = TestServer::start(settings());
    let (mut speaker, _) = Client::join(&server, "speaker");
    let (mut viewer, _) = Client::join(&server, "viewer");
    let producer = speaker.produce(opus(1));
    viewer.offered();
    let mute = |muted: bool| {
        server.post("/api/v1/rooms/r/peers/speaker/mute", &json!({ "kind": "audio", "muted": muted })).0
    };
    assert_eq!(mute(true), 204);
    viewer.notified("consumerPaused");
    speaker.refused("resumeProducer", json!({ "producerId": producer }), 403, "muted");
    speaker.produce(opus(2));
    assert_eq!(viewer.offered().1["producerPaused"], true);
    assert_eq!(mute(false), 204);
    viewer.notified("consumerResumed");
    speaker.ok("resumeProducer", json!({ "producerId": producer }));
    assert_eq!(
        server.post("/api/v1/rooms/r/peers/speaker/mute", &json!({ "kind": "smell", "muted": true })).0,
        400
    );
}

#[test]
fn operators_stop_producers_and_remove_peers_and_rooms() {
    let server = TestServer::start(settings());
    let (mut speaker, _) = Client::join(&server, "speaker");
    let (mut viewer, _) = Client::join(&server, "viewer");
    let producer = speaker.produce(opus(1));
    let (_, offer) = viewer.offered();
    assert_eq!(server.delete(&format!("/api/v1/rooms/r/peers/viewer/producers/{producer}")).0, 404);
    assert_eq!(server.delete(&format!("/api/v1/rooms/r/peers/speaker/producers/{producer}")).0, 204);
    assert_eq!(viewer.notified("consumerClosed")["consumerId"], offer["id"]);
    assert_eq!(server.delete("/api/v1/rooms/r/peers/speaker").0, 204);
    assert_eq!(speaker.closed(), Some(4000));
    assert_eq!(viewer.notified("peerClosed")["peerId"], "speaker");
    assert_eq!(server.delete("/api/v1/rooms/r").0, 204);
    assert_eq!(viewer.closed(), Some(4000));
    assert_eq!(server.get("/api/v1/rooms/r").0, 404);
}

#[test]
fn a_locked_room_and_a_draining_server_let_nobody_else_in() {
    let server = TestServer::start(settings());
    let (mut speaker, _) = Client::join(&server, "speaker");
    let transport = speaker.transport();
    let status = |query: &str| Client::try_connect(&server, query).err().map(|(status, _)| status);
    assert_eq!(server.post("/api/v1/rooms/r/lock", &json!({})).0, 204);
    assert_eq!(status("roomId=r&peerId=viewer"), Some(403));
    assert_eq!(server.post("/rooms/r/broadcasters", &json!({ "id": "b" })).0, 403);
    let mut speaker = Client::connect(&server, "speaker");
    speaker.ok("restartIce", json!({ "transportId": transport }));
    assert_eq!(server.post("/api/v1/rooms/r/unlock", &json!({})).0, 204);
    assert_eq!(
        server.post_json("/api/v1/drain", &json!({})),
        json!({ "draining": true, "rooms": 1, "done": false })
    );
    assert_eq!(status("roomId=s&peerId=viewer"), Some(503));
    assert_eq!(status("roomId=r&peerId=viewer"), None);
    speaker.goodbye();
    crate::support::eventually("the end of the drain", || {
        (server.get_json("/api/v1/drain")["done"] == true).then_some(())
    });
    assert_eq!(server.delete("/api/v1/drain").0, 200);
    assert_eq!(status("roomId=s&peerId=viewer"), None);
}

/// A request's signature and body; the status that it gets is the next of `statuses`.
fn receiver(statuses: &'static [&'static str]) -> (String, mpsc::Receiver<(String, String)>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/hook", listener.local_addr().unwrap());
    let (sender, received) = mpsc::channel();
    std::thread::spawn(move || {
        let mut statuses = statuses.iter().chain(std::iter::repeat(&"204 No Content"));
        for stream in listener.incoming() {
            let mut stream = BufReader::new(stream.unwrap());
            let (mut length, mut signature) = (0, String::new());
            loop {
                let mut line = String::new();
                stream.read_line(&mut line).unwrap();
                if line.trim().is_empty() {
                    break;
                }
                let (name, value) = line.split_once(':').unwrap_or_default();
                match name.to_ascii_lowercase().as_str() {
                    "content-length" => length = value.trim().parse().unwrap(),
                    "tureen-signature" => signature = value.trim().to_owned(),
                    _ => {}
                }
            }
            let mut body = vec![0; length];
            stream.read_exact(&mut body).unwrap();
            let status = statuses.next().unwrap();
            write!(stream.get_mut(), "HTTP/1.1 {status}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
                .unwrap();
            if sender.send((signature, String::from_utf8(body).unwrap())).is_err() {
                break;
            }
        }
    });
    (url, received)
}

#[test]
fn events_are_posted_in_order_signed_and_tried_again() {
    let (url, received) = receiver(&["500 Oh No"]);
    let mut hooked = settings();
    hooked.webhook_url = url;
    hooked.webhook_secret = Secret::new("hush");
    let server = TestServer::start(hooked);
    let (mut speaker, _) = Client::join(&server, "speaker");
    let producer = speaker.produce(opus(1));
    speaker.goodbye();
    let next = || received.recv_timeout(Duration::from_secs(20)).expect("a post");
    let (first, again) = (next(), next());
    assert_eq!(first, again, "the same is posted again after a failure");
    assert!(first.0.starts_with("sha256=") && first.0.len() == 7 + 64);
    let mut bodies = vec![again.1];
    bodies.extend((0..5).map(|_| next().1));
    let events: Vec<Value> = bodies.iter().map(|body| serde_json::from_str(body).unwrap()).collect();
    let names: Vec<_> = events.iter().map(|event| event["event"].as_str().unwrap()).collect();
    let expected =
        ["room.started", "peer.started", "producer.started", "producer.ended", "peer.ended", "room.ended"];
    assert_eq!(names, expected);
    assert_eq!((&events[2]["producer"], &events[2]["kind"]), (&json!(producer), &json!("audio")));
    assert_eq!((&events[4]["reason"], &events[4]["peer"]), (&json!("left"), &json!("speaker")));
    let numbers: Vec<_> = events.iter().map(|event| event["sequence"].as_u64().unwrap()).collect();
    assert_eq!(numbers, [1, 2, 3, 4, 5, 6]);
}

#[test]
fn https_works_without_configuration_and_keeps_its_certificate() {
    let directory = tempfile::tempdir().unwrap();
    let mut secure = settings();
    secure.tls = true;
    secure.tls_dir = directory.path().join("tls").to_str().unwrap().to_owned();
    let provider = std::sync::Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let tls = ureq::tls::TlsConfig::builder()
        .unversioned_rustls_crypto_provider(provider)
        .disable_verification(true);
    let agent: ureq::Agent = ureq::Agent::config_builder().tls_config(tls.build()).build().into();
    let certificate = || std::fs::read(directory.path().join("tls/cert.pem")).unwrap();
    let server = TestServer::start(secure.clone());
    let first = certificate();
    let (status, text) = answer(agent.get(format!("https://{}/healthz", server.https_address())).call());
    assert!(status == 200 && text.contains("ok"), "{status} {text}");
    let (_, page) = answer(agent.get(format!("https://{}/status", server.https_address())).call());
    assert!(page.contains("https://127.0.0.1"), "the page names the address that it was reached on");
    drop(server);
    let _server = TestServer::start(secure);
    assert_eq!(certificate(), first);
}

#[test]
fn a_certificate_that_cannot_be_read_is_named() {
    let mut wrong = settings();
    wrong.tls = true;
    (wrong.tls_cert, wrong.tls_key) = ("/nowhere/cert.pem".into(), "/nowhere/key.pem".into());
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let error = runtime.block_on(tureen_server::Server::start(wrong)).unwrap_err().to_string();
    assert!(error.contains("tls_cert") && error.contains("/nowhere/cert.pem"), "{error}");
}
