//! Whole conversations in virtual time: forwarding, pausing, closing, restarts, wrap-around, determinism and timers.
#![allow(clippy::print_stdout, reason = "the numbers are the result")]

mod common;

use common::{S0, lossless, settle};
use std::time::Duration;
use tureen_media_model::{
    CloseCause, CloseConsumer, CloseProducer, CloseRouter, CloseTransport, ConsumerEvent, Event,
    PauseConsumer, PauseProducer, Population, ProducerEvent, ResumeConsumer, ResumeProducer, RouterEvent,
    TransportEvent,
};
use tureen_sim::endpoint::ModelCodec;
use tureen_sim::link::LinkConfig;
use tureen_sim::{ConsumeOptions, ProduceOptions, ROUTER, World};

const CODECS: [ModelCodec; 3] = [ModelCodec::Opus, ModelCodec::Vp8, ModelCodec::H264];

#[test]
fn every_consumer_gets_every_frame() {
    for codec in CODECS {
        let mut world = World::new(1);
        let source = world.add_host(S0);
        let producer = world.produce(source, &ProduceOptions::new(codec));
        let consumers: Vec<_> = (0..8)
            .map(|_| {
                let host = world.add_host(S0);
                (host, world.consume(host, producer, &ConsumeOptions::default()))
            })
            .collect();
        world.run_for(Duration::from_secs(5));
        settle(&mut world, producer);
        let sent = world.sender(producer).stats().clone();
        for (host, consumer) in consumers {
            let seen = world.receiver(consumer).stats();
            assert_eq!(seen.frames, u64::from(sent.frames), "{codec:?}");
            assert_eq!(seen.packets, sent.packets);
            assert!(seen.sender_reports >= 3, "{seen:?}");
            lossless(&seen);
            let stats = world.host(host).stats();
            assert_eq!((stats.malformed, stats.foreign, stats.unknown_stream), (0, 0, 0));
        }
        assert!(sent.reports >= 3, "the Core reports to the source");
        assert_eq!(sent.nacked, 0);
    }
}

#[test]
fn one_host_sends_and_receives_several_streams() {
    let mut world = World::new(2);
    let (alice, bob) = (world.add_host(S0), world.add_host(S0));
    let from_alice = CODECS.map(|codec| world.produce(alice, &ProduceOptions::new(codec)));
    let from_bob = CODECS.map(|codec| world.produce(bob, &ProduceOptions::new(codec)));
    let to_bob = from_alice.map(|producer| world.consume(bob, producer, &ConsumeOptions::default()));
    let to_alice = from_bob.map(|producer| world.consume(alice, producer, &ConsumeOptions::default()));
    world.run_for(Duration::from_secs(3));
    for consumer in to_bob.into_iter().chain(to_alice) {
        let seen = world.receiver(consumer).stats();
        lossless(&seen);
        assert!(seen.frames >= 70, "{seen:?}");
    }
    for host in [alice, bob] {
        assert_eq!(world.host(host).stats().unknown_stream, 0);
    }
}

#[test]
fn a_late_joiner_starts_on_a_key_frame_of_its_own() {
    for codec in [ModelCodec::Vp8, ModelCodec::H264] {
        let mut world = World::new(3);
        let (source, sink) = (world.add_host(S0), world.add_host(S0));
        let producer = world.produce(source, &ProduceOptions::new(codec));
        world.run_for(Duration::from_secs(5));
        let before = world.sender(producer).stats().key_frames;
        let consumer = world.consume(sink, producer, &ConsumeOptions::default());
        world.run_for(Duration::from_secs(2));
        let seen = world.receiver(consumer).stats();
        lossless(&seen);
        assert_eq!(world.sender(producer).stats().key_frames, before + 1, "{codec:?}");
        assert_eq!(seen.key_frames, 1);
        assert!(seen.frames >= 45, "{seen:?}");
    }
}

#[test]
fn pauses_end_on_a_key_frame_without_a_gap() {
    for (codec, of_producer) in [
        (ModelCodec::Vp8, true),
        (ModelCodec::Vp8, false),
        (ModelCodec::H264, true),
        (ModelCodec::H264, false),
    ] {
        let mut world = World::new(4);
        let (source, sink) = (world.add_host(S0), world.add_host(S0));
        let producer = world.produce(source, &ProduceOptions::new(codec));
        let consumer = world.consume(sink, producer, &ConsumeOptions::default());
        for round in 1..=3 {
            world.run_for(Duration::from_millis(1700));
            match of_producer {
                true => world.request(S0, PauseProducer { id: producer }).unwrap(),
                false => world.request(S0, PauseConsumer { id: consumer }).unwrap(),
            }
            world.run_for(Duration::from_millis(100));
            let paused = world.receiver(consumer).stats();
            world.run_for(Duration::from_millis(1300));
            assert_eq!(world.receiver(consumer).stats().packets, paused.packets, "nothing flows in a pause");
            match of_producer {
                true => world.request(S0, ResumeProducer { id: producer }).unwrap(),
                false => world.request(S0, ResumeConsumer { id: consumer }).unwrap(),
            }
            world.run_for(Duration::from_millis(500));
            let seen = world.receiver(consumer).stats();
            lossless(&seen);
            assert_eq!(seen.key_frames, paused.key_frames + 1, "{codec:?} round {round} {seen:?}");
            assert!(seen.frames > paused.frames + 5, "media flows again: {seen:?}");
        }
        let paused = |event: &Event| match event {
            Event::Consumer(id, ConsumerEvent::ProducerPaused { effective: true }) => {
                of_producer && *id == consumer
            }
            Event::Consumer(id, ConsumerEvent::Paused { effective: true }) => !of_producer && *id == consumer,
            _ => false,
        };
        assert_eq!(world.events().iter().filter(|(_, _, event)| paused(event)).count(), 3);
    }
}

#[test]
fn audio_goes_on_after_a_pause_without_a_gap() {
    let mut world = World::new(5);
    let (source, sink) = (world.add_host(S0), world.add_host(S0));
    let producer = world.produce(source, &ProduceOptions::new(ModelCodec::Opus));
    let consumer = world.consume(sink, producer, &ConsumeOptions { paused: true, ..Default::default() });
    world.run_for(Duration::from_secs(2));
    assert_eq!(world.receiver(consumer).stats().packets, 0);
    for _ in 0..3 {
        world.request(S0, ResumeConsumer { id: consumer }).unwrap();
        world.run_for(Duration::from_secs(1));
        world.request(S0, PauseConsumer { id: consumer }).unwrap();
        world.run_for(Duration::from_secs(1));
    }
    let seen = world.receiver(consumer).stats();
    lossless(&seen);
    assert!((145..=155).contains(&seen.frames), "three seconds of sound: {seen:?}");
}

/// Who of a small world closed, in the order that was told.
fn closed(world: &World) -> Vec<(String, CloseCause)> {
    let told = world.events().iter().filter_map(|(_, _, event)| match event {
        Event::Router(_, RouterEvent::Closed(cause)) => Some(("router".to_owned(), *cause)),
        Event::Transport(id, TransportEvent::Closed(cause)) => Some((format!("t{}", id.0), *cause)),
        Event::Producer(id, ProducerEvent::Closed(cause)) => Some((format!("p{}", id.0), *cause)),
        Event::Consumer(id, ConsumerEvent::Closed(cause)) => Some((format!("c{}", id.0), *cause)),
        _ => None,
    });
    told.collect()
}

#[test]
fn closing_reaches_all_that_hangs_on_it_once() {
    for what in ["consumer", "producer", "source", "sink", "router"] {
        let mut world = World::new(6);
        let (source, sink, other) = (world.add_host(S0), world.add_host(S0), world.add_host(S0));
        let producer = world.produce(source, &ProduceOptions::new(ModelCodec::Vp8));
        let first = world.consume(sink, producer, &ConsumeOptions::default());
        let second = world.consume(other, producer, &ConsumeOptions::default());
        world.run_for(Duration::from_secs(1));
        let name = |kind: &str, id: u128| format!("{kind}{id}");
        let [t_source, t_sink, t_other] =
            [source, sink, other].map(|host| name("t", world.transport_of(host).0));
        let (p, c1, c2) = (name("p", producer.0), name("c", first.0), name("c", second.0));
        use CloseCause::{ProducerClosed, Requested, RouterClosed, TransportClosed};
        let expected = match what {
            "consumer" => {
                world.request(S0, CloseConsumer { id: first }).unwrap();
                vec![(c1, Requested)]
            }
            "producer" => {
                world.request(S0, CloseProducer { id: producer }).unwrap();
                vec![(c1, ProducerClosed), (c2, ProducerClosed), (p, Requested)]
            }
            "source" => {
                world.request(S0, CloseTransport { id: world.transport_of(source) }).unwrap();
                vec![(c1, ProducerClosed), (c2, ProducerClosed), (p, TransportClosed), (t_source, Requested)]
            }
            "sink" => {
                world.request(S0, CloseTransport { id: world.transport_of(sink) }).unwrap();
                vec![(c1, TransportClosed), (t_sink, Requested)]
            }
            _ => {
                world.request(S0, CloseRouter { id: ROUTER }).unwrap();
                vec![
                    (p, TransportClosed),
                    (t_source, RouterClosed),
                    (c1, TransportClosed),
                    (t_sink, RouterClosed),
                    (c2, TransportClosed),
                    (t_other, RouterClosed),
                    ("router".to_owned(), Requested),
                ]
            }
        };
        assert_eq!(closed(&world), expected, "{what}");
        world.run_for(Duration::from_secs(2));
        assert_eq!(closed(&world).len(), expected.len(), "nothing closes twice");
        if what == "router" {
            assert_eq!(world.population(S0), Population::default());
            assert_eq!(world.released_sockets().len(), 3);
            let timeouts = world.timeouts(S0);
            world.run_for(Duration::from_secs(60));
            assert_eq!(world.timeouts(S0), timeouts, "an empty Core sleeps");
        }
        let flows = world.receiver(second).stats().frames > 30;
        assert_eq!(flows, what == "consumer" || what == "sink", "{what}");
    }
}

#[test]
fn sequence_numbers_timestamps_and_picture_ids_wrap() {
    for codec in CODECS {
        let mut world = World::new(7);
        let (source, sink) = (world.add_host(S0), world.add_host(S0));
        let options = ProduceOptions {
            sender: |sender| {
                sender.first_sequence_number = 65_530;
                sender.first_timestamp = u32::MAX - 10_000;
                sender.first_picture_id = 0x7ff0;
            },
            ..ProduceOptions::new(codec)
        };
        let producer = world.produce(source, &options);
        let consumer = world.consume(sink, producer, &ConsumeOptions::default());
        // Over a whole cycle of the consumer's numbers too, wherever they start.
        let seconds = if codec == ModelCodec::Opus { 1400 } else { 900 };
        world.run_for(Duration::from_secs(seconds));
        settle(&mut world, producer);
        let seen = world.receiver(consumer).stats();
        lossless(&seen);
        assert!(seen.packets > 65_536);
        assert_eq!(seen.frames, u64::from(world.sender(producer).stats().frames), "{codec:?}");
    }
}

#[test]
fn a_restarted_source_goes_on_without_a_gap() {
    let mut world = World::new(8);
    let (source, sink) = (world.add_host(S0), world.add_host(S0));
    let producer = world.produce(source, &ProduceOptions::new(ModelCodec::Vp8));
    let consumer = world.consume(sink, producer, &ConsumeOptions::default());
    world.run_for(Duration::from_secs(3));
    let before = world.receiver(consumer).stats();
    let now = world.now();
    world.sender_mut(producer).restart(now, 40_000, 77, 0x100);
    world.run_for(Duration::from_secs(3));
    let seen = world.receiver(consumer).stats();
    assert_eq!((seen.gaps, seen.duplicates, seen.jumps, seen.corrupt), (0, 0, 0, 0), "{seen:?}");
    assert!(seen.frames > before.frames + 40, "media flows again: {seen:?}");
    assert!(seen.longest_freeze < 1500, "{seen:?}");
}

#[test]
fn the_same_seed_gives_the_same_trace_and_another_one_does_not() {
    let run = |seed| {
        let mut world = World::with_shards(seed, 2);
        let lossy = common::lossy(0.05, 30);
        let source = world.add_linked_host(S0, lossy.clone(), lossy.clone());
        let sinks = world.shards().collect::<Vec<_>>();
        let producer = world.produce(source, &ProduceOptions::new(ModelCodec::Vp8));
        for shard in sinks {
            let host = world.add_linked_host(shard, lossy.clone(), lossy.clone());
            world.start_capture(host);
            world.consume(host, producer, &ConsumeOptions::default());
        }
        world.run_for(Duration::from_secs(5));
        world.trace().to_owned()
    };
    let first = run(11);
    assert!(first.lines().count() > 1000);
    assert!(first == run(11), "the trace of the same seed differs");
    assert!(first != run(12), "the trace of another seed is the same");
}

#[test]
fn captures_are_pcap_files_of_all_that_a_host_saw() {
    let mut world = World::new(9);
    let (source, sink) =
        (world.add_host(S0), world.add_linked_host(S0, LinkConfig::default(), common::lossy(0.1, 5)));
    world.start_capture(sink);
    let producer = world.produce(source, &ProduceOptions::new(ModelCodec::Vp8));
    let consumer = world.consume(sink, producer, &ConsumeOptions::default());
    world.run_for(Duration::from_secs(2));
    let file = world.take_capture(sink).expect("it was recording");
    let mut reader = pcap_file::pcap::PcapReader::new(&file[..]).expect("a pcap file");
    let (mut received, mut sent, mut last) = (0, 0, Duration::ZERO);
    while let Some(packet) = reader.next_packet() {
        let packet = packet.expect("a whole packet");
        assert!(packet.timestamp >= last, "in order");
        last = packet.timestamp;
        if packet.data[12..16] == [10, 1, 0, 2] { sent += 1 } else { received += 1 }
    }
    assert_eq!(received, world.host(sink).stats().datagrams);
    assert_eq!(sent, world.link_stats(sink).0.sent);
    assert!(world.receiver(consumer).stats().repaired > 0);
    assert_eq!(world.take_capture(sink), None);
}

#[test]
fn timers_are_few_when_idle_and_when_busy() {
    // Idle: objects without media.
    let mut world = World::new(10);
    let (source, sink) = (world.add_host(S0), world.add_host(S0));
    let producer = world.produce(source, &ProduceOptions::new(ModelCodec::Vp8));
    world.sender_mut(producer).stop();
    world.consume(sink, producer, &ConsumeOptions::default());
    world.run_for(Duration::from_secs(5));
    let before = world.timeouts(S0);
    world.run_for(Duration::from_secs(60));
    let idle = (world.timeouts(S0) - before) as f64 / 60.0;
    assert!(idle <= 2.0, "reports of two transports, about one a second each: {idle} a second");
    // Busy: 16 lossy consumers.
    let mut world = World::new(10);
    let source = world.add_linked_host(S0, common::lossy(0.1, 20), common::lossy(0.1, 20));
    let producer = world.produce(source, &ProduceOptions::new(ModelCodec::Vp8));
    for _ in 0..16 {
        let host = world.add_linked_host(S0, common::lossy(0.1, 20), common::lossy(0.1, 20));
        world.consume(host, producer, &ConsumeOptions::default());
    }
    world.run_for(Duration::from_secs(30));
    let busy = world.timeouts(S0) as f64 / 30.0;
    // Seven and a half packets a second are lost on the way in; each may be asked for a few times.
    assert!(busy <= 17.0 + 4.0 * 7.5, "{busy} a second");
    println!("core timeouts a second: idle {idle:.2}, busy {busy:.1}");
}
