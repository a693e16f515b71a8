//! The estimator over a plain link, and over anything that may be told to it.

mod path;

use path::Path;
use proptest::prelude::*;
use std::time::Duration;
use tureen_congestion::send::{
    Ecn, Estimator, EstimatorConfig, Outcome, PacketKind, PacketResult, RateReason, ReceiverTime, SentPacket,
};
use tureen_rtp_wire::Time;

fn seconds(seconds: u64) -> Time {
    Time::from_millis(seconds * 1000)
}

#[test]
fn probes_find_the_capacity_within_a_second() {
    let mut path = Path::new(2_000_000);
    path.want(10_000_000);
    path.run(seconds(1));
    let found = path.estimator.target_bitrate();
    assert!((1_800_000..=2_200_000).contains(&found), "{found}");
}

#[test]
fn nothing_is_probed_that_nobody_wants() {
    let mut path = Path::new(5_000_000);
    path.want(250_000);
    path.source = 200_000;
    path.run(seconds(10));
    assert_eq!(path.padding, 0);
}

#[test]
fn a_fall_is_followed_within_a_second_and_the_queue_is_drained() {
    let mut path = Path::new(3_000_000);
    path.want(4_000_000);
    path.run(seconds(10));
    path.capacity = 500_000;
    path.run(Time::from_millis(11_200));
    let target = path.estimator.target_bitrate();
    assert!((250_000..=520_000).contains(&target), "{target}");
    assert!(path.queue() < Duration::from_millis(50), "{:?}", path.queue());
    let reason = path.estimator.state().reason;
    assert!(matches!(reason, RateReason::Queue | RateReason::Loss), "{reason:?}");
}

#[test]
fn losses_without_a_queue_are_borne() {
    let mut path = Path::new(3_000_000);
    path.want(4_000_000);
    path.lose_each = 20;
    path.run(seconds(30));
    let target = path.estimator.target_bitrate();
    assert!(target > 2_500_000, "{target}");
    let repairs = target - path.estimator.media_bitrate();
    assert!(
        (target / 50..target / 20).contains(&repairs),
        "{repairs} of {target}: 5 percent, less what margins bear"
    );
}

#[test]
fn most_packets_lost_is_congestion_even_without_a_queue() {
    let mut path = Path::new(100_000_000);
    path.want(4_000_000);
    path.run(seconds(5));
    path.lose_each = 2;
    path.run(seconds(8));
    assert!(path.estimator.target_bitrate() < 2_500_000, "{:?}", path.estimator.state());
}

#[test]
fn marks_lower_the_rate_before_anything_queues() {
    let mut path = Path::new(100_000_000);
    path.want(2_000_000);
    path.run(seconds(5));
    let before = path.estimator.target_bitrate();
    path.marked = true;
    path.run(seconds(8));
    let state = path.estimator.state();
    assert_eq!(state.reason, RateReason::Marks);
    assert!(state.target_bitrate < before / 2, "{before} {state:?}");
}

#[test]
fn silence_lowers_the_rate_and_what_follows_it_is_tried_again() {
    let mut path = Path::new(2_000_000);
    path.want(4_000_000);
    path.run(seconds(10));
    path.silent = true;
    path.run(seconds(15));
    let state = path.estimator.state();
    assert_eq!(state.reason, RateReason::Silence);
    assert!(state.target_bitrate <= 130_000, "{state:?}");
    path.silent = false;
    path.run(seconds(17));
    let found = path.estimator.target_bitrate();
    assert!(found > 1_600_000, "{found}");
}

#[test]
fn a_told_bitrate_is_the_estimate_without_reports_and_a_bound_with_them() {
    let mut estimator = Estimator::default();
    estimator.on_remb(1_200_000);
    assert_eq!((estimator.target_bitrate(), estimator.state().reason), (1_200_000, RateReason::Remb));
    estimator.on_remb(1);
    assert_eq!(estimator.target_bitrate(), EstimatorConfig::default().min_bitrate);

    let mut path = Path::new(2_000_000);
    path.want(4_000_000);
    path.run(seconds(5));
    path.estimator.on_remb(700_000);
    assert_eq!((path.estimator.target_bitrate(), path.estimator.state().reason), (700_000, RateReason::Remb));
    path.estimator.on_remb(50_000_000);
    assert!(path.estimator.target_bitrate() > 1_500_000);
}

#[test]
fn who_does_not_report_is_probed_once() {
    let mut estimator = Estimator::default();
    let mut probes = 0;
    for millis in 0..20_000 {
        let now = Time::from_millis(millis);
        if millis % 20 == 0 {
            let sequence_number = (millis / 20) as u16;
            estimator.on_sent(
                now,
                SentPacket { sequence_number, size: 100, kind: PacketKind::Audio, probe: None },
            );
        }
        if now >= estimator.poll_timeout() {
            probes += u32::from(estimator.on_timeout(now).is_some());
        }
    }
    assert_eq!(probes, 1);
    assert_eq!(estimator.target_bitrate(), EstimatorConfig::default().start_bitrate);
}

#[test]
fn equal_input_gives_equal_output() {
    let run = || {
        let mut path = Path::new(1_500_000);
        path.want(4_000_000);
        path.lose_each = 30;
        path.run(seconds(20));
        path.estimator.state()
    };
    assert_eq!(run(), run());
}

/// Whatever may happen to an estimator.
#[derive(Clone, Debug)]
enum Step {
    Pass(u64),
    Send { step: u16, size: u16, kind: u8, probe: bool },
    Report(Vec<(u16, i64, u8)>),
    Remb(u64),
    Want(u64, u64),
    Bounds(u64, u64),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let result = (any::<u16>(), prop_oneof![any::<i64>(), -1_000_000_i64..1_000_000], any::<u8>());
    let near = (0_u16..300, 0_i64..60_000_000, any::<u8>());
    let step = prop_oneof![
        3 => prop_oneof![0_u64..50_000, 0_u64..10_000_000].prop_map(Step::Pass),
        8 => (0_u16..3, any::<u16>(), 0_u8..4, any::<bool>())
            .prop_map(|(step, size, kind, probe)| Step::Send { step, size, kind, probe }),
        4 => prop::collection::vec(prop_oneof![result, near], 0..80).prop_map(Step::Report),
        1 => any::<u64>().prop_map(Step::Remb),
        1 => (any::<u64>(), any::<u64>()).prop_map(|(next, all)| Step::Want(next, all)),
        1 => (any::<u64>(), any::<u64>()).prop_map(|(min, max)| Step::Bounds(min, max)),
    ];
    prop::collection::vec(step, 1..400)
}

proptest! {
    #[test]
    fn whatever_is_told_the_rate_keeps_its_bounds_and_timers_lie_ahead(steps in steps()) {
        let mut estimator = Estimator::default();
        let (mut now, mut sequence_number, mut probe) = (Time::from_millis(1), 65_500_u16, None);
        let mut bounds = EstimatorConfig::default();
        for step in steps {
            match step {
                Step::Pass(micros) => now += Duration::from_micros(micros),
                Step::Send { step, size, kind, probe: probed } => {
                    sequence_number = sequence_number.wrapping_add(step);
                    let kinds = [PacketKind::Audio, PacketKind::Retransmission, PacketKind::Video, PacketKind::Padding];
                    let kind = kinds[usize::from(kind)];
                    let probe = probe.filter(|_| probed);
                    estimator.on_sent(now, SentPacket { sequence_number, size, kind, probe });
                }
                Step::Report(results) => {
                    let results = results.into_iter().map(|(number, at, bits)| PacketResult {
                        sequence_number: sequence_number.wrapping_sub(number),
                        outcome: match bits >> 6 {
                            0 => Outcome::Missing,
                            1 => Outcome::Arrived,
                            _ => Outcome::ArrivedAt(ReceiverTime::from_micros(at)),
                        },
                        ecn: Ecn::from_bits(bits),
                    });
                    estimator.on_feedback(now, results);
                }
                Step::Remb(bitrate) => estimator.on_remb(bitrate),
                Step::Want(next, all) => estimator.set_wanted(next, all),
                Step::Bounds(min, max) => {
                    bounds = EstimatorConfig { min_bitrate: min, max_bitrate: max, ..bounds };
                    estimator.set_bounds(bounds);
                }
            }
            if now >= estimator.poll_timeout() {
                let asked = estimator.on_timeout(now);
                probe = asked.map(|probe| probe.id).or(probe);
                prop_assert!(estimator.poll_timeout() > now, "a timer that is due at once");
            }
            let state = estimator.state();
            let least = bounds.min_bitrate.clamp(5_000, 10_000_000_000);
            let most = bounds.max_bitrate.clamp(least, 10_000_000_000);
            prop_assert!((least..=most).contains(&state.target_bitrate), "{:?} {:?}", state, bounds);
            prop_assert!(state.pacing_bitrate >= least && state.pacing_bitrate <= most.saturating_mul(2));
            prop_assert!(estimator.media_bitrate() <= state.target_bitrate);
            prop_assert!((0.0..=1.0).contains(&state.loss));
        }
    }
}
