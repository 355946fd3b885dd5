//! Intervals that cover, and that know their documents.

use super::*;
use crate::testing::{assert_close, random_spec};

#[test]
fn few_documents_say_nothing_about_others() {
    let interval = bootstrap(&[1.0, 2.0], &[5, 5], 1, 100);
    assert_eq!((interval.mean, interval.documents), (1.5, 1));
    assert!(interval.low.is_infinite() && interval.high.is_infinite());
    assert!(bootstrap(&[1.0, 2.0], &[5, 6], 1, 100).high.is_infinite());
    assert!(bootstrap(&[1.0, 2.0, 4.0], &[5, 6, 7], 1, 100).high.is_finite());
    assert_eq!(bootstrap(&[], &[], 1, 100).mean, 0.0);
}

#[test]
fn tokens_of_a_document_are_not_independent() {
    let mut rng = Seeded::new(1, 0);
    let levels: Vec<f64> = (0..20).map(|_| rng.unit()).collect();
    let values: Vec<f64> = (0..2_000).map(|t| levels[t / 100]).collect();
    let grouped: Vec<u64> = (0..2_000).map(|t| t / 100).collect();
    let single: Vec<u64> = (0..2_000).collect();
    let width = |documents: &[u64]| {
        let interval = bootstrap(&values, documents, 1, 1_000);
        interval.high - interval.low
    };
    assert!(width(&grouped) > 7.0 * width(&single), "ten times wider in theory");
}

#[test]
fn deterministic_in_the_seed() {
    let values: Vec<f64> = (1..40).map(|t| 1.0 / f64::from(t)).collect();
    let documents: Vec<u64> = (1..40).collect();
    assert_eq!(bootstrap(&values, &documents, 4, 500), bootstrap(&values, &documents, 4, 500));
    assert_ne!(bootstrap(&values, &documents, 4, 500), bootstrap(&values, &documents, 5, 500));
}

/// True mean 0.5; documents differ in level and in length.
#[test]
fn intervals_cover() {
    for documents in [5usize, 12, 40] {
        let covered = (0..1_000).filter(|&seed| {
            let mut rng = Seeded::new(seed, 3);
            let (mut values, mut ids) = (Vec::new(), Vec::new());
            for document in 0..documents as u64 {
                let level = rng.unit();
                for _ in 0..8 + rng.below(8) {
                    values.push(level + rng.unit() - 0.5);
                    ids.push(document);
                }
            }
            let interval = bootstrap(&values, &ids, seed, 400);
            (interval.low..=interval.high).contains(&0.5)
        });
        let share = covered.count() as f64 / 1_000.0;
        println!("{documents} documents: {share}");
        assert!(share >= 0.95, "{documents} documents cover {share}");
    }
}

#[test]
fn means_are_the_values_of_the_whole_game() {
    let mut spec = random_spec(8, 5, 60);
    spec.documents = Some((0..60).map(|t| [3, 1, 2, 1][t % 4]).collect());
    spec.clusters = Some(vec![0, 1, 2, 3, 1]);
    let game = Game::new(spec).unwrap();
    let rule = RewardRule::default();
    let found = intervals(&game, &rule, 1, 200);
    let means = |list: &[Interval]| list.iter().map(|interval| interval.mean).collect::<Vec<_>>();
    assert_close(&means(&found.own_gain), &own_gain(&game), 1e-12);
    assert_close(&means(&found.marginal), &owen_with(&game, rule.seed, rule.permutations), 1e-12);
    assert_eq!(found.own_gain[0].documents, 3);
    assert_eq!((found.marginal[4].low, found.marginal[4].high), (0.0, 0.0), "a junior");
}
