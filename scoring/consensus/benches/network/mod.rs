//! The network that the benchmark, the example and the tests of growth and memory run on.
//!
//! It has the sizes of the published comparison, is the same in every run, and is worth scoring: were
//! every row over other uids, consensus would be zero and half of the epoch idle.

use acumen_scoring_consensus::{EpochInput, LiquidAlpha, Neuron, Params, SparseRows};

/// The forms of an epoch that are compared, by name.
pub(crate) fn forms() -> [(&'static str, Params); 4] {
    let plain = Params::default();
    let liquid = Params { liquid_alpha: Some(LiquidAlpha::default()), ..plain };
    let half = Params { bonds_penalty: 32_768, ..plain };
    let original = Params { yuma3: false, ..plain };
    [("plain", plain), ("liquid", liquid), ("penalty", half), ("original", original)]
}

/// `n` neurons, of which the first `validators` have stake, a permit, and `weights` weights and bonds.
pub(crate) fn input(n: usize, validators: usize, weights: usize) -> EpochInput {
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

/// `validators` rows over the same `weights` uids, evenly spread, with random values.
fn matrix(n: usize, validators: usize, weights: usize, seed: u64) -> SparseRows {
    let mut state = seed;
    let mut rows = vec![Vec::new(); n];
    for row in rows.iter_mut().take(validators) {
        row.extend((0..weights).map(|k| {
            let column = u16::try_from(k * n / weights).unwrap();
            (column, (next(&mut state) % 65_535) as u16 + 1)
        }));
    }
    SparseRows::new(n, rows).unwrap()
}

/// SplitMix64, so that every run measures the same matrix.
fn next(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
    let mut z = *state;
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}
