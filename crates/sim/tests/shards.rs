//! One router on two shards: packets cross once, repairs stay local, news cross back.

mod common;

use common::{S0, S1, lossless, lossy, settle};
use std::time::Duration;
use tureen_media_model::{
    CloseCause, CloseProducer, ConsumerEvent, Event, PauseProducer, ResumeConsumer, ResumeProducer,
};
use tureen_sim::endpoint::ModelCodec;
use tureen_sim::link::LinkConfig;
use tureen_sim::{ConsumeOptions, ProduceOptions, World};

#[test]
fn both_shards_get_the_same_media_and_each_packet_crosses_once() {
    for codec in [ModelCodec::Vp8, ModelCodec::Opus] {
        let mut world = World::with_shards(31, 2);
        let source = world.add_host(S0);
        let producer = world.produce(source, &ProduceOptions::new(codec));
        let consumers: Vec<_> = [S0, S1, S1, S1]
            .map(|shard| {
                let host = world.add_host(shard);
                world.consume(host, producer, &ConsumeOptions::default())
            })
            .into();
        world.run_for(Duration::from_secs(5));
        settle(&mut world, producer);
        let sent = world.sender(producer).stats().clone();
        for consumer in consumers {
            let seen = world.receiver(consumer).stats();
            lossless(&seen);
            assert_eq!(seen.frames, u64::from(sent.frames));
        }
        assert_eq!(world.counters(S0).relayed, sent.packets, "once, for three consumers");
    }
}

#[test]
fn nacks_are_answered_on_the_consumers_shard() {
    for rtx in [true, false] {
        let mut world = World::with_shards(32, 2);
        let source = world.add_host(S0);
        let producer = world.produce(source, &ProduceOptions::new(ModelCodec::Vp8));
        let sink = world.add_linked_host(S1, LinkConfig::default(), lossy(0.1, 20));
        let consumer = world.consume(sink, producer, &ConsumeOptions { rtx, ..Default::default() });
        world.run_for(Duration::from_secs(20));
        settle(&mut world, producer);
        let seen = world.receiver(consumer).stats();
        assert!(seen.repaired > 50, "{seen:?}");
        assert_eq!((seen.gaps, seen.broken), (0, 0), "{seen:?}");
        assert!(world.counters(S1).retransmissions >= seen.repaired);
        assert_eq!(world.counters(S0).retransmissions, 0);
        assert_eq!(world.sender(producer).stats().nacked, 0, "the source hears nothing of it");
    }
}

#[test]
fn key_frame_requests_cross_back() {
    let mut world = World::with_shards(33, 2);
    let source = world.add_host(S0);
    let producer = world.produce(source, &ProduceOptions::new(ModelCodec::Vp8));
    world.run_for(Duration::from_secs(5));
    let before = world.sender(producer).stats().key_frames;
    let sink = world.add_host(S1);
    let consumer = world.consume(sink, producer, &ConsumeOptions { paused: true, ..Default::default() });
    world.run_for(Duration::from_secs(2));
    world.request(S1, ResumeConsumer { id: consumer }).unwrap();
    world.run_for(Duration::from_secs(2));
    let seen = world.receiver(consumer).stats();
    lossless(&seen);
    assert!(seen.frames >= 45, "{seen:?}");
    assert!(world.sender(producer).stats().key_frames > before);
}

#[test]
fn pauses_and_ends_of_the_producer_reach_the_other_shard() {
    let mut world = World::with_shards(34, 2);
    let source = world.add_host(S0);
    let producer = world.produce(source, &ProduceOptions::new(ModelCodec::Vp8));
    let sink = world.add_host(S1);
    let consumer = world.consume(sink, producer, &ConsumeOptions::default());
    world.run_for(Duration::from_secs(2));
    world.request(S0, PauseProducer { id: producer }).unwrap();
    world.run_for(Duration::from_millis(10));
    let paused = world.receiver(consumer).stats();
    world.run_for(Duration::from_secs(2));
    assert_eq!(world.receiver(consumer).stats().packets, paused.packets);
    world.request(S0, ResumeProducer { id: producer }).unwrap();
    world.run_for(Duration::from_secs(2));
    let seen = world.receiver(consumer).stats();
    lossless(&seen);
    assert!(seen.frames > paused.frames + 40);
    world.request(S0, CloseProducer { id: producer }).unwrap();
    world.run_for(Duration::from_millis(10));
    let told: Vec<_> = world
        .events()
        .iter()
        .filter_map(|(_, shard, event)| match event {
            Event::Consumer(id, event) if *id == consumer => Some((*shard, event.clone())),
            _ => None,
        })
        .collect();
    let count = |wanted: ConsumerEvent| told.iter().filter(|entry| **entry == (S1, wanted.clone())).count();
    assert_eq!(count(ConsumerEvent::ProducerPaused { effective: true }), 1, "{told:?}");
    assert_eq!(count(ConsumerEvent::ProducerResumed { effective: true }), 1, "{told:?}");
    assert_eq!(count(ConsumerEvent::Closed(CloseCause::ProducerClosed)), 1, "{told:?}");
    assert_eq!(world.population(S1).consumers, 0);
}
