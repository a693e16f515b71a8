//! Feedback on streams (RFC 8888): what a viewer's says of its path, and what a publisher is told.

mod support;

use proptest::prelude::*;
use support::call::{Call, Telling};
use support::{Bench, vp8, vp8_parameters};
use tureen_media_model::SwitchCause;
use tureen_rtp_dictionaries::{MediaKind, RtcpFeedback, RtpParameters};
use tureen_rtp_wire::Ecn;
use tureen_rtp_wire::rtcp::{Arrival, Compound, PacketReport, RtcpPacket, RtcpWriter};
use tureen_rtp_wire::rtp::RtpPacket;

/// Hands in a compound of the viewer that `write` adds feedback to.
fn report(call: &mut Call, write: impl FnOnce(&mut RtcpWriter<'_>)) {
    let mut buffer = [0; 1500];
    let mut writer = RtcpWriter::new(&mut buffer);
    writer.receiver_report(9, &[]).unwrap();
    write(&mut writer);
    let len = writer.finish();
    call.bench.receive(2, &buffer[..len]);
}

fn arrived(units: u16) -> Option<PacketReport> {
    Some(PacketReport { ecn: 0, arrival: Arrival::Before(units) })
}

#[test]
fn a_viewer_gets_what_its_path_carries_by_feedback_on_streams() {
    let mut call = Call::new(5_000_000, Telling::ByStream);
    assert!(call.consumer.rtp_parameters.codecs[0].rtcp_feedback.contains(&RtcpFeedback::ACK_CCFB));
    let start = call.layers(8, 500);
    assert_eq!(start.last(), Some(&Some(2)), "{start:?}");

    call.run(11_000);
    call.link.capacity = 400_000;
    let fall = call.layers(4, 500);
    assert_eq!(fall.last(), Some(&Some(0)), "{fall:?}");
    call.run(500);
    let queue = call.link.queue_millis(call.bench.now);
    assert!(queue < 50, "{queue} ms wait in front of the bottleneck");
    assert_eq!(call.explain().switches[0].cause, SwitchCause::Bandwidth);
    let path = call.explain().path.unwrap();
    assert!((150_000..=450_000).contains(&path.available_bitrate), "{path:?}");
    assert!((39.0..120.0).contains(&path.round_trip_time), "{path:?}");

    call.link.capacity = 5_000_000;
    let rise = call.layers(10, 500);
    assert_eq!(rise.last(), Some(&Some(2)), "{rise:?}");
    // What was given up while it waited was numbered and never sent, which the viewer tells of.
    let counters = call.bench.core.counters();
    assert!(counters.unwanted_feedback == 0 && counters.unknown_reported < 50, "{counters:?}");
}

#[test]
fn packets_reported_by_stream_carry_no_transport_wide_number() {
    let mut call = Call::new(5_000_000, Telling::ByStream);
    call.frame(0, true);
    let (sent, _) = call.bench.sent_to(2);
    assert!(!sent.is_empty());
    for bytes in sent {
        assert_eq!(RtpPacket::parse(&bytes).unwrap().extension(5), None);
    }
}

#[test]
fn marks_of_queues_count_without_any_loss_or_delay() {
    let layer = |marks_from| {
        let mut call = Call::new(5_000_000, Telling::ByStream);
        call.run(4000);
        assert_eq!(call.layer(), Some(2));
        call.link.marks_from = marks_from;
        call.run(4000);
        assert_eq!(call.link.lost, 0);
        call.layer()
    };
    assert_eq!(layer(None), Some(2));
    let marked = layer(Some(0));
    assert!(marked < Some(2), "{marked:?}");
}

#[test]
fn packets_can_be_marked_as_long_as_the_viewer_tells_of_marks() {
    let mut call = Call::new(5_000_000, Telling::ByStream);
    call.run(3000);
    let marks = std::mem::take(&mut call.bench.out.marks);
    assert!(marks.len() > 300 && marks.iter().all(|mark| *mark == Ecn::Capable1));
    let (sent, _) = call.bench.sent_to(2);
    assert!(sent.is_empty());

    // The same where marks are lost on the way.
    let mut call = Call::new(5_000_000, Telling::ByStream);
    call.link.loses_marks = true;
    call.run(3000);
    assert_eq!(call.bench.out.marks[0], Ecn::Capable1);
    assert_eq!(call.bench.out.marks.last(), Some(&Ecn::NotCapable));
}

#[test]
fn nothing_is_marked_for_a_viewer_who_cannot_tell() {
    for telling in [Telling::Reports, Telling::Nothing] {
        let mut call = Call::new(5_000_000, telling);
        call.run(2500);
        assert_eq!(call.bench.out.marks, []);
    }
    let mut call = Call::new(5_000_000, Telling::ByStream);
    call.telling = Telling::Nothing;
    call.run(4000);
    assert_eq!(call.bench.out.marks.last(), Some(&Ecn::NotCapable), "silence tells of no marks");
    assert_eq!(call.layer(), Some(2), "nothing is held back from who reports nothing");
}

#[test]
fn what_was_not_sent_is_counted_and_changes_nothing() {
    let mut call = Call::new(5_000_000, Telling::ByStream);
    call.run(4000);
    let ssrc = call.consumer.rtp_parameters.encodings[0].ssrc.unwrap();
    let known = |call: &mut Call| {
        let path = call.explain().path.expect("an estimate");
        (path.available_bitrate, path.acknowledged_bitrate, path.reason, path.loss)
    };
    let before = known(&mut call);
    report(&mut call, |writer| {
        let written = writer.congestion_feedback(9, 0, |blocks| {
            blocks.stream(77, 0, [arrived(0); 100])?;
            blocks.stream(ssrc, 20_000, [None; 50])
        });
        written.unwrap();
    });
    assert_eq!(call.bench.core.counters().unknown_reported, 150);
    assert_eq!(known(&mut call), before);
    assert_eq!(call.layer(), Some(2));
}

#[test]
fn feedback_that_was_not_negotiated_is_counted_and_changes_nothing() {
    let mut call = Call::new(5_000_000, Telling::Reports);
    call.run(4000);
    report(&mut call, |writer| {
        writer.congestion_feedback(9, 0, |blocks| blocks.stream(77, 0, [arrived(0)])).unwrap();
    });
    assert_eq!(call.bench.core.counters().unwanted_feedback, 1);

    let mut call = Call::new(5_000_000, Telling::ByStream);
    call.run(4000);
    report(&mut call, |writer| writer.transport_feedback(9, 1, 0, 0, 0, [Some(4)].into_iter()).unwrap());
    assert_eq!(call.bench.core.counters().unwanted_feedback, 1, "it reports in another way");
    assert_eq!(call.layer(), Some(2));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Whatever a viewer reports: nothing panics, no timer is hot, and the call goes on.
    #[test]
    fn any_report_is_survived(
        blocks in prop::collection::vec((any::<bool>(), any::<u16>(), prop::collection::vec(any::<u16>(), 0..60)), 0..8),
        timestamp: u32,
    ) {
        let mut call = Call::new(3_000_000, Telling::ByStream);
        call.run(500);
        let own = call.consumer.rtp_parameters.encodings[0].ssrc.unwrap();
        for repeat in 0..3_u32 {
            report(&mut call, |writer| {
                let written = writer.congestion_feedback(9, timestamp.wrapping_mul(repeat), |writer| {
                    for (is_own, begin, metrics) in &blocks {
                        let reports = metrics.iter().map(|bits| (bits & 0x8000 != 0).then_some(PacketReport {
                            ecn: (bits >> 13) as u8 & 3,
                            arrival: Arrival::Before(bits & 0x1fff),
                        }));
                        writer.stream(if *is_own { own } else { 5 }, *begin, reports)?;
                    }
                    Ok(())
                });
                written.unwrap();
            });
            call.run(50);
        }
        call.run(1500);
        let (at, _) = call.bench.core.poll_timeout().unwrap();
        prop_assert!(at > call.bench.now);
    }
}

fn publisher_parameters() -> RtpParameters {
    let mut parameters = vp8_parameters(1000);
    parameters.codecs[0].rtcp_feedback.push(RtcpFeedback::ACK_CCFB);
    parameters
}

#[test]
fn a_publisher_is_told_of_each_stream_with_marks() {
    let mut bench = Bench::with_stream_feedback();
    let source = bench.transport(1);
    bench.produce(source, MediaKind::Video, publisher_parameters());
    bench.receive_marked(1, &vp8(1000, 1, 3000, true), Ecn::Capable1);
    bench.pass(10);
    bench.receive_marked(1, &vp8(1000, 3, 9000, false), Ecn::CongestionExperienced);
    bench.pass(39);
    let feedback = |compounds: Vec<Vec<u8>>| {
        let packets = compounds.iter().flat_map(|bytes| Compound::parse(bytes).unwrap());
        let told = packets.filter_map(|packet| match packet.unwrap() {
            RtcpPacket::CongestionFeedback(feedback) => {
                let blocks = feedback.streams().map(|stream| {
                    let marks = stream.packets().map(|(_, report)| report.map(|report| report.ecn));
                    (stream.ssrc, stream.begin_sequence_number, marks.collect::<Vec<_>>())
                });
                Some(blocks.collect::<Vec<_>>())
            }
            _ => None,
        });
        told.collect::<Vec<_>>()
    };
    assert!(feedback(bench.sent_to(1).1).is_empty());
    bench.pass(1);
    assert_eq!(feedback(bench.sent_to(1).1), [vec![(1000, 1, vec![Some(1), None, Some(3)])]]);
    bench.pass(2000);
    assert!(feedback(bench.sent_to(1).1).is_empty(), "nothing waits");
}
