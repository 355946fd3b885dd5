//! The interior point method, and the polish of its result.

use super::cholesky::Factor;
use rayon::prelude::*;

/// Steps of the interior point method at most; 15 to 40 are usual.
const MAX_STEPS: usize = 120;

/// Mean complementarity w z below which the support is known.
const COMPLEMENTARY: f64 = 1e-15;

/// Share of the way to the boundary that a step takes.
const INSIDE: f64 = 0.995;

/// Plain Newton steps on the support; convergence is quadratic.
const POLISH: usize = 8;

/// Independent sums of a product of rows, so that additions do not wait for one another.
const LANES: usize = 8;

/// Rows and the buffers of their mixture.
pub(super) struct Problem<'a> {
    rows: &'a [&'a [f64]],
    tokens: usize,
}

/// What the method moves: weights and their prices.
struct Point {
    weights: Vec<f64>,
    prices: Vec<f64>,
}

impl<'a> Problem<'a> {
    pub(super) fn new(rows: &'a [&'a [f64]], tokens: usize) -> Self {
        Self { rows, tokens }
    }

    /// The weights of least φ, sum 1, and the steps taken.
    pub(super) fn minimise(&self) -> (Vec<f64>, usize) {
        let n = self.rows.len();
        let mut point = Point { weights: vec![1.0 / n as f64; n], prices: vec![1.0; n] };
        let mut steps = 0;
        while steps < MAX_STEPS {
            let inverse = self.inverse(&point.weights);
            let slope: Vec<f64> = self.means(&inverse).iter().map(|g| 1.0 - g).collect();
            let infeasible = slope.iter().zip(&point.prices).map(|(s, z)| (s - z).abs()).fold(0.0, f64::max);
            if point.complementarity() < COMPLEMENTARY && infeasible < 1e-12 {
                break;
            }
            if !point.advance(&slope, self.hessian(&inverse)) {
                break;
            }
            steps += 1;
        }
        let rough = normalised(point.weights.clone());
        (self.polish(&point).unwrap_or(rough), steps)
    }

    /// g_i = mean_t p_it / p̄_t.
    pub(super) fn gradient(&self, weights: &[f64]) -> Vec<f64> {
        self.means(&self.inverse(weights))
    }

    /// 1 / p̄_t.
    fn inverse(&self, weights: &[f64]) -> Vec<f64> {
        let mut pooled = vec![0.0; self.tokens];
        for (row, &weight) in self.rows.iter().zip(weights).filter(|(_, weight)| **weight > 0.0) {
            pooled.iter_mut().zip(*row).for_each(|(sum, &x)| *sum += weight * x);
        }
        pooled.iter_mut().for_each(|x| *x = 1.0 / *x);
        pooled
    }

    fn means(&self, inverse: &[f64]) -> Vec<f64> {
        self.rows.par_iter().map(|row| dot(row, inverse) / self.tokens as f64).collect()
    }

    /// H_ij = mean_t p_it p_jt / p̄_t², the lower half.
    fn hessian(&self, inverse: &[f64]) -> Vec<f64> {
        let n = self.rows.len();
        let ratios: Vec<Vec<f64>> =
            self.rows.par_iter().map(|row| row.iter().zip(inverse).map(|(x, y)| x * y).collect()).collect();
        let mut matrix = vec![0.0; n * n];
        matrix.par_chunks_mut(n).enumerate().for_each(|(i, out)| {
            for (slot, other) in out.iter_mut().zip(&ratios).take(i + 1) {
                *slot = dot(&ratios[i], other) / self.tokens as f64;
            }
        });
        matrix
    }

    /// Newton steps among the rows whose weight exceeds their price; None if they do not lead to a valid optimum.
    fn polish(&self, point: &Point) -> Option<Vec<f64>> {
        let support: Vec<usize> =
            (0..self.rows.len()).filter(|&at| point.weights[at] > point.prices[at]).collect();
        let rows: Vec<&[f64]> = support.iter().map(|&at| self.rows[at]).collect();
        let inner = Problem::new(&rows, self.tokens);
        let mut weights: Vec<f64> = support.iter().map(|&at| point.weights[at]).collect();
        for _ in 0..POLISH {
            let inverse = inner.inverse(&weights);
            let excess: Vec<f64> = inner.means(&inverse).iter().map(|g| g - 1.0).collect();
            let step = Factor::of(inner.hessian(&inverse), rows.len())?.solve(&excess);
            let scale = step.iter().map(|x| x.abs()).fold(0.0, f64::max);
            weights.iter_mut().zip(&step).for_each(|(weight, step)| *weight += step);
            if weights.iter().any(|weight| !(*weight > 0.0 && weight.is_finite())) {
                return None;
            }
            if scale < 1e-16 {
                break;
            }
        }
        let mut all = vec![0.0; self.rows.len()];
        normalised(weights).into_iter().zip(&support).for_each(|(weight, &at)| all[at] = weight);
        let worst = |weights: &[f64]| self.gradient(weights).into_iter().fold(0.0, f64::max);
        let rough = normalised(point.weights.clone());
        (worst(&all) <= worst(&rough).max(1.0 + super::ROUNDING)).then_some(all)
    }
}

impl Point {
    /// Mean of w z: zero at the optimum.
    fn complementarity(&self) -> f64 {
        let sum: f64 = self.weights.iter().zip(&self.prices).map(|(w, z)| w * z).sum();
        sum / self.weights.len() as f64
    }

    /// One predictor and corrector step; false if the matrix cannot be factored any more.
    fn advance(&mut self, slope: &[f64], mut matrix: Vec<f64>) -> bool {
        let n = self.weights.len();
        for at in 0..n {
            matrix[at * n + at] += self.prices[at] / self.weights[at];
        }
        let Some(factor) = Factor::of(matrix, n) else { return false };
        let mean = self.complementarity();
        let (dw, dz) = self.direction(&factor, slope, &vec![0.0; n]);
        let (a, b) = (reach(&self.weights, &dw).min(1.0), reach(&self.prices, &dz).min(1.0));
        let after: f64 = (0..n).map(|i| (self.weights[i] + a * dw[i]) * (self.prices[i] + b * dz[i])).sum();
        let target = mean * (after / n as f64 / mean).powi(3).clamp(0.0, 1.0);
        let aim: Vec<f64> = (0..n).map(|i| target - dw[i] * dz[i]).collect();
        let (dw, dz) = self.direction(&factor, slope, &aim);
        let (a, b) = (INSIDE * reach(&self.weights, &dw), INSIDE * reach(&self.prices, &dz));
        // One length for both: the slope is not linear in the weights.
        let length = a.min(b).min(1.0);
        self.weights.iter_mut().zip(&dw).for_each(|(w, d)| *w += length * d);
        self.prices.iter_mut().zip(&dz).for_each(|(z, d)| *z += length * d);
        true
    }

    /// The step to slope = z, w z = `aim`, to first order.
    fn direction(&self, factor: &Factor, slope: &[f64], aim: &[f64]) -> (Vec<f64>, Vec<f64>) {
        let rows = slope.iter().zip(aim).zip(&self.weights);
        let right: Vec<f64> = rows.map(|((slope, aim), weight)| aim / weight - slope).collect();
        let dw = factor.solve(&right);
        let dz = (0..dw.len())
            .map(|i| (aim[i] - self.prices[i] * dw[i]) / self.weights[i] - self.prices[i])
            .collect();
        (dw, dz)
    }
}

/// Largest multiple of `step` that keeps `at` from falling below 0.
fn reach(at: &[f64], step: &[f64]) -> f64 {
    at.iter()
        .zip(step)
        .filter(|(_, step)| **step < 0.0)
        .map(|(at, step)| -at / step)
        .fold(f64::INFINITY, f64::min)
}

fn normalised(mut weights: Vec<f64>) -> Vec<f64> {
    let total: f64 = weights.iter().sum();
    weights.iter_mut().for_each(|weight| *weight /= total);
    weights
}

/// Σ a b in a fixed order.
fn dot(a: &[f64], b: &[f64]) -> f64 {
    let mut sums = [0.0; LANES];
    let (left, left_rest) = a.as_chunks::<LANES>();
    let (right, right_rest) = b.as_chunks::<LANES>();
    for (x, y) in left.iter().zip(right) {
        for lane in 0..LANES {
            sums[lane] += x[lane] * y[lane];
        }
    }
    let rest: f64 = left_rest.iter().zip(right_rest).map(|(x, y)| x * y).sum();
    sums.iter().sum::<f64>() + rest
}
