//! What the sending half of congestion control adds to a packet that is sent, and what a report costs.

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use std::hint::black_box;
use std::time::Duration;
use tureen_congestion::send::{
    Ecn, Estimator, Outcome, Pacer, PacerConfig, PacketKind, PacketResult, ReceiverTime, Release, SentPacket,
};
use tureen_rtp_wire::Time;

/// Packets of a run: three seconds of 8 Mbit/s, in frames of 28 packets.
const FRAMES: u64 = 90;
const PACKETS: u64 = 28;

fn at(frame: u64) -> Time {
    Time::from_micros(1000 + frame * 33_333)
}

/// Pushes, polls and notes all packets of a run.
fn send(estimator: &mut Estimator, pacer: &mut Pacer<u32>, sequence_number: &mut u16, start: u64) {
    for frame in start..start + FRAMES {
        let mut now = at(frame);
        for packet in 0..PACKETS {
            // There is room for many times as much.
            let _ = pacer.push(now, packet as u32, 1200, PacketKind::Video);
        }
        loop {
            while let Some(Release::Packet(packet)) = pacer.poll(now) {
                *sequence_number = sequence_number.wrapping_add(1);
                let sent = SentPacket {
                    sequence_number: *sequence_number,
                    size: packet.size,
                    kind: packet.kind,
                    probe: packet.probe,
                };
                estimator.on_sent(now, black_box(sent));
            }
            if pacer.next_deadline() == Time::NEVER {
                break;
            }
            now = pacer.next_deadline();
        }
    }
}

fn packet(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("congestion");
    group.throughput(Throughput::Elements(FRAMES * PACKETS));
    let (mut estimator, mut pacer) = (Estimator::default(), Pacer::new(PacerConfig::default()));
    pacer.set_bitrate(10_000_000);
    let (mut sequence_number, mut frame) = (0, 0);
    group.bench_function("2520 packets paced and noted", |bencher| {
        bencher.iter(|| {
            send(&mut estimator, &mut pacer, &mut sequence_number, frame);
            frame += FRAMES;
        });
    });
    group.finish();
}

fn report(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("congestion");
    group.throughput(Throughput::Elements(100));
    let mut estimator = Estimator::default();
    let (mut sequence_number, mut now) = (0_u16, Time::from_millis(1));
    group.bench_function("100 packets noted and reported", |bencher| {
        bencher.iter(|| {
            let first = sequence_number;
            for _ in 0..100 {
                now += Duration::from_millis(1);
                let kind = PacketKind::Video;
                estimator.on_sent(now, SentPacket { sequence_number, size: 1200, kind, probe: None });
                sequence_number = sequence_number.wrapping_add(1);
            }
            let end = now.as_micros() as i64;
            let results = (0..100_u16).map(|packet| PacketResult {
                sequence_number: first.wrapping_add(packet),
                outcome: Outcome::ArrivedAt(ReceiverTime::from_micros(
                    end - 79_000 + i64::from(packet) * 1000,
                )),
                ecn: Ecn::NotCapable,
            });
            estimator.on_feedback(now + Duration::from_millis(40), results);
            black_box(estimator.target_bitrate())
        });
    });
    group.finish();
}

criterion_group!(benches, packet, report);
criterion_main!(benches);
