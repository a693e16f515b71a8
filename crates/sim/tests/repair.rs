//! Loss, reordering and duplication on either leg, repaired with RTX and by plain retransmission.
#![allow(clippy::print_stdout, reason = "the numbers are the result")]

mod common;

use common::{S0, lossy, settle};
use std::time::Duration;
use tureen_sim::endpoint::{ModelCodec, ReceiverStats, SenderStats};
use tureen_sim::link::{LinkConfig, LinkStats};
use tureen_sim::{ConsumeOptions, ProduceOptions, World};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Leg {
    In,
    Out,
    Both,
}

struct Outcome {
    sender: SenderStats,
    seen: ReceiverStats,
    link: LinkStats,
}

/// A minute of video with loss on a leg, feedback included, and one consumer.
fn run(codec: ModelCodec, leg: Leg, loss: f64, rtx: bool, seed: u64) -> Outcome {
    let mut world = World::new(seed);
    let (bad, good) = (lossy(loss, 20), lossy(0.0, 20));
    let up = if leg == Leg::Out { &good } else { &bad };
    let down = if leg == Leg::In { &good } else { &bad };
    let source = world.add_linked_host(S0, up.clone(), up.clone());
    let sink = world.add_linked_host(S0, down.clone(), down.clone());
    let producer = world.produce(source, &ProduceOptions { rtx, ..ProduceOptions::new(codec) });
    let consumer = world.consume(sink, producer, &ConsumeOptions { rtx, ..Default::default() });
    world.run_for(Duration::from_secs(60));
    settle(&mut world, producer);
    let link = if leg == Leg::In { world.link_stats(source).0 } else { world.link_stats(sink).1 };
    let sender = world.sender(producer).stats().clone();
    Outcome { sender, seen: world.receiver(consumer).stats(), link }
}

/// The share of frames that could be decoded.
fn decoded(outcome: &Outcome) -> f64 {
    outcome.seen.frames as f64 / f64::from(outcome.sender.frames)
}

#[test]
fn loss_on_either_leg_is_repaired() {
    for codec in [ModelCodec::Vp8, ModelCodec::H264] {
        for leg in [Leg::In, Leg::Out, Leg::Both] {
            for (loss, rtx) in [(0.03, true), (0.03, false), (0.1, true), (0.1, false)] {
                let outcome = run(codec, leg, loss, rtx, 21);
                let seen = &outcome.seen;
                println!(
                    "{codec:?} {leg:?} {:.0}% {}: missing {} repaired {} late {} gaps {} broken {} useless {} frames {:.4}",
                    loss * 100.0,
                    if rtx { "RTX" } else { "plain" },
                    seen.missing,
                    seen.repaired,
                    seen.late,
                    seen.gaps,
                    seen.broken,
                    seen.useless_repairs + seen.duplicates,
                    decoded(&outcome),
                );
                assert!(outcome.link.dropped_loss > 50, "{:?}", outcome.link);
                assert_eq!((seen.corrupt, seen.jumps), (0, 0), "{seen:?}");
                assert_eq!(
                    (seen.gaps, seen.broken, seen.picture_id_breaks, seen.timestamp_breaks),
                    (0, 0, 0, 0),
                    "{seen:?}"
                );
                assert_eq!(seen.missing, seen.repaired + seen.late, "{seen:?}");
                // The first key frame may have been lost as a whole before the Core knew of the stream.
                assert!(decoded(&outcome) > 0.98, "{codec:?} {leg:?} {loss} {rtx} {seen:?}");
            }
        }
    }
}

#[test]
fn audio_is_repaired_by_plain_retransmission() {
    let outcome = run(ModelCodec::Opus, Leg::Both, 0.1, false, 22);
    let seen = outcome.seen;
    assert!(seen.repaired > 100, "{seen:?}");
    assert_eq!((seen.gaps, seen.corrupt), (0, 0), "{seen:?}");
    assert!(decoded(&outcome) > 0.99, "{seen:?}");
}

#[test]
fn reordering_asks_for_little_and_duplicates_end_at_the_core() {
    let mut world = World::new(23);
    let messy = LinkConfig {
        delay: Duration::from_millis(10),
        reorder: 0.2,
        reorder_delay: Duration::from_millis(3),
        duplicate: 0.1,
        ..LinkConfig::default()
    };
    let source = world.add_linked_host(S0, messy, LinkConfig::default());
    let sink = world.add_host(S0);
    let producer = world.produce(source, &ProduceOptions::new(ModelCodec::Vp8));
    let consumer = world.consume(sink, producer, &ConsumeOptions::default());
    world.run_for(Duration::from_secs(30));
    settle(&mut world, producer);
    let seen = world.receiver(consumer).stats();
    let sender = world.sender(producer).stats();
    let link = world.link_stats(source).0;
    assert!(link.reordered > 300 && link.duplicated > 150, "{link:?}");
    assert_eq!((seen.duplicates, seen.gaps, seen.broken, seen.corrupt), (0, 0, 0, 0), "{seen:?}");
    assert_eq!(seen.frames, u64::from(sender.frames));
    assert!(sender.nacked <= sender.packets / 50, "reordering of 3 ms is no loss: {sender:?}");
}

#[test]
fn a_jittery_path_with_a_bottleneck_delivers_everything() {
    let mut world = World::new(24);
    let tight = LinkConfig {
        rate: Some(1_500_000),
        delay: Duration::from_millis(15),
        jitter: Duration::from_millis(30),
        jitter_reorders: true,
        ..LinkConfig::default()
    };
    let (source, sink) = (world.add_host(S0), world.add_linked_host(S0, LinkConfig::default(), tight));
    let producer = world.produce(source, &ProduceOptions::new(ModelCodec::H264));
    let consumer = world.consume(sink, producer, &ConsumeOptions::default());
    world.run_for(Duration::from_secs(20));
    settle(&mut world, producer);
    let seen = world.receiver(consumer).stats();
    assert!(seen.late > 50, "{seen:?}");
    assert_eq!((seen.gaps, seen.broken, seen.corrupt), (0, 0, 0), "{seen:?}");
    assert_eq!(seen.frames, u64::from(world.sender(producer).stats().frames));
}

#[test]
fn the_core_reports_the_loss_that_was() {
    let mut world = World::new(25);
    let source = world.add_linked_host(S0, lossy(0.1, 20), LinkConfig::default());
    let sink = world.add_host(S0);
    let producer =
        world.produce(source, &ProduceOptions { rtx: true, ..ProduceOptions::new(ModelCodec::Vp8) });
    world.consume(sink, producer, &ConsumeOptions::default());
    world.run_for(Duration::from_secs(30));
    let (sender, link) = (world.sender(producer).stats(), world.link_stats(source).0);
    let share = f64::from(sender.reported_lost) / sender.packets as f64;
    assert!((share - 0.1).abs() < 0.03, "{share} of {sender:?} {link:?}");
}
