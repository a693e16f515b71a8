//! Who begins an association, and how it ends.

mod support;

use std::time::Duration;
use support::{Link, Pair};
use tureen_data::{AssociationEvent, AssociationOptions, OptionsError, Ppid, Reliability, SendError};
use tureen_rtp_dictionaries::SctpState;
use tureen_rtp_wire::Time;

const BEGINS: AssociationOptions = AssociationOptions {
    start_after: Some(Duration::ZERO),
    outgoing_streams: 1024,
    incoming_streams: 1024,
    max_message_size: 262_144,
    send_buffer_size: 262_144,
};
const WAITS: AssociationOptions = AssociationOptions { start_after: None, ..BEGINS };
const BEGINS_LATE: AssociationOptions =
    AssociationOptions { start_after: Some(Duration::from_secs(1)), ..BEGINS };

fn both_connect(pair: &Pair) -> bool {
    pair.states() == [SctpState::Connected; 2]
}

#[test]
fn either_side_may_begin_or_both() {
    let cases =
        [[BEGINS, WAITS], [WAITS, BEGINS], [BEGINS, BEGINS], [BEGINS_LATE, BEGINS], [BEGINS_LATE, WAITS]];
    for options in cases {
        for seed in 0..20 {
            for link in [Link::GOOD, Link { loss: 100, ..Link::BAD }] {
                let mut pair = Pair::new(link, seed, options);
                pair.run(Duration::from_secs(600), both_connect);
                assert!(both_connect(&pair), "{options:?}, seed {seed}: {:?}", pair.states());
                let now = pair.now;
                for side in &mut pair.sides {
                    side.send(now, 0, Ppid::String, b"hello", Reliability::default()).expect("connected");
                }
                pair.run(Duration::from_secs(60), |pair| pair.received.iter().all(|came| came.len() == 1));
                assert!(pair.received.iter().all(|came| came.len() == 1), "{options:?}, seed {seed}");
            }
        }
    }
}

#[test]
fn who_waits_for_good_says_nothing() {
    let mut pair = Pair::new(Link::GOOD, 1, [WAITS, WAITS]);
    pair.run(Duration::from_secs(600), |_| false);
    assert_eq!(pair.states(), [SctpState::New; 2]);
    assert_eq!(pair.largest_datagram, 0);
    assert_eq!(pair.sides[0].poll_timeout(), Time::NEVER);
    let now = pair.now;
    let refused = pair.sides[0].send(now, 0, Ppid::String, b"a", Reliability::default());
    assert_eq!(refused, Err(SendError::NotConnected));
}

#[test]
fn a_handshake_without_answer_fails_and_a_late_remote_is_still_answered() {
    let mut pair = Pair::new(Link { loss: 1000, ..Link::GOOD }, 1, [BEGINS, WAITS]);
    pair.run(Duration::from_secs(600), |pair| pair.states()[0] == SctpState::Failed);
    assert_eq!(pair.states(), [SctpState::Failed, SctpState::New]);
    let mut late = Pair::new(Link::GOOD, 2, [WAITS, BEGINS]);
    late.sides.swap(0, 1);
    std::mem::swap(&mut pair.sides[0], &mut late.sides[1]);
    late.run(Duration::from_secs(60), both_connect);
    assert!(both_connect(&late), "{:?}", late.states());
}

#[test]
fn a_remote_that_comes_late_is_not_kept_waiting() {
    for seed in 0..20 {
        // Nobody hears the first of them for 40 s: its next repetition is far away.
        let mut pair = Pair::new(Link { loss: 1000, ..Link::GOOD }, seed, [BEGINS, WAITS]);
        pair.run(Duration::from_secs(40), |_| false);
        assert_eq!(pair.states(), [SctpState::Connecting, SctpState::New]);
        pair.set_link(Link::GOOD);
        pair.sides[1] = tureen_data::Association::new(pair.now, BEGINS).expect("good options");
        pair.run(Duration::from_secs(2), both_connect);
        assert!(both_connect(&pair), "seed {seed}: {:?}", pair.states());
    }
}

#[test]
fn states_are_told_in_their_order_and_close_is_the_last() {
    let mut pair = Pair::connected(Link::GOOD, 3, BEGINS);
    let now = pair.now;
    pair.sides[0].close(now);
    pair.run(Duration::from_secs(60), |pair| pair.states() == [SctpState::Closed; 2]);
    for events in &pair.other_events {
        let states: Vec<_> = events
            .iter()
            .filter_map(|event| match event {
                AssociationEvent::State(state) => Some(*state),
                _ => None,
            })
            .collect();
        assert_eq!(states.first(), Some(&SctpState::Connecting));
        assert_eq!(states.get(1), Some(&SctpState::Connected));
    }
    assert_eq!(pair.states(), [SctpState::Closed; 2], "the remote took the goodbye, and waits for nothing");
    assert!(pair.sides.iter().all(|side| side.poll_timeout() == Time::NEVER));
}

#[test]
fn time_is_an_argument() {
    // The same virtual time whatever the clock says: the first repetition of an INIT is due half a second after it.
    for millis in [0, 5, 86_400_000] {
        let now = Time::from_millis(millis);
        let association = tureen_data::Association::new(now, BEGINS).expect("good options");
        assert_eq!(association.poll_timeout(), now + Duration::from_millis(500));
    }
}

#[test]
fn options_out_of_range_are_refused_by_name() {
    let cases = [
        (AssociationOptions { outgoing_streams: 0, ..BEGINS }, OptionsError::OutgoingStreams),
        (AssociationOptions { incoming_streams: 0, ..BEGINS }, OptionsError::IncomingStreams),
        (AssociationOptions { max_message_size: 0, ..BEGINS }, OptionsError::MaxMessageSize),
        (AssociationOptions { max_message_size: 16_777_217, ..BEGINS }, OptionsError::MaxMessageSize),
        (AssociationOptions { send_buffer_size: 0, ..BEGINS }, OptionsError::SendBufferSize),
    ];
    for (options, error) in cases {
        assert_eq!(tureen_data::Association::new(Time::ZERO, options).err(), Some(error));
    }
}
