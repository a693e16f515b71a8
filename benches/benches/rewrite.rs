//! Writing one RTP packet for a receiver: header and extensions in front of a copied payload, or patched in place.

use bytes::{Bytes, BytesMut};
use criterion::{Criterion, criterion_group, criterion_main};
use std::hint::black_box;
use tureen_benches::{SLOT_STRIDE, TRANSPORT_WIDE_CC_ID, vp8_packet};
use tureen_rtp_wire::payload::{PayloadDescriptor, PayloadFormat, vp8};
use tureen_rtp_wire::rtp::{ExtensionForm, RtpHeader, RtpLayout, RtpPacket, RtpPacketMut, RtpWriter};
use webrtc_util::marshal::{Marshal, Unmarshal};

fn write(slot: &mut [u8], header: &RtpHeader, payload: &[u8]) -> usize {
    let mut writer = RtpWriter::new(slot, header, ExtensionForm::OneByte).expect("room");
    writer.push_extension(1, b"0").expect("room");
    writer.push_extension(4, &[1, 2, 3]).expect("room");
    writer.push_extension(5, &header.sequence_number.to_be_bytes()).expect("room");
    writer.payload(payload).expect("room");
    writer.finish()
}

fn rewrite(criterion: &mut Criterion) {
    let bytes = vp8_packet(1200);
    let layout = RtpLayout::parse(&bytes).expect("a packet");
    let packet = RtpPacket::parse(&bytes).expect("a packet");
    let header = RtpHeader { payload_type: 101, sequence_number: 7, ..packet.header() };
    let mut slot = vec![0; SLOT_STRIDE];
    let mut group = criterion.benchmark_group("rewrite");
    group.bench_function("header and extensions", |bencher| {
        bencher.iter(|| write(black_box(&mut slot), black_box(&header), &[]));
    });
    group.bench_function("header, extensions and 1176 bytes", |bencher| {
        bencher.iter(|| write(black_box(&mut slot), black_box(&header), black_box(packet.payload())));
    });
    group.bench_function("copy of 1200 bytes", |bencher| {
        bencher.iter(|| black_box(&mut slot)[..bytes.len()].copy_from_slice(black_box(&bytes)));
    });
    let mut copy = bytes.clone();
    group.bench_function("in place", |bencher| {
        bencher.iter(|| {
            let mut packet = RtpPacketMut::from_parts(black_box(&mut copy), layout).expect("its own layout");
            assert!(packet.set_header(black_box(&header)));
            if let Some(value) = packet.extension_mut(TRANSPORT_WIDE_CC_ID) {
                value.copy_from_slice(&[7, 7]);
            }
        });
    });
    let descriptor = PayloadDescriptor::parse(PayloadFormat::Vp8, packet.payload());
    let Some(PayloadDescriptor::Vp8(descriptor)) = descriptor else { panic!("a VP8 descriptor") };
    let mut payload = packet.payload().to_vec();
    group.bench_function("vp8 descriptor", |bencher| {
        bencher.iter(|| vp8::patch(black_box(&mut payload), &descriptor, black_box(300), black_box(9)));
    });
    let shared = Bytes::from(bytes.clone());
    let mut buffer = BytesMut::zeroed(SLOT_STRIDE);
    group.bench_function("rtp package, unmarshal and marshal", |bencher| {
        bencher.iter(|| {
            let mut bytes = black_box(&shared).clone();
            let mut packet = rtp::packet::Packet::unmarshal(&mut bytes).expect("a packet");
            packet.header.sequence_number = 7;
            packet.header.payload_type = 101;
            packet.marshal_to(black_box(&mut buffer)).expect("room")
        });
    });
    group.finish();
}

criterion_group!(benches, rewrite);
criterion_main!(benches);
