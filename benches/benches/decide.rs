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
use tureen_rtp_wire::dependency_descriptor::{
    DecodeTargetIndication, DecodeTargetIndications, DependencyDescriptor, FrameDependencies,
    MandatoryFields, Template, TemplateStructure,
};
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

/// One that sends encoding 0 of several, with layers up to this one.
fn simulcast(temporal_layer: u8) -> Selector {
    let mut selector = SimulcastSelector::new(SimulcastSelectorConfig {
        needs_key_frame: true,
        clock_rate: 90_000,
        first_sequence_number: 1,
    });
    selector.set_target(0, temporal_layer);
    forwarded(selector.decide(&first_meta()));
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

/// What dependency descriptors refer to: one spatial layer and two temporal ones, of which each has a decode target.
struct Dependencies {
    structure: TemplateStructure,
    targets: DecodeTargets,
}

impl Dependencies {
    fn new() -> Self {
        use DecodeTargetIndication::{Discardable, NotPresent, Switch};
        let templates = [(0, [Switch, Switch]), (1, [NotPresent, Discardable])].map(|(temporal_id, row)| {
            let indications = DecodeTargetIndications::default().with(0, row[0]).with(1, row[1]);
            Template { temporal_id, indications, ..Template::default() }
        });
        let structure = TemplateStructure::new(0, 2, &templates, 0, &[], None).expect("a structure");
        Self { targets: DecodeTargets::new(&structure), structure }
    }

    /// The descriptor of a frame of a layer, as it comes in a packet.
    fn descriptor(&self, temporal_layer: u8) -> Vec<u8> {
        let template = self.structure.template(temporal_layer).expect("a template of each layer");
        let descriptor = DependencyDescriptor {
            mandatory: MandatoryFields {
                start_of_frame: true,
                end_of_frame: true,
                template_id: temporal_layer,
                frame_number: u16::from(temporal_layer) + 1,
            },
            has_structure: false,
            active_decode_targets: None,
            frame: FrameDependencies::of_template(template),
        };
        let mut value = vec![0; 32];
        let len = descriptor.write(&self.structure, &mut value).expect("it fits");
        value.truncate(len);
        value
    }

    fn read(&mut self, value: &[u8]) -> FrameLayers {
        let descriptor = DependencyDescriptor::parse(value, &mut self.structure).expect("a descriptor");
        self.targets.frame_layers(&descriptor)
    }

    /// A packet of a frame of the lower layer, or of the upper one.
    fn metas(&mut self) -> [PacketMeta; 2] {
        [0, 1].map(|temporal_layer| {
            let value = self.descriptor(temporal_layer);
            PacketMeta { layers: self.read(&value), is_key_frame: false, ..first_meta() }
        })
    }
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
        let (mut selector, mut meta) = (simulcast(u8::MAX), first_meta());
        bencher.iter(|| {
            advance(&mut meta);
            forwarded(selector.decide(black_box(&meta)))
        });
    });
    group.bench_function("one simulcast selector, another encoding", |bencher| {
        let (mut selector, mut meta) = (simulcast(u8::MAX), first_meta());
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
            let (mut selector, metas) = (simulcast(temporal_layer), Dependencies::new().metas());
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
        let value = dependencies.descriptor(1);
        bencher.iter(|| dependencies.read(black_box(&value)));
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
