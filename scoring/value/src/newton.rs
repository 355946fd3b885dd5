//! Newton's method for mixture weights, to the last digits.
//!
//! Minimises φ(w) = −mean_t ln Σ_i w_i p_it + Σ_i w_i over w ≥ 0, which is stacking without its constraint: at the minimum
//! Σ w = Σ w_i g_i = 1 by itself, g_i = mean_t p_it / p̄_t. A primal–dual interior point method (Mehrotra's predictor and
//! corrector) follows the optimality conditions 1 − g = z, w z = 0 to about 1e-15 in a few tens of steps, where EM needs
//! ten thousand: its rate is the ratio of curvatures, Newton's is not (Kim, Carbonetto, Stephens & Anitescu 2020 use
//! second-order steps for the same problem). The miners left with weight are then polished by plain Newton steps.
//!
//! Rows that are equal are solved once and share their weight, so copies change nothing else, to the bit. Of more than
//! [`WHOLE`] rows only those that can matter are solved, and the others are shown not to (g ≤ 1) or taken in.
//! Shapes: `probs` is n × T, row-major, positive. Cost per step: n² T / 2, on all threads, the same bits for any number.

mod cholesky;
mod interior;

use crate::game::Stacking;
use interior::Problem;
use std::collections::BTreeMap;

/// Most rows that are solved at once without looking for those that matter.
const WHOLE: usize = 192;

/// Rows that are taken in per round beyond that.
const BATCH: usize = 64;

/// Excess of a gradient over 1 that is rounding: the sum of T ratios has a relative error of a few times 2^-53.
const ROUNDING: f64 = 1e-12;

/// Rounds of taking rows in: each raises the likelihood, so a row set never comes back.
const MAX_ROUNDS: usize = 128;

/// Weights of the mixture of the rows of `probs` that predicts best.
pub(crate) fn maximise(probs: &[f64], tokens: usize) -> Stacking {
    let rows: Vec<&[f64]> = probs.chunks_exact(tokens).collect();
    let (unique, owner) = distinct(&rows);
    let (weights, gap, iterations) = solve(&unique, tokens);
    let mut copies = vec![0usize; unique.len()];
    owner.iter().for_each(|&at| copies[at] += 1);
    let shared = owner.iter().map(|&at| weights[at] / copies[at] as f64).collect();
    Stacking { weights: shared, gap, iterations }
}

/// The different rows in order of appearance, and which of them each row is.
fn distinct<'a>(rows: &[&'a [f64]]) -> (Vec<&'a [f64]>, Vec<usize>) {
    let mut seen: BTreeMap<Vec<u64>, usize> = BTreeMap::new();
    let mut unique = Vec::new();
    let owner = rows
        .iter()
        .map(|row| {
            let key = row.iter().map(|prob| prob.to_bits()).collect();
            *seen.entry(key).or_insert_with(|| {
                unique.push(*row);
                unique.len() - 1
            })
        })
        .collect();
    (unique, owner)
}

/// Weights, the bound on what is still to be gained, and Newton steps.
fn solve(rows: &[&[f64]], tokens: usize) -> (Vec<f64>, f64, usize) {
    let mut active = first(rows);
    let mut iterations = 0;
    for _ in 0..MAX_ROUNDS {
        let chosen: Vec<&[f64]> = active.iter().map(|&at| rows[at]).collect();
        let (solution, steps) = Problem::new(&chosen, tokens).minimise();
        iterations += steps;
        let mut weights = vec![0.0; rows.len()];
        active.iter().zip(&solution).for_each(|(&at, &weight)| weights[at] = weight);
        let gradient = Problem::new(rows, tokens).gradient(&weights);
        let gap = (gradient.iter().copied().fold(0.0, f64::max) - 1.0).max(0.0);
        let mut better: Vec<usize> =
            (0..rows.len()).filter(|at| !active.contains(at) && gradient[*at] > 1.0 + ROUNDING).collect();
        if better.is_empty() {
            return (weights, gap, iterations);
        }
        better.sort_by(|&a, &b| gradient[b].total_cmp(&gradient[a]));
        better.truncate(BATCH);
        active.retain(|&at| weights[at] > 0.0);
        active.extend(better);
        active.sort_unstable();
    }
    // More rounds than any case met: EM goes on from where it stands, and its gap says how far it came.
    let start = vec![1.0 / rows.len() as f64; rows.len()];
    let fallback = crate::em::maximise(&rows.concat(), tokens, start, 1e-10, crate::em::MAX_ITERATIONS);
    (fallback.weights, fallback.gap, iterations + fallback.iterations)
}

/// All rows, or the most likely ones of too many.
fn first(rows: &[&[f64]]) -> Vec<usize> {
    let mut order: Vec<usize> = (0..rows.len()).collect();
    if rows.len() > WHOLE {
        let likelihood: Vec<f64> = rows.iter().map(|row| row.iter().map(|prob| prob.ln()).sum()).collect();
        order.sort_by(|&a, &b| likelihood[b].total_cmp(&likelihood[a]));
        order.truncate(BATCH);
        order.sort_unstable();
    }
    order
}

#[cfg(test)]
mod tests;
