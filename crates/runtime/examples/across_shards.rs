//! A producer on one shard, a consumer on another, both in process: packets go in with `send_rtp` and come out as events.

#![allow(clippy::print_stdout, reason = "an example shows what it does")]

use bytes::Bytes;
use pollster::block_on;
use std::error::Error;
use std::time::Duration;
use tureen_media_model::{
    Consume, ConsumerId, ConsumerOptions, CreateRouter, MirrorSource, Produce, ProducerId, ProducerOptions,
    PublishSource, RouterId, RouterOptions, TransportId,
};
use tureen_rtp_dictionaries::MediaKind;
use tureen_runtime::{Runtime, RuntimeConfig, ShardEvent};

const ROUTER: RouterId = RouterId(1);
const PRODUCER: ProducerId = ProducerId(2);

fn main() -> Result<(), Box<dyn Error>> {
    let runtime = Runtime::start(RuntimeConfig { shards: Some(2), ..RuntimeConfig::default() })?;
    let [home, far] = runtime.shards() else { return Err("two shards were asked for".into()) };
    let opus =
        serde_json::json!({"kind": "audio", "mimeType": "audio/opus", "clockRate": 48000, "channels": 2});
    for shard in [home, far] {
        let options = RouterOptions { media_codecs: serde_json::from_value(serde_json::json!([opus]))? };
        block_on(shard.call(CreateRouter { id: ROUTER, options }))??;
    }
    block_on(home.add_direct_transport(ROUTER, TransportId(10), 262_144))?;
    block_on(far.add_direct_transport(ROUTER, TransportId(11), 262_144))?;

    let options = ProducerOptions {
        id: PRODUCER,
        kind: MediaKind::Audio,
        rtp_parameters: serde_json::from_value(serde_json::json!({
            "codecs": [{"mimeType": "audio/opus", "clockRate": 48000, "channels": 2, "payloadType": 96}],
            "encodings": [{"ssrc": 1000}]
        }))?,
        paused: false,
        key_frame_request_delay: Duration::ZERO,
        key_frame_cache: None,
        content_hint: None,
    };
    block_on(home.call(Produce { transport: TransportId(10), options }))??;
    let source = block_on(home.call(PublishSource { producer: PRODUCER, to: far.id() }))??;
    block_on(far.call(MirrorSource { source }))??;

    let options = ConsumerOptions {
        id: ConsumerId(3),
        producer_id: PRODUCER,
        rtp_capabilities: serde_json::from_value(serde_json::json!({
            "codecs": [{"kind": "audio", "mimeType": "audio/opus", "clockRate": 48000, "channels": 2,
                        "preferredPayloadType": 100}]
        }))?,
        paused: false,
        mid: None,
        preferred_layers: None,
        enable_rtx: None,
        ignore_dtx: false,
        pipe: false,
        numbering: Default::default(),
        identity: Default::default(),
    };
    block_on(far.call(Consume { transport: TransportId(11), options }))??;

    let events = runtime.events();
    for number in 0..5_u8 {
        let packet = [0x80, 96, 0, number, 0, 0, number, 0, 0, 0, 3, 232, 0x78, number];
        home.send_rtp(TransportId(10), Bytes::copy_from_slice(&packet))?;
        loop {
            if let ShardEvent::DirectPacket { shard, packet, .. } =
                events.recv_timeout(Duration::from_secs(5))?
            {
                println!("packet {number} left shard {} with {} bytes", shard.0, packet.len());
                break;
            }
        }
    }
    for shard in [home, far] {
        let snapshot = block_on(shard.snapshot())?;
        println!(
            "shard {}: {} packets relayed, {} sent",
            shard.id().0,
            snapshot.core.relayed,
            snapshot.core.packets_sent
        );
    }
    runtime.shutdown()?;
    Ok(())
}
