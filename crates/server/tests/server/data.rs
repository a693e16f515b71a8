//! Data producers and data consumers over the signalling and over HTTP: who is told of what, what is refused, what closes.

use crate::client::Client;
use crate::support::{TestServer, eventually, settings};
use serde_json::{Value, json};
use tureen_server::Settings;

const NOBODY: &str = "00000000-0000-4000-8000-000000000000";

/// What a client says of a data producer on a stream.
fn channel(transport: &str, stream: u64, label: &str) -> Value {
    json!({
        "transportId": transport,
        "sctpStreamParameters": { "streamId": stream, "ordered": false, "maxRetransmits": 1 },
        "label": label,
        "protocol": "text",
        "appData": { "info": "mine" },
    })
}

/// Data producers and data consumers of all shards.
fn objects(server: &TestServer) -> [u64; 2] {
    let (_, metrics) = server.get("/metrics");
    ["data_producer", "data_consumer"].map(|kind| {
        let of_kind = format!("kind=\"{kind}\"");
        let lines =
            metrics.lines().filter(|line| line.starts_with("tureen_objects{") && line.contains(&of_kind));
        lines.map(|line| line.rsplit(' ').next().unwrap().parse::<f64>().unwrap() as u64).sum()
    })
}

#[test]
fn every_transport_carries_data_channels() {
    let mut small = settings();
    small.max_data_message_bytes = 5_000;
    let server = TestServer::start(small);
    let mut client = Client::connect(&server, "speaker");
    let made = client.ok("createWebRtcTransport", json!({}));
    let sctp = &made["sctpParameters"];
    for (field, value) in [
        ("port", json!(5000)),
        ("OS", json!(1024)),
        ("MIS", json!(1024)),
        ("maxMessageSize", json!(5000)),
        ("maxSendMessageSize", json!(5000)),
        ("maxReceiveMessageSize", json!(5000)),
        ("isDataChannel", json!(true)),
    ] {
        assert_eq!(sctp[field], value, "{field}: {sctp}");
    }
}

#[test]
fn who_joins_is_offered_the_bots_voice() {
    let server = TestServer::start(settings());
    let (mut speaker, _) = Client::join(&server, "speaker");
    let (mut viewer, _) = Client::join(&server, "viewer");
    let (_, first) = speaker.offered_data();
    let (_, second) = viewer.offered_data();
    for offer in [&first, &second] {
        assert_eq!(
            (&offer["peerId"], &offer["label"], &offer["appData"]),
            (&Value::Null, &json!("bot"), &json!({}))
        );
        assert_eq!(offer["sctpStreamParameters"]["ordered"], true);
    }
    assert_eq!(first["dataProducerId"], second["dataProducerId"], "a room has one bot");
    assert_ne!(first["id"], second["id"]);
}

#[test]
fn a_chat_is_for_everybody_else_now_and_later() {
    let server = TestServer::start(settings());
    let (mut speaker, _) = Client::join(&server, "speaker");
    let (mut viewer, _) = Client::join(&server, "viewer");
    viewer.offered_data();
    let transport = speaker.transport();
    let chat = speaker.ok("produceData", channel(&transport, 3, "chat"));
    let (id, offer) = viewer.offered_data();
    assert_eq!((&offer["peerId"], &offer["dataProducerId"]), (&json!("speaker"), &chat["id"]));
    assert_eq!((&offer["label"], &offer["protocol"]), (&json!("chat"), &json!("text")));
    assert_eq!(offer["appData"], json!({ "info": "mine", "peerId": "speaker" }));
    let stream = &offer["sctpStreamParameters"];
    assert!(stream["streamId"].is_u64());
    assert_eq!((&stream["ordered"], &stream["maxRetransmits"]), (&json!(false), &json!(1)));
    viewer.respond(id);

    let of = json!({ "dataConsumerId": offer["id"] });
    let stats = viewer.ok("getDataConsumerStats", of.clone());
    assert_eq!((&stats[0]["type"], &stats[0]["messagesSent"]), (&json!("data-consumer"), &json!(0)));
    speaker.refused("getDataConsumerStats", of.clone(), 404, "data consumer");
    let produced = json!({ "dataProducerId": chat["id"] });
    let stats = speaker.ok("getDataProducerStats", produced.clone());
    assert_eq!((&stats[0]["type"], &stats[0]["label"]), (&json!("data-producer"), &json!("chat")));
    viewer.refused("closeDataProducer", produced.clone(), 404, "data producer");

    let (mut late, _) = Client::join(&server, "late");
    let labels: Vec<Value> = (0..2).map(|_| late.offered_data().1["label"].clone()).collect();
    assert!(labels.contains(&json!("chat")) && labels.contains(&json!("bot")), "{labels:?}");

    speaker.ok("closeDataProducer", produced);
    assert_eq!(viewer.notified("dataConsumerClosed"), of);
    viewer.refused("getDataConsumerStats", of, 404, "data consumer");
    // Its stream is free again.
    speaker.ok("produceData", channel(&transport, 3, "chat"));
    let (_, offer) = viewer.offered_data();
    speaker.goodbye();
    assert_eq!(viewer.notified("dataConsumerClosed")["dataConsumerId"], offer["id"]);
}

#[test]
fn what_is_for_the_bot_is_for_nobody_else() {
    let server = TestServer::start(settings());
    let (mut speaker, _) = Client::join(&server, "speaker");
    let (mut viewer, _) = Client::join(&server, "viewer");
    viewer.offered_data();
    let transport = speaker.transport();
    speaker.ok("produceData", channel(&transport, 0, "bot"));
    speaker.ok("produceData", channel(&transport, 1, "chat"));
    assert_eq!(viewer.offered_data().1["label"], "chat", "and the bot's would have come before");
    // The bot's voice and its ear, the two data producers, and what the viewers have of the bot and of the chat.
    eventually("all is there", || (objects(&server) == [3, 4]).then_some(()));
}

#[test]
fn what_a_peer_says_comes_over_one_transport() {
    let server = TestServer::start(settings());
    let (mut speaker, _) = Client::join(&server, "speaker");
    let (first, second) = (speaker.transport(), speaker.transport());
    let chat = speaker.ok("produceData", channel(&first, 0, "chat"));
    speaker.refused("produceData", channel(&second, 0, "more"), 400, "transportId");
    speaker.ok("closeDataProducer", json!({ "dataProducerId": chat["id"] }));
    speaker.ok("produceData", channel(&second, 0, "more"));
    let unlimited = TestServer::start(Settings { max_data_messages_per_second: 0, ..settings() });
    let (mut speaker, _) = Client::join(&unlimited, "speaker");
    for _ in 0..2 {
        let transport = speaker.transport();
        speaker.ok("produceData", channel(&transport, 0, "chat"));
    }
}

#[test]
fn who_does_not_want_a_data_consumer_has_none() {
    let server = TestServer::start(settings());
    let (mut speaker, _) = Client::join(&server, "speaker");
    let (mut viewer, _) = Client::join(&server, "viewer");
    viewer.offered_data();
    let transport = speaker.transport();
    speaker.ok("produceData", channel(&transport, 0, "chat"));
    let (id, offer) = viewer.offered_data();
    viewer.decline(id);
    let of = json!({ "dataConsumerId": offer["id"] });
    eventually("it is closed", || viewer.call("getDataConsumerStats", of.clone()).err());
}

#[test]
fn peers_leave_no_data_behind() {
    let server = TestServer::start(settings());
    let mut clients: Vec<_> = ["a", "b", "c"].map(|name| Client::join(&server, name).0).into();
    for client in &mut clients {
        let transport = client.transport();
        client.ok("produceData", channel(&transport, 0, "chat"));
        client.ok("produceData", channel(&transport, 1, "bot"));
    }
    // The bot, and two of each; the bot's ears, and for each the bot and the two others.
    eventually("all is there", || (objects(&server) == [7, 12]).then_some(()));
    for client in clients {
        client.goodbye();
    }
    eventually("nothing is left", || (objects(&server) == [0, 0]).then_some(()));
}

#[test]
fn what_is_refused_of_data_is_told_by_name() {
    let mut tight = settings();
    tight.max_data_producers = 2;
    let server = TestServer::start(tight);
    let (mut speaker, _) = Client::join(&server, "speaker");
    let transport = speaker.transport();
    speaker.ok("produceData", channel(&transport, 0, "chat"));
    let with = |member: &str, value: Value| {
        let mut data = channel(&transport, 1, "chat");
        match member.split_once('.') {
            Some((outer, inner)) => data[outer][inner] = value,
            None => data[member] = value,
        }
        data
    };
    let long = "x".repeat(256);
    for (data, code, part) in [
        (json!({}), 400, "transportId"),
        (with("transportId", json!(NOBODY)), 404, NOBODY),
        (with("transportId", json!("x")), 404, "x"),
        (json!({ "transportId": transport }), 400, "sctpStreamParameters"),
        (with("sctpStreamParameters.streamId", json!("one")), 400, "sctpStreamParameters.streamId"),
        (with("sctpStreamParameters.streamId", json!(65_535)), 400, "sctpStreamParameters.streamId"),
        (with("sctpStreamParameters.streamId", json!(1_024)), 400, "sctpStreamParameters.streamId"),
        (with("sctpStreamParameters.streamId", json!(0)), 400, "sctpStreamParameters.streamId"),
        (with("sctpStreamParameters.ordered", json!(true)), 400, "sctpStreamParameters.ordered"),
        (with("sctpStreamParameters.maxPacketLifeTime", json!(5)), 400, "maxPacketLifeTime"),
        (with("label", json!(long)), 400, "label"),
        (with("protocol", json!(long)), 400, "protocol"),
        (with("appData", json!(7)), 400, "appData"),
    ] {
        speaker.refused("produceData", data, code, part);
    }
    speaker.ok("produceData", with("label", json!("x".repeat(255))));
    speaker.refused("produceData", channel(&transport, 2, "chat"), 503, "2 data producers");
    for method in ["getDataProducerStats", "closeDataProducer"] {
        speaker.refused(method, json!({ "dataProducerId": NOBODY }), 404, NOBODY);
    }
    speaker.refused("getDataConsumerStats", json!({ "dataConsumerId": NOBODY }), 404, NOBODY);
    let mut early = Client::connect(&server, "early");
    let transport = early.transport();
    early.refused("produceData", channel(&transport, 0, "chat"), 400, "after join");
}

#[test]
fn who_may_not_produce_may_not_chat() {
    let mut guarded = settings();
    guarded.static_tokens = vec!["subscribe:*:look".parse().unwrap()];
    let server = TestServer::start(guarded);
    let mut viewer = Client::try_connect(&server, "roomId=r&peerId=v&token=look").unwrap();
    let made = viewer.ok("createWebRtcTransport", json!({}));
    viewer.ok("join", json!({ "displayName": "v" }));
    let transport = made["id"].as_str().unwrap().to_owned();
    viewer.refused("produceData", channel(&transport, 0, "chat"), 403, "may not produce");
    assert_eq!(viewer.offered_data().1["label"], "bot", "it hears");
}

#[test]
fn broadcasters_have_data_over_http() {
    let server = TestServer::start(settings());
    let (mut viewer, _) = Client::join(&server, "viewer");
    viewer.offered_data();
    let path = format!("{}/transports", server.broadcaster("r", "b"));
    let made = server.post_json(&path, &json!({ "type": "webrtc" }));
    assert_eq!(made["sctpParameters"]["OS"], 1024);
    let transport = format!("{path}/{}", made["id"].as_str().unwrap());
    let produced = server.post_json(&format!("{transport}/produce/data"), &channel("", 5, "chat"));
    let (_, offer) = viewer.offered_data();
    assert_eq!((&offer["peerId"], &offer["dataProducerId"]), (&json!("b"), &produced["id"]));

    let sending = viewer.transport();
    let chat = viewer.ok("produceData", channel(&sending, 0, "chat"));
    let consumed =
        server.post_json(&format!("{transport}/consume/data"), &json!({ "dataProducerId": chat["id"] }));
    assert!(consumed["id"].is_string());
    assert_eq!(consumed["streamId"], 0);
    for (what, body, status, part) in [
        ("produce", json!({}), 400, "sctpStreamParameters"),
        ("produce", channel("", 5, "chat"), 400, "streamId"),
        ("consume", json!({}), 400, "dataProducerId"),
        ("consume", json!({ "dataProducerId": "x" }), 400, "dataProducerId"),
        ("consume", json!({ "dataProducerId": NOBODY }), 404, NOBODY),
    ] {
        let (code, text) = server.post(&format!("{transport}/{what}/data"), &body);
        assert!(code == status && text.contains(part), "{what} {body}: {code} {text}");
    }
    let (plain, _) = server.transport("/rooms/r/broadcasters/b", json!({ "comedia": true }));
    let (code, text) = server.post(&format!("{plain}/produce/data"), &channel("", 5, "chat"));
    assert!(code == 400 && text.contains("SCTP is not enabled"), "{code} {text}");
    assert_eq!(server.delete("/rooms/r/broadcasters/b").0, 204);
    assert_eq!(viewer.notified("dataConsumerClosed")["dataConsumerId"], offer["id"]);
}
