//! Who speaks, from the audio levels of a broadcaster to the notification of a client.

use crate::client::Client;
use crate::support::{TestServer, eventually, opus, settings};
use serde_json::{Value, json};
use std::net::UdpSocket;
use std::time::Duration;

/// An RTP packet with an audio level in -dBov (RFC 6464) under the id 10.
fn sound(number: u16, ssrc: u32, level: u8) -> Vec<u8> {
    let mut packet = vec![0x90, 101];
    packet.extend(number.to_be_bytes());
    packet.extend((u32::from(number) * 960).to_be_bytes());
    packet.extend(ssrc.to_be_bytes());
    packet.extend([0xbe, 0xde, 0, 1, 10 << 4, level, 0, 0]);
    packet.extend([0xf8; 8]);
    packet
}

#[test]
fn a_client_is_told_who_speaks_and_when_nobody_does() {
    let server = TestServer::start(settings());
    let (mut viewer, _) = Client::join(&server, "viewer");
    let (speaker, send_to) =
        server.transport(&server.broadcaster("r", "speaker"), json!({ "comedia": true }));
    let mut media = opus(1111);
    media["rtpParameters"]["headerExtensions"] =
        json!([{ "uri": "urn:ietf:params:rtp-hdrext:ssrc-audio-level", "id": 10 }]);
    server.post_json(&format!("{speaker}/producers"), &media);
    let source = UdpSocket::bind("127.0.0.1:0").unwrap();
    let target = ("127.0.0.1", u16::try_from(send_to["port"].as_u64().unwrap()).unwrap());
    for number in 0..100 {
        source.send_to(&sound(number, 1111, 30), target).unwrap();
        std::thread::sleep(Duration::from_millis(20));
    }
    eventually("a volume", || {
        let told = viewer.notified("activeSpeaker");
        assert_eq!(told["peerId"], "speaker");
        (told["volume"] == -30).then_some(())
    });
    eventually("silence", || {
        let told = viewer.notified("activeSpeaker");
        (told == json!({ "peerId": Value::Null, "volume": Value::Null })).then_some(())
    });
}
