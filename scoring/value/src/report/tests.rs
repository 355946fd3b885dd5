//! What a report must refuse, and what the floor must not change.

use super::*;
use crate::seeded::Seeded;
use crate::testing::random_dist;
use proptest::prelude::*;

fn logs(probs: &[f64]) -> Vec<f32> {
    probs.iter().map(|prob| prob.ln() as f32).collect()
}

#[test]
fn refuses_each_kind_of_lie() {
    let ids = [3, 1];
    let fair = logs(&[0.5, 0.3]);
    assert!(Report::from_top_k(&ids, &fair, 0.2, 8).is_ok());
    let refuse = |ids: &[u32], logprobs: &[f32], tail, vocab| {
        Report::from_top_k(ids, logprobs, tail, vocab).unwrap_err()
    };
    assert!(matches!(refuse(&ids, &[f32::NAN, -1.0], 0.2, 8), ReportError::NotANumber { id: 3, .. }));
    assert!(matches!(refuse(&ids, &[f32::INFINITY, -1.0], 0.2, 8), ReportError::NotANumber { .. }));
    assert!(matches!(refuse(&ids, &[0.1, -9.0], 0.0, 8), ReportError::AboveOne { id: 3, .. }));
    assert!(
        matches!(refuse(&ids, &logs(&[0.9, 0.9]), 0.0, 8), ReportError::Overweight(total) if total > 1.79)
    );
    assert!(matches!(refuse(&ids, &fair, 0.21, 8), ReportError::Overweight(_)), "tail counts");
    assert_eq!(refuse(&ids, &fair, -0.1, 8), ReportError::Tail(-0.1));
    assert!(matches!(refuse(&ids, &fair, f32::NAN, 8), ReportError::Tail(_)));
    assert_eq!(refuse(&[1, 1], &fair, 0.2, 8), ReportError::Duplicate(1));
    assert_eq!(refuse(&[1, 8], &fair, 0.2, 8), ReportError::OutOfVocab { id: 8, vocab: 8 });
    assert_eq!(refuse(&[1], &fair, 0.2, 8), ReportError::Length { ids: 1, logprobs: 2 });
    assert_eq!(refuse(&[], &[], 1.0, 8), ReportError::Empty);
    assert_eq!(refuse(&[0], &[0.0], 0.0, 1), ReportError::Vocab(1));
    assert_eq!(refuse(&[0], &[0.0], 0.0, MAX_VOCAB + 1), ReportError::Vocab(MAX_VOCAB + 1));
    assert!(matches!(refuse(&[0, 1], &logs(&[0.5, 0.3]), 0.0, 2), ReportError::Underweight(_)));
    assert!(
        matches!(refuse(&[0, 1], &logs(&[0.5, 0.3]), 0.2, 2), ReportError::Tail(_)),
        "no id is left for a tail"
    );
    assert!(matches!(Report::from_dense(&[0.5, -0.1, 0.6]), Err(ReportError::NotANumber { id: 1, .. })));
}

#[test]
fn missing_mass_goes_to_the_tail_and_never_to_the_named() {
    let open = Report::from_top_k(&[0], &logs(&[0.4]), 0.0, 11).unwrap();
    let closed = Report::from_top_k(&[0], &logs(&[0.4]), 0.6, 11).unwrap();
    assert!((open.prob(0) - closed.prob(0)).abs() < 1e-7);
    assert!((open.prob(0) - ((1.0 - EPSILON) * 0.4 + EPSILON / 11.0)).abs() < 1e-7);
    assert!((open.prob(5) - closed.prob(5)).abs() < 1e-7);
    assert!((open.tail_mass() - 0.6).abs() < 1e-7);
}

#[test]
fn a_rounding_excess_is_scaled_down() {
    let report = Report::from_top_k(&[0, 1], &logs(&[0.6, 0.4009]), 0.0, 4).unwrap();
    assert!(report.dense().iter().sum::<f64>() <= 1.0 + 1e-12);
    assert!(report.prob(0) < 0.6, "the excess is nobody's gain");
}

#[test]
fn floor_bounds_the_loss_of_one_token() {
    let sure = Report::from_top_k(&[0], &[0.0], 0.0, 256).unwrap();
    assert!((sure.log_score(7) + (256f64 / EPSILON).ln()).abs() < 1e-9);
    assert!(sure.log_score(0) <= 0.0 && sure.log_score(0) > -1.01e-4);
    assert_eq!(sure.prob(256), 0.0);
    assert!((Report::uniform(256).unwrap().prob(9) - 1.0 / 256.0).abs() < 1e-15);
}

proptest! {
    #[test]
    fn dense_agrees_with_prob_and_holds_mass_one(seed: u64, vocab in 2u32..60, keep in 1usize..60) {
        let dist = random_dist(&mut Seeded::new(seed, 0), vocab as usize, 6.0);
        let keep = keep.min(dist.len());
        let ids: Vec<u32> = (0..keep as u32).rev().collect();
        let logprobs: Vec<f32> = ids.iter().map(|&id| dist[id as usize].ln() as f32).collect();
        let tail: f64 = dist[keep..].iter().sum();
        let report = Report::from_top_k(&ids, &logprobs, tail as f32, vocab).unwrap();
        let dense = report.dense();
        prop_assert!((dense.iter().sum::<f64>() - 1.0).abs() < 1e-6);
        for id in 0..vocab {
            prop_assert_eq!(dense[id as usize], report.prob(id));
            prop_assert!(report.prob(id) >= EPSILON / f64::from(vocab));
        }
    }

    /// Cutting at k costs nothing when the rest was uniform anyway.
    #[test]
    fn top_k_with_a_uniform_tail_scores_as_the_whole(seed: u64) {
        let head = random_dist(&mut Seeded::new(seed, 0), 5, 3.0);
        let full: Vec<f64> = head.iter().map(|p| p * 0.8).chain([0.2 / 15.0; 15]).collect();
        let whole = Report::from_dense(&full).unwrap();
        let cut = Report::from_top_k(&[0, 1, 2, 3, 4], &logs(&full[..5]), 0.2, 20).unwrap();
        for id in 0..20 {
            prop_assert!((whole.log_score(id) - cut.log_score(id)).abs() < 1e-5);
        }
    }

    /// Strict properness: no report beats the truth by more than the floor costs.
    #[test]
    fn truth_is_the_best_report(seed: u64) {
        let mut rng = Seeded::new(seed, 0);
        let truth = random_dist(&mut rng, 6, 4.0);
        let expected = |report: &[f64]| -> f64 {
            let report = Report::from_dense(report).unwrap();
            truth.iter().zip(0..).map(|(p, id)| p * report.log_score(id)).sum()
        };
        let honest = expected(&truth);
        for _ in 0..50 {
            let lie = random_dist(&mut rng, 6, 4.0);
            let blend = rng.unit();
            let mixed: Vec<f64> = truth.iter().zip(&lie).map(|(p, q)| blend * p + (1.0 - blend) * q).collect();
            prop_assert!(expected(&mixed) <= honest + EPSILON);
        }
    }
}
