//! Deciding about one packet for one consumer, and taking note that it was sent.

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use std::hint::black_box;
use tureen_benches::{SSRC, vp8_packet};
use tureen_forwarding::sent_log::SENT_LOG_VIDEO;
use tureen_forwarding::{
    DecodeTargets, FrameLayers, PacketMeta, Rewrite, Selector, SendStream, SendStreamConfig, SentPacket,
    SimpleSelector, SimpleSelectorConfig, SimulcastSelector, SimulcastSelectorConfig, Verdict,
};
use tureen_rtp_wire::Time;
use tureen_rtp_wire::dependency_descriptor::{DependencyDescriptor, TemplateStructure};
use tureen_rtp_wire::payload::{PayloadDescriptor, PayloadFormat};
use tureen_rtp_wire::rtp::RtpPacket;

const FAN_OUT: usize = 100;

fn selector() -> Selector {
    let config = SimpleSelectorConfig {
        needs_key_frame: true,
        ignore_dtx: false,
        clock_rate: 90_000,
        first_sequence_number: 1,
    };
    Selector::Simple(Box::new(SimpleSelector::new(config)))
}

/// One that sends encoding 0 of several.
fn simulcast() -> Selector {
    let mut selector = SimulcastSelector::new(SimulcastSelectorConfig {
        needs_key_frame: true,
        clock_rate: 90_000,
        first_sequence_number: 1,
    });
    selector.set_target(0, u8::MAX);
    Selector::Simulcast(Box::new(selector))
}

fn send_stream() -> SendStream {
    SendStream::new(SendStreamConfig {
        ssrc: SSRC,
        payload_type: 101,
        clock_rate: 90_000,
        log_capacity: SENT_LOG_VIDEO,
        ..SendStreamConfig::default()
    })
}

fn first_meta() -> PacketMeta {
    let bytes = vp8_packet(1200);
    let packet = RtpPacket::parse(&bytes).expect("a packet");
    let descriptor = PayloadDescriptor::parse(PayloadFormat::Vp8, packet.payload()).expect("a descriptor");
    PacketMeta::new(Time::from_millis(1), 65_536, 0, &packet, descriptor)
}

fn forwarded(verdict: Verdict) -> Rewrite {
    match verdict {
        Verdict::Forward(rewrite) => rewrite,
        Verdict::Drop(reason) => panic!("dropped: {reason:?}"),
    }
}

/// Dependency descriptors of one spatial and two temporal layers: the structure, then a frame of either layer.
const STRUCTURE: [u8; 14] =
    [0x80, 0x00, 0x01, 0x80, 0x00, 0x14, 0xea, 0xa8, 0x60, 0x41, 0x4d, 0x14, 0x10, 0x20];
const FRAMES: [[u8; 3]; 2] = [[0xc0, 0, 2], [0xc1, 0, 3]];

/// What dependency descriptors refer to.
struct Dependencies {
    structure: TemplateStructure,
    targets: DecodeTargets,
}

impl Dependencies {
    fn new() -> Self {
        let mut structure = TemplateStructure::default();
        DependencyDescriptor::parse(&STRUCTURE, &mut structure).expect("a structure");
        Self { structure, targets: DecodeTargets::new(&structure) }
    }

    fn read(&mut self, value: &[u8]) -> FrameLayers {
        let descriptor = DependencyDescriptor::parse(value, &mut self.structure).expect("a descriptor");
        self.targets.frame_layers(&descriptor)
    }

    /// A packet of a frame of the lower layer, or of the upper one.
    fn metas(&mut self) -> [PacketMeta; 2] {
        FRAMES.map(|value| PacketMeta { layers: self.read(&value), is_key_frame: false, ..first_meta() })
    }
}

/// A selector that lets layers up to this one pass.
fn layered(temporal_layer: u8) -> Selector {
    let mut selector = SimulcastSelector::new(SimulcastSelectorConfig {
        needs_key_frame: true,
        clock_rate: 90_000,
        first_sequence_number: 1,
    });
    selector.set_target(0, temporal_layer);
    forwarded(selector.decide(&first_meta()));
    Selector::Simulcast(Box::new(selector))
}

fn advance(meta: &mut PacketMeta) {
    meta.extended_sequence += 1;
    meta.received_at = Time::from_micros(meta.received_at.as_micros() + 1000);
}

fn decide(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("decide");
    group.bench_function("one selector", |bencher| {
        let (mut selector, mut meta) = (selector(), first_meta());
        bencher.iter(|| {
            advance(&mut meta);
            forwarded(selector.decide(black_box(&meta)))
        });
    });
    group.bench_function("one simulcast selector", |bencher| {
        let (mut selector, mut meta) = (simulcast(), first_meta());
        bencher.iter(|| {
            advance(&mut meta);
            forwarded(selector.decide(black_box(&meta)))
        });
    });
    group.bench_function("one simulcast selector, another encoding", |bencher| {
        let (mut selector, mut meta) = (simulcast(), first_meta());
        forwarded(selector.decide(&meta));
        meta.encoding = 1;
        bencher.iter(|| {
            advance(&mut meta);
            selector.decide(black_box(&meta))
        });
    });
    for (name, temporal_layer) in
        [("layers by dependency descriptor", 1), ("layers by dependency descriptor, half left out", 0)]
    {
        group.bench_function(name, |bencher| {
            let (mut selector, metas) = (layered(temporal_layer), Dependencies::new().metas());
            let (mut next, mut turn) = (first_meta(), 0);
            bencher.iter(|| {
                advance(&mut next);
                turn += 1;
                let mut meta = metas[turn % 2];
                (meta.extended_sequence, meta.received_at) = (next.extended_sequence, next.received_at);
                meta.timestamp = meta.timestamp.wrapping_add(turn as u32 * 3000);
                selector.decide(black_box(&meta))
            });
        });
    }
    group.bench_function("reading a dependency descriptor", |bencher| {
        let mut dependencies = Dependencies::new();
        bencher.iter(|| dependencies.read(black_box(&FRAMES[1])));
    });
    group.throughput(Throughput::Elements(FAN_OUT as u64));
    group.bench_function("100 selectors", |bencher| {
        let mut selectors: Vec<_> = (0..FAN_OUT).map(|_| selector()).collect();
        let mut meta = first_meta();
        bencher.iter(|| {
            advance(&mut meta);
            for selector in &mut selectors {
                black_box(forwarded(selector.decide(black_box(&meta))));
            }
        });
    });
    group.bench_function("100 selectors and send streams", |bencher| {
        let mut consumers: Vec<_> = (0..FAN_OUT).map(|_| (selector(), send_stream())).collect();
        let mut meta = first_meta();
        bencher.iter(|| {
            advance(&mut meta);
            let source = meta.extended_sequence as u32;
            for (selector, stream) in &mut consumers {
                let rewrite = forwarded(selector.decide(black_box(&meta)));
                let sent = SentPacket { encoding: 0, source, rewrite };
                stream.on_sent(meta.received_at, sent, 1200, 1176);
            }
        });
    });
    group.finish();
}

criterion_group!(benches, decide);
criterion_main!(benches);
