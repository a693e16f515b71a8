//! Pipes between two servers: call by call, and as links that keep two rooms alike.

use crate::client::Client;
use crate::support::{TestServer, eventually, opus, rtp, settings, vp8};
use serde_json::{Value, json};
use std::net::UdpSocket;
use std::time::Duration;
use tureen_server::{Settings, StaticToken};

const SSRC: u32 = 1111;

/// What FFmpeg would be: sends Opus to a broadcaster's transport.
pub(crate) struct Publisher {
    broadcaster: String,
    transport: String,
    socket: UdpSocket,
    port: u16,
    pub(crate) producer: String,
    number: u16,
}

impl Publisher {
    pub(crate) fn new(server: &TestServer, id: &str) -> Self {
        let broadcaster = server.broadcaster("r", id);
        let (transport, place) = server.transport(&broadcaster, json!({ "comedia": true }));
        let producer = server.post_json(&format!("{transport}/producers"), &opus(SSRC));
        Self {
            broadcaster,
            transport,
            socket: UdpSocket::bind("127.0.0.1:0").unwrap(),
            port: u16::try_from(place["port"].as_u64().unwrap()).unwrap(),
            producer: producer["id"].as_str().unwrap().to_owned(),
            number: 0,
        }
    }

    fn speak(&mut self) {
        let packet = rtp(101, self.number, u32::from(self.number) * 960, SSRC);
        self.socket.send_to(&packet, ("127.0.0.1", self.port)).unwrap();
        self.number += 1;
    }

    fn control(&self, server: &TestServer, call: &str) {
        let path = format!("{}/producers/{}/{call}", self.transport, self.producer);
        assert_eq!(server.post_text(&path, "").0, 204);
    }
}

/// Who listens: a plain transport with a consumer.
struct Listener {
    socket: UdpSocket,
    ssrc: u32,
}

impl Listener {
    fn new(server: &TestServer, id: &str, producer: &str) -> Self {
        let (transport, _) = server.transport(&server.broadcaster("r", id), json!({}));
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        socket.set_read_timeout(Some(Duration::from_millis(30))).unwrap();
        let port = socket.local_addr().unwrap().port();
        let remote = json!({ "ip": "127.0.0.1", "port": port });
        assert_eq!(server.post(&format!("{transport}/connect"), &remote).0, 204);
        let consumer = server.post_json(&format!("{transport}/consume?producerId={producer}"), &json!({}));
        let ssrc =
            u32::try_from(consumer["rtpParameters"]["encodings"][0]["ssrc"].as_u64().unwrap()).unwrap();
        Self { socket, ssrc }
    }

    fn hears(&self) -> Option<()> {
        let mut buffer = [0; 1500];
        let len = self.socket.recv(&mut buffer).ok()?;
        let is_rtp = !(192..=223).contains(&buffer[1]);
        (len >= 20 && is_rtp && buffer[8..12] == self.ssrc.to_be_bytes()).then_some(())
    }
}

/// A pipe's path, and what the server said of it.
fn open(server: &TestServer, body: &Value) -> (String, Value) {
    let pipe = server.post_json("/api/v1/rooms/r/pipes", body);
    (format!("/api/v1/rooms/r/pipes/{}", pipe["id"].as_str().unwrap()), pipe)
}

fn remote(pipe: &Value) -> Value {
    let mut remote = pipe.clone();
    remote.as_object_mut().unwrap().remove("id");
    remote
}

/// What a room has of the peers of another.
pub(crate) fn peers(server: &TestServer) -> Vec<Value> {
    let (status, text) = server.get("/api/v1/rooms/r/peers");
    if status == 404 {
        return Vec::new();
    }
    let answer: Value = serde_json::from_str(&text).unwrap();
    let peers = answer["peers"].as_array().unwrap().iter();
    peers.filter(|peer| peer["transports"][0]["type"] == "pipe" && peer["joined"] == true).cloned().collect()
}

/// A producer of the room, by its id, wherever it comes from.
pub(crate) fn producer(server: &TestServer, id: &str) -> Option<Value> {
    let peers = peers(server);
    let mut producers = peers.iter().flat_map(|peer| peer["producers"].as_array().unwrap());
    producers.find(|producer| producer["id"] == id).cloned()
}

pub(crate) fn link(from: &TestServer, to: &TestServer) -> String {
    let link = from.post_json("/api/v1/rooms/r/pipe-to", &json!({ "url": to.url("") }));
    format!("/api/v1/rooms/r/pipe-to/{}", link["id"].as_str().unwrap())
}

pub(crate) fn report(server: &TestServer) -> Value {
    server.get_json("/api/v1/rooms/r/pipe-to")["links"][0].clone()
}

#[test]
fn what_pictures_show_crosses_with_them() {
    let (here, there) = (TestServer::start(settings()), TestServer::start(settings()));
    let (transport, _) = here.transport(&here.broadcaster("r", "screen"), json!({ "comedia": true }));
    let mut screen = vp8(2222);
    screen["contentHint"] = "detail".into();
    let id = here.post_json(&format!("{transport}/producers"), &screen)["id"].clone();
    let (out, _) = open(&here, &json!({}));
    let consumer = here.post_json(&format!("{out}/consumers"), &json!({ "producerId": id }));
    assert_eq!(consumer["contentHint"], "detail");
    let (into, _) = open(&there, &json!({ "peer": { "displayName": "Screen" } }));
    let producer = json!({
        "id": id, "kind": "video", "rtpParameters": consumer["rtpParameters"], "contentHint": consumer["contentHint"]
    });
    there.post_json(&format!("{into}/producers"), &producer);
    let (on, _) = open(&there, &json!({}));
    let again = there.post_json(&format!("{on}/consumers"), &json!({ "producerId": id }));
    assert_eq!(again["contentHint"], "detail");
}

#[test]
fn a_producer_crosses_call_by_call() {
    let (here, there) = (TestServer::start(settings()), TestServer::start(settings()));
    let mut publisher = Publisher::new(&here, "speaker");
    let (out, near) = open(&here, &json!({}));
    let (into, far) = open(&there, &json!({ "peer": { "displayName": "Speaker" } }));
    assert_eq!(
        (&near["ip"], &near["srtpParameters"]["cryptoSuite"]),
        (&json!("127.0.0.1"), &json!("AEAD_AES_256_GCM"))
    );
    assert_eq!(here.post(&format!("{out}/connect"), &remote(&far)).0, 204);
    assert_eq!(there.post(&format!("{into}/connect"), &remote(&near)).0, 204);
    let consumer = here.post_json(&format!("{out}/consumers"), &json!({ "producerId": publisher.producer }));
    assert_eq!((&consumer["type"], &consumer["producerPaused"]), (&json!("pipe"), &json!(false)));
    let body =
        json!({ "id": publisher.producer, "kind": "audio", "rtpParameters": consumer["rtpParameters"] });
    let produced = there.post_json(&format!("{into}/producers"), &body);
    assert_eq!(produced["id"], json!(publisher.producer));
    assert_eq!(peers(&there)[0]["displayName"], "Speaker");
    assert!(peers(&here).is_empty(), "nobody is told of a pipe that only carries away");

    let listener = Listener::new(&there, "listener", &publisher.producer);
    eventually("sound", || {
        publisher.speak();
        listener.hears()
    });

    let producer = format!("{into}/producers/{}", publisher.producer);
    assert_eq!(there.post_text(&format!("{producer}/pause"), "").0, 204);
    assert_eq!(there.get_json(&into)["producers"][0]["paused"], true);
    assert_eq!(there.post_text(&format!("{producer}/resume"), "").0, 204);
    let state = there.get_json("/api/v1/rooms/r/pipes");
    assert_eq!((&state["pipes"][0]["id"], &state["peers"][0]["id"]), (&far["id"], &json!("listener")));
    assert_eq!(there.delete(&producer).0, 204);
    let consumer = format!("{out}/consumers/{}", consumer["id"].as_str().unwrap());
    assert_eq!(here.get_json(&out)["consumers"][0]["producerId"], json!(publisher.producer));
    assert_eq!((here.delete(&consumer).0, here.delete(&consumer).0), (204, 404));
    assert_eq!((here.delete(&out).0, there.delete(&into).0), (204, 204));
    assert_eq!((here.get(&out).0, there.get(&into).0), (404, 404));
}

#[test]
fn what_a_pipe_refuses_is_named() {
    let server = TestServer::start(settings());
    let publisher = Publisher::new(&server, "speaker");
    let (pipe, place) = open(&server, &json!({}));
    let refused = |path: &str, body: Value, status: u16, part: &str| {
        let (code, text) = server.post(path, &body);
        assert!(code == status && text.contains(part), "{path} {body}: {code} {text}");
    };
    let connect = format!("{pipe}/connect");
    refused(&connect, json!({ "ip": "127.0.0.1", "port": 9 }), 400, "srtpParameters");
    refused(&connect, json!({ "ip": "nowhere", "port": 9 }), 400, "ip");
    let mut other = remote(&place);
    other["srtpParameters"]["cryptoSuite"] = "AEAD_AES_128_GCM".into();
    refused(&connect, other, 400, "cryptoSuite");
    assert_eq!(server.post(&connect, &remote(&place)).0, 204);
    refused(&connect, remote(&place), 400, "already");
    let unknown = "00000000-0000-0000-0000-000000000000";
    refused(&format!("{pipe}/consumers"), json!({ "producerId": unknown }), 404, "producer");
    refused(&format!("{pipe}/consumers"), json!({ "producerId": "x" }), 400, "producerId");
    let mut nameless = opus(5);
    nameless["id"] = unknown.into();
    refused(&format!("{pipe}/producers"), nameless.clone(), 400, "peer");
    let (named, _) = open(&server, &json!({ "peer": {} }));
    nameless["id"] = publisher.producer.clone().into();
    refused(&format!("{named}/producers"), nameless, 400, "exists");
    refused(&format!("{named}/producers/{unknown}/pause"), json!({}), 404, "producer");
    refused("/api/v1/rooms/r/pipes/speaker/connect", remote(&place), 404, "pipe");
    refused("/api/v1/rooms/r/pipes", json!({ "enableStrp": true }), 400, "enableStrp");
    assert_eq!(server.get("/api/v1/rooms/nobody/pipes").0, 404);
    for (body, part) in [
        (json!({}), "url"),
        (json!({ "url": "ftp://host" }), "url"),
        (json!({ "url": "nothing" }), "url"),
        (json!({ "url": "http://host", "room": "" }), "room"),
    ] {
        refused("/api/v1/rooms/r/pipe-to", body, 400, part);
    }
    assert_eq!(server.delete("/api/v1/rooms/r/pipe-to/none").0, 404);
}

#[test]
fn a_muted_peer_of_another_room_is_not_resumed() {
    let server = TestServer::start(settings());
    let (pipe, place) = open(&server, &json!({ "peer": {} }));
    let mut body = opus(5);
    body["rtpParameters"]["codecs"][0]["payloadType"] = 100.into();
    let produced = server.post_json(&format!("{pipe}/producers"), &body);
    let id = place["id"].as_str().unwrap();
    let mute = json!({ "kind": "audio", "muted": true });
    assert_eq!(server.post(&format!("/api/v1/rooms/r/peers/{id}/mute"), &mute).0, 204);
    let resume = format!("{pipe}/producers/{}/resume", produced["id"].as_str().unwrap());
    assert_eq!(server.post_text(&resume, "").0, 403);
}

#[test]
fn a_pipe_that_nobody_asks_for_and_nothing_comes_over_goes() {
    let impatient = Settings { peer_grace: 1, ..settings() };
    let server = TestServer::start(impatient);
    let (pipe, _) = open(&server, &json!({ "peer": { "displayName": "Ghost" }, "link": "l" }));
    // Whoever asks for what the link has keeps it.
    for _ in 0..5 {
        std::thread::sleep(Duration::from_millis(500));
        assert_eq!(server.get_json("/api/v1/rooms/r/pipes?link=l")["pipes"].as_array().unwrap().len(), 1);
    }
    eventually("it is gone", || (server.get("/api/v1/rooms/r").0 == 404).then_some(()));
    assert_eq!(server.get(&pipe).0, 404);
}

#[test]
fn linked_rooms_have_each_others_producers() {
    let (here, there) = (TestServer::start(settings()), TestServer::start(settings()));
    let (mut viewer, _) = Client::join(&there, "viewer");
    let mut publisher = Publisher::new(&here, "speaker");
    let path = link(&here, &there);
    // Peers there are told of who speaks here, and offered what is sent.
    assert_eq!(viewer.notified("newPeer")["displayName"], "speaker");
    assert_eq!(viewer.offered().1["producerId"], json!(publisher.producer));
    let listener = Listener::new(&there, "listener", &publisher.producer);
    eventually("sound from here", || {
        publisher.speak();
        listener.hears()
    });

    let mut answer = Publisher::new(&there, "answerer");
    eventually("the answer is here", || producer(&here, &answer.producer));
    let listener = Listener::new(&here, "hearer", &answer.producer);
    eventually("sound from there", || {
        answer.speak();
        listener.hears()
    });
    assert_eq!(peers(&here).len() + peers(&there).len(), 2, "nothing is mirrored back");

    publisher.control(&here, "pause");
    eventually("the pause", || producer(&there, &publisher.producer).filter(|p| p["paused"] == true));
    publisher.control(&here, "resume");
    eventually("its end", || producer(&there, &publisher.producer).filter(|p| p["paused"] == false));
    let more = here.post_json(&format!("{}/producers", publisher.transport), &vp8(2222));
    let second = more["id"].as_str().unwrap();
    eventually("the second producer", || producer(&there, second));
    assert_eq!(here.delete(&format!("{}/producers/{second}", publisher.transport)).0, 204);
    eventually("its end", || producer(&there, second).is_none().then_some(()));
    let told = report(&here);
    assert_eq!(
        (&told["connected"], &told["sentPeers"], &told["receivedPeers"]),
        (&json!(true), &json!(1), &json!(1))
    );
    assert_eq!((told.get("error"), &told["remoteRoom"]), (None, &json!("r")));
    let again = here.post("/api/v1/rooms/r/pipe-to", &json!({ "url": there.url("") }));
    assert!(again.0 == 400 && again.1.contains("already"), "{again:?}");

    assert_eq!(here.delete(&answer.broadcaster.replace("answerer", "hearer")).0, 204);
    assert_eq!(there.delete(&answer.broadcaster).0, 204);
    eventually("who left there leaves here", || peers(&here).is_empty().then_some(()));
    assert_eq!(here.delete(&path).0, 204);
    assert!(peers(&there).is_empty(), "without the link each has its own");
    assert_eq!(here.get_json("/api/v1/rooms/r/pipe-to"), json!({ "links": [] }));
}

#[test]
fn a_link_mends_itself_when_the_other_server_comes_back() {
    let here = TestServer::start(settings());
    let there = TestServer::start(settings());
    let publisher = Publisher::new(&here, "speaker");
    let address = there.address();
    link(&here, &there);
    eventually("it is there", || producer(&there, &publisher.producer));
    there.shutdown();
    eventually("the outage is seen", || (report(&here)["connected"] == false).then_some(()));
    assert!(report(&here)["error"].is_string());
    let there = TestServer::start(Settings { http_listen: address, ..settings() });
    let producer = eventually("it is there again", || producer(&there, &publisher.producer));
    assert_eq!(producer["kind"], "audio");
    eventually("all is well", || (report(&here)["connected"] == true).then_some(()));
    let listener = Listener::new(&there, "listener", &publisher.producer);
    let mut publisher = publisher;
    eventually("sound after the outage", || {
        publisher.speak();
        listener.hears()
    });
}

#[test]
fn peers_of_a_server_that_stays_away_go_after_the_grace_time() {
    let here = TestServer::start(Settings { peer_grace: 1, ..settings() });
    let there = TestServer::start(settings());
    let publisher = Publisher::new(&there, "speaker");
    link(&here, &there);
    eventually("it is here", || producer(&here, &publisher.producer));
    there.shutdown();
    eventually("it is gone", || peers(&here).is_empty().then_some(()));
    assert_eq!(report(&here)["connected"], false);
}

#[test]
fn who_answers_for_a_server_that_is_gone_is_not_believed() {
    let here = TestServer::start(settings());
    let foreign = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", foreign.local_addr().unwrap());
    std::thread::spawn(move || {
        for stream in foreign.incoming() {
            let answer = "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
            // Who asked may be gone.
            let _ = std::io::Write::write_all(&mut stream.unwrap(), answer.as_bytes());
        }
    });
    here.post_json("/api/v1/rooms/r/pipe-to", &json!({ "url": url }));
    let error = eventually("it is told", || report(&here)["error"].as_str().map(str::to_owned));
    assert!(error.contains("404"), "{error}");
    assert_eq!(report(&here)["connected"], false);
}

#[test]
fn a_link_shows_the_token_that_the_other_server_asks_for() {
    let token: StaticToken = "admin:*:boss".parse().unwrap();
    let here = TestServer::start(settings());
    let there = TestServer::start(Settings { static_tokens: vec![token], ..settings() });
    assert_eq!(there.post("/api/v1/rooms/r/pipes", &json!({})).0, 401);
    assert_eq!(there.post("/api/v1/rooms/r/pipe-to", &json!({})).0, 401);
    let publisher = Publisher::new(&here, "speaker");
    let path = link(&here, &there);
    eventually("the refusal is told", || {
        report(&here)["error"].as_str().filter(|error| error.contains("401")).map(str::to_owned)
    });
    assert_eq!(here.delete(&path).0, 204);
    let body = json!({ "url": there.url(""), "token": "boss", "room": "other" });
    here.post_json("/api/v1/rooms/r/pipe-to", &body);
    eventually("one peer is sent", || (report(&here)["sentPeers"] == 1).then_some(()));
    let url = there.url("/api/v1/rooms/other/pipes");
    let answer = there.agent().get(url).header("Authorization", "Bearer boss").call();
    let (_, text) = crate::support::answer(answer);
    assert!(text.contains(&publisher.producer), "{text}");
}
