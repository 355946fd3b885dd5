//! The bounds that make each pool what it is.

use super::*;
use crate::seeded::Seeded;
use crate::testing::{assert_close, random_dist};
use proptest::prelude::*;

proptest! {
    #[test]
    fn no_miner_can_veto_the_linear_pool(seed: u64, n in 1usize..7) {
        let mut rng = Seeded::new(seed, 0);
        let dists: Vec<Vec<f64>> = (0..n).map(|_| random_dist(&mut rng, 12, 9.0)).collect();
        let views: Vec<&[f64]> = dists.iter().map(Vec::as_slice).collect();
        let weights = random_dist(&mut rng, n, 2.0);
        let pooled = linear(&views, &weights);
        prop_assert!((pooled.iter().sum::<f64>() - 1.0).abs() < 1e-12);
        for id in 0..12 {
            for i in 0..n {
                prop_assert!(-pooled[id].ln() <= -dists[i][id].ln() - weights[i].ln() + 1e-12);
            }
        }
    }

    #[test]
    fn geometric_loss_is_at_most_the_mean_loss(seed: u64, n in 1usize..7) {
        let mut rng = Seeded::new(seed, 0);
        let dists: Vec<Vec<f64>> = (0..n).map(|_| random_dist(&mut rng, 12, 9.0)).collect();
        let views: Vec<&[f64]> = dists.iter().map(Vec::as_slice).collect();
        let weights = random_dist(&mut rng, n, 2.0);
        let pooled = geometric(&views, &weights);
        prop_assert!((pooled.iter().sum::<f64>() - 1.0).abs() < 1e-12);
        for id in 0..12 {
            let mean: f64 = (0..n).map(|i| -weights[i] * dists[i][id].ln()).sum();
            prop_assert!(-pooled[id].ln() <= mean + 1e-12);
        }
    }
}

#[test]
fn one_miner_is_its_own_pool() {
    let dist = [0.5, 0.3, 0.2];
    assert_close(&linear(&[&dist], &[7.0]), &dist, 1e-15);
    assert_close(&geometric(&[&dist], &[7.0]), &dist, 1e-15);
}

#[test]
fn a_zero_is_floored_and_does_not_veto() {
    let pooled = geometric(&[&[1.0, 0.0], &[0.5, 0.5]], &[1.0, 1.0]);
    assert!(pooled[1] > 1e-6 && pooled[1] < 1e-3, "{pooled:?}");
    assert_close(&linear(&[&[1.0, 0.0], &[0.5, 0.5]], &[3.0, 1.0]), &[0.875, 0.125], 1e-15);
}

#[test]
fn useless_weights_count_as_equal_and_bad_ones_as_zero() {
    let views: [&[f64]; 2] = [&[1.0, 0.0], &[0.0, 1.0]];
    assert_close(&linear(&views, &[0.0, 0.0]), &[0.5, 0.5], 1e-15);
    assert_close(&linear(&views, &[f64::NAN, 2.0]), &[0.0, 1.0], 1e-15);
    assert_close(&linear(&views, &[-1.0, 2.0]), &[0.0, 1.0], 1e-15);
}
