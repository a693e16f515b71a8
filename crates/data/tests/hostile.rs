//! Bytes that mean harm.

mod support;

use proptest::prelude::*;
use std::time::Duration;
use support::{Link, Pair};
use tureen_data::{Association, AssociationOptions, Ppid, Reliability};
use tureen_rtp_dictionaries::SctpState;
use tureen_rtp_wire::Time;

const MINUTE: Duration = Duration::from_secs(60);

/// CRC-32C (RFC 9260 appendix A), bit by bit.
fn crc32c(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(!0, |crc, byte| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| crc >> 1 ^ if crc & 1 == 1 { 0x82f6_3b78 } else { 0 })
    })
}

/// Chunks as a packet to `tag`, with the right checksum.
fn packet(tag: u32, chunks: &[u8]) -> Vec<u8> {
    let mut bytes = vec![0x13, 0x88, 0x13, 0x88];
    bytes.extend(tag.to_be_bytes());
    bytes.extend([0; 4]);
    bytes.extend(chunks);
    let checksum = crc32c(&bytes).to_le_bytes();
    bytes[8..12].copy_from_slice(&checksum);
    bytes
}

fn init(tag: u32) -> Vec<u8> {
    let mut chunk = vec![1, 0, 0, 20];
    chunk.extend(tag.to_be_bytes());
    chunk.extend(100_000u32.to_be_bytes());
    chunk.extend([0, 10, 0, 10]);
    chunk.extend(1u32.to_be_bytes());
    packet(0, &chunk)
}

fn still_works(pair: &mut Pair) {
    let before = pair.received[1].len();
    pair.sides[0].send(pair.now, 1, Ppid::String, b"still there", Reliability::default()).expect("connected");
    pair.run(MINUTE, |pair| pair.received[1].len() > before);
    assert_eq!(pair.received[1].len(), before + 1);
}

#[test]
fn garbage_before_and_after_the_handshake_changes_nothing() {
    let mut pair = Pair::new(Link::GOOD, 1, [AssociationOptions::default(); 2]);
    let garbage: Vec<Vec<u8>> = (0..2_000usize)
        .map(|at| (0..at % 90).map(|byte| (at.wrapping_mul(2_654_435_761) >> (byte % 24)) as u8).collect())
        .collect();
    for side in 0..2 {
        for bytes in &garbage {
            pair.sides[side].handle_datagram(pair.now, bytes);
            pair.sides[side].handle_datagram(pair.now, &packet(0, bytes));
        }
    }
    pair.run(MINUTE, |pair| pair.states() == [SctpState::Connected; 2]);
    assert_eq!(pair.states(), [SctpState::Connected; 2]);
    for side in 0..2 {
        for (tag, bytes) in (1..).zip(&garbage) {
            pair.sides[side].handle_datagram(pair.now, bytes);
            pair.sides[side].handle_datagram(pair.now, &packet(tag, bytes));
        }
    }
    assert!(pair.sides[0].counters().datagrams_refused >= 4_000);
    still_works(&mut pair);
}

#[test]
fn strange_inits_do_not_disturb_an_association_that_stands() {
    let mut pair = Pair::connected(Link::GOOD, 2, AssociationOptions::default());
    for tag in 1..5_000 {
        pair.sides[1].handle_datagram(pair.now, &init(tag * 7));
        assert_eq!(pair.sides[1].poll_transmit(), None, "none is answered");
    }
    still_works(&mut pair);
}

#[test]
fn an_init_that_comes_late_does_not_end_the_association_that_it_began() {
    let waits = AssociationOptions { start_after: None, ..Default::default() };
    let mut pair = Pair::new(Link::GOOD, 4, [AssociationOptions::default(), waits]);
    let init = pair.sides[0].poll_transmit().expect("an INIT");
    pair.sides[1].handle_datagram(pair.now, &init);
    pair.run(MINUTE, |pair| pair.states() == [SctpState::Connected; 2]);
    pair.sides[1].handle_datagram(pair.now, &init);
    assert_eq!(pair.states(), [SctpState::Connected; 2]);
    still_works(&mut pair);
}

#[test]
fn an_init_that_nobody_follows_up_does_not_keep_the_remote_out() {
    let waits = AssociationOptions { start_after: None, ..Default::default() };
    let mut pair = Pair::new(Link::GOOD, 3, [AssociationOptions::default(), waits]);
    for tag in 1..100 {
        pair.sides[1].handle_datagram(pair.now, &init(tag * 7));
        assert!(pair.sides[1].poll_transmit().is_some(), "one answer to each");
        assert!(pair.sides[1].poll_transmit().is_none());
    }
    pair.run(MINUTE, |pair| pair.states() == [SctpState::Connected; 2]);
    assert_eq!(pair.states(), [SctpState::Connected; 2]);
    still_works(&mut pair);
}

#[test]
fn messages_before_the_handshake_is_over_are_not_heard() {
    let waits = AssociationOptions { start_after: None, ..Default::default() };
    let mut association = Association::new(Time::ZERO, waits).expect("good options");
    association.handle_datagram(Time::ZERO, &init(77));
    let answer = association.poll_transmit().expect("an INIT ACK");
    let tag = u32::from_be_bytes([answer[16], answer[17], answer[18], answer[19]]);
    let data = [&[0, 3, 0, 20][..], &100_000u32.to_be_bytes(), &[0, 1, 0, 0, 0, 0, 0, 51], b"text"].concat();
    association.handle_datagram(Time::ZERO, &packet(tag, &data));
    assert_eq!(association.counters().datagrams_refused, 1);
    let events: Vec<_> = std::iter::from_fn(|| association.poll_event()).collect();
    assert_eq!(events, [tureen_data::AssociationEvent::State(SctpState::Connecting)]);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn changed_packets_of_the_remote_never_panic(
        seed: u64,
        changes in proptest::collection::vec((12usize..400, any::<u8>()), 1..8),
        cut in 0usize..300,
    ) {
        let mut pair = Pair::connected(Link::GOOD, seed, AssociationOptions::default());
        for at in 0..6u8 {
            let message = vec![at; 200 + usize::from(at) * 700];
            let _ = pair.sides[0].send(pair.now, u16::from(at), Ppid::Binary, &message, Reliability::default());
        }
        // The packets of one who knows the tag, changed, with a checksum that holds.
        while let Some(datagram) = pair.sides[0].poll_transmit() {
            let mut bytes = datagram.to_vec();
            bytes.truncate(bytes.len().saturating_sub(cut).max(16));
            for (at, value) in &changes {
                let len = bytes.len();
                bytes[12 + at % (len - 12)] = *value;
            }
            bytes[8..12].fill(0);
            let checksum = crc32c(&bytes).to_le_bytes();
            bytes[8..12].copy_from_slice(&checksum);
            pair.sides[1].handle_datagram(pair.now, &bytes);
        }
        pair.run(MINUTE, |_| false);
        for message in &pair.received[1] {
            prop_assert!(message.payload.len() <= 262_144);
        }
    }

    #[test]
    fn chunks_of_any_kind_never_panic(tag in 1u32.., chunks in proptest::collection::vec(any::<u8>(), 0..200)) {
        let mut association = Association::new(Time::ZERO, AssociationOptions::default()).expect("good options");
        association.handle_datagram(Time::ZERO, &chunks);
        association.handle_datagram(Time::ZERO, &packet(tag, &chunks));
        association.handle_datagram(Time::ZERO, &packet(0, &[&[1, 0, 0, 20][..], &chunks].concat()));
        prop_assert!(association.poll_timeout() > Time::ZERO);
    }
}
