//! The axioms of each value, and independent recomputation of each closed form.

mod properties;
mod sampling;
mod weights;

use super::*;
use crate::testing::{assert_close, random_game, random_spec};

/// Members of a coalition given by its bits.
fn members(coalition: usize) -> Vec<usize> {
    (0..usize::BITS as usize).filter(|bit| coalition >> bit & 1 == 1).collect()
}

#[test]
fn the_table_is_the_definition() {
    // 11 and 12 players use several tasks; 300 tokens use two blocks.
    for (seed, n, tokens) in [(1, 1, 5), (2, 3, 300), (3, 11, 40), (4, 12, 257)] {
        let game = random_game(seed, n, tokens);
        let table = Coalitions::of(&game).unwrap();
        let direct: Vec<f64> = (0..1 << n).map(|coalition| game.value(&members(coalition))).collect();
        assert_close(table.values(), &direct, 1e-12);
    }
}

#[test]
fn closed_forms_equal_recomputation() {
    for (seed, n) in [(1, 1), (2, 2), (3, 9)] {
        let game = random_game(seed, n, 70);
        let everyone: Vec<usize> = (0..n).collect();
        let without = |i: usize| everyone.iter().copied().filter(|&j| j != i).collect::<Vec<_>>();
        let direct: Vec<f64> = (0..n).map(|i| game.value(&everyone) - game.value(&without(i))).collect();
        assert_close(&loo(&game), &direct, 1e-12);
        let alone: Vec<f64> = (0..n).map(|i| game.value(&[i])).collect();
        assert_close(&own_gain(&game), &alone, 1e-12);
        let reference: f64 = game.reference().iter().map(|q| q.ln()).sum::<f64>() / 70.0;
        assert!((pool_loss(&game) + game.value(&everyone) + reference).abs() < 1e-12);
    }
}

#[test]
fn a_dominant_miner_does_not_cancel_the_digits_of_the_rest() {
    let spec = GameSpec {
        probs: vec![vec![1.0; 9], vec![1e-13; 9], vec![3e-13; 9]],
        reference: vec![0.01; 9],
        ..GameSpec::default()
    };
    let game = Game::new(spec).unwrap();
    let rest = 2e-13f64.ln();
    let whole = ((1.0 + 4e-13) / 3.0f64).ln();
    assert!((loo(&game)[0] - (whole - rest)).abs() < 1e-12, "1 − a_it would lose three digits here");
    let table = Coalitions::of(&game).unwrap();
    assert!(
        (table.values()[0b110] - (rest - 0.01f64.ln())).abs() < 1e-12,
        "running sums with subtraction would not"
    );
}

#[test]
fn any_number_of_threads_gives_the_same_bits() {
    let game = random_game(5, 13, 300);
    let run = |threads| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| {
            let table = Coalitions::of(&game).unwrap();
            let sampled = shapley_sampled(&game, 7, 100);
            (table.shapley(), table.banzhaf(), sampled, banzhaf_sampled(&game, 7, 64))
        })
    };
    let one = run(1);
    assert_eq!(one, run(2));
    assert_eq!(one, run(8));
}

#[test]
fn owen_pays_the_senior_and_ignores_the_rest() {
    let mut spec = random_spec(9, 5, 60);
    spec.clusters = Some(vec![4, 7, 4, 7, 1]);
    spec.seniority = Some(vec![30, 8, 20, 8, 5]);
    let game = Game::new(spec).unwrap();
    assert_eq!(seniors(&game), [1, 2, 4], "a tie goes to the lower index");
    let quotient = shapley_exact(&game.restrict(&[1, 2, 4])).unwrap();
    assert_close(&owen(&game), &[0.0, quotient[0], quotient[1], 0.0, quotient[2]], 1e-15);
}

#[test]
fn copies_in_a_cluster_change_nothing() {
    let alone = random_game(11, 6, 80);
    let mut spec = random_spec(11, 6, 80);
    for _ in 0..4 {
        spec.probs.push(spec.probs[0].clone());
        spec.weights.as_mut().unwrap().push(0.9);
    }
    spec.clusters = Some(vec![0, 1, 2, 3, 4, 5, 0, 0, 0, 0]);
    let farm = Game::new(spec).unwrap();
    let (before, after) = (owen(&alone), owen(&farm));
    assert_close(&after[..6], &before, 1e-12);
    assert_eq!(after[6..], [0.0; 4]);
}

#[test]
fn more_clusters_than_exact_are_sampled() {
    let game = random_game(12, 23, 30);
    assert!(matches!(shapley_exact(&game), Err(GameError::TooManyPlayers { players: 23, max: 20 })));
    assert!(matches!(banzhaf_exact(&game), Err(GameError::TooManyPlayers { .. })));
    let everyone: Vec<usize> = (0..23).collect();
    assert!((owen(&game).iter().sum::<f64>() - game.value(&everyone)).abs() < 1e-10, "efficient even so");
}

#[test]
fn refuses_what_is_not_a_game() {
    let good = || random_spec(1, 2, 3);
    let refuse = |change: &dyn Fn(&mut GameSpec)| {
        let mut spec = good();
        change(&mut spec);
        Game::new(spec).unwrap_err()
    };
    assert_eq!(refuse(&|s| s.probs.clear()), GameError::Empty { miners: 0, tokens: 3 });
    assert_eq!(refuse(&|s| s.reference.clear()), GameError::Empty { miners: 2, tokens: 0 });
    assert!(matches!(refuse(&|s| s.probs[1][2] = 0.0), GameError::Probability { token: 2, .. }));
    assert!(matches!(refuse(&|s| s.probs[1][2] = 1.1), GameError::Probability { .. }));
    assert!(matches!(refuse(&|s| s.probs[1][2] = f64::NAN), GameError::Probability { .. }));
    assert!(matches!(refuse(&|s| s.reference[0] = -0.5), GameError::Probability { token: 0, .. }));
    assert!(matches!(refuse(&|s| s.probs[0].truncate(2)), GameError::Length { found: 2, expected: 3, .. }));
    assert!(matches!(
        refuse(&|s| s.weights = Some(vec![1.0])),
        GameError::Length { found: 1, expected: 2, .. }
    ));
    assert!(matches!(refuse(&|s| s.weights = Some(vec![1.0, 0.0])), GameError::Weight { miner: 1, .. }));
    assert!(matches!(refuse(&|s| s.weights = Some(vec![1e308, 1e308])), GameError::Weight { .. }));
    assert!(matches!(refuse(&|s| s.clusters = Some(vec![1])), GameError::Length { .. }));
    assert!(matches!(refuse(&|s| s.seniority = Some(vec![1])), GameError::Length { .. }));
    assert!(matches!(refuse(&|s| s.documents = Some(vec![1])), GameError::Length { expected: 3, .. }));
    let tiny = |s: &mut GameSpec| (s.probs[0][0], s.weights) = (1e-60, Some(vec![1e-60, 1.0]));
    let vanishing = |s: &mut GameSpec| tiny(s);
    assert!(matches!(refuse(&vanishing), GameError::Vanishing { miner: 0, .. }));
}

#[test]
fn a_game_survives_json() {
    let game = random_game(3, 3, 4);
    let text = serde_json::to_string(&game).unwrap();
    let back: Game = serde_json::from_str(&text).unwrap();
    assert_close(back.weights(), game.weights(), 1e-15);
    assert_eq!(back.probs(2), game.probs(2));
    assert!(serde_json::from_str::<Game>(r#"{"probs":[[2.0]],"reference":[0.5]}"#).is_err());
}
