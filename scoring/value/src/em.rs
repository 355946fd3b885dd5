//! Expectation–maximisation for mixture weights, with extrapolation.
//!
//! Maximises f(w) = mean_t ln Σ_i w_i p_it over the simplex. One EM step is w_i ← w_i g_i, g_i = mean_t p_it / p̄_t, and
//! never lowers f. f is concave, so f* − f(w) ≤ max_i g_i − 1: the stopping rule is a certificate, not a guess. Plain EM
//! crawls near the optimum; squared extrapolation (Varadhan & Roland 2008, scheme S3) jumps along its path, and a
//! jump that lowers f is dropped, so f still never decreases.

use crate::game::Stacking;

/// Default bound on the number of EM steps.
pub(crate) const MAX_ITERATIONS: usize = 20_000;

/// A jump lowers a weight at most by this factor, so that no weight is lost for good.
const MAX_SHRINK: f64 = 1e-3;

/// Weights below this count as zero: they are set to it no further, since EM cannot revive an exact zero.
const LEAST_WEIGHT: f64 = 1e-300;

/// Weights of the mixture of the rows of `probs` (n × T, row-major, positive) that predicts best, from `start`.
pub(crate) fn maximise(
    probs: &[f64],
    tokens: usize,
    start: Vec<f64>,
    tolerance: f64,
    max_iterations: usize,
) -> Stacking {
    let mut problem = Problem { probs, tokens, pooled: vec![0.0; tokens] };
    let mut weights = start;
    let mut iterations = 0;
    let mut state = problem.gradient(&weights);
    while state.residual(&weights) > tolerance && iterations < max_iterations {
        let once = step(&weights, &state.gradient);
        let middle = problem.gradient(&once);
        let twice = step(&once, &middle.gradient);
        let plain = problem.gradient(&twice);
        let jumped = jump(&weights, &once, &twice);
        let leap = problem.gradient(&jumped);
        (weights, state) = if leap.likelihood >= plain.likelihood { (jumped, leap) } else { (twice, plain) };
        iterations += 3;
    }
    let gap = state.excess();
    weights.iter_mut().for_each(|weight| *weight = if *weight < 1e-18 { 0.0 } else { *weight });
    normalise(&mut weights);
    Stacking { weights, gap, iterations }
}

struct Problem<'a> {
    probs: &'a [f64],
    tokens: usize,
    pooled: Vec<f64>,
}

/// f(w) and its gradient.
struct State {
    likelihood: f64,
    gradient: Vec<f64>,
}

impl Problem<'_> {
    fn gradient(&mut self, weights: &[f64]) -> State {
        self.pooled.fill(0.0);
        for (row, &weight) in self.probs.chunks_exact(self.tokens).zip(weights) {
            self.pooled.iter_mut().zip(row).for_each(|(sum, &x)| *sum += weight * x);
        }
        let count = self.tokens as f64;
        let likelihood = self.pooled.iter().map(|x| x.ln()).sum::<f64>() / count;
        self.pooled.iter_mut().for_each(|x| *x = 1.0 / *x);
        let rows = self.probs.chunks_exact(self.tokens);
        let gradient = rows
            .map(|row| row.iter().zip(&self.pooled).map(|(x, inverse)| x * inverse).sum::<f64>() / count)
            .collect();
        State { likelihood, gradient }
    }
}

impl State {
    /// max g − 1: the bound on what is still to be gained.
    fn excess(&self) -> f64 {
        (self.gradient.iter().copied().fold(0.0, f64::max) - 1.0).max(0.0)
    }

    /// How far the optimality conditions are violated: g ≤ 1 everywhere, g = 1 where there is weight.
    fn residual(&self, weights: &[f64]) -> f64 {
        let slack = weights.iter().zip(&self.gradient).map(|(w, g)| w * (g - 1.0).abs());
        slack.fold(self.excess(), f64::max)
    }
}

fn step(weights: &[f64], gradient: &[f64]) -> Vec<f64> {
    let mut next: Vec<f64> = weights.iter().zip(gradient).map(|(w, g)| (w * g).max(LEAST_WEIGHT)).collect();
    normalise(&mut next);
    next
}

/// w0 − 2αr + α²v with r = w1 − w0, v = w2 − 2w1 + w0, α = −|r|/|v|, kept inside the simplex.
fn jump(w0: &[f64], w1: &[f64], w2: &[f64]) -> Vec<f64> {
    let (mut rr, mut vv) = (0.0, 0.0);
    for ((a, b), c) in w0.iter().zip(w1).zip(w2) {
        rr += (b - a).powi(2);
        vv += (c - 2.0 * b + a).powi(2);
    }
    if vv == 0.0 {
        return w2.to_vec();
    }
    let alpha = -(rr / vv).sqrt().max(1.0);
    let path = w0.iter().zip(w1).zip(w2).map(|((a, b), c)| {
        let (r, v) = (b - a, c - 2.0 * b + a);
        (a - 2.0 * alpha * r + alpha * alpha * v).max(MAX_SHRINK * c).max(LEAST_WEIGHT)
    });
    let mut jumped: Vec<f64> = path.collect();
    normalise(&mut jumped);
    jumped
}

fn normalise(weights: &mut [f64]) {
    let total: f64 = weights.iter().sum();
    weights.iter_mut().for_each(|weight| *weight /= total);
}
