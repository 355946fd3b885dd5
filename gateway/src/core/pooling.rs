//! The collective's distribution: what several miners said about the same positions, made one.
//!
//! An answer is checked before it is pooled (`acumen_scoring_value::report`): one that claims more than all the mass,
//! holds a NaN or names an id twice is refused as a whole. Probabilities are floored there, so that in the geometric
//! pool too no single miner can veto a token.

use acumen_proto::inference::Distribution;
use acumen_scoring_value::pool;
use acumen_scoring_value::report::{Report, ReportError};
use serde::{Deserialize, Serialize};

/// How distributions become one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Pool {
    /// Σ wᵢ pᵢ: what validators score miners on.
    Linear,
    /// ∏ pᵢ^wᵢ / Z: predicts better when miners err independently (docs/scoring.md), hence the default.
    #[default]
    Geometric,
}

impl Pool {
    /// Its name in configuration and answers.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Linear => "linear",
            Self::Geometric => "geometric",
        }
    }

    /// Pools each document of `answers[miner][document]` with one weight per miner; `None` without an answer.
    #[must_use]
    pub fn pool(self, answers: &[&[Vec<f64>]], weights: &[f64]) -> Option<Vec<Vec<f64>>> {
        let documents = answers.iter().map(|answer| answer.len()).min()?;
        let of = |document: usize| {
            let dists: Vec<&[f64]> = answers.iter().map(|answer| answer[document].as_slice()).collect();
            match self {
                Self::Linear => pool::linear(&dists, weights),
                Self::Geometric => pool::geometric(&dists, weights),
            }
        };
        Some((0..documents).map(of).collect())
    }
}

/// Checks one miner's answer: one distribution per document, over `vocabulary` ids.
///
/// # Errors
/// Why the answer is worth nothing.
pub fn checked(answer: &[Distribution], vocabulary: u32) -> Result<Vec<Vec<f64>>, ReportError> {
    let check = |claim: &Distribution| {
        Report::from_top_k(&claim.ids, &claim.logprobs, claim.tail, vocabulary).map(|report| report.dense())
    };
    answer.iter().map(check).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn claim(probs: &[f32]) -> Distribution {
        Distribution {
            ids: (0..probs.len() as u32).collect(),
            logprobs: probs.iter().map(|p| p.ln()).collect(),
            tail: 0.0,
        }
    }

    #[test]
    fn weights_count_and_the_pools_differ() {
        let (a, b) = (vec![vec![0.9, 0.1]], vec![vec![0.4, 0.6]]);
        let answers: [&[Vec<f64>]; 2] = [&a, &b];
        let linear = Pool::Linear.pool(&answers, &[3.0, 1.0]).unwrap();
        assert!((linear[0][0] - 0.775).abs() < 1e-12);
        let geometric = Pool::Geometric.pool(&answers, &[3.0, 1.0]).unwrap();
        let (x, y) = (0.9_f64.powf(0.75) * 0.4_f64.powf(0.25), 0.1_f64.powf(0.75) * 0.6_f64.powf(0.25));
        assert!((geometric[0][0] - x / (x + y)).abs() < 1e-12);
        assert_eq!(Pool::Linear.pool(&[], &[]), None);
    }

    #[test]
    fn one_bad_document_refuses_the_answer() {
        assert!(checked(&[claim(&[0.5, 0.5]), claim(&[0.6, 0.6])], 2).is_err());
        assert!(checked(&[claim(&[0.5, f32::NAN])], 2).is_err());
        assert_eq!(checked(&[claim(&[0.5, 0.5]), claim(&[0.9, 0.1])], 2).unwrap().len(), 2);
    }
}
