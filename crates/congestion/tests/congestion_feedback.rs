//! RFC 8888 feedback is written as the reading half takes it: every packet once, with its time and its mark.

use proptest::prelude::*;
use std::collections::BTreeMap;
use tureen_congestion::CongestionFeedbackGenerator;
use tureen_congestion::congestion_feedback::{FEEDBACK_INTERVAL, MAX_STREAMS, MAX_WAITING};
use tureen_rtp_wire::rtcp::{Arrival, Compound, PacketReport, RtcpPacket, RtcpWriter};
use tureen_rtp_wire::{Ecn, NtpTime, Time, WallClock};

/// A block: stream, first number, and what is said of each.
type Block = (u32, u16, Vec<Option<PacketReport>>);

fn poll(generator: &mut CongestionFeedbackGenerator, now: Time, room: usize) -> Vec<Vec<Block>> {
    let ntp = WallClock::new(NtpTime::new(3_900_000_000, 0)).ntp(now);
    let mut buffer = vec![0; room];
    let mut writer = RtcpWriter::new(&mut buffer);
    if !generator.poll(now, ntp, 9, &mut writer) {
        return Vec::new();
    }
    let len = writer.finish();
    let packets = Compound::parse(&buffer[..len]).unwrap().map(|packet| {
        let RtcpPacket::CongestionFeedback(feedback) = packet.unwrap() else { panic!("another packet") };
        assert_eq!((feedback.sender_ssrc(), feedback.report_timestamp()), (9, ntp.compact()));
        let blocks = feedback.streams().map(|stream| {
            let reports = stream.packets().map(|(_, report)| report).collect();
            (stream.ssrc, stream.begin_sequence_number, reports)
        });
        blocks.collect()
    });
    packets.collect()
}

fn at(millis: u64) -> Time {
    Time::from_millis(millis)
}

fn before(units: u16, ecn: Ecn) -> Option<PacketReport> {
    Some(PacketReport { ecn: ecn.bits(), arrival: Arrival::Before(units) })
}

#[test]
fn each_stream_has_a_block_with_times_marks_and_what_is_missing() {
    let mut generator = CongestionFeedbackGenerator::new();
    generator.record(at(1000), 7, 65_534, Ecn::Capable1);
    generator.record(at(1010), 8, 5, Ecn::NotCapable);
    generator.record(at(1025), 7, 0, Ecn::CongestionExperienced);
    assert_eq!(generator.next_deadline(), at(1000) + FEEDBACK_INTERVAL);
    assert!(poll(&mut generator, at(1049), 1200).is_empty());
    let told = poll(&mut generator, at(1050), 1200);
    // 50, 25 and 40 ms in units of 1/1024 s.
    let seven = vec![before(51, Ecn::Capable1), None, before(25, Ecn::CongestionExperienced)];
    assert_eq!(told, [vec![(7, 65_534, seven), (8, 5, vec![before(40, Ecn::NotCapable)])]]);
    assert_eq!(generator.next_deadline(), Time::NEVER);
}

#[test]
fn what_is_missing_between_reports_is_told_and_what_comes_late_is_told_then() {
    let mut generator = CongestionFeedbackGenerator::new();
    generator.record(at(0), 7, 10, Ecn::NotCapable);
    poll(&mut generator, at(50), 1200);
    generator.record(at(60), 7, 13, Ecn::NotCapable);
    let told = poll(&mut generator, at(110), 1200);
    assert_eq!(told, [vec![(7, 11, vec![None, None, before(51, Ecn::NotCapable)])]]);
    generator.record(at(120), 7, 12, Ecn::NotCapable);
    generator.record(at(120), 7, 14, Ecn::NotCapable);
    let told = poll(&mut generator, at(170), 1200);
    let one = || vec![before(51, Ecn::NotCapable)];
    assert_eq!(told, [vec![(7, 12, one())], vec![(7, 14, one())]], "13 is not called missing");
}

#[test]
fn of_duplicates_the_first_time_and_any_mark_are_told() {
    let mut generator = CongestionFeedbackGenerator::new();
    generator.record(at(0), 7, 10, Ecn::Capable1);
    generator.record(at(25), 7, 10, Ecn::CongestionExperienced);
    let told = poll(&mut generator, at(50), 1200);
    assert_eq!(told, [vec![(7, 10, vec![before(51, Ecn::CongestionExperienced)])]]);
}

#[test]
fn many_packets_are_told_of_at_once_and_what_does_not_fit_afterwards() {
    let mut generator = CongestionFeedbackGenerator::new();
    for number in 0..MAX_WAITING as u16 {
        generator.record(at(5), 7, number, Ecn::NotCapable);
    }
    assert_eq!(generator.next_deadline(), at(5));
    let first = poll(&mut generator, at(5), 220);
    assert_eq!(first, [vec![(7, 0, vec![before(0, Ecn::NotCapable); 100])]]);
    assert_eq!(generator.next_deadline(), at(5), "there is more");
    assert!(poll(&mut generator, at(5), 20).is_empty(), "no room");
    let rest = poll(&mut generator, at(5), 1200);
    assert_eq!(rest, [vec![(7, 100, vec![before(0, Ecn::NotCapable); MAX_WAITING - 100])]]);
}

#[test]
fn a_path_that_takes_no_feedback_makes_nothing_missing() {
    let mut generator = CongestionFeedbackGenerator::new();
    for number in 0..2000_u16 {
        generator.record(at(5), 7, number, Ecn::NotCapable);
    }
    let told = poll(&mut generator, at(60), 1_500);
    let reports: Vec<_> = told.iter().flatten().flat_map(|(_, _, reports)| reports).collect();
    assert!(!reports.is_empty() && reports.iter().all(|report| report.is_some()));
}

#[test]
fn more_streams_than_are_told_apart_drive_out_the_oldest() {
    let mut generator = CongestionFeedbackGenerator::new();
    for ssrc in 0..MAX_STREAMS as u32 + 3 {
        generator.record(at(u64::from(ssrc)), ssrc, 1, Ecn::NotCapable);
    }
    let told = poll(&mut generator, at(200), 1_500);
    let ssrcs: Vec<_> = told.iter().flatten().map(|(ssrc, ..)| *ssrc).collect();
    assert_eq!(ssrcs, (3..MAX_STREAMS as u32 + 3).collect::<Vec<_>>());
}

proptest! {
    /// Whatever comes in whatever order: each packet is told as arrived once, and none as missing after that.
    #[test]
    fn every_packet_is_told_of_once(
        packets in prop::collection::vec((0_u32..3, 0_u16..400, 0_u64..40), 1..400),
        room in 60_usize..1500,
    ) {
        let mut generator = CongestionFeedbackGenerator::new();
        let mut told: BTreeMap<(u32, u16), bool> = BTreeMap::new();
        let mut recorded = BTreeMap::new();
        let mut now = 1000;
        for (ssrc, number, passed) in packets {
            now += passed;
            if recorded.insert((ssrc, number), ()).is_none() {
                generator.record(at(now), ssrc, number, Ecn::NotCapable);
            }
            while generator.next_deadline() <= at(now) {
                let reports = poll(&mut generator, at(now), room);
                prop_assert!(!reports.is_empty());
                for (ssrc, begin, reports) in reports.into_iter().flatten() {
                    for (number, report) in (begin..).zip(reports) {
                        let before = told.insert((ssrc, number), report.is_some());
                        prop_assert_ne!(before, Some(true), "{} of {} is told of again", number, ssrc);
                    }
                }
            }
        }
    }
}
