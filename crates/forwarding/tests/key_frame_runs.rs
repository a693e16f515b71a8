//! The packets since the newest key frame: kept as long as they may be, handed out only if none is missing, sent close together.

use proptest::prelude::*;
use std::time::Duration;
use tureen_forwarding::frame_layers::FrameLayers;
use tureen_forwarding::{
    PacketMeta, PacketStore, PacketStoreConfig, RunLimits, Selector, SimpleSelector, SimpleSelectorConfig,
    SimulcastSelector, SimulcastSelectorConfig, Stored, Verdict,
};
use tureen_rtp_wire::Time;
use tureen_rtp_wire::payload::PayloadDescriptor;
use tureen_rtp_wire::rtp::RtpLayout;

const LIMITS: RunLimits = RunLimits { max_bytes: 100_000, max_age: Duration::from_millis(5000) };
const SIZE: usize = 1000;

fn store() -> PacketStore {
    PacketStore::new(PacketStoreConfig::VIDEO).keeping_runs(LIMITS)
}

/// A packet that is a whole frame; frames come every 33 ms, by their number.
fn meta(number: u64, is_key_frame: bool) -> PacketMeta {
    PacketMeta {
        received_at: Time::from_millis(number * 33),
        extended_sequence: 65_536 + number,
        timestamp: number as u32 * 3000,
        payload_size: 900,
        encoding: 0,
        spatial_layer: 0,
        temporal_layer: 0,
        marker: true,
        is_key_frame,
        primary: None,
        descriptor: PayloadDescriptor::Opaque,
        layers: FrameLayers::UNKNOWN,
    }
}

fn keep(store: &mut PacketStore, meta: &PacketMeta) {
    let mut bytes = vec![0; SIZE];
    bytes[0] = 0x80;
    bytes[2..4].copy_from_slice(&(meta.extended_sequence as u16).to_be_bytes());
    let layout = RtpLayout::parse(&bytes).expect("an RTP packet");
    assert_eq!(store.insert(&bytes, layout, meta), Stored::Kept);
}

fn at(number: u64) -> Time {
    Time::from_millis(number * 33)
}

/// The numbers of the first and the newest packet of the run.
fn run(store: &PacketStore, now: Time) -> Option<(u64, u64)> {
    let run = store.run(now)?;
    Some((run.first.extended_sequence - 65_536, run.newest.extended_sequence - 65_536))
}

#[test]
fn a_run_begins_at_the_newest_key_frame() {
    let mut store = store();
    assert_eq!(run(&store, at(0)), None);
    for number in 1..50 {
        keep(&mut store, &meta(number, number == 10 || number == 30));
        let expected = [30, 10].into_iter().find(|start| *start <= number).map(|start| (start, number));
        assert_eq!(run(&store, at(number)), expected);
    }
    store.forget_run();
    assert_eq!(run(&store, at(49)), None);
}

#[test]
fn a_run_with_a_hole_is_none_until_the_hole_is_filled() {
    let mut store = store();
    for number in [1, 2, 3, 5, 6] {
        keep(&mut store, &meta(number, number == 1));
    }
    assert_eq!(run(&store, at(6)), None);
    keep(&mut store, &PacketMeta { received_at: at(7), ..meta(4, false) });
    assert_eq!(run(&store, at(7)), Some((1, 6)));
}

#[test]
fn a_key_frame_that_comes_late_begins_a_run_of_what_overtook_it() {
    let mut store = store();
    for number in [1, 2, 4, 5] {
        keep(&mut store, &meta(number, number == 1));
    }
    keep(&mut store, &PacketMeta { received_at: at(6), ..meta(3, true) });
    assert_eq!(run(&store, at(6)), Some((3, 5)));
    // One from before it changes nothing.
    let before = PacketMeta { extended_sequence: 65_536, ..meta(0, true) };
    keep(&mut store, &before);
    assert_eq!(run(&store, at(6)), Some((3, 5)));
}

#[test]
fn parameter_sets_that_come_late_belong_to_their_key_frame() {
    let mut store = store();
    let part = |number| PacketMeta { timestamp: 9000, marker: false, ..meta(number, true) };
    for number in [2, 3, 1] {
        keep(&mut store, &part(number));
    }
    assert_eq!(run(&store, at(3)), Some((1, 3)));
}

#[test]
fn a_run_lasts_as_long_as_it_may_and_its_packets_with_it() {
    let mut store = store();
    for number in 0..90 {
        keep(&mut store, &meta(number, number == 0));
    }
    let now = Time::from_millis(5000);
    assert_eq!(run(&store, now), Some((0, 89)));
    assert!(store.get(65_536, now).is_some(), "older than what is sent again otherwise");
    assert_eq!(run(&store, Time::from_millis(5001)), None);
    keep(&mut store, &meta(170, false));
    assert!(store.get(65_536, at(170)).is_none());
}

#[test]
fn a_run_that_is_too_large_is_none_and_takes_no_more_memory() {
    let mut store = store();
    for number in 0..100 {
        keep(&mut store, &meta(number, number == 0));
    }
    assert_eq!(run(&store, at(99)), Some((0, 99)));
    let full = store.allocated_bytes();
    for number in 100..400 {
        keep(&mut store, &meta(number, false));
        assert_eq!(run(&store, at(number)), None);
    }
    assert!(store.get(65_536, at(399)).is_none());
    assert!(store.allocated_bytes() <= full + 32 * 1600, "{} after {full}", store.allocated_bytes());
}

#[test]
fn without_room_in_the_store_there_is_no_run() {
    let small = PacketStoreConfig { capacity: 20, ..PacketStoreConfig::VIDEO };
    let mut store = PacketStore::new(small).keeping_runs(LIMITS);
    for number in 0..20 {
        keep(&mut store, &meta(number, number == 0));
    }
    assert_eq!(run(&store, at(19)), Some((0, 19)));
    keep(&mut store, &meta(20, false));
    assert_eq!(run(&store, at(20)), None);
}

fn simple() -> Selector {
    Selector::Simple(Box::new(SimpleSelector::new(SimpleSelectorConfig {
        needs_key_frame: true,
        ignore_dtx: false,
        clock_rate: 90_000,
        first_sequence_number: 100,
    })))
}

fn simulcast() -> Selector {
    let mut selector = SimulcastSelector::new(SimulcastSelectorConfig {
        needs_key_frame: true,
        clock_rate: 90_000,
        first_sequence_number: 100,
    });
    selector.set_target(0, u8::MAX);
    Selector::Simulcast(Box::new(selector))
}

fn send(selector: &mut Selector, meta: &PacketMeta) -> (u16, u32) {
    match selector.decide(meta) {
        Verdict::Forward(rewrite) => (rewrite.sequence_number, rewrite.timestamp),
        Verdict::Drop(reason) => panic!("{reason:?}"),
    }
}

#[test]
fn a_newcomer_gets_the_run_close_together_and_then_what_is_live() {
    for mut selector in [simple(), simulcast()] {
        let mut store = store();
        for number in 0..=60 {
            keep(&mut store, &meta(number, number == 0));
            let _ = selector.decide(&meta(number, false));
        }
        let run = store.run(at(60)).unwrap();
        assert!(selector.starts_with(0));
        assert_eq!(selector.start_from(&run), Some(180_000));
        let mut sent: Vec<_> =
            (0..=60).map(|number| send(&mut selector, &meta(number, number == 0))).collect();
        assert!(!selector.starts_with(0));
        assert_eq!(selector.start_from(&run), None, "it flows already");
        sent.extend((61..64).map(|number| send(&mut selector, &meta(number, false))));
        assert!(sent.windows(2).all(|pair| pair[1].0 == pair[0].0.wrapping_add(1) && pair[1].1 > pair[0].1));
        assert_eq!(sent[60].1, 180_000);
        assert!(180_000 - sent[0].1 < 90_000 / 10, "all of it within 100 ms");
        assert_eq!(sent[63].1, 189_000);
    }
}

#[test]
fn whoever_comes_back_goes_on_ahead_of_what_was_sent() {
    for mut selector in [simple(), simulcast()] {
        let mut store = store();
        let mut last = (0, 0);
        for number in 0..=60 {
            keep(&mut store, &meta(number, number == 0));
            if number < 50 {
                last = send(&mut selector, &meta(number, number == 0));
            }
        }
        selector.restart();
        let run = store.run(at(60)).unwrap();
        assert!(selector.start_from(&run).is_some());
        for number in 0..=60 {
            let next = send(&mut selector, &meta(number, number == 0));
            assert!(next.0 == last.0 + 1 && next.1 > last.1, "{last:?} {next:?}");
            last = next;
        }
        assert_eq!(last.1, 180_000);
        // Nothing has come since: there is no room for the run.
        selector.restart();
        assert_eq!(selector.start_from(&run), None);
        assert!(selector.starts_with(0));
    }
}

#[test]
fn another_encoding_is_none_to_start_with() {
    let mut store = store();
    keep(&mut store, &PacketMeta { encoding: 1, ..meta(1, true) });
    assert_eq!(simulcast().start_from(&store.run(at(1)).unwrap()), None);
}

proptest! {
    /// Whatever is lost, late or repeated: a run is whole, starts at a key frame, ends with the newest packet, and is within its limits.
    #[test]
    fn a_run_is_what_it_says(steps in prop::collection::vec((0u64..12, 0u64..60, any::<bool>()), 1..300)) {
        let mut store = PacketStore::new(PacketStoreConfig { capacity: 64, ..PacketStoreConfig::VIDEO })
            .keeping_runs(RunLimits { max_bytes: 30_000, max_age: Duration::from_millis(700) });
        let (mut now, mut newest) = (0, 100u64);
        let mut kept = std::collections::BTreeSet::new();
        for (ahead, passed, is_key_frame) in steps {
            now += passed;
            let number = newest + ahead - 8.min(newest - 90);
            newest = newest.max(number);
            let packet = PacketMeta {
                received_at: Time::from_millis(now),
                extended_sequence: number,
                is_key_frame: is_key_frame && number.is_multiple_of(5),
                ..meta(number, false)
            };
            if kept.insert(number) {
                keep(&mut store, &packet);
            }
            let now = Time::from_millis(now);
            if let Some(run) = store.run(now) {
                let (first, last) = (run.first.extended_sequence, run.newest.extended_sequence);
                prop_assert!(run.first.is_key_frame && now.since(run.first.received_at).as_millis() <= 700);
                prop_assert_eq!(last, *kept.last().unwrap());
                prop_assert!((last - first + 1) * SIZE as u64 <= 30_000);
                for number in first..=last {
                    prop_assert!(store.get(number, now).is_some());
                }
            }
        }
    }
}
