//! Three peers in a room, over direct transports; prints what arrives. Carol cannot take VP8 until the camera sends H264.
//!
//! `cargo run -p tureen-room --example conference`

use std::sync::mpsc;
use std::time::Duration;
use tureen::DirectTransportOptions;
use tureen::dictionaries::{MediaKind, RtpParameters, from_json};
use tureen_room::conference::{Peer, Room, RoomOptions, RtpReceiver, RtpSender, Server, ServerSettings};

type Outcome<T = ()> = Result<T, Box<dyn std::error::Error>>;

const CODECS: &str = r#"[
    {"mimeType": "video/VP8", "clockRate": 90000},
    {"mimeType": "video/H264", "clockRate": 90000, "parameters": {"packetization-mode": 1, "profile-level-id": "42e01f"}}
]"#;
const VP8: &str = r#"{
    "codecs": [{"mimeType": "video/VP8", "clockRate": 90000, "payloadType": 100}],
    "encodings": [{"ssrc": 1000}]
}"#;
const H264: &str = r#"{
    "codecs": [{"mimeType": "video/H264", "clockRate": 90000, "payloadType": 102,
                "parameters": {"packetization-mode": 1, "profile-level-id": "42e01f"}}],
    "encodings": [{"ssrc": 1000}]
}"#;
/// A key frame of VP8 (RFC 7741), and one of H264 with its parameter set (RFC 6184).
const VP8_FRAME: &[u8] = &[0x10, 0x10, 0, 0, 0x9d, 0x01, 0x2a, 0x40, 0x01, 0xf0, 0];
const H264_FRAME: &[u8] = &[24, 0, 4, 0x67, 0x42, 0xe0, 0x1f, 0, 2, 0x65, 0x88];

async fn enter(room: &Room, name: &str, codecs: &[&str]) -> Outcome<Peer> {
    let peer = room.create_peer(name)?;
    let mut capabilities = room.capabilities().clone();
    capabilities.codecs.retain(|codec| codecs.contains(&codec.mime_type.subtype()));
    peer.set_capabilities(capabilities).await?;
    Ok(peer)
}

/// Gives every sender of a peer a transport.
async fn watch(peer: &Peer) -> Outcome<Vec<RtpSender>> {
    let transport = peer.create_direct_transport(DirectTransportOptions::default()).await?;
    for sender in peer.rtp_senders() {
        sender.set_transport(&transport).await?;
    }
    Ok(peer.rtp_senders())
}

fn show(camera: &RtpReceiver, payload_type: u8, number: u8, frame: &[u8]) -> Outcome {
    let header = [0x80, 0x80 | payload_type, 0, number, 0, 0, number, 0, 0, 0, 0x03, 0xe8];
    let producer = camera.producer().ok_or("the camera has a transport")?;
    Ok(producer.send([&header, frame].concat().into())?)
}

/// Says of each sender whether it is active, lets the camera show a frame, and prints who got it.
#[expect(clippy::print_stdout, reason = "an example tells what it does")]
fn tell(senders: &[RtpSender], show: impl FnOnce() -> Outcome) -> Outcome {
    let (arrived, arrivals) = mpsc::channel();
    let mut listening = Vec::new();
    for sender in senders {
        println!("{}: available {}, active {}", sender.peer().name(), sender.available(), sender.active());
        let Some(consumer) = sender.consumer() else { continue };
        let (arrived, name) = (arrived.clone(), sender.peer().name().to_owned());
        listening.push(consumer.on_rtp(move |packet| {
            let _ = arrived.send(format!("{name} got {} bytes", packet.len()));
        }));
    }
    show()?;
    for _ in &listening {
        println!("{}", arrivals.recv_timeout(Duration::from_secs(5))?);
    }
    Ok(())
}

fn main() -> Outcome {
    pollster::block_on(async {
        let server = Server::new(ServerSettings::with_workers(1)).await?;
        let room = server.create_room(RoomOptions::new(from_json(CODECS)?)).await?;
        let alice = enter(&room, "alice", &["VP8", "H264"]).await?;
        let bob = enter(&room, "bob", &["VP8", "H264"]).await?;
        let carol = enter(&room, "carol", &["H264"]).await?;

        let transport = alice.create_direct_transport(DirectTransportOptions::default()).await?;
        let camera = alice.create_rtp_receiver(MediaKind::Video, &transport)?;
        camera.receive(from_json::<RtpParameters>(VP8)?).await?;
        let senders = [watch(&bob).await?, watch(&carol).await?].concat();
        tell(&senders, || show(&camera, 100, 1, VP8_FRAME))?;

        camera.receive(from_json::<RtpParameters>(H264)?).await?;
        tell(&senders, || show(&camera, 102, 2, H264_FRAME))?;
        server.close();
        Ok(())
    })
}
