//! Time of one epoch at the sizes of the published comparison: 256 neurons with 64 validators × 192
//! weights, and 4 096 with 64 × 1 000; liquid alpha off and on, bonds penalty one half.
//!
//! Compare only figures of one run: `cargo bench -p acumen-scoring-consensus`.
#![allow(missing_docs)]

use acumen_scoring_consensus::{EpochInput, LiquidAlpha, Neuron, Params, SparseRows, epoch};
use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};

/// SplitMix64, so that every run measures the same matrix.
fn next(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
    let mut z = *state;
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

/// `validators` rows over the same `weights` uids, evenly spread, with random values: were every row
/// over other uids, consensus would be zero and half of the epoch idle.
fn matrix(n: usize, validators: usize, weights: usize, seed: u64) -> SparseRows {
    let mut state = seed;
    let stride = n / weights;
    let mut rows = vec![Vec::new(); n];
    for row in rows.iter_mut().take(validators) {
        row.extend((0..weights).map(|k| {
            let column = u16::try_from(k * stride).unwrap();
            (column, (next(&mut state) % 65_535) as u16 + 1)
        }));
    }
    SparseRows::new(n, rows).unwrap()
}

fn input(n: usize, validators: usize, weights: usize) -> EpochInput {
    let neuron = |uid| Neuron {
        stake: if uid < validators { 1_000_000 + uid as u64 } else { 0 },
        last_update: 99,
        block_at_registration: 1,
        permit: uid < validators,
        ..Neuron::default()
    };
    EpochInput {
        block: 100,
        last_tempo: Some(90),
        tempo: 10,
        owner_uid: Some(0),
        neurons: (0..n).map(neuron).collect(),
        weights: matrix(n, validators, weights, 1),
        bonds: matrix(n, validators, weights, 2),
        emission: 1_000_000_000,
    }
}

fn epochs(criterion: &mut Criterion) {
    let plain = Params::default();
    let liquid = Params { liquid_alpha: Some(LiquidAlpha::default()), ..plain };
    let half = Params { bonds_penalty: 32_768, ..plain };
    let forms = [("plain", &plain), ("liquid", &liquid), ("penalty_half", &half)];
    for (n, validators, weights) in [(256, 64, 192), (4_096, 64, 1_000), (16_384, 256, 4_000)] {
        let input = input(n, validators, weights);
        assert!(epoch(&plain, &input).unwrap().dividends.iter().any(|&d| d > 0));
        let mut group = criterion.benchmark_group(format!("epoch_{n}_{validators}x{weights}"));
        group.throughput(criterion::Throughput::Elements((validators * weights) as u64));
        for (name, params) in forms {
            group.bench_with_input(BenchmarkId::from_parameter(name), params, |b, params| {
                b.iter(|| epoch(params, &input).unwrap());
            });
        }
        group.finish();
    }
}

criterion_group!(benches, epochs);
criterion_main!(benches);
