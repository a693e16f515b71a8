//! Two peers in a room, over direct transports; prints what each is told.
//!
//! `cargo run -p tureen-room --example conversation`

use tureen::dictionaries::{MediaKind, from_json};
use tureen::{DirectTransportOptions, ProducerOptions, WorkerManager, WorkerSettings};
use tureen_room::{Device, Direction, Inbox, Peer, PeerOptions, Profile, Rooms, RoomsOptions};

const OPUS: &str = r#"[{"kind": "audio", "mimeType": "audio/opus", "clockRate": 48000, "channels": 2}]"#;
const SENT: &str = r#"{
    "codecs": [{"mimeType": "audio/opus", "clockRate": 48000, "channels": 2, "payloadType": 111}],
    "encodings": [{"ssrc": 1000}]
}"#;

async fn enter(rooms: &Rooms, id: &str) -> Result<(Peer, Inbox), Box<dyn std::error::Error>> {
    let (peer, inbox) = rooms.enter("lobby", PeerOptions::new(id)).await?;
    let transport = peer.router().create_direct_transport(DirectTransportOptions::default()).await?;
    let transport = peer.add_transport(transport, Direction::Consuming)?;
    peer.join(Profile::new(id, Device::default(), Some(rooms.rtp_capabilities().clone())))?;
    peer.produce(&transport, ProducerOptions::new(MediaKind::Audio, from_json(SENT)?)).await?;
    Ok((peer, inbox))
}

#[expect(clippy::print_stdout, reason = "an example tells what it does")]
fn main() -> Result<(), Box<dyn std::error::Error>> {
    pollster::block_on(async {
        let worker = WorkerManager::new()?.create_worker(WorkerSettings::with_shards(1)).await?;
        let rooms = Rooms::new(worker, RoomsOptions::new(from_json(OPUS)?))?;
        let (_speaker, mut to_speaker) = enter(&rooms, "speaker").await?;
        let (viewer, _) = enter(&rooms, "viewer").await?;
        for _ in 0..2 {
            println!("speaker is told: {:?}", to_speaker.next().await);
        }
        viewer.close();
        for _ in 0..2 {
            println!("speaker is told: {:?}", to_speaker.next().await);
        }
        rooms.close();
        Ok(())
    })
}
