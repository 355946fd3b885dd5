//! Regret bounds on every prefix, and the window against the batch.

use super::*;
use crate::game::{Game, GameSpec, stacking};
use crate::seeded::Seeded;
use crate::testing::assert_close;

/// Sequences that switch the best miner, so that a bound which holds only at the end fails on a prefix.
fn adversarial(seed: u64, n: usize, tokens: usize) -> Vec<Vec<f64>> {
    let mut rng = Seeded::new(seed, 0);
    let phase = 1 + rng.below(tokens);
    (0..tokens)
        .map(|t| {
            let star = (t / phase + rng.below(2)) % n;
            (0..n).map(|i| if i == star { 0.9 } else { 10f64.powf(-4.0 * rng.unit()) }).collect()
        })
        .collect()
}

/// Loss of the learner less the loss of the best single miner, on each prefix.
fn regrets(rows: &[Vec<f64>], losses: &[f64]) -> Vec<f64> {
    let mut singles = vec![0.0; rows[0].len()];
    let mut total = 0.0;
    let mut regrets = Vec::new();
    for (row, loss) in rows.iter().zip(losses) {
        total += loss;
        singles.iter_mut().zip(row).for_each(|(sum, prob)| *sum -= prob.ln());
        regrets.push(total - singles.iter().copied().fold(f64::INFINITY, f64::min));
    }
    regrets
}

#[test]
fn bayes_regret_is_at_most_ln_n_on_every_prefix() {
    for seed in 0..200 {
        let rows = adversarial(seed, 6, 300);
        let mut bayes = BayesMixture::new(6).unwrap();
        let losses: Vec<f64> = rows.iter().map(|row| bayes.update(row).unwrap()).collect();
        let worst = regrets(&rows, &losses).into_iter().fold(f64::MIN, f64::max);
        assert!(worst <= 6f64.ln() + 1e-9, "seed {seed}: {worst}");
    }
}

#[test]
fn soft_bayes_regret_is_at_most_ln_n_over_eta_on_every_prefix() {
    for seed in 0..200 {
        let eta = [0.02, 0.1, 0.5][seed as usize % 3];
        let rows = adversarial(seed, 6, 300);
        let mut soft = SoftBayes::new(6, eta).unwrap();
        let losses: Vec<f64> = rows.iter().map(|row| soft.update(row).unwrap()).collect();
        let worst = regrets(&rows, &losses).into_iter().fold(f64::MIN, f64::max);
        assert!(worst <= 6f64.ln() / eta + 1e-9, "seed {seed}: {worst}");
        assert!((soft.weights().iter().sum::<f64>() - 1.0).abs() < 1e-12);
    }
}

fn batch(rows: &[Vec<f64>]) -> Game {
    let n = rows[0].len();
    let probs = (0..n).map(|i| rows.iter().map(|row| row[i]).collect()).collect();
    Game::new(GameSpec { probs, reference: vec![0.5; rows.len()], ..GameSpec::default() }).unwrap()
}

/// Sequences against a learner: the token goes to whom it trusts least, to whom it trusts most no more, or to one miner
/// for long and then to the next; the rest get almost nothing.
fn against(kind: usize, seed: u64, n: usize, tokens: usize, eta: f64) -> Vec<Vec<f64>> {
    let mut rng = Seeded::new(seed, 4);
    let mut learner = SoftBayes::new(n, eta).unwrap();
    (0..tokens)
        .map(|t| {
            let by_weight = |pick: fn(&f64, &f64) -> std::cmp::Ordering| {
                (0..n).min_by(|&a, &b| pick(&learner.weights()[a], &learner.weights()[b])).unwrap_or(0)
            };
            let star = match kind {
                0 => by_weight(f64::total_cmp),
                1 => by_weight(|a, b| b.total_cmp(a)),
                2 => (t * 4 / tokens) % n,
                _ => rng.below(n),
            };
            let row: Vec<f64> =
                (0..n).map(|i| if i == star { 1.0 } else { 1e-6 + 0.02 * rng.unit() }).collect();
            learner.update(&row).unwrap();
            row
        })
        .collect()
}

/// Both forms of the bound against the best fixed mixture, each prefix with its own best mixture, found exactly.
#[test]
fn soft_bayes_regret_against_the_best_mixture_is_bounded_on_every_prefix() {
    let (n, tokens) = (4usize, 120usize);
    let mut tightest = f64::INFINITY;
    for case in 0..16u64 {
        let eta = [0.02, 0.06, 0.2, 0.6][case as usize % 4];
        let rows = against(case as usize / 4, case, n, tokens, eta);
        let mut soft = SoftBayes::new(n, eta).unwrap();
        let (mut loss, mut data_bound) = (0.0, (n as f64).ln() / eta);
        for (t, row) in rows.iter().enumerate() {
            let before = loss;
            loss += soft.update(row).unwrap();
            let pooled = (before - loss).exp();
            let largest = row.iter().map(|prob| prob / pooled).fold(0.0, f64::max);
            data_bound += (eta * largest / (2.0 * (1.0 - eta))).ln_1p();
            let best = stacking(&batch(&rows[..=t]));
            let mixture: f64 = rows[..=t]
                .iter()
                .map(|row| -best.iter().zip(row).map(|(w, p)| w * p).sum::<f64>().ln())
                .sum();
            let regret = loss - mixture;
            assert!(regret <= data_bound + 1e-9, "case {case}, prefix {t}: {regret} above {data_bound}");
            assert!(data_bound <= soft.regret_bound(t + 1) + 1e-9, "the general bound is the weaker one");
            tightest = tightest.min(data_bound - regret);
        }
    }
    assert!(tightest < 10.0, "the sequences come near the bound: {tightest} nats");
}

/// Two specialists: the best mixture is half and half, which Bayes misses and Soft-Bayes finds.
#[test]
fn soft_bayes_mixes_where_bayes_selects() {
    let mut rng = Seeded::new(1, 0);
    let rows: Vec<Vec<f64>> =
        (0..4_000).map(|_| if rng.below(100) < 52 { vec![0.8, 0.05] } else { vec![0.05, 0.8] }).collect();
    let (mut bayes, mut soft) = (BayesMixture::new(2).unwrap(), SoftBayes::new(2, 0.02).unwrap());
    for row in &rows {
        bayes.update(row).unwrap();
        soft.update(row).unwrap();
    }
    assert!(bayes.weights().iter().any(|&weight| weight > 0.999), "{:?}", bayes.weights());
    assert!((soft.weights()[0] - 0.52).abs() < 0.1, "{:?}", soft.weights());
}

#[test]
fn fixed_share_finds_a_miner_that_improves() {
    let drift = |share| {
        let mut soft = SoftBayes::new(2, 0.2).unwrap().with_fixed_share(share).unwrap();
        for t in 0..3_060 {
            let row = if t < 3_000 { [0.9, 0.01] } else { [0.01, 0.9] };
            soft.update(&row).unwrap();
        }
        soft.weights()[1]
    };
    assert!(drift(0.001) > 0.5 && drift(0.0) < 0.1, "{} {}", drift(0.001), drift(0.0));
}

#[test]
fn window_equals_batch_stacking_and_forgets() {
    let rows = adversarial(3, 4, 250);
    let mut window = Window::new(4, 100).unwrap();
    assert!(window.is_empty());
    assert_close(window.fit(), &[0.25; 4], 1e-15);
    for row in &rows {
        window.push(row).unwrap();
    }
    window.fit();
    assert_eq!(window.len(), 100);
    assert_close(window.weights(), &stacking(&batch(&rows[150..])), 1e-3);
}

#[test]
fn refuses_bad_positions_and_settings() {
    let mut soft = SoftBayes::new(2, 0.1).unwrap();
    assert_eq!(soft.update(&[0.5]).unwrap_err(), OnlineError::Length { found: 1, expected: 2 });
    assert_eq!(soft.update(&[0.5, 0.0]).unwrap_err(), OnlineError::Probability { miner: 1, value: 0.0 });
    assert_eq!(soft.weights(), [0.5, 0.5], "nothing was learned");
    assert!(SoftBayes::new(2, 1.0).is_err() && SoftBayes::new(0, 0.1).is_err());
    assert!(SoftBayes::new(2, 0.1).unwrap().with_fixed_share(1.0).is_err());
    assert!(BayesMixture::new(0).is_err());
    assert!(Window::new(3, 0).is_err() && Window::new(4096, MAX_WINDOW_CELLS).is_err());
}

#[test]
fn a_missing_answer_moves_nothing() {
    let mut soft = SoftBayes::new(3, 0.1).unwrap();
    soft.update(&[0.9, 0.2, 0.1]).unwrap();
    let before = soft.weights().to_vec();
    let row = impute(&before, &[Some(0.4), None, Some(0.2)]);
    soft.update(&row).unwrap();
    assert!((soft.weights()[1] - before[1]).abs() < 1e-12);
    assert_close(&impute(&[0.5, 0.5], &[None, None]), &[1.0, 1.0], 0.0);
}
