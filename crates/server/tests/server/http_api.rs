//! Every call, as it should go.

use crate::support::{TestServer, eventually, opus, rtp, settings, vp8};
use serde_json::json;
use std::net::UdpSocket;
use std::time::Duration;

#[test]
fn pages_for_people_and_machines() {
    let server = TestServer::start(settings());
    let (status, page) = server.get("/status");
    assert_eq!(status, 200);
    for text in ["Tureen", "/healthz", "/metrics", "ffmpeg -re", &server.url("/rooms/demo/broadcasters")] {
        assert!(page.contains(text), "{text}");
    }
    assert!(!page.contains("{rooms}") && !page.contains("{url}"), "all places are filled");
    let health = server.get_json("/healthz");
    assert_eq!(
        (&health["status"], &health["rooms"], &health["shards"]),
        (&json!("ok"), &json!(0), &json!(2))
    );
    server.broadcaster("r", "b");
    let (_, metrics) = server.get("/metrics");
    for line in [
        "tureen_rooms 1",
        "tureen_broadcasters 1",
        r#"tureen_objects{shard="1",kind="router"} 1"#,
        r#"tureen_data_messages_received_total{shard="0"} 0"#,
        r#"tureen_data_messages_dropped_total{shard="1"} 0"#,
        r#"tureen_packets_dropped_total{shard="0",reason="unknown_stream"} 0"#,
        r#"tureen_consumer_packets_dropped_total{shard="0",reason="waiting_for_key_frame"} 0"#,
        r#"tureen_layer_switches_total{shard="1",cause="preferred"} 0"#,
        r#"tureen_consumers_hindered{shard="0",reason="not_connected"} 0"#,
        r#"tureen_http_requests_total{method="GET",route="/healthz",status="200"} 1"#,
        r#"tureen_http_requests_total{method="POST",route="/rooms/{room}/broadcasters",status="200"} 1"#,
    ] {
        assert!(metrics.contains(line), "{line}\n{metrics}");
    }
    assert!(metrics.contains("tureen_cpu_seconds{shard=\"0\"}"));
}

#[test]
fn a_room_tells_its_capabilities_and_is_made_by_its_first_broadcaster() {
    let server = TestServer::start(settings());
    let capabilities = server.get_json("/rooms/lobby");
    let codecs = capabilities["codecs"].as_array().unwrap();
    for name in ["audio/opus", "video/VP8", "video/VP9", "video/H264", "video/H265", "video/AV1"] {
        assert!(codecs.iter().any(|codec| codec["mimeType"] == name), "{name}");
    }
    let rooms = || server.get_json("/healthz")["rooms"].as_u64().unwrap();
    assert_eq!(rooms(), 0);
    let one = server.broadcaster("lobby", "one");
    let two = server.broadcaster("lobby", "two");
    assert_eq!(rooms(), 1);
    assert_eq!(server.delete(&one).0, 204);
    assert_eq!(rooms(), 1);
    assert_eq!(server.delete(&two).0, 204);
    assert_eq!(rooms(), 0, "an empty room goes");
}

#[test]
fn those_who_come_are_told_who_is_there_and_what_they_can_consume() {
    let server = TestServer::start(settings());
    let path = "/rooms/r/broadcasters";
    let body = json!({ "id": "a", "displayName": "Speaker", "device": { "name": "FFmpeg" } });
    assert_eq!(server.post_json(path, &body), json!({ "peers": [] }));
    let (transport, _) = server.transport("/rooms/r/broadcasters/a", json!({ "comedia": true }));
    let audio = server.post_json(&format!("{transport}/producers"), &opus(1));
    let video = server.post_json(&format!("{transport}/producers"), &vp8(2));
    let answer = server.post_json(path, &json!({ "id": "b" }));
    let peer = &answer["peers"][0];
    assert_eq!((&peer["id"], &peer["displayName"]), (&json!("a"), &json!("Speaker")));
    assert_eq!(peer["device"]["name"], "FFmpeg");
    let mut producers: Vec<_> =
        peer["producers"].as_array().unwrap().iter().map(|p| p["id"].clone()).collect();
    producers.sort_by_key(ToString::to_string);
    let mut expected = vec![audio["id"].clone(), video["id"].clone()];
    expected.sort_by_key(ToString::to_string);
    assert_eq!(producers, expected);
    let only_opus = json!({
        "codecs": [{ "kind": "audio", "mimeType": "audio/opus", "preferredPayloadType": 100, "clockRate": 48000,
            "channels": 2 }],
        "headerExtensions": [],
    });
    let answer = server.post_json(path, &json!({ "id": "c", "rtpCapabilities": only_opus }));
    assert_eq!(answer["peers"][0]["producers"], json!([{ "id": audio["id"], "kind": "audio" }]));
}

#[test]
fn a_plain_transport_has_the_addresses_and_keys_asked_for() {
    let server = TestServer::start(settings());
    let broadcaster = server.broadcaster("r", "b");
    let (_, muxed) = server.transport(&broadcaster, json!({}));
    assert_eq!(muxed["ip"], "127.0.0.1");
    assert!((40_000..50_000).contains(&muxed["port"].as_u64().unwrap()));
    assert!(muxed.get("rtcpPort").is_none() && muxed.get("srtpParameters").is_none());
    let (_, separate) = server.transport(&broadcaster, json!({ "comedia": true, "rtcpMux": false }));
    assert!((40_000..50_000).contains(&separate["rtcpPort"].as_u64().unwrap()));
    let suite = "AEAD_AES_256_GCM";
    let (path, secure) =
        server.transport(&broadcaster, json!({ "enableSrtp": true, "srtpCryptoSuite": suite }));
    assert_eq!(secure["srtpParameters"]["cryptoSuite"], suite);
    assert_eq!(secure["srtpParameters"]["keyBase64"].as_str().unwrap().len(), 60, "44 bytes");
    let remote = json!({ "ip": "127.0.0.1", "port": 9, "srtpParameters": secure["srtpParameters"] });
    assert_eq!(server.post(&format!("{path}/connect"), &remote).0, 204);
}

#[test]
fn an_announced_address_takes_the_place_of_the_listen_address() {
    let mut announced = settings();
    announced.announced_address = "media.example".into();
    let server = TestServer::start(announced);
    let (_, transport) = server.transport(&server.broadcaster("r", "b"), json!({}));
    assert_eq!(transport["ip"], "media.example");

    let mut unspecified = settings();
    unspecified.listen_ips = vec!["0.0.0.0".parse().unwrap()];
    let server = TestServer::start(unspecified);
    let (_, transport) = server.transport(&server.broadcaster("r", "b"), json!({}));
    assert_eq!(transport["ip"], "127.0.0.1", "the address that the client reached");
}

#[test]
fn media_goes_from_a_producer_to_a_consumer() {
    let server = TestServer::start(settings());
    let (sender, send_to) = server.transport(&server.broadcaster("r", "sender"), json!({ "comedia": true }));
    let producer = server.post_json(&format!("{sender}/producers"), &opus(1111));
    let producer_id = producer["id"].as_str().unwrap();

    let (receiver, _) = server.transport(&server.broadcaster("r", "receiver"), json!({}));
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    socket.set_read_timeout(Some(Duration::from_millis(50))).unwrap();
    let port = socket.local_addr().unwrap().port();
    assert_eq!(
        server.post(&format!("{receiver}/connect"), &json!({ "ip": "127.0.0.1", "port": port })).0,
        204
    );
    let consumer = server.post_json(&format!("{receiver}/consume?producerId={producer_id}"), &json!({}));
    assert_eq!((&consumer["kind"], &consumer["type"]), (&json!("audio"), &json!("simple")));
    assert_eq!((&consumer["producerId"], &consumer["paused"]), (&producer["id"], &json!(false)));
    let ssrc = u32::try_from(consumer["rtpParameters"]["encodings"][0]["ssrc"].as_u64().unwrap()).unwrap();

    let source = UdpSocket::bind("127.0.0.1:0").unwrap();
    let target = ("127.0.0.1", u16::try_from(send_to["port"].as_u64().unwrap()).unwrap());
    let mut number = 0u16;
    let mut pass = || {
        source.send_to(&rtp(101, number, u32::from(number) * 960, 1111), target).unwrap();
        number += 1;
        let mut buffer = [0; 1500];
        let len = socket.recv(&mut buffer).ok()?;
        let is_rtp = !(192..=223).contains(&buffer[1]);
        (len >= 20 && is_rtp && buffer[8..12] == ssrc.to_be_bytes()).then_some(())
    };
    eventually("a packet", &mut pass);

    let stats = server.get_json(&format!("{sender}/producers/{producer_id}/stats"));
    assert_eq!((&stats[0]["type"], &stats[0]["ssrc"]), (&json!("inbound-rtp"), &json!(1111)));
    assert!(stats[0]["packetCount"].as_u64().unwrap() >= 1);
    let path = format!("{receiver}/consumers/{}", consumer["id"].as_str().unwrap());
    let stats = server.get_json(&format!("{path}/stats"));
    assert_eq!(stats[0]["type"], "outbound-rtp");
    assert!(stats[0]["packetCount"].as_u64().unwrap() >= 1);
    let stats = server.get_json(&format!("{sender}/stats"));
    assert_eq!(stats[0]["type"], "plain-rtp-transport");
    assert!(stats[0]["bytesReceived"].as_u64().unwrap() >= 20);

    for call in ["pause", "resume"] {
        assert_eq!(server.post_text(&format!("{path}/{call}"), "").0, 204);
        assert_eq!(server.post_text(&format!("{sender}/producers/{producer_id}/{call}"), "").0, 204);
    }
    eventually("a packet after a pause", &mut pass);
    assert_eq!(server.delete(&path).0, 204);
    assert_eq!(server.get(&format!("{path}/stats")).0, 404);
}

#[test]
fn a_consumer_goes_with_its_producer() {
    let server = TestServer::start(settings());
    let (sender, _) = server.transport(&server.broadcaster("r", "sender"), json!({ "comedia": true }));
    let producer = server.post_json(&format!("{sender}/producers"), &vp8(7));
    let id = producer["id"].as_str().unwrap();
    let (receiver, _) = server.transport(&server.broadcaster("r", "receiver"), json!({}));
    let body = json!({ "rtpCapabilities": server.get_json("/rooms/r"), "paused": true });
    let consumer = server.post_json(&format!("{receiver}/consume?producerId={id}"), &body);
    assert_eq!(consumer["paused"], true);
    let consumer = format!("{receiver}/consumers/{}", consumer["id"].as_str().unwrap());
    server.get_json(&format!("{consumer}/stats"));
    assert_eq!(server.delete(&format!("{sender}/producers/{id}")).0, 204);
    eventually("the end of the consumer", || {
        (server.get(&format!("{consumer}/stats")).0 == 404).then_some(())
    });
    assert_eq!(server.get(&format!("{sender}/producers/{id}/stats")).0, 404);
}

#[test]
fn a_transport_can_be_removed() {
    let server = TestServer::start(settings());
    let (path, _) = server.transport(&server.broadcaster("r", "b"), json!({}));
    assert_eq!(server.delete(&path).0, 204);
    assert_eq!(server.get(&format!("{path}/stats")).0, 404);
    assert_eq!(server.delete(&path).0, 404);
}

#[test]
fn a_server_that_was_stopped_listens_no_more() {
    let server = TestServer::start(settings());
    server.transport(&server.broadcaster("r", "b"), json!({}));
    let address = server.url("").trim_start_matches("http://").to_owned();
    server.shutdown();
    assert!(std::net::TcpStream::connect(address).is_err());
}
