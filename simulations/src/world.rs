//! What there is to know, and how much of it a miner of some quality knows.
//!
//! At each position the true log-odds are s ~ N(0, sharpness²) for each outcome and the truth is softmax(s). A miner sees
//! z = s + error, with an error of its own, N(0, σ²), and believes softmax(z · sharpness² / (sharpness² + σ²)): its best
//! guess. Its quality is the expected gain of that belief over the uniform one, in nats per token; `error_of` finds the
//! σ that belongs to a quality. Two miners of one quality have different errors, so their pool knows more than either.

use crate::scenario::World;
use crate::seeded::Seeded;

/// Positions on which qualities are calibrated: the mean of so many gains has a standard error below 0.02 nats.
const CALIBRATION_POSITIONS: usize = 2_048;

/// Halvings of the interval in which σ is sought.
const BISECTIONS: usize = 40;

/// Largest σ considered, in units of sharpness: a miner that knows next to nothing.
const MAX_RATIO: f64 = 1e3;

/// An evaluation: what one validator asks in one epoch.
#[derive(Debug)]
pub(crate) struct Exam {
    /// True log-odds, position-major.
    pub(crate) odds: Vec<f64>,
    /// The outcome at each position.
    pub(crate) realised: Vec<usize>,
}

impl Exam {
    /// Draws `tokens` positions and their outcomes.
    pub(crate) fn draw(world: &World, tokens: usize, draws: &mut Seeded) -> Self {
        let mut odds = draws.normals(tokens * world.outcomes);
        odds.iter_mut().for_each(|odds| *odds *= world.sharpness);
        let mut truth = vec![0.0; world.outcomes];
        let realised = odds.chunks_exact(world.outcomes).map(|odds| {
            softmax(odds, 1.0, &mut truth);
            pick(&truth, draws.unit())
        });
        let realised = realised.collect();
        Self { odds, realised }
    }
}

/// softmax(scale · log-odds), into `out`.
pub(crate) fn softmax(odds: &[f64], scale: f64, out: &mut [f64]) {
    let top = odds.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let mut total = 0.0;
    for (out, odds) in out.iter_mut().zip(odds) {
        *out = (scale * (odds - top)).exp();
        total += *out;
    }
    out.iter_mut().for_each(|prob| *prob /= total);
}

/// The outcome at `unit` of the cumulative distribution.
fn pick(probs: &[f64], unit: f64) -> usize {
    let mut left = unit;
    for (outcome, prob) in probs.iter().enumerate() {
        left -= prob;
        if left < 0.0 {
            return outcome;
        }
    }
    probs.len() - 1
}

/// How much a miner trusts what it sees: sharpness² / (sharpness² + σ²).
pub(crate) fn trust(sharpness: f64, error: f64) -> f64 {
    sharpness * sharpness / (sharpness * sharpness + error * error)
}

/// Finds errors for qualities.
#[derive(Debug)]
pub(crate) struct Calibration {
    world: World,
    odds: Vec<f64>,
    errors: Vec<f64>,
}

impl Calibration {
    /// A fixed sample of positions of `world`.
    pub(crate) fn new(world: &World, seed: u64) -> Self {
        let mut draws = Seeded::new(seed, "calibration", [0; 3]);
        let odds = Exam::draw(world, CALIBRATION_POSITIONS, &mut draws).odds;
        Self { world: *world, errors: draws.normals(odds.len()), odds }
    }

    /// The error σ of a miner that gains `quality` nats per token; `Err` holds the most that anybody can gain.
    pub(crate) fn error_of(&self, quality: f64) -> Result<f64, f64> {
        let most = self.gain(0.0);
        if quality > most {
            return Err(most);
        }
        let (mut low, mut high) = (0.0, self.world.sharpness * MAX_RATIO);
        for _ in 0..BISECTIONS {
            // Geometric above the first steps: gains fall with the logarithm of the error.
            let middle = if low == 0.0 { high / 4.0 } else { f64::sqrt(low * high) };
            if self.gain(middle) > quality { low = middle } else { high = middle }
        }
        Ok(high)
    }

    /// Expected gain over the uniform distribution, in nats per token.
    fn gain(&self, error: f64) -> f64 {
        let outcomes = self.world.outcomes;
        let scale = trust(self.world.sharpness, error);
        let (mut truth, mut belief) = (vec![0.0; outcomes], vec![0.0; outcomes]);
        let mut seen = vec![0.0; outcomes];
        let mut total = 0.0;
        for (odds, errors) in self.odds.chunks_exact(outcomes).zip(self.errors.chunks_exact(outcomes)) {
            seen.iter_mut().zip(odds.iter().zip(errors)).for_each(|(seen, (s, e))| *seen = s + error * e);
            softmax(odds, 1.0, &mut truth);
            softmax(&seen, scale, &mut belief);
            total += truth.iter().zip(&belief).map(|(p, b)| p * b.max(f64::MIN_POSITIVE).ln()).sum::<f64>();
        }
        total / CALIBRATION_POSITIONS as f64 + (outcomes as f64).ln()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quality_is_the_gain_that_comes_out() {
        let world = World::default();
        let calibration = Calibration::new(&world, 1);
        let mut before = f64::INFINITY;
        for quality in [0.05, 0.3, 0.6, 0.9] {
            let error = calibration.error_of(quality).unwrap();
            assert!((calibration.gain(error) - quality).abs() < 1e-6);
            assert!(error < before, "who knows more errs less");
            before = error;
        }
        let most = calibration.error_of(99.0).unwrap_err();
        assert!(most > 0.9 && most < (world.outcomes as f64).ln(), "{most}");
    }

    #[test]
    fn outcomes_follow_the_truth() {
        let probs = [0.25, 0.5, 0.25];
        let count =
            |n: usize| (0..1_000_u32).filter(|i| pick(&probs, (f64::from(*i) + 0.5) / 1_000.0) == n).count();
        assert_eq!([count(0), count(1), count(2)], [250, 500, 250]);
    }
}
