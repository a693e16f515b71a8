//! Sound and picture stay together at a receiver, whatever the way does to the packets of either and whatever the clocks do.
#![allow(clippy::print_stdout, reason = "the numbers are the result")]

mod common;

use common::{S0, S1};
use std::time::Duration;
use tureen_media_model::{ConsumerId, ProducerId, ShardId};
use tureen_rtp_wire::Time;
use tureen_sim::endpoint::{ModelCodec, SenderConfig};
use tureen_sim::link::{LinkConfig, Loss};
use tureen_sim::{ConsumeOptions, ProduceOptions, World};

const LENGTH: Duration = Duration::from_secs(180);
/// The bar for the 99th percentile of the skew.
const BAR: Duration = Duration::from_millis(40);

/// Each packet takes up to 80 ms longer than the quickest; 1% is lost.
fn rough() -> LinkConfig {
    LinkConfig {
        delay: Duration::from_millis(30),
        jitter: Duration::from_millis(80),
        loss: Loss::Random(0.01),
        ..LinkConfig::default()
    }
}

/// How far the capture of each frame lies from where its receiver puts it, in nanoseconds, by the moment that it could be shown.
fn errors(world: &World, producer: ProducerId, consumer: ConsumerId, began: Time) -> Vec<(Time, i128)> {
    let sender = world.sender(producer);
    let shown = world.receiver(consumer).shown().iter();
    shown
        .map(|it| (it.at, it.captured - i128::from(sender.captured_at(began, it.frame).as_nanos())))
        .collect()
}

/// The skew of each picture against the sound that was heard last, the least first.
fn skews(sound: &[(Time, i128)], pictures: &[(Time, i128)]) -> Vec<Duration> {
    let mut skews: Vec<_> = pictures
        .iter()
        .filter_map(|(at, error)| {
            let heard = sound.partition_point(|(heard, _)| heard <= at).checked_sub(1)?;
            Some(Duration::from_nanos((sound[heard].1 - error).unsigned_abs() as u64))
        })
        .collect();
    skews.sort_unstable();
    skews
}

/// A conversation whose source's clocks drift, with a viewer on some shard; the p99 of the skew.
fn run(drift: fn(&mut SenderConfig), viewer: ShardId, seed: u64) -> Duration {
    let mut world = World::with_shards(seed, 2);
    let source = world.add_linked_host(S0, rough(), rough());
    let sink = world.add_linked_host(viewer, rough(), rough());
    let began = world.now();
    let pairs = [ModelCodec::Opus, ModelCodec::Vp8].map(|codec| {
        let producer = world.produce(source, &ProduceOptions { sender: drift, ..ProduceOptions::new(codec) });
        let options = ConsumeOptions { receiver: |config| config.note_capture = true, ..Default::default() };
        (producer, world.consume(sink, producer, &options))
    });
    world.run_for(LENGTH);
    let [sound, pictures] = pairs.map(|(producer, consumer)| errors(&world, producer, consumer, began));
    let skews = skews(&sound, &pictures);
    assert!(skews.len() > 4000, "{} pictures were judged", skews.len());
    let p99 = skews[skews.len() * 99 / 100];
    println!("seed {seed}: p50 {:?}, p99 {p99:?}, most {:?}", skews[skews.len() / 2], skews[skews.len() - 1]);
    p99
}

#[test]
fn sound_and_picture_stay_together() {
    for seed in 1..=4 {
        for viewer in [S0, S1] {
            assert!(run(|_| (), viewer, seed) < BAR);
            assert!(run(|config| config.drift = 100, viewer, seed) < BAR);
            assert!(run(|config| config.drift = -100, viewer, seed) < BAR);
        }
    }
}
