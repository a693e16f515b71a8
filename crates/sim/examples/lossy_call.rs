//! A lossy call in virtual time: what was lost, what was repaired, and a pcap file of it for Wireshark.
//!
//! `cargo run -p tureen-sim --example lossy_call [FILE.pcap]`

use std::time::{Duration, Instant};
use tureen_media_model::ShardId;
use tureen_sim::endpoint::ModelCodec;
use tureen_sim::link::{LinkConfig, Loss};
use tureen_sim::{ConsumeOptions, ProduceOptions, World};

#[allow(clippy::print_stdout, clippy::disallowed_methods, reason = "a program for people, timing itself")]
fn main() -> std::io::Result<()> {
    let started = Instant::now();
    let mut world = World::with_shards(1, 2);
    let lossy = |loss| LinkConfig {
        delay: Duration::from_millis(25),
        jitter: Duration::from_millis(5),
        loss: Loss::Random(loss),
        ..LinkConfig::default()
    };
    let alice = world.add_linked_host(ShardId(0), lossy(0.02), lossy(0.02));
    let producer = world.produce(alice, &ProduceOptions::new(ModelCodec::Vp8));
    let hosts = [(ShardId(0), 0.0), (ShardId(0), 0.05), (ShardId(1), 0.1)]
        .map(|(shard, loss)| world.add_linked_host(shard, LinkConfig::default(), lossy(loss)));
    let consumers = hosts.map(|host| world.consume(host, producer, &ConsumeOptions::default()));
    world.start_capture(hosts[2]);
    world.run_for(Duration::from_secs(60));
    for (host, consumer) in hosts.into_iter().zip(consumers) {
        let (seen, shard) = (world.receiver(consumer).stats(), world.shard_of(host).0);
        println!(
            "shard {shard}: {} frames, {} packets missing, {} repaired, {} given up",
            seen.frames, seen.missing, seen.repaired, seen.gaps
        );
    }
    println!(
        "{} s of virtual time in {:?}",
        world.now().since(tureen_rtp_wire::Time::ZERO).as_secs(),
        started.elapsed()
    );
    if let Some(path) = std::env::args().nth(1) {
        std::fs::write(path, world.take_capture(hosts[2]).unwrap_or_default())?;
    }
    Ok(())
}
