//! Copies are found, also at another temperature; different models are not.

use super::*;
use crate::seeded::Seeded;
use crate::testing::random_dist;

const VOCAB: usize = 64;

fn temper(dist: &[f64], beta: f64) -> Vec<f64> {
    let raw: Vec<f64> = dist.iter().map(|prob| prob.powf(beta)).collect();
    let total: f64 = raw.iter().sum();
    raw.into_iter().map(|prob| prob / total).collect()
}

/// The same knowledge, seen through `noise` on the logits.
fn blur(rng: &mut Seeded, dist: &[f64], noise: f64) -> Vec<f64> {
    let raw: Vec<f64> = dist.iter().map(|prob| prob * (noise * (2.0 * rng.unit() - 1.0)).exp()).collect();
    let total: f64 = raw.iter().sum();
    raw.into_iter().map(|prob| prob / total).collect()
}

/// Distances of miners made from one model by `variants`.
fn observed(positions: usize, variants: impl Fn(&mut Seeded, &[f64]) -> Vec<Vec<f64>>) -> Affinity {
    let mut rng = Seeded::new(1, 0);
    let count = variants(&mut rng, &[0.5, 0.5]).len();
    let mut affinity = Affinity::new(count).unwrap();
    for _ in 0..positions {
        let base = random_dist(&mut rng, VOCAB, 8.0);
        let dists = variants(&mut rng, &base);
        let views: Vec<Option<&[f64]>> = dists.iter().map(|dist| Some(dist.as_slice())).collect();
        affinity.observe(&views).unwrap();
    }
    affinity
}

/// Hellinger distance without any fitting.
fn plain(a: &[f64], b: &[f64]) -> f64 {
    (0.5 * a.iter().zip(b).map(|(x, y)| (x.sqrt() - y.sqrt()).powi(2)).sum::<f64>()).sqrt()
}

#[test]
fn an_exact_copy_is_at_distance_zero() {
    let affinity = observed(40, |_, base| vec![base.to_vec(), base.to_vec()]);
    assert_eq!(affinity.distance(0, 1), Some(0.0));
    assert_eq!(affinity.distance(1, 1), Some(0.0));
}

#[test]
fn a_change_of_temperature_is_not_a_disguise() {
    for beta in [0.6, 0.77, 0.9, 1.07, 1.3, 1.8] {
        let affinity = observed(40, |_, base| vec![base.to_vec(), temper(base, beta)]);
        let found = affinity.distance(0, 1).unwrap();
        assert!(found < 0.01, "β = {beta}: {found}");
    }
    let base = random_dist(&mut Seeded::new(1, 0), VOCAB, 8.0);
    assert!(plain(&base, &temper(&base, 1.8)) > 1.5 * CLUSTER_TAU, "the plain distance would be fooled");
}

#[test]
fn a_noisy_copy_is_found_at_any_temperature() {
    let affinity = observed(200, |rng, base| vec![base.to_vec(), temper(&blur(rng, base, 0.2), 1.3)]);
    let found = affinity.distance(0, 1).unwrap();
    assert!(found > 0.02 && found < CLUSTER_TAU, "{found}");
    assert_eq!(affinity.clusters(CLUSTER_TAU, &[5, 3]), [1, 1]);
}

/// One temperature for all positions must not make models equal that are certain at different places.
#[test]
fn certainty_that_differs_by_place_keeps_models_apart() {
    let affinity = observed(200, |rng, base| {
        let beta = if rng.below(2) == 0 { 0.6 } else { 1.7 };
        vec![base.to_vec(), temper(base, beta)]
    });
    let found = affinity.distance(0, 1).unwrap();
    assert!(found > 1.2 * CLUSTER_TAU, "{found}");
}

#[test]
fn different_models_stay_apart() {
    let affinity = observed(200, |rng, base| {
        vec![blur(rng, base, 1.0), blur(rng, base, 1.0), random_dist(rng, VOCAB, 8.0)]
    });
    assert!(affinity.distance(0, 1).unwrap() > 2.0 * CLUSTER_TAU);
    assert_eq!(affinity.clusters(CLUSTER_TAU, &[0, 0, 0]), [0, 1, 2]);
}

#[test]
fn too_few_positions_link_nobody() {
    let few = observed(MIN_SHARED_POSITIONS as usize - 1, |_, base| vec![base.to_vec(), base.to_vec()]);
    assert_eq!(few.clusters(CLUSTER_TAU, &[0, 0]), [0, 1]);
    let mut enough = few.clone();
    enough.merge(&few).unwrap();
    assert_eq!(enough.positions(0, 1), 2 * (MIN_SHARED_POSITIONS - 1));
    assert_eq!(enough.clusters(CLUSTER_TAU, &[0, 0]), [0, 0]);
}

#[test]
fn absent_miners_share_no_position() {
    let mut affinity = Affinity::new(3).unwrap();
    let dist = [0.5, 0.5];
    affinity.observe(&[Some(&dist), None, Some(&dist)]).unwrap();
    assert_eq!((affinity.positions(0, 1), affinity.positions(0, 2)), (0, 1));
    assert_eq!(affinity.distance(0, 1), None);
}

#[test]
fn any_number_of_threads_gives_the_same_bits() {
    let run = |threads| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| observed(20, |rng, base| (0..5).map(|_| blur(rng, base, 0.5)).collect()))
    };
    assert_eq!(run(1), run(4));
}

#[test]
fn refuses_bad_shapes() {
    assert_eq!(Affinity::new(0), Err(ClusterError::Miners(0)));
    assert_eq!(Affinity::new(513), Err(ClusterError::Miners(513)));
    let mut affinity = Affinity::new(2).unwrap();
    assert_eq!(affinity.observe(&[None]), Err(ClusterError::Reports { found: 1, expected: 2 }));
    let bad = affinity.observe(&[Some(&[0.5, 0.5]), Some(&[1.0])]);
    assert_eq!(bad, Err(ClusterError::Vocab { miner: 1, found: 1, expected: 2 }));
    assert!(affinity.merge(&Affinity::new(3).unwrap()).is_err());
}
