//! A crowd that comes at once: a publisher is asked for two key frames a second at most, and nobody waits for long.
#![allow(clippy::print_stdout, reason = "the numbers are the result")]

mod common;

use common::{S0, S1, lossless};
use std::time::Duration;
use tureen_media_model::KeyFrameCache;
use tureen_rtp_wire::Time;
use tureen_sim::endpoint::ModelCodec;
use tureen_sim::link::LinkConfig;
use tureen_sim::{ConsumeOptions, ProduceOptions, World};

const JOINERS: u64 = 100;
/// One way, of every link.
const DELAY: Duration = Duration::from_millis(20);
/// From a joiner to the publisher and back.
const ROUND_TRIP: Duration = Duration::from_millis(80);

fn link() -> LinkConfig {
    LinkConfig { delay: DELAY, ..LinkConfig::default() }
}

/// What became of a crowd.
struct Outcome {
    /// When requests reached the publisher, within the second that the crowd came in and the way there.
    requests: Vec<Time>,
    /// From joining to the first frame that could be decoded.
    longest_wait: Duration,
}

/// A hundred joiners within a second, evenly or at random, `quiet` after the publisher began.
fn crowd(shards: u8, cache: Option<KeyFrameCache>, quiet: Duration, evenly: bool) -> Outcome {
    let mut world = World::with_shards(21, shards);
    let source = world.add_linked_host(S0, link(), link());
    let far = if shards > 1 { S1 } else { S0 };
    let hosts: Vec<_> = (0..JOINERS)
        .map(|joiner| world.add_linked_host(if joiner.is_multiple_of(2) { S0 } else { far }, link(), link()))
        .collect();
    let options = ProduceOptions {
        // 2.5 Mbit/s: 12 packets of 1050 bytes 25 times a second; a key frame is five times as large.
        sender: |sender| {
            (sender.frame_packets, sender.key_frame_packets, sender.payload_size) = (12, 60, 1050);
        },
        key_frame_cache: cache,
        ..ProduceOptions::new(ModelCodec::Vp8)
    };
    let producer = world.produce(source, &options);
    if shards > 1 {
        // The other shard has somebody already, so that it knows the stream.
        let host = world.add_linked_host(far, link(), link());
        world.consume(host, producer, &ConsumeOptions::default());
    }
    world.run_for(quiet);
    let begin = world.now();
    let before = world.sender(producer).stats().key_frame_requests.len();
    let mut joined = Vec::new();
    for (joiner, host) in (0..JOINERS).zip(hosts) {
        let millis = if evenly { joiner * 10 } else { joiner * joiner * 997 % 10_000 / 1000 + joiner * 9 };
        world.run_until(begin + Duration::from_millis(millis));
        joined.push((world.now(), world.consume(host, producer, &ConsumeOptions::default())));
    }
    world.run_until(begin + Duration::from_secs(1) + DELAY);
    let stats = world.sender(producer).stats();
    let requests = stats.key_frame_requests.iter().skip(before).copied();
    let requests = requests.filter(|at| at.since(begin) < Duration::from_secs(1) + DELAY).collect();
    world.run_for(Duration::from_secs(3));
    let waits = joined.into_iter().map(|(at, consumer)| {
        let receiver = world.receiver(consumer);
        lossless(&receiver.stats());
        receiver.first_frame_at().expect("everybody has a picture").since(at)
    });
    Outcome { longest_wait: waits.max().unwrap_or_default(), requests }
}

fn runs() -> impl Iterator<Item = (u8, Duration, bool)> {
    let quiet = (0..40).step_by(13).map(|phase| Duration::from_millis(5000 + phase));
    quiet.flat_map(|quiet| [(1, quiet, true), (1, quiet, false), (2, quiet, true)])
}

#[test]
fn a_crowd_shares_two_key_frames_and_waits_half_a_second_at_most() {
    let mut longest = Duration::ZERO;
    for (shards, quiet, evenly) in runs() {
        let outcome = crowd(shards, None, quiet, evenly);
        assert!((1..=2).contains(&outcome.requests.len()), "{:?}", outcome.requests);
        assert!(
            outcome.longest_wait <= Duration::from_millis(500) + ROUND_TRIP,
            "{shards} shards, {quiet:?}: {:?}",
            outcome.longest_wait
        );
        longest = longest.max(outcome.longest_wait);
    }
    println!("longest wait of {JOINERS} who join within a second: {longest:?}");
}

#[test]
fn with_a_key_frame_at_hand_a_crowd_costs_the_publisher_nothing() {
    let cache = KeyFrameCache { max_bytes: 1_048_576, max_age: Duration::from_secs(3) };
    let mut longest = Duration::ZERO;
    for phase in [0, 13, 29] {
        for shards in [1, 2] {
            let outcome = crowd(shards, Some(cache), Duration::from_millis(1000 + phase), true);
            assert_eq!(outcome.requests, []);
            assert!(outcome.longest_wait <= Duration::from_millis(500) + ROUND_TRIP);
            longest = longest.max(outcome.longest_wait);
        }
    }
    println!("longest wait of {JOINERS} who start from what there is: {longest:?}");
    assert!(longest <= DELAY + Duration::from_millis(100), "{longest:?}");
}

#[test]
fn joiners_who_never_end_cost_a_quarter_of_the_stream_at_most() {
    let mut world = World::new(22);
    let source = world.add_host(S0);
    let options = ProduceOptions {
        // Key frames of 60 packets in a stream of 50 packets a second.
        sender: |sender| (sender.frame_packets, sender.key_frame_packets) = (2, 60),
        ..ProduceOptions::new(ModelCodec::Vp8)
    };
    let producer = world.produce(source, &options);
    world.run_for(Duration::from_secs(5));
    let before = world.sender(producer).stats().clone();
    for _ in 0..300 {
        let host = world.add_host(S0);
        world.consume(host, producer, &ConsumeOptions::default());
        world.run_for(Duration::from_millis(100));
    }
    let after = world.sender(producer).stats().clone();
    let key_frames = u64::from(after.key_frames - before.key_frames);
    let packets = after.packets - before.packets;
    println!("{key_frames} key frames of 60 packets in {packets} packets");
    assert!(key_frames * 60 <= packets / 4 + 3 * 60 + 60, "{key_frames} of {packets} packets");
    assert!(key_frames >= 30 / 5);
}
