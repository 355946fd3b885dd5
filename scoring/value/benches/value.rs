//! Cost of the values: exact Shapley, and the composite reward of a large epoch.
//!
//! Run with `cargo bench -p acumen-scoring-value`.
#![allow(missing_docs)]

use acumen_scoring_value::encompass::{EncompassRule, absorb};
use acumen_scoring_value::game::{loo, shapley_exact, stacking};
use acumen_scoring_value::{Game, GameSpec, RewardRule, composite};
use criterion::{Criterion, criterion_group, criterion_main};
use std::hint::black_box;

/// Probabilities from a fixed multiplicative sequence; the cost does not depend on them.
fn game(miners: usize, tokens: usize) -> Game {
    let mut state = 1u64;
    let mut next = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        1e-4 + 0.999 * ((state >> 11) as f64 / (1u64 << 53) as f64)
    };
    let probs = (0..miners).map(|_| (0..tokens).map(|_| next()).collect()).collect();
    let spec = GameSpec { probs, reference: vec![1.0 / 256.0; tokens], ..GameSpec::default() };
    Game::new(spec).expect("the generator stays inside (0, 1]")
}

fn exact(c: &mut Criterion) {
    let mut group = c.benchmark_group("exact");
    group.sample_size(10);
    for (miners, tokens) in [(12, 512), (16, 512), (20, 512)] {
        let game = game(miners, tokens);
        group.bench_function(format!("shapley {miners}x{tokens}"), |b| {
            b.iter(|| shapley_exact(black_box(&game)));
        });
    }
    group.finish();
}

fn large(c: &mut Criterion) {
    let game = game(64, 4096);
    let rule = RewardRule::default();
    let mut group = c.benchmark_group("64x4096");
    group.sample_size(10);
    group.bench_function("composite", |b| b.iter(|| composite(black_box(&game), &rule)));
    group.bench_function("leave-one-out", |b| b.iter(|| loo(black_box(&game))));
    group.bench_function("who adds nothing", |b| {
        b.iter(|| absorb(black_box(&game), &EncompassRule::default()));
    });
    group.bench_function("stacking", |b| b.iter(|| stacking(black_box(&game))));
    group.finish();
}

criterion_group!(benches, exact, large);
criterion_main!(benches);
