//! Negotiation: what a router, a producer and a consumer cost to describe. Once for each object, never for a packet.

use criterion::{Criterion, criterion_group, criterion_main};
use std::hint::black_box;
use tureen_benches::{client_capabilities, media_codecs, producer_parameters};
use tureen_rtp_dictionaries::{
    ConsumerOffer, MediaKind, get_consumable_rtp_parameters, get_consumer_rtp_parameters,
    get_producer_rtp_parameters_mapping,
};

fn ortc(criterion: &mut Criterion) {
    let codecs = media_codecs();
    let router = tureen_rtp_dictionaries::generate_router_rtp_capabilities(&codecs).expect("capabilities");
    let parameters = producer_parameters();
    let mapping = get_producer_rtp_parameters_mapping(&parameters, &router, 100_000_000).expect("a mapping");
    let kind = MediaKind::Video;
    let consumable = get_consumable_rtp_parameters(kind, &parameters, &router, &mapping).expect("parameters");
    let client = client_capabilities();
    let mut group = criterion.benchmark_group("ortc");
    group.bench_function("router capabilities", |bencher| {
        bencher.iter(|| tureen_rtp_dictionaries::generate_router_rtp_capabilities(black_box(&codecs)));
    });
    group.bench_function("producer mapping", |bencher| {
        bencher.iter(|| get_producer_rtp_parameters_mapping(black_box(&parameters), &router, 100_000_000));
    });
    group.bench_function("consumable parameters", |bencher| {
        bencher.iter(|| get_consumable_rtp_parameters(kind, black_box(&parameters), &router, &mapping));
    });
    group.bench_function("consumer parameters", |bencher| {
        bencher.iter(|| {
            get_consumer_rtp_parameters(ConsumerOffer {
                consumable: black_box(&consumable),
                remote_rtp_capabilities: &client,
                pipe: false,
                enable_rtx: true,
                ssrc_base: 100_000_000,
                rtx_ssrc_base: 200_000_000,
            })
        });
    });
    group.finish();
}

criterion_group!(benches, ortc);
criterion_main!(benches);
