//! Reading one RTP packet: the checked walk, the extension elements and the VP8 descriptor, beside the `rtp` package.

use bytes::Bytes;
use criterion::{Criterion, criterion_group, criterion_main};
use std::hint::black_box;
use tureen_benches::{TRANSPORT_WIDE_CC_ID, vp8_packet};
use tureen_rtp_wire::payload::{PayloadDescriptor, PayloadFormat};
use tureen_rtp_wire::rtp::{RtpLayout, RtpPacket, classify};
use webrtc_util::marshal::Unmarshal;

fn parse(criterion: &mut Criterion) {
    let bytes = vp8_packet(1200);
    let packet = RtpPacket::parse(&bytes).expect("a packet");
    let mut group = criterion.benchmark_group("parse");
    group.bench_function("classify", |bencher| bencher.iter(|| classify(black_box(&bytes))));
    group.bench_function("layout", |bencher| bencher.iter(|| RtpLayout::parse(black_box(&bytes))));
    group.bench_function("extensions", |bencher| {
        bencher.iter(|| {
            let elements = black_box(&packet).extensions();
            elements.map(|(id, value)| usize::from(id) + value.len()).sum::<usize>()
        });
    });
    group.bench_function("one extension", |bencher| {
        bencher.iter(|| black_box(&packet).extension(TRANSPORT_WIDE_CC_ID));
    });
    group.bench_function("vp8 descriptor", |bencher| {
        bencher.iter(|| PayloadDescriptor::parse(PayloadFormat::Vp8, black_box(packet.payload())));
    });
    let shared = Bytes::from(bytes.clone());
    group.bench_function("rtp package", |bencher| {
        bencher.iter(|| {
            let mut bytes = black_box(&shared).clone();
            rtp::packet::Packet::unmarshal(&mut bytes).expect("a packet")
        });
    });
    group.finish();
}

criterion_group!(benches, parse);
criterion_main!(benches);
