//! In steady state neither a packet nor a report allocates.

use std::time::Duration;
use tureen_congestion::CongestionFeedbackGenerator;
use tureen_congestion::allocator::{Allocator, Content, Ladder, Step};
use tureen_congestion::send::{
    Ecn, Estimator, FeedbackReader, Outcome, Pacer, PacerConfig, PacketKind, PacketResult, ReceiverTime,
    Release, SentPacket, StreamIndex,
};
use tureen_rtp_wire::rtcp::{Compound, RtcpPacket, RtcpWriter};
use tureen_rtp_wire::{NtpTime, Time, WallClock};

/// A second of packets, with reports of 100 ms, probes and changes of layers.
fn second(estimator: &mut Estimator, pacer: &mut Pacer<u32>, allocator: &mut Allocator, second: u64) -> u64 {
    let mut sent = 0;
    for millis in second * 1000..(second + 1) * 1000 {
        let now = Time::from_millis(millis);
        for (kind, size) in [(PacketKind::Video, 1000), (PacketKind::Audio, 80)] {
            // Nothing is lost if there is no room: the rate is above what is pushed.
            let _ = pacer.push(now, millis as u32, size, kind);
        }
        if now >= estimator.poll_timeout()
            && let Some(probe) = estimator.on_timeout(now)
        {
            pacer.start_probe(now, probe);
        }
        pacer.set_bitrate(20_000_000);
        while let Some(release) = pacer.poll(now) {
            let (size, kind, probe) = match release {
                Release::Packet(packet) => (packet.size, packet.kind, packet.probe),
                Release::Padding { size, probe } => (size, PacketKind::Padding, Some(probe)),
                Release::Expired { .. } => continue,
            };
            sent += 1;
            let sequence_number = (second * 5000 + sent) as u16;
            estimator.on_sent(now, SentPacket { sequence_number, size, kind, probe });
        }
        if millis % 100 == 99 {
            let first = (second * 5000 + sent) as u16;
            let results = (0..300_u16).rev().map(|back| PacketResult {
                sequence_number: first.wrapping_sub(back),
                outcome: if back % 50 == 0 {
                    Outcome::Missing
                } else {
                    Outcome::ArrivedAt(ReceiverTime::from_micros(
                        millis as i64 * 1000 - i64::from(back) * 400,
                    ))
                },
                ecn: Ecn::NotCapable,
            });
            estimator.on_feedback(now + Duration::from_millis(30), results);
            let budget = estimator.media_bitrate() % 3_000_000;
            allocator.update(now, budget, pacer.backlog());
            let (next, all) = allocator.wanted();
            estimator.set_wanted(next, all.max(50_000_000));
        }
    }
    sent
}

#[test]
fn packets_reports_and_decisions_allocate_nothing() {
    let mut estimator = Estimator::default();
    let mut pacer = Pacer::new(PacerConfig::default());
    let mut allocator = Allocator::new();
    let steps: Vec<Step> = (0..)
        .zip([150_000, 500_000, 1_500_000])
        .map(|(spatial, bitrate)| Step { spatial, temporal: 0, bitrate })
        .collect();
    for id in 0..5 {
        allocator.set(id, Ladder::new(&steps, Content::Camera, None), 1);
    }
    second(&mut estimator, &mut pacer, &mut allocator, 0);
    let mut sent = 0;
    let measured = allocation_counter::measure(|| {
        sent = (1..6).map(|at| second(&mut estimator, &mut pacer, &mut allocator, at)).sum();
    });
    assert!(sent > 9_000, "{sent}");
    assert_eq!(measured.count_total, 0);
}

/// A packet a millisecond in one of three streams, one in twenty lost, to a receiver that reports on streams; how many it told of.
fn stream_second(
    estimator: &mut Estimator,
    index: &mut StreamIndex,
    reader: &mut FeedbackReader,
    receiver: &mut CongestionFeedbackGenerator,
    second: u32,
) -> u64 {
    let mut told = 0;
    for millis in second * 1000..(second + 1) * 1000 {
        let now = Time::from_millis(u64::from(millis));
        let (ssrc, number) = (millis % 3, (millis / 3) as u16);
        index.insert(ssrc, number, millis as u16);
        let (size, kind) = (1000, PacketKind::Video);
        estimator.on_sent(now, SentPacket { sequence_number: millis as u16, size, kind, probe: None });
        if millis % 20 != 7 {
            receiver.record(now, ssrc, number, Ecn::Capable1);
        }
        let mut buffer = [0; 1200];
        let mut writer = RtcpWriter::new(&mut buffer);
        if !receiver.poll(now, WallClock::new(NtpTime::new(7, 0)).ntp(now), 9, &mut writer) {
            continue;
        }
        let len = writer.finish();
        for packet in Compound::parse(&buffer[..len]).into_iter().flatten().flatten() {
            let RtcpPacket::CongestionFeedback(feedback) = packet else { continue };
            let results = reader.congestion(&feedback, index).inspect(|_| told += 1);
            estimator.on_feedback(now, results);
        }
    }
    told
}

#[test]
fn feedback_on_streams_allocates_nothing() {
    let mut estimator = Estimator::default();
    let (mut index, mut reader) = (StreamIndex::new(), FeedbackReader::new());
    let mut receiver = CongestionFeedbackGenerator::new();
    stream_second(&mut estimator, &mut index, &mut reader, &mut receiver, 0);
    let mut told = 0;
    let measured = allocation_counter::measure(|| {
        told =
            (1..6).map(|at| stream_second(&mut estimator, &mut index, &mut reader, &mut receiver, at)).sum();
    });
    assert!(told > 4_900, "{told}");
    assert_eq!(measured.count_total, 0);
}
