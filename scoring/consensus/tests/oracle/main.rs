//! The crate against a dense re-implementation, on random epochs, bit for bit.

mod cases;
mod dense;
mod random;

use acumen_scoring_consensus::{EpochInput, EpochOutput, Params, SparseRows, epoch};
use dense::Expected;
use random::Random;

fn numbers(out: EpochOutput) -> Expected {
    Expected {
        consensus: out.consensus,
        incentive: out.incentive,
        dividends: out.dividends,
        validator_trust: out.validator_trust,
        stake_weight: out.stake_weight,
        validator_permits: out.validator_permits,
        bonds: out.bonds.to_rows(),
        server_emission: out.server_emission,
        validator_emission: out.validator_emission,
        emission: out.emission,
    }
}

fn compare(seed: u64, params: &Params, input: &EpochInput) -> EpochOutput {
    let found = epoch(params, input).unwrap();
    let expected = dense::epoch(params, input);
    assert_eq!(numbers(found.clone()), expected, "seed {seed}: {params:?} {input:?}");
    conserved(seed, &found, input.emission);
    found
}

/// Both halves never exceed the emission; with any stake or score at all they come to within the
/// rounding of `2 n` shares (2^-32 each, twice) and `2 n` floors. The combined number is the sum of
/// the halves up to one such share and one floor.
fn conserved(seed: u64, out: &EpochOutput, emission: u64) {
    let wide = |xs: &[u64]| -> u128 { xs.iter().map(|&x| u128::from(x)).sum() };
    let paid = wide(&out.server_emission) + wide(&out.validator_emission);
    assert!(paid <= u128::from(emission), "seed {seed}");
    assert_eq!(paid + u128::from(out.remainder(emission)), u128::from(emission));
    let n = out.emission.len() as u128;
    let step = (u128::from(emission) >> 32) + 1;
    if paid > 0 {
        assert!(u128::from(emission) - paid <= 4 * n * step + 1, "seed {seed}");
    }
    for i in 0..out.emission.len() {
        let both = u128::from(out.server_emission[i]) + u128::from(out.validator_emission[i]);
        let combined = u128::from(out.emission[i]);
        assert!(combined.abs_diff(both) <= step + 1, "seed {seed} uid {i}");
    }
}

#[test]
fn ten_thousand_random_epochs() {
    let mut scored = 0u32;
    for seed in 0..10_000 {
        let mut r = Random(seed);
        let n = usize::try_from(1 + r.below(12)).unwrap();
        let params = random::params(&mut r);
        let out = compare(seed, &params, &random::input(&mut r, n));
        scored += u32::from(out.dividends.iter().any(|&d| d > 0));
    }
    assert!(scored > 2_000, "only {scored} cases paid dividends: the generator has gone dull");
}

#[test]
fn larger_networks() {
    for seed in 0..20 {
        let mut r = Random(1_000_000 + seed);
        let params = random::params(&mut r);
        compare(seed, &params, &random::input(&mut r, 120));
    }
}

/// Few rows that are long: columns are computed in several blocks, rows in several tasks.
#[test]
fn long_rows() {
    for seed in 0..12 {
        let mut r = Random(4_000_000 + seed);
        let mut params = random::params(&mut r);
        params.activity_cutoff = 5_000;
        let mut input = random::input(&mut r, 400);
        for (uid, neuron) in input.neurons.iter_mut().enumerate() {
            neuron.permit = uid % 40 == 3;
            neuron.stake += u64::from(neuron.permit);
        }
        compare(seed, &params, &input);
    }
}

#[test]
fn sequences_that_feed_on_themselves() {
    for seed in 0..200 {
        let mut r = Random(2_000_000 + seed);
        let params = random::params(&mut r);
        let mut input = random::input(&mut r, 8);
        input.bonds = SparseRows::empty(8).unwrap();
        for _ in 0..10 {
            let out = compare(seed, &params, &input);
            let fresh = random::input(&mut r, 8);
            for ((neuron, fresh), permit) in
                input.neurons.iter_mut().zip(fresh.neurons).zip(out.validator_permits)
            {
                *neuron = fresh;
                neuron.permit = permit;
            }
            input.weights = fresh.weights;
            input.bonds = out.bonds;
        }
    }
}
