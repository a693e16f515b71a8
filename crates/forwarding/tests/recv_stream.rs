//! The behaviour of a receive stream, and its counts against a reference.

use proptest::prelude::*;
use std::collections::HashSet;
use std::time::Duration;
use tureen_forwarding::{KeyFrameRequest, PacketInfo, Received, RecvStream, RecvStreamConfig, RtxConfig};
use tureen_rtp_wire::rtcp::SenderInfo;
use tureen_rtp_wire::{NtpTime, Time};

fn config() -> RecvStreamConfig {
    RecvStreamConfig {
        ssrc: 1,
        payload_type: 96,
        clock_rate: 90_000,
        rtx: Some(RtxConfig { ssrc: 2, payload_type: 97 }),
        use_nack: true,
        use_pli: true,
        ..RecvStreamConfig::default()
    }
}

fn packet(sequence_number: u16) -> PacketInfo {
    PacketInfo { sequence_number, payload_type: 96, size: 1000, ..PacketInfo::default() }
}

fn at(millis: u64) -> Time {
    Time::from_millis(millis)
}

fn accepted(extended_sequence: u64, is_newest: bool) -> Received {
    Received::Accepted { extended_sequence, is_newest }
}

fn nacks(stream: &mut RecvStream, now: Time) -> Vec<u16> {
    let mut asked = Vec::new();
    stream.poll_nack(now, &mut |sequence_number| asked.push(sequence_number));
    asked
}

#[test]
fn a_retransmission_counts_once_and_only_if_needed() {
    let mut stream = RecvStream::new(config());
    assert_eq!(stream.on_rtx_packet(at(0), 1, &packet(10)), Received::OutOfRange);
    assert_eq!(stream.on_packet(at(0), &packet(10)), accepted(65_546, true));
    assert_eq!(stream.on_packet(at(0), &packet(12)), accepted(65_548, true));
    assert_eq!(stream.next_deadline(), at(10));
    assert_eq!(nacks(&mut stream, at(10)), [11]);
    assert_eq!(stream.on_rtx_packet(at(60), 2, &packet(11)), accepted(65_547, false));
    assert_eq!(stream.on_rtx_packet(at(61), 3, &packet(11)), Received::Duplicate);
    assert_eq!(stream.on_packet(at(62), &packet(11)), Received::Duplicate);
    assert_eq!(stream.on_rtx_packet(at(63), 4, &packet(13)), accepted(65_549, true));
    assert_eq!(stream.on_rtx_packet(at(63), 5, &packet(9)), Received::TooOld);
    assert!(nacks(&mut stream, at(500)).is_empty());
    let stats = stream.stats();
    assert_eq!((stats.packet_count, stats.byte_count), (2, 2000));
    assert_eq!((stats.packets_retransmitted, stats.packets_repaired, stats.rtx_packets_discarded), (5, 1, 3));
    assert_eq!((stats.nack_count, stats.nack_packet_count), (1, 1));
    // 10 to 13 were expected, 10 and 12 came by themselves.
    assert_eq!(stats.packets_lost, 2);
    let report = stream.rtx_report_block(at(70)).expect("the retransmission stream was heard");
    assert_eq!((report.ssrc, report.highest_sequence_number, report.cumulative_lost), (2, 5, 0));
}

#[test]
fn without_rtx_a_repair_is_a_packet_asked_for() {
    let mut stream = RecvStream::new(RecvStreamConfig { rtx: None, ..config() });
    let _ = stream.on_packet(at(0), &packet(1));
    let _ = stream.on_packet(at(0), &packet(3));
    assert_eq!(nacks(&mut stream, at(10)), [2]);
    assert_eq!(stream.on_packet(at(50), &packet(2)), accepted(65_538, false));
    let stats = stream.stats();
    assert_eq!((stats.packets_retransmitted, stats.packets_repaired, stats.packets_lost), (1, 1, 0));
}

#[test]
fn a_restarted_source_is_followed_and_owes_nothing() {
    let mut stream = RecvStream::new(config());
    let _ = stream.on_packet(at(0), &packet(1));
    let _ = stream.on_packet(at(0), &packet(5));
    assert_eq!(stream.on_packet(at(1), &packet(30_000)), Received::OutOfRange);
    assert_eq!(stream.on_packet(at(1), &packet(30_001)), Received::Resynced { extended_sequence: 95_537 });
    assert_eq!(stream.on_packet(at(1), &packet(30_001)), Received::Duplicate);
    assert_eq!(stream.on_packet(at(1), &packet(30_002)), accepted(95_538, true));
    assert!(nacks(&mut stream, at(1000)).is_empty());
    assert_eq!(stream.stats().packets_discarded, 2);
}

#[test]
fn another_payload_type_is_refused() {
    let mut stream = RecvStream::new(config());
    let other = PacketInfo { payload_type: 100, ..packet(1) };
    assert_eq!(stream.on_packet(at(0), &other), Received::WrongPayloadType);
    assert_eq!(stream.stats().packet_count, 0);
}

#[test]
fn scores_follow_the_sender_reports() {
    let mut stream = RecvStream::new(RecvStreamConfig { use_nack: false, ..config() });
    assert_eq!(stream.score(), 10);
    for sequence_number in (0..100).filter(|sequence| sequence % 5 != 3) {
        let _ = stream.on_packet(at(0), &packet(sequence_number));
    }
    // 80 of 100: (60 / 80)^4 x 10 = 3.16.
    assert!(stream.on_sender_report(at(1000), SenderInfo::default()));
    assert_eq!(stream.score(), 3);
    // Nothing expected: 10; (3 + 2 x 10) / 3 = 7.67.
    assert!(stream.on_sender_report(at(2000), SenderInfo::default()));
    assert_eq!(stream.score(), 8);
}

#[test]
fn silence_is_inactivity_until_the_next_packet() {
    let mut stream = RecvStream::new(RecvStreamConfig { check_inactivity: true, ..config() });
    assert_eq!(stream.next_deadline(), Time::NEVER);
    let _ = stream.on_packet(at(100), &packet(1));
    assert_eq!(stream.next_deadline(), at(1600));
    assert!(!stream.poll_inactivity(at(1599)));
    assert!(stream.poll_inactivity(at(1600)));
    assert!(!stream.poll_inactivity(at(1601)));
    assert_eq!((stream.score(), stream.is_inactive(), stream.next_deadline()), (0, true, Time::NEVER));
    let _ = stream.on_packet(at(1700), &packet(2));
    assert_eq!((stream.score(), stream.is_inactive()), (10, false));
    stream.pause();
    assert!(!stream.poll_inactivity(at(9000)));
    stream.resume(at(9000));
    assert_eq!(stream.next_deadline(), at(10_500));
}

#[test]
fn discontinuous_transmission_has_more_patience() {
    let mut stream = RecvStream::new(RecvStreamConfig { check_inactivity: true, use_dtx: true, ..config() });
    let _ = stream.on_packet(at(0), &packet(1));
    assert_eq!(stream.next_deadline(), at(5000));
}

#[test]
fn a_gap_too_large_to_repair_asks_for_a_key_frame() {
    let mut stream = RecvStream::new(config());
    let _ = stream.on_packet(at(0), &packet(0));
    let _ = stream.on_packet(at(0), &packet(1002));
    assert_eq!(stream.poll_key_frame_request(at(0)), Some(KeyFrameRequest::Pli));
    assert!(nacks(&mut stream, at(1000)).is_empty());
    let _ = stream.on_packet(at(1001), &PacketInfo { is_key_frame: true, ..packet(1003) });
    assert_eq!(stream.next_deadline(), Time::NEVER);
    assert_eq!(stream.stats().pli_count, 1);
}

#[test]
fn layers_have_rates_of_their_own() {
    let mut stream = RecvStream::new(RecvStreamConfig { spatial_layers: 2, temporal_layers: 3, ..config() });
    for sequence_number in 0..100 {
        let (spatial_layer, temporal_layer) = ((sequence_number % 2) as u8, 2);
        let _ =
            stream.on_packet(at(0), &PacketInfo { spatial_layer, temporal_layer, ..packet(sequence_number) });
    }
    let _ = stream.on_packet(at(0), &PacketInfo { spatial_layer: 200, temporal_layer: 7, ..packet(100) });
    assert_eq!(stream.bitrate(at(0)), 101 * 1000 * 8 * 2 / 5);
    assert_eq!(stream.layer_bitrate(at(0), 0, 2), 160_000);
    assert_eq!(stream.layer_bitrate(at(0), 1, 2), 160_000);
    assert_eq!(stream.layer_bitrate(at(0), 1, 1), 0);
    assert_eq!(stream.layer_bitrate(at(0), 200, 7), 0);
}

#[test]
fn the_round_trip_comes_from_the_sources_answer() {
    let mut stream = RecvStream::new(config());
    stream.on_dlrr(NtpTime::new(0x0000_b710, 0x8000_0000), 0, 0);
    assert_eq!(stream.rtt(), None);
    stream.on_dlrr(NtpTime::new(0x0000_b710, 0x8000_0000), 0xb705_2000, 0x0005_4000);
    assert_eq!(stream.rtt(), Some(Duration::from_millis(6125)));
}

proptest! {
    /// A source that starts anywhere and wraps, over a path that loses, doubles and reorders.
    #[test]
    fn counts_match_a_reference(
        first: u16,
        fates in prop::collection::vec((prop::bool::weighted(0.9), prop::bool::weighted(0.1), 0usize..20), 1..600),
    ) {
        let mut arrivals = Vec::new();
        for (index, &(arrives, doubled, delay)) in fates.iter().enumerate() {
            if arrives {
                arrivals.push((index + delay, index));
            }
            if arrives && doubled {
                arrivals.push((index + delay + 7, index));
            }
        }
        arrivals.sort();
        let mut stream = RecvStream::new(RecvStreamConfig { use_nack: false, rtx: None, ..config() });
        let mut seen = HashSet::new();
        let (mut duplicates, mut base, mut newest) = (0, None, 0);
        for &(_, index) in &arrivals {
            let received = stream.on_packet(at(index as u64), &packet(first.wrapping_add(index as u16)));
            let origin = *base.get_or_insert(index);
            if seen.insert(index) {
                let expected = 65_536 + u64::from(first.wrapping_add(origin as u16)) + index as u64 - origin as u64;
                prop_assert_eq!(received.extended_sequence(), Some(expected));
            } else {
                prop_assert_eq!(received, Received::Duplicate);
                duplicates += 1;
            }
            newest = newest.max(index);
        }
        let stats = stream.stats();
        prop_assert_eq!(stats.packet_count, seen.len() as u64);
        prop_assert_eq!(stats.packets_discarded, duplicates);
        let expected = base.map_or(0, |base| newest as i64 - base as i64 + 1);
        prop_assert_eq!(stats.packets_lost, expected - seen.len() as i64);
    }

    /// Whatever comes, the stream neither panics nor polls without end.
    #[test]
    fn hostile_numbers_are_harmless(
        packets in prop::collection::vec((any::<u16>(), any::<u16>(), any::<u32>(), any::<bool>(), any::<bool>(), 0u64..200), 1..200),
    ) {
        let mut stream = RecvStream::new(RecvStreamConfig { check_inactivity: true, ..config() });
        let mut now = 0;
        for (sequence_number, rtx_sequence_number, timestamp, is_key_frame, is_rtx, step) in packets {
            now += step;
            let info = PacketInfo { timestamp, is_key_frame, ..packet(sequence_number) };
            let _ = match is_rtx {
                true => stream.on_rtx_packet(at(now), rtx_sequence_number, &info),
                false => stream.on_packet(at(now), &info),
            };
            let mut polls = 0;
            while stream.next_deadline() <= at(now) {
                stream.poll_nack(at(now), &mut |_| {});
                stream.poll_key_frame_request(at(now));
                stream.poll_inactivity(at(now));
                polls += 1;
                prop_assert!(polls < 3);
            }
            let _ = stream.report_block(at(now));
        }
    }
}
