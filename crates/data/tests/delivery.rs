//! What arrives over links that lose and reorder.

mod support;

use proptest::prelude::*;
use std::time::Duration;
use support::{Link, Pair};
use tureen_data::{AssociationEvent, AssociationOptions, Limit, Ppid, Reliability, SendError};
use tureen_rtp_dictionaries::SctpState;

const MINUTE: Duration = Duration::from_secs(60);

fn text(index: u32) -> Vec<u8> {
    format!("message {index:05} {}", "x".repeat((index % 97) as usize)).into_bytes()
}

/// Sends as many messages as asked for, waiting where the buffer is full.
fn send_all(pair: &mut Pair, count: u32, reliability: Reliability) {
    let mut next = 0;
    while next < count {
        match pair.sides[0].send(pair.now, 3, Ppid::String, &text(next), reliability) {
            Ok(_) => next += 1,
            Err(SendError::BufferFull { buffered }) => {
                assert!(buffered <= 262_144);
                pair.run(Duration::from_millis(5), |_| false);
            }
            Err(other) => panic!("{other}"),
        }
    }
    pair.run(10 * MINUTE, |pair| pair.received[1].len() == count as usize);
}

#[test]
fn ten_thousand_messages_arrive_in_order_at_five_percent_loss() {
    let mut pair = Pair::connected(Link::BAD, 7, AssociationOptions::default());
    send_all(&mut pair, 10_000, Reliability::default());
    assert_eq!(pair.received[1].len(), 10_000);
    for (index, message) in (0..).zip(&pair.received[1]) {
        assert_eq!((message.stream, message.ppid), (3, Ppid::String));
        assert_eq!(message.payload, text(index), "in order");
    }
}

#[test]
fn datagrams_fit_into_what_carries_them() {
    let mut pair = Pair::connected(Link::GOOD, 8, AssociationOptions::default());
    for len in [1, 1, 1, 5, 17, 99, 262_000, 1_100, 1_072] {
        for _ in 0..if len < 100 { 300 } else { 1 } {
            // What finds no room is not sent, and there is more than enough that does.
            let _ = pair.sides[0].send(pair.now, 1, Ppid::Binary, &vec![7; len], Reliability::default());
        }
        pair.run(MINUTE, |_| false);
    }
    assert!((1_100..=1_311).contains(&pair.largest_datagram), "{}", pair.largest_datagram);
}

#[test]
fn unordered_messages_all_arrive_and_overtake_each_other() {
    let mut pair = Pair::connected(Link::BAD, 11, AssociationOptions::default());
    send_all(&mut pair, 2_000, Reliability { ordered: false, limit: None });
    let mut came: Vec<_> = pair.received[1].iter().map(|message| message.payload.clone()).collect();
    let sent: Vec<_> = (0..2_000).map(text).collect();
    assert_ne!(came, sent, "some were held up, and others passed them");
    came.sort();
    assert_eq!(came, sent);
}

#[test]
fn messages_that_may_be_lost_do_not_hold_up_later_ones() {
    let link = Link { loss: 150, ..Link::BAD };
    for limit in [Limit::Retransmits(0), Limit::LifeTime(30)] {
        let mut pair = Pair::connected(Link::GOOD, 13, AssociationOptions::default());
        pair.set_link(link);
        let reliability = Reliability { ordered: false, limit: Some(limit) };
        for index in 0..1_000 {
            pair.sides[0].send(pair.now, 1, Ppid::Binary, &text(index), reliability).expect("room");
            pair.run(Duration::from_millis(10), |_| false);
        }
        pair.set_link(Link::GOOD);
        pair.run(MINUTE, |_| false);
        let came = pair.received[1].len();
        assert!((600..1_000).contains(&came), "{limit:?}: {came}");
        assert_eq!(pair.sides[0].buffered_amount(1), 0, "what was given up does not wait");
        assert_eq!(pair.states(), [SctpState::Connected; 2]);
    }
}

#[test]
fn a_message_of_the_largest_size_arrives_whole_and_a_larger_one_is_refused() {
    let mut pair = Pair::connected(Link::BAD, 17, AssociationOptions::default());
    let largest: Vec<u8> = (0..262_144u32).map(|at| (at % 251) as u8).collect();
    let reliable = Reliability::default();
    pair.sides[0].send(pair.now, 0, Ppid::Binary, &largest, reliable).expect("the largest");
    pair.run(MINUTE, |pair| !pair.received[1].is_empty());
    assert!(pair.received[1][0].payload == largest);
    let larger = [largest, vec![0]].concat();
    assert_eq!(
        pair.sides[0].send(pair.now, 0, Ppid::Binary, &larger, reliable),
        Err(SendError::TooLarge { len: 262_145, max: 262_144 })
    );
}

#[test]
fn a_message_beyond_what_the_receiver_allows_ends_the_association_and_nothing_else() {
    let small = AssociationOptions { max_message_size: 1_000, ..Default::default() };
    let mut pair = Pair::new(Link::GOOD, 19, [AssociationOptions::default(), small]);
    pair.run(MINUTE, |pair| pair.states() == [SctpState::Connected; 2]);
    pair.sides[0]
        .send(pair.now, 0, Ppid::Binary, &[1; 1_001], Reliability::default())
        .expect("ours allow it");
    pair.run(MINUTE, |pair| pair.states()[1] == SctpState::Closed);
    assert_eq!(pair.states()[1], SctpState::Closed);
    assert!(pair.received[1].is_empty());
}

#[test]
fn empty_messages_arrive_empty() {
    let mut pair = Pair::connected(Link::GOOD, 23, AssociationOptions::default());
    let now = pair.now;
    for ppid in [Ppid::StringEmpty, Ppid::BinaryEmpty] {
        pair.sides[0].send(now, 2, ppid, b"", Reliability::default()).expect("room");
    }
    assert_eq!(pair.sides[0].send(now, 2, Ppid::String, b"", Reliability::default()), Err(SendError::Empty));
    pair.run(MINUTE, |pair| pair.received[1].len() == 2);
    let came: Vec<_> = pair.received[1].iter().map(|message| (message.ppid, message.payload.len())).collect();
    assert_eq!(came, [(Ppid::StringEmpty, 0), (Ppid::BinaryEmpty, 0)]);
}

#[test]
fn a_full_buffer_refuses_and_tells_when_it_is_low_again() {
    let options = AssociationOptions { send_buffer_size: 20_000, ..Default::default() };
    let mut pair = Pair::connected(Link::GOOD, 29, options);
    let now = pair.now;
    pair.sides[0].set_buffered_amount_low_threshold(4, 5_000);
    let mut taken = 0;
    let refused = loop {
        match pair.sides[0].send(now, 4, Ppid::Binary, &[9; 3_000], Reliability::default()) {
            Ok(buffered) => taken = buffered,
            Err(error) => break error,
        }
    };
    assert_eq!((taken, refused), (18_000, SendError::BufferFull { buffered: 18_000 }));
    assert_eq!(
        pair.sides[0].send(now, 5, Ppid::Binary, &[9; 3_000], Reliability::default()),
        Err(SendError::BufferFull { buffered: 18_000 }),
        "the buffer is that of all streams"
    );
    pair.run(MINUTE, |pair| pair.received[1].len() == 6);
    pair.run(MINUTE, |_| false);
    let low = pair.other_events[0].iter().filter_map(|event| match event {
        AssociationEvent::BufferedAmountLow { stream, buffered } => Some((*stream, *buffered <= 5_000)),
        _ => None,
    });
    assert_eq!(low.collect::<Vec<_>>(), [(4, true)], "once");
    pair.sides[0]
        .send(pair.now, 4, Ppid::Binary, &[9; 3_000], Reliability::default())
        .expect("there is room");
}

#[test]
fn streams_beyond_those_of_the_association_are_refused() {
    let few = AssociationOptions { outgoing_streams: 4, incoming_streams: 2, ..Default::default() };
    let mut pair = Pair::connected(Link::GOOD, 31, few);
    let now = pair.now;
    let reliable = Reliability::default();
    assert_eq!(pair.sides[0].send(now, 4, Ppid::String, b"a", reliable), Err(SendError::StreamId(4)));
    pair.sides[0].send(now, 1, Ppid::String, b"a", reliable).expect("both have it");
    pair.run(MINUTE, |pair| pair.received[1].len() == 1);
    pair.sides[0].send(pair.now, 2, Ppid::String, b"a", reliable).expect("we have it");
    pair.run(MINUTE, |pair| pair.states()[1] == SctpState::Closed);
    assert_eq!(pair.states()[1], SctpState::Closed, "the remote was told that there are two");
}

#[test]
fn a_stream_that_is_reset_is_told_and_can_be_used_again() {
    let mut pair = Pair::connected(Link::BAD, 37, AssociationOptions::default());
    for round in 1..4 {
        let now = pair.now;
        pair.sides[0].send(now, 6, Ppid::String, b"a", Reliability::default()).expect("open");
        pair.run(MINUTE, |pair| pair.received[1].len() == round);
        let now = pair.now;
        pair.sides[0].reset_stream(now, 6);
        let resets = |pair: &Pair| {
            let told = pair.other_events[1].iter();
            told.filter(|event| **event == AssociationEvent::StreamReset(6)).count()
        };
        pair.run(MINUTE, |pair| resets(pair) == round);
        assert_eq!(resets(&pair), round);
        pair.run(Duration::from_secs(5), |_| false);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]
    #[test]
    fn whatever_the_link_ordered_messages_arrive_whole_and_in_order(
        seed: u64,
        loss in 0u32..200,
        jitter in 0u64..30,
        lengths in proptest::collection::vec(1usize..20_000, 1..30),
    ) {
        let mut pair = Pair::connected(Link::GOOD, seed, AssociationOptions::default());
        pair.set_link(Link { loss, delay: 20, jitter });
        let sent: Vec<Vec<u8>> = lengths.iter().map(|len| vec![(len % 256) as u8; *len]).collect();
        for message in &sent {
            while pair.sides[0].send(pair.now, 9, Ppid::Binary, message, Reliability::default()).is_err() {
                prop_assert_eq!(pair.states()[0], SctpState::Connected);
                pair.run(Duration::from_millis(50), |_| false);
            }
        }
        pair.run(20 * MINUTE, |pair| pair.received[1].len() == sent.len());
        let came: Vec<Vec<u8>> = pair.received[1].iter().map(|message| message.payload.to_vec()).collect();
        prop_assert!(came == sent);
    }
}
