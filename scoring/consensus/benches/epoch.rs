//! Time of one epoch at the sizes of the published comparison: 256 neurons with 64 validators × 192
//! weights, 4 096 with 64 × 1 000, 16 384 with 256 × 4 000; every form.
//!
//! Compare only figures of one run: `cargo bench -p acumen-scoring-consensus`.
#![allow(missing_docs)]

mod network;

use acumen_scoring_consensus::epoch;
use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};

fn epochs(criterion: &mut Criterion) {
    for (n, validators, weights) in [(256, 64, 192), (4_096, 64, 1_000), (16_384, 256, 4_000)] {
        let input = network::input(n, validators, weights);
        let mut group = criterion.benchmark_group(format!("epoch_{n}_{validators}x{weights}"));
        group.throughput(criterion::Throughput::Elements((validators * weights) as u64));
        for (name, params) in network::forms() {
            assert!(epoch(&params, &input).unwrap().dividends.iter().any(|&d| d > 0));
            group.bench_with_input(BenchmarkId::from_parameter(name), &params, |b, params| {
                b.iter(|| epoch(params, &input).unwrap());
            });
        }
        group.finish();
    }
}

criterion_group!(benches, epochs);
criterion_main!(benches);
