//! The whole Core: one producer's packets to all its consumers, into slots that nobody sends.

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use tureen_benches::{Protection, Stage};

/// Packets of one receive batch.
const BATCH: usize = 8;

fn fan_out(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("fan_out");
    for (name, protection) in [("null", Protection::Null), ("gcm", Protection::Aes128Gcm)] {
        for len in [160, 1200] {
            for consumers in [1, 10, 100, 1000] {
                group.throughput(Throughput::Elements((BATCH * consumers) as u64));
                group.bench_function(format!("{name} {len} bytes to {consumers}"), |bencher| {
                    let mut stage = Stage::new(consumers, protection, len, BATCH);
                    bencher.iter(|| stage.turn());
                });
            }
        }
    }
    group.finish();
}

criterion_group!(benches, fan_out);
criterion_main!(benches);
