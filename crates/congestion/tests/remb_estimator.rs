//! The estimate over links of known capacity.

mod support;

use std::time::Duration;
use support::Link;
use tureen_congestion::RembEstimator;
use tureen_rtp_wire::Time;

const SECOND: u64 = 1000;

fn at(seconds: u64) -> Time {
    Time::from_millis(seconds * SECOND)
}

#[test]
fn a_stream_that_fits_is_left_alone() {
    let mut link = Link::new(500_000);
    link.run(at(60), 10_000_000);
    let lowest = link.messages.iter().map(|&(_, bitrate)| bitrate).min();
    assert!(lowest.is_some_and(|lowest| lowest > 500_000), "{lowest:?}");
    // At most 1.5 times what arrives, which is measured to a packet or two in half a second.
    assert!(link.told() < 850_000, "nothing is promised that was not seen: {}", link.told());
}

#[test]
fn the_estimate_settles_near_the_capacity() {
    let mut link = Link::new(5_000_000);
    link.run(at(30), 2_000_000);
    link.longest_queue = Duration::ZERO;
    link.run(at(90), 2_000_000);
    let average = link.average_since(at(30));
    assert!((1_300_000..2_100_000).contains(&average), "{average}");
    assert!(link.longest_queue < Duration::from_millis(300), "{:?}", link.longest_queue);
}

#[test]
fn a_drop_of_the_capacity_is_followed_within_seconds() {
    let mut link = Link::new(1_800_000);
    link.run(at(30), 2_000_000);
    let before = link.messages.len();
    link.run(at(34), 800_000);
    let reaction = link.messages[before..].iter().find(|(_, bitrate)| *bitrate < 1_000_000);
    let when = reaction.map(|(when, _)| when.since(at(30)));
    assert!(when.is_some_and(|when| when < Duration::from_secs(2)), "{when:?}");
    link.run(at(60), 800_000);
    let average = link.average_since(at(40));
    assert!((500_000..850_000).contains(&average), "{average}");
}

#[test]
fn a_rise_of_the_capacity_is_found() {
    let mut link = Link::new(5_000_000);
    link.run(at(30), 500_000);
    let low = link.average_since(at(20));
    assert!(low < 550_000, "{low}");
    link.run(at(120), 3_000_000);
    assert!(link.told() > 1_500_000, "{}", link.told());
}

#[test]
fn a_limit_is_never_exceeded() {
    let mut link = Link::new(900_000);
    link.estimator.set_max(Some(600_000));
    link.run(at(10), 10_000_000);
    assert_eq!(link.messages.iter().map(|&(_, bitrate)| bitrate).max(), Some(600_000));
    assert_eq!(link.estimator.estimate(), Some(600_000));
}

#[test]
fn messages_leave_at_once_after_a_fall_and_else_at_their_interval() {
    let mut link = Link::new(1_800_000);
    link.run(at(20), 2_000_000);
    link.run(at(40), 900_000);
    for pair in link.messages.windows(2) {
        let ((before, from), (after, to)) = (pair[0], pair[1]);
        let passed = after.since(before);
        assert!(passed <= Duration::from_millis(1050), "{passed:?}");
        assert!(passed >= Duration::from_millis(200) || to < from / 100 * 98, "{passed:?} {from} {to}");
    }
    assert!(link.messages.windows(2).any(|pair| pair[1].0.since(pair[0].0) < Duration::from_millis(200)));
}

#[test]
fn silence_tells_nothing_and_is_survived() {
    let mut link = Link::new(500_000);
    link.run(at(10), 10_000_000);
    let _ = link.estimator.poll(link.estimator.next_deadline());
    assert_eq!(link.estimator.next_deadline(), Time::NEVER);
    let mut estimator = link.estimator;
    estimator.on_packet(at(100), 5, 1200);
    assert!(estimator.estimate().is_some());
    assert_eq!(estimator.poll(estimator.next_deadline()), estimator.estimate());
}

#[test]
fn equal_input_gives_equal_output() {
    let run = || {
        let mut link = Link::new(3_000_000);
        link.run(at(20), 1_000_000);
        link.messages
    };
    assert_eq!(run(), run());
}

#[test]
fn a_packet_or_two_are_not_enough() {
    let mut estimator = RembEstimator::new();
    estimator.on_packet(at(1), 0, 1200);
    estimator.on_packet(at(1), u32::MAX, usize::MAX);
    assert_eq!((estimator.estimate(), estimator.next_deadline()), (None, Time::NEVER));
}
