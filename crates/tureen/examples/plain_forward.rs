//! Forwards one stream of Opus between two UDP sockets of this program, through two plain transports on two shards.
//!
//! `cargo run -p tureen --example plain_forward`

#![allow(clippy::print_stdout, reason = "it is what an example is for")]

use std::net::{Ipv4Addr, UdpSocket};
use std::time::Duration;
use tureen::dictionaries::{MediaKind, from_json};
use tureen::{
    ConsumerOptions, ListenInfo, PlainConnectOptions, PlainTransportOptions, ProducerOptions, RouterOptions,
    Transport as _, WorkerManager, WorkerSettings,
};

const PACKETS: u16 = 50;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    pollster::block_on(forward())
}

async fn forward() -> Result<(), Box<dyn std::error::Error>> {
    let manager = WorkerManager::new()?;
    let worker = manager.create_worker(WorkerSettings::with_shards(2)).await?;
    let opus = r#"[{"kind": "audio", "mimeType": "audio/opus", "clockRate": 48000, "channels": 2}]"#;
    let router = worker.create_router(RouterOptions::new(from_json(opus)?)).await?;

    // The source's address is learned from its first packet.
    let mut options = PlainTransportOptions::new(ListenInfo::loopback());
    options.comedia = true;
    let source = router.create_plain_transport(options).await?;
    let sent = from_json(
        r#"{
            "codecs": [{"mimeType": "audio/opus", "clockRate": 48000, "channels": 2, "payloadType": 111}],
            "encodings": [{"ssrc": 1000}]
        }"#,
    )?;
    let producer = source.produce(ProducerOptions::new(MediaKind::Audio, sent)).await?;

    let receiver = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?;
    receiver.set_read_timeout(Some(Duration::from_secs(5)))?;
    let sink = router.create_plain_transport(PlainTransportOptions::new(ListenInfo::loopback())).await?;
    let address = receiver.local_addr()?;
    sink.connect(PlainConnectOptions::to(address.ip(), address.port())).await?;
    let consumer = sink.consume(ConsumerOptions::new(producer.id(), router.rtp_capabilities())).await?;
    println!("from shard {} to shard {}", source.shard(), sink.shard());

    let sender = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?;
    let port = source.tuple().local_port;
    for number in 0..PACKETS {
        sender.send_to(&packet(number), (Ipv4Addr::LOCALHOST, port))?;
        std::thread::sleep(Duration::from_millis(2));
    }

    let mut buffer = [0; 1500];
    let mut received = 0;
    while received < PACKETS {
        let len = receiver.recv(&mut buffer)?;
        let is_rtcp = buffer.get(1).is_some_and(|kind| (192..=223).contains(kind));
        received += u16::from(len > 12 && !is_rtcp);
    }
    println!("{received} packets forwarded");
    println!("{}", serde_json::to_string_pretty(&consumer.get_stats().await?)?);
    Ok(())
}

/// A packet of RTP with a little payload (RFC 3550 section 5.1).
fn packet(number: u16) -> Vec<u8> {
    let mut bytes = vec![0x80, 111];
    bytes.extend(number.to_be_bytes());
    bytes.extend((u32::from(number) * 960).to_be_bytes());
    bytes.extend(1000_u32.to_be_bytes());
    bytes.extend(b"not really opus");
    bytes
}
