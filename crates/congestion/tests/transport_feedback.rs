//! What feedback says is what was recorded, to ourselves and to an independent reader.

use bytes::Bytes;
use proptest::prelude::*;
use rtcp::transport_feedbacks::transport_layer_cc::TransportLayerCc;
use std::collections::BTreeMap;
use tureen_congestion::TransportFeedbackGenerator;
use tureen_congestion::transport_feedback::{FEEDBACK_INTERVAL, MAX_WAITING, MIN_ROOM, WINDOW};
use tureen_rtp_wire::Time;
use tureen_rtp_wire::rtcp::{Compound, RtcpPacket, RtcpWriter};

const MILLI: u64 = 1_000_000;
/// The reference time wraps here, in milliseconds.
const WRAP: u64 = 64 << 24;

/// One feedback packet: its count, and what it says of each sequence number. Arrivals in units of 250 µs, modulo 2^32.
#[derive(Debug, PartialEq)]
struct Told {
    count: u8,
    packets: Vec<(u16, Option<u32>)>,
}

impl Told {
    fn received(&self) -> impl Iterator<Item = (u16, u32)> {
        self.packets.iter().filter_map(|&(sequence_number, ticks)| Some((sequence_number, ticks?)))
    }
}

fn ours(bytes: &[u8]) -> Vec<Told> {
    let packets = Compound::parse(bytes).expect("a compound");
    let told = packets.map(|packet| {
        let Ok(RtcpPacket::TransportFeedback(feedback)) = packet else { panic!("{packet:?}") };
        assert_eq!((feedback.sender_ssrc(), feedback.media_ssrc()), (1, 2));
        let mut ticks = (feedback.reference_time() << 8).cast_unsigned();
        let statuses: Vec<_> = feedback.packets().collect();
        assert_eq!(statuses.len(), usize::from(feedback.status_count()));
        let packets = statuses.iter().map(|status| {
            let arrival = status.delta.map(|delta| {
                ticks = ticks.wrapping_add_signed(i32::from(delta));
                ticks
            });
            (status.sequence_number, arrival)
        });
        Told { count: feedback.feedback_count(), packets: packets.collect() }
    });
    told.collect()
}

/// The arrivals as the `rtcp` package reads them; it leaves symbols in chunks, so the ones that came are compared.
fn theirs(bytes: &[u8]) -> Vec<(u8, u16, u16, Vec<u32>)> {
    let packets = rtcp::packet::unmarshal(&mut Bytes::copy_from_slice(bytes)).expect("it parses");
    let told = packets.iter().map(|packet| {
        let feedback = packet.as_any().downcast_ref::<TransportLayerCc>().expect("transport-wide feedback");
        let mut ticks = feedback.reference_time << 8;
        let arrivals = feedback.recv_deltas.iter().map(|delta| {
            ticks = ticks.wrapping_add_signed((delta.delta / 250) as i32);
            ticks
        });
        let arrivals = arrivals.collect();
        (feedback.fb_pkt_count, feedback.base_sequence_number, feedback.packet_status_count, arrivals)
    });
    told.collect()
}

/// Polls with compounds of `room` octets until nothing is due.
fn poll(generator: &mut TransportFeedbackGenerator, now: Time, room: usize) -> Vec<Told> {
    let mut all = Vec::new();
    while generator.next_deadline() <= now {
        let mut buffer = vec![0; room];
        let mut writer = RtcpWriter::new(&mut buffer);
        if !generator.poll(now, 1, 2, &mut writer) {
            assert!(generator.next_deadline() > now, "what is due has room");
            break;
        }
        let len = writer.finish();
        let told = ours(&buffer[..len]);
        let seen = told.iter().map(|told| {
            let arrivals = told.received().map(|(_, ticks)| ticks).collect();
            (told.count, told.packets[0].0, told.packets.len() as u16, arrivals)
        });
        assert_eq!(theirs(&buffer[..len]), seen.collect::<Vec<_>>());
        all.extend(told);
    }
    all
}

fn ticks(nanos: u64) -> u32 {
    (nanos / 250_000) as u32
}

fn simple(arrivals: &[(u64, u16)]) -> Vec<(u16, Option<u64>)> {
    let mut generator = TransportFeedbackGenerator::new();
    for &(millis, sequence_number) in arrivals {
        generator.record(Time::from_millis(millis), sequence_number);
    }
    let due = generator.next_deadline();
    let told = poll(&mut generator, due, 1200);
    let packets = told.into_iter().flat_map(|told| told.packets);
    packets.map(|(number, ticks)| (number, ticks.map(|ticks| u64::from(ticks) / 4))).collect()
}

#[test]
fn nothing_is_due_before_the_interval_and_nothing_after_it_was_told() {
    let mut generator = TransportFeedbackGenerator::new();
    assert_eq!(generator.next_deadline(), Time::NEVER);
    generator.record(Time::from_millis(1000), 1);
    let due = Time::from_millis(1000) + FEEDBACK_INTERVAL;
    assert_eq!(generator.next_deadline(), due);
    let mut buffer = [0; 100];
    assert!(!generator.poll(Time::from_millis(1099), 1, 2, &mut RtcpWriter::new(&mut buffer)));
    assert_eq!(poll(&mut generator, due, 1200).len(), 1);
    assert_eq!(generator.next_deadline(), Time::NEVER);
    generator.record(due, 1);
    assert_eq!(generator.next_deadline(), Time::NEVER, "a duplicate is not told again");
}

#[test]
fn many_packets_are_told_at_once() {
    let mut generator = TransportFeedbackGenerator::new();
    for number in 0..MAX_WAITING as u16 {
        generator.record(Time::from_millis(5000), number);
    }
    assert_eq!(generator.next_deadline(), Time::from_millis(5000));
    let told = poll(&mut generator, Time::from_millis(5000), 1200);
    assert_eq!(told.len(), 1);
    assert_eq!(told[0].received().count(), MAX_WAITING as usize);
}

#[test]
fn missing_packets_are_told_with_the_next_that_comes_and_late_ones_alone() {
    assert_eq!(
        simple(&[(10, 5), (20, 8), (15, 7)]),
        [(5, Some(10)), (6, None), (7, Some(15)), (8, Some(20))]
    );
    let mut generator = TransportFeedbackGenerator::new();
    for number in [5, 8] {
        generator.record(Time::from_millis(10), number);
    }
    assert_eq!(poll(&mut generator, Time::from_millis(110), 1200)[0].packets.len(), 4);
    for number in [6, 9, 7, 8] {
        generator.record(Time::from_millis(120), number);
    }
    let told = poll(&mut generator, Time::from_millis(220), 1200);
    let came = Some(ticks(120 * MILLI));
    assert_eq!(told[0].packets, [(6, came), (7, came)]);
    assert_eq!(told[1].packets, [(9, came)]);
    assert_eq!((told[0].count, told[1].count), (1, 2));
}

#[test]
fn what_is_missing_between_two_reports_is_told_by_the_second() {
    let mut generator = TransportFeedbackGenerator::new();
    generator.record(Time::from_millis(0), 65_534);
    poll(&mut generator, Time::from_millis(100), 1200);
    generator.record(Time::from_millis(100), 1);
    let told = poll(&mut generator, Time::from_millis(200), 1200);
    assert_eq!(told[0].packets, [(65_535, None), (0, None), (1, Some(400))]);
}

#[test]
fn a_delta_that_does_not_fit_begins_a_new_packet() {
    let mut generator = TransportFeedbackGenerator::new();
    for (millis, number) in [(0, 1), (8_191, 2), (16_384, 3), (8_193, 4), (0, 5)] {
        generator.record(Time::from_millis(millis), number);
    }
    let told = poll(&mut generator, Time::from_millis(20_000), 1200);
    let packets: Vec<usize> = told.iter().map(|told| told.packets.len()).collect();
    // 8191 ms are 32764 units, which fit in both directions; 8193 ms are 32772.
    assert_eq!(packets, [2, 2, 1]);
}

#[test]
fn the_count_and_the_reference_time_wrap() {
    let mut generator = TransportFeedbackGenerator::new();
    let mut counts = Vec::new();
    for number in 0..300u16 {
        let now = Time::from_millis(WRAP - 15_000 + u64::from(number) * 100);
        generator.record(now, number);
        let told = poll(&mut generator, now + FEEDBACK_INTERVAL, 1200);
        assert_eq!(told[0].packets, [(number, Some(ticks(now.as_nanos())))]);
        counts.push(told[0].count);
    }
    assert_eq!((counts[0], counts[255], counts[256]), (0, 255, 0));
}

#[test]
fn a_sender_that_restarts_elsewhere_is_followed_from_its_second_packet_on() {
    let told = simple(&[(1, 50_000), (2, 20_000), (3, 20_001), (4, 20_003)]);
    assert_eq!(told, [(20_001, Some(3)), (20_002, None), (20_003, Some(4))]);
    let told = simple(&[(1, 50_000), (2, 60_000), (3, 60_001)]);
    assert_eq!(told, [(60_000, Some(2)), (60_001, Some(3))], "a jump forward is followed at once");
    let told = simple(&[(1, 50_000), (2, 20_000), (3, 50_001), (4, 20_001)]);
    assert_eq!(told, [(50_000, Some(1)), (50_001, Some(3))], "one stray packet is not a restart");
}

#[test]
fn what_waits_beyond_one_compound_stays_due() {
    let mut generator = TransportFeedbackGenerator::new();
    for number in 0..2000u16 {
        generator.record(Time::from_millis(1 + u64::from(number) * 70), number);
    }
    let now = Time::from_millis(200_000);
    let told = poll(&mut generator, now, MIN_ROOM);
    assert!(told.len() > 5);
    assert_eq!(told.iter().flat_map(Told::received).count(), 2000);
    let mut generator = TransportFeedbackGenerator::new();
    generator.record(Time::ZERO, 1);
    let mut tiny = [0; 20];
    assert!(!generator.poll(now, 1, 2, &mut RtcpWriter::new(&mut tiny)));
    assert!(generator.next_deadline() <= now);
}

proptest! {
    /// A sender whose packets are lost, reordered and duplicated.
    #[test]
    fn every_packet_is_told_once_with_its_arrival(
        first: u16,
        start in prop_oneof![Just(0), Just(WRAP - 100), 0..WRAP],
        steps in prop::collection::vec((0u64..20_000_000, 0u8..10, 0usize..40), 1..1500),
        room in MIN_ROOM..1400,
    ) {
        let mut numbers: Vec<u64> = (0..steps.len() as u64).collect();
        for (at, &(_, _, distance)) in steps.iter().enumerate() {
            if distance < 10 && at + distance < numbers.len() {
                numbers.swap(at, at + distance);
            }
        }
        let mut generator = TransportFeedbackGenerator::new();
        let mut nanos = start * MILLI;
        let mut recorded = BTreeMap::new();
        let mut told = Vec::new();
        for (&(passed, fate, _), &number) in steps.iter().zip(&numbers) {
            nanos += passed;
            let due = generator.next_deadline();
            if due.as_nanos() <= nanos {
                told.extend(poll(&mut generator, due, room));
            }
            if fate > 0 {
                let number = first.wrapping_add(number as u16);
                generator.record(Time::from_nanos(nanos), number);
                recorded.entry(number).or_insert(ticks(nanos));
            }
            if fate == 1 {
                generator.record(Time::from_nanos(nanos + 1000), first.wrapping_add(number as u16));
            }
        }
        let due = generator.next_deadline();
        if due != Time::NEVER {
            told.extend(poll(&mut generator, due, room));
        }
        for (index, told) in told.iter().enumerate() {
            prop_assert_eq!(usize::from(told.count), index % 256);
        }
        let mut received = BTreeMap::new();
        for (number, ticks) in told.iter().flat_map(Told::received) {
            prop_assert!(received.insert(number, ticks).is_none(), "{} is told twice", number);
        }
        prop_assert_eq!(received, recorded);
    }

    #[test]
    fn anything_may_come(
        packets in prop::collection::vec((0u64..3_000_000_000, any::<u16>(), 0u16..4), 1..3000),
        room in 0usize..1400,
    ) {
        let mut generator = TransportFeedbackGenerator::new();
        let mut nanos = 0;
        let (mut recorded, mut told) = (0, 0);
        for (passed, number, run) in packets {
            nanos += passed;
            for step in 0..=run {
                generator.record(Time::from_nanos(nanos), number.wrapping_add(step));
                recorded += 1;
            }
            let mut buffer = vec![0; room];
            let mut writer = RtcpWriter::new(&mut buffer);
            generator.poll(Time::from_nanos(nanos), 1, 2, &mut writer);
            let len = writer.finish();
            if len > 0 {
                let packets = ours(&buffer[..len]);
                prop_assert!(packets.iter().all(|told| told.packets.len() <= usize::from(WINDOW)));
                told += packets.iter().flat_map(Told::received).count();
            }
        }
        prop_assert!(told <= recorded);
    }
}
