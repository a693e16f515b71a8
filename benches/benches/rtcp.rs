//! Reading and writing RTCP compounds, beside the `rtcp` package.

use bytes::Bytes;
use criterion::{Criterion, criterion_group, criterion_main};
use std::hint::black_box;
use tureen_rtp_wire::NtpTime;
use tureen_rtp_wire::rtcp::{Compound, ReportBlock, RtcpPacket, RtcpWriter, SenderInfo};

/// What a browser that receives sends: a report, an estimate, a NACK, and feedback on 100 packets, of which some are lost.
fn feedback() -> Vec<u8> {
    let mut bytes = vec![0; 1200];
    let mut writer = RtcpWriter::new(&mut bytes);
    writer.receiver_report(1, &[ReportBlock { ssrc: 2, jitter: 3, ..ReportBlock::default() }]).expect("room");
    writer.remb(1, 2_500_000, &[2]).expect("room");
    writer.nack(1, 2, [10, 12, 40]).expect("room");
    let statuses = (0..100i16).map(|packet| (packet % 10 != 7).then_some(packet % 5));
    writer.transport_feedback(1, 2, 1000, 77, 1, statuses).expect("room");
    let len = writer.finish();
    bytes.truncate(len);
    bytes
}

/// Everything that a receiver of feedback looks at.
fn walk(bytes: &[u8]) -> usize {
    let mut seen = 0;
    for packet in Compound::parse(bytes).expect("a compound") {
        seen += match packet.expect("a packet") {
            RtcpPacket::ReceiverReport(report) => report.report_blocks().count(),
            RtcpPacket::Nack(nack) => nack.lost().count(),
            RtcpPacket::TransportFeedback(feedback) => feedback.packets().count(),
            RtcpPacket::Remb(remb) => remb.ssrcs().count(),
            _ => 0,
        };
    }
    seen
}

fn parse(criterion: &mut Criterion) {
    let bytes = feedback();
    let mut group = criterion.benchmark_group("rtcp parse");
    group.bench_function("report, REMB, NACK, feedback on 100", |bencher| {
        bencher.iter(|| walk(black_box(&bytes)));
    });
    let shared = Bytes::from(bytes.clone());
    group.bench_function("rtcp package, the same", |bencher| {
        bencher.iter(|| {
            let mut bytes = black_box(&shared).clone();
            rtcp::packet::unmarshal(&mut bytes).expect("a compound")
        });
    });
    group.finish();
}

fn build(criterion: &mut Criterion) {
    let mut bytes = vec![0; 1200];
    let ntp = NtpTime::new(3_900_000_000, 0);
    let info = SenderInfo { ntp, rtp_timestamp: 9, packet_count: 8, octet_count: 7 };
    let mut group = criterion.benchmark_group("rtcp build");
    group.bench_function("sender report, SDES, XR", |bencher| {
        bencher.iter(|| {
            let mut writer = RtcpWriter::new(black_box(&mut bytes));
            writer.sender_report(1, black_box(&info), &[ReportBlock::default()]).expect("room");
            writer.source_description(1, b"0123456789abcdef", &[]).expect("room");
            writer.extended_report(1, Some(ntp), &[]).expect("room");
            writer.finish()
        });
    });
    group.bench_function("NACK of 32", |bencher| {
        bencher.iter(|| {
            let mut writer = RtcpWriter::new(black_box(&mut bytes));
            writer.nack(1, 2, (0..64).step_by(2)).expect("room");
            writer.finish()
        });
    });
    group.bench_function("feedback on 100", |bencher| {
        bencher.iter(|| {
            let mut writer = RtcpWriter::new(black_box(&mut bytes));
            let statuses = (0..100i16).map(|packet| (packet % 10 != 7).then_some(packet % 5));
            writer.transport_feedback(1, 2, 1000, 77, 1, statuses).expect("room");
            writer.finish()
        });
    });
    group.finish();
}

criterion_group!(benches, parse, build);
criterion_main!(benches);
