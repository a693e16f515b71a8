//! What a remote is told of its path: which packets arrived when, or a bitrate.

mod support;

use support::{Bench, congestion_parameters, packet, packet_with, vp8_parameters, vp8_with};
use tureen_media_model::{GetProducerStats, GetTransportStats, PauseProducer, SetMaxIncomingBitrate};
use tureen_rtp_dictionaries::MediaKind;
use tureen_rtp_wire::rtcp::{Compound, RtcpPacket};
use tureen_rtp_wire::rtp::{RtpHeader, RtpPacket};
use tureen_rtp_wire::{NtpTime, Time, WallClock};

const ABS_SEND_TIME: u8 = 3;
const TRANSPORT_WIDE: u8 = 4;

/// One feedback packet: its source, count, and what it says of each sequence number, with arrivals in milliseconds.
type Told = (u32, u8, Vec<(u16, Option<u64>)>);

fn transport_feedback(compounds: &[Vec<u8>]) -> Vec<Told> {
    let packets = compounds.iter().flat_map(|bytes| Compound::parse(bytes).unwrap());
    let told = packets.filter_map(|packet| match packet.unwrap() {
        RtcpPacket::TransportFeedback(feedback) => {
            let mut ticks = i64::from(feedback.reference_time()) * 256;
            let statuses = feedback.packets().map(|status| {
                let arrival = status.delta.map(|delta| {
                    ticks += i64::from(delta);
                    ticks as u64 / 4
                });
                (status.sequence_number, arrival)
            });
            Some((feedback.media_ssrc(), feedback.feedback_count(), statuses.collect()))
        }
        _ => None,
    });
    told.collect()
}

fn bitrates(compounds: &[Vec<u8>]) -> Vec<u64> {
    let packets = compounds.iter().flat_map(|bytes| Compound::parse(bytes).unwrap());
    let told = packets.filter_map(|packet| match packet.unwrap() {
        RtcpPacket::Remb(remb) => {
            assert_eq!(remb.ssrcs().collect::<Vec<_>>(), [1000]);
            Some(remb.bitrate())
        }
        _ => None,
    });
    told.collect()
}

/// A packet with a transport-wide sequence number.
fn numbered(ssrc: u32, sequence_number: u16, wide: u16) -> Vec<u8> {
    let extensions: &[(u8, &[u8])] = &[(TRANSPORT_WIDE, &wide.to_be_bytes())];
    vp8_with(ssrc, sequence_number, 3000, sequence_number == 1, extensions)
}

#[test]
fn arrivals_are_told_after_a_tenth_of_a_second_and_once() {
    let mut bench = Bench::new();
    let source = bench.transport(1);
    bench.produce(source, MediaKind::Video, congestion_parameters(1000, &["transport-cc", "goog-remb"]));
    bench.receive(1, &numbered(1000, 1, 65_535));
    bench.pass(5);
    bench.receive(1, &numbered(1000, 2, 0));
    bench.receive(1, &numbered(1000, 3, 2));
    bench.pass(94);
    assert_eq!(transport_feedback(&bench.sent_to(1).1), []);
    bench.pass(1);
    let told = transport_feedback(&bench.sent_to(1).1);
    let statuses = vec![(65_535, Some(1000)), (0, Some(1005)), (1, None), (2, Some(1005))];
    assert_eq!(told, [(1000, 0, statuses)]);
    bench.pass(3000);
    let (_, compounds) = bench.sent_to(1);
    assert_eq!(transport_feedback(&compounds), [], "nothing waits");
    assert!(bitrates(&compounds).is_empty(), "the remote estimates");
    let stats = bench.ask(GetTransportStats { id: source }).unwrap();
    assert_eq!(stats.available_incoming_bitrate, None);
}

#[test]
fn every_packet_of_the_transport_is_told_of() {
    let mut bench = Bench::new();
    let source = bench.transport(1);
    let producer = bench.produce(source, MediaKind::Video, congestion_parameters(1000, &["transport-cc"]));
    bench.receive(1, &numbered(1000, 1, 10));
    bench.ask(PauseProducer { id: producer.id }).unwrap();
    bench.receive(1, &numbered(1000, 2, 11));
    // A retransmission, one that carries nothing, and a stream that nobody knows.
    let header =
        RtpHeader { marker: false, payload_type: 97, sequence_number: 5, timestamp: 3000, ssrc: 1001 };
    bench.receive(1, &packet_with(&header, &[(TRANSPORT_WIDE, &[0, 12])], &[0, 2, 0x10, 0]));
    let header = RtpHeader { sequence_number: 6, ..header };
    bench.receive(1, &packet_with(&header, &[(TRANSPORT_WIDE, &[0, 13])], &[]));
    bench.receive(1, &numbered(77, 1, 14));
    bench.pass(100);
    let told = transport_feedback(&bench.sent_to(1).1);
    let statuses: Vec<_> = (10..=14).map(|number| (number, Some(1000))).collect();
    assert_eq!(told, [(77, 0, statuses)]);
    assert_eq!(bench.core.counters().unknown_stream, 1);
}

#[test]
fn many_packets_are_told_of_at_once() {
    let mut bench = Bench::new();
    let source = bench.transport(1);
    bench.produce(source, MediaKind::Video, congestion_parameters(1000, &["transport-cc"]));
    for number in 0..300 {
        bench.receive(1, &numbered(1000, number + 1, number));
    }
    let told = transport_feedback(&bench.sent_to(1).1);
    assert_eq!(told.iter().map(|(.., statuses)| statuses.len()).collect::<Vec<_>>(), [256]);
}

#[test]
fn without_the_codecs_word_nothing_is_told() {
    let mut bench = Bench::new();
    let source = bench.transport(1);
    bench.produce(source, MediaKind::Video, congestion_parameters(1000, &[]));
    bench.receive(1, &numbered(1000, 1, 10));
    bench.pass(1000);
    let (_, compounds) = bench.sent_to(1);
    assert_eq!((transport_feedback(&compounds), bitrates(&compounds)), (vec![], vec![]));
}

#[test]
fn a_limit_is_told_beside_transport_wide_feedback() {
    let mut bench = Bench::new();
    let source = bench.transport(1);
    bench.produce(source, MediaKind::Video, congestion_parameters(1000, &["transport-cc"]));
    bench.ask(SetMaxIncomingBitrate { id: source, bitrate: 400_000 }).unwrap();
    bench.receive(1, &numbered(1000, 1, 10));
    bench.pass(600);
    let (_, compounds) = bench.sent_to(1);
    assert_eq!(transport_feedback(&compounds).len(), 1);
    assert_eq!(bitrates(&compounds), [400_000]);
}

#[test]
fn a_new_limit_is_told_at_once() {
    for feedback in [&["transport-cc"][..], &["goog-remb"], &["goog-remb", "transport-cc"], &[]] {
        let mut bench = Bench::new();
        let source = bench.transport(1);
        bench.produce(source, MediaKind::Video, congestion_parameters(1000, feedback));
        bench.receive(1, &numbered(1000, 1, 10));
        bench.pass(700);
        bench.sent_to(1);
        bench.ask(SetMaxIncomingBitrate { id: source, bitrate: 400_000 }).unwrap();
        assert_eq!(bitrates(&bench.sent_to(1).1), [400_000], "{feedback:?}");
        bench.ask(SetMaxIncomingBitrate { id: source, bitrate: 300_000 }).unwrap();
        let told = bitrates(&bench.sent_to(1).1);
        assert!(told.iter().all(|it| (299_990..=300_000).contains(it)) && !told.is_empty(), "{told:?}");
    }
}

#[test]
fn padding_that_probes_is_told_of_counted_and_closed_up() {
    let mut bench = Bench::new();
    let (source, target) = (bench.transport(1), bench.transport(2));
    let producer = bench.produce(source, MediaKind::Video, congestion_parameters(1000, &["transport-cc"]));
    bench.consume(target, producer.id);
    bench.receive(1, &numbered(1000, 1, 1));
    for number in [2u16, 3] {
        let header = RtpHeader {
            marker: false,
            payload_type: 96,
            sequence_number: number,
            timestamp: 3000,
            ssrc: 1000,
        };
        let [high, low] = number.to_be_bytes();
        let mut bytes = packet_with(&header, &[(TRANSPORT_WIDE, &[high, low])], &[0; 224]);
        // All of it is padding (RFC 3550 section 5.1).
        bytes[0] |= 0x20;
        *bytes.last_mut().unwrap() = 224;
        assert!(RtpPacket::parse(&bytes).unwrap().payload().is_empty());
        bench.receive(1, &bytes);
    }
    bench.receive(1, &numbered(1000, 4, 4));
    let (sent, _) = bench.sent_to(2);
    let numbers: Vec<_> =
        sent.iter().map(|bytes| RtpPacket::parse(bytes).unwrap().sequence_number()).collect();
    assert_eq!(numbers, [numbers[0], numbers[0].wrapping_add(1)]);
    bench.pass(100);
    let (_, compounds) = bench.sent_to(1);
    let statuses: Vec<_> = (1..=4).map(|number| (number, Some(1000))).collect();
    assert_eq!(transport_feedback(&compounds), [(1000, 0, statuses)]);
    let asked = compounds.iter().flat_map(|bytes| Compound::parse(bytes).unwrap());
    assert_eq!(asked.filter(|packet| matches!(packet, Ok(RtcpPacket::Nack(_)))).count(), 0);
    let stats = bench.ask(GetProducerStats { id: producer.id }).unwrap();
    assert_eq!((stats[0].packet_count, stats[0].stream.packets_lost), (4, 0));
}

/// Sends packets of 1000 bytes, one every 10 ms: some 800 kbit/s.
fn send_for(bench: &mut Bench, millis: u64, next: &mut u16) {
    let clock = WallClock::new(NtpTime::new(3_900_000_000, 0));
    for _ in 0..millis / 10 {
        let [_, a, b, c] = clock.abs_send_time(bench.now).to_be_bytes();
        let mut payload = vec![0x90, 0x80, 0x80, 1, 0x10, 2, 0, 0x9d, 1, 0x2a, 0x40, 1, 0xf0, 0];
        payload.resize(980, 0);
        let header =
            RtpHeader { marker: true, payload_type: 96, sequence_number: *next, timestamp: 3000, ssrc: 1000 };
        bench.receive(1, &packet_with(&header, &[(ABS_SEND_TIME, &[a, b, c])], &payload));
        *next += 1;
        bench.pass(10);
    }
}

#[test]
fn a_remote_that_reads_remb_only_is_told_an_estimate_up_to_the_limit() {
    let mut bench = Bench::new();
    let source = bench.transport(1);
    bench.produce(source, MediaKind::Video, congestion_parameters(1000, &["goog-remb"]));
    let mut next = 1;
    send_for(&mut bench, 3000, &mut next);
    let told = bitrates(&bench.sent_to(1).1);
    assert!((10..=15).contains(&told.len()), "{told:?}");
    assert!(told.iter().all(|bitrate| (800_000..1_400_000).contains(bitrate)), "{told:?}");
    let stats = bench.ask(GetTransportStats { id: source }).unwrap();
    assert!(stats.available_incoming_bitrate.is_some_and(|bitrate| bitrate > 800_000));

    bench.ask(SetMaxIncomingBitrate { id: source, bitrate: 500_000 }).unwrap();
    send_for(&mut bench, 2000, &mut next);
    let told = bitrates(&bench.sent_to(1).1);
    // REMB has 18 bits of mantissa.
    assert!(
        told.len() >= 8 && told.iter().all(|&bitrate| (499_990..=500_000).contains(&bitrate)),
        "{told:?}"
    );

    bench.ask(SetMaxIncomingBitrate { id: source, bitrate: 0 }).unwrap();
    send_for(&mut bench, 8000, &mut next);
    let told = bitrates(&bench.sent_to(1).1);
    assert!(told.iter().all(|bitrate| (800_000..1_400_000).contains(bitrate)), "no lift beyond: {told:?}");

    // All lifts are told by now. At most the message that the last packet asked for is still to come.
    bench.pass(10_000);
    assert!(bitrates(&bench.sent_to(1).1).len() <= 1, "silence tells nothing new");
}

#[test]
fn transport_wide_feedback_takes_over_from_an_estimate() {
    let mut bench = Bench::new();
    let source = bench.transport(1);
    bench.produce(source, MediaKind::Video, congestion_parameters(1000, &["goog-remb"]));
    let mut other = congestion_parameters(2000, &["transport-cc"]);
    other.mid = Some("w".to_owned());
    bench.produce(source, MediaKind::Video, other);
    bench.receive(1, &numbered(1000, 1, 10));
    bench.pass(100);
    assert_eq!(transport_feedback(&bench.sent_to(1).1).len(), 1);
}

#[test]
fn a_path_that_takes_no_feedback_is_not_tried_by_the_clock() {
    let mut bench = Bench::new();
    let source = bench.transport(1);
    bench.produce(source, MediaKind::Video, congestion_parameters(1000, &["transport-cc"]));
    bench.out.full = true;
    bench.receive(1, &numbered(1000, 1, 10));
    bench.pass(100);
    let next = bench.core.poll_timeout().map(|(at, _)| at);
    assert!(next > Some(bench.now), "{next:?}");
    bench.out.full = false;
    bench.pass(1000);
    bench.receive(1, &numbered(1000, 2, 11));
    let told = transport_feedback(&bench.sent_to(1).1);
    assert_eq!(told, [(1000, 0, vec![(10, Some(1000)), (11, Some(2100))])]);
    assert_eq!(bench.now, Time::from_millis(2100));
}

#[test]
fn streams_beyond_one_receiver_report_have_another() {
    let mut bench = Bench::new();
    let source = bench.transport(1);
    for at in 0..40u32 {
        let mut parameters = vp8_parameters(1000 + at * 10);
        parameters.mid = Some(at.to_string());
        bench.produce(source, MediaKind::Video, parameters);
        let header = RtpHeader {
            marker: true,
            payload_type: 96,
            sequence_number: 1,
            timestamp: 0,
            ssrc: 1000 + at * 10,
        };
        bench.receive(1, &packet(&header, &[0x10, 2, 0, 0x9d, 1, 0x2a, 0x40, 1, 0xf0, 0]));
    }
    bench.sent_to(1);
    bench.pass(600);
    let (_, compounds) = bench.sent_to(1);
    let packets = compounds.iter().flat_map(|bytes| Compound::parse(bytes).unwrap());
    let reported: Vec<u32> = packets
        .filter_map(|packet| match packet.unwrap() {
            RtcpPacket::ReceiverReport(report) => {
                Some(report.report_blocks().map(|block| block.ssrc).collect::<Vec<_>>())
            }
            _ => None,
        })
        .flatten()
        .collect();
    assert_eq!(reported, (0..40).map(|at| 1000 + at * 10).collect::<Vec<_>>());
}
