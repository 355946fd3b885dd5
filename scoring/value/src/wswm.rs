//! Weighted-score wagering: a payout that is strictly proper, balanced, and blind to how a stake is split.
//!
//! pay_i = m_i · (1 + s_i − Σ_j m_j s_j / Σ_j m_j) for stakes m and scores s in [0, 1] (Lambert, Langford, Wortman Vaughan,
//! Chen, Reeves, Shoham & Pennock 2008). It redistributes what was staked and adds nothing, so a track that pays emission
//! cannot use it by itself; it is here to be compared with, and for markets among miners. A clone is no gain at all:
//! splitting a stake over slots pays the same sum. Units: those of the stake.

/// Why there is no payout.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum WswmError {
    /// Not one score per stake, or none.
    #[error("{scores} scores for {stakes} stakes: give one per stake, and at least one")]
    Length {
        /// Number of stakes.
        stakes: usize,
        /// Number of scores.
        scores: usize,
    },
    /// A stake that is negative or not finite, or all are 0.
    #[error("stake {index} is {value}: give finite stakes of at least 0 and with a positive sum")]
    Stake {
        /// Which.
        index: usize,
        /// What it is.
        value: f64,
    },
    /// A score outside [0, 1].
    #[error("score {index} is {value}: scale it to [0, 1], for a log score by (ln p − ln floor) / −ln floor")]
    Score {
        /// Which.
        index: usize,
        /// What it is.
        value: f64,
    },
}

/// Payout of each stake; the sum is the sum of the stakes, and none is negative.
///
/// # Errors
/// [`WswmError`].
pub fn wswm(stakes: &[f64], scores: &[f64]) -> Result<Vec<f64>, WswmError> {
    if stakes.len() != scores.len() || stakes.is_empty() {
        return Err(WswmError::Length { stakes: stakes.len(), scores: scores.len() });
    }
    let total: f64 = stakes.iter().sum();
    let bad = |stake: &f64| !(stake.is_finite() && *stake >= 0.0 && total > 0.0 && total.is_finite());
    if let Some(index) = stakes.iter().position(bad) {
        return Err(WswmError::Stake { index, value: stakes[index] });
    }
    if let Some(index) = scores.iter().position(|score| !(0.0..=1.0).contains(score)) {
        return Err(WswmError::Score { index, value: scores[index] });
    }
    let mean = stakes.iter().zip(scores).map(|(stake, score)| stake * score).sum::<f64>() / total;
    Ok(stakes.iter().zip(scores).map(|(stake, score)| stake * (1.0 + score - mean)).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::seeded::Seeded;
    use crate::testing::{assert_close, random_dist};
    use proptest::prelude::*;

    /// Quadratic (Brier) score of a report, scaled to [0, 1].
    fn brier(report: &[f64], outcome: usize) -> f64 {
        let squares: f64 = report.iter().map(|p| p * p).sum();
        (1.0 + 2.0 * report[outcome] - squares) / 2.0
    }

    proptest! {
        #[test]
        fn balanced_individually_rational_and_blind_to_splits(seed: u64, n in 1usize..9, parts in 1usize..5) {
            let mut rng = Seeded::new(seed, 0);
            let stakes: Vec<f64> = (0..n).map(|_| 0.01 + rng.unit()).collect();
            let scores: Vec<f64> = (0..n).map(|_| rng.unit()).collect();
            let paid = wswm(&stakes, &scores).unwrap();
            prop_assert!((paid.iter().sum::<f64>() - stakes.iter().sum::<f64>()).abs() < 1e-12);
            prop_assert!(paid.iter().all(|paid| *paid >= 0.0));
            let split: Vec<f64> = [vec![stakes[0] / parts as f64; parts], stakes[1..].to_vec()].concat();
            let same: Vec<f64> = [vec![scores[0]; parts], scores[1..].to_vec()].concat();
            let after = wswm(&split, &same).unwrap();
            prop_assert!((after[..parts].iter().sum::<f64>() - paid[0]).abs() < 1e-12);
            assert_close(&after[parts..], &paid[1..], 1e-12);
        }

        /// Expected payout under one's own belief is highest for that belief.
        #[test]
        fn truth_is_the_best_report(seed: u64) {
            let mut rng = Seeded::new(seed, 0);
            let belief = random_dist(&mut rng, 4, 3.0);
            let other = random_dist(&mut rng, 4, 3.0);
            let expected = |report: &[f64]| -> f64 {
                let pay = |y: usize| wswm(&[2.0, 3.0], &[brier(report, y), brier(&other, y)]).unwrap()[0];
                belief.iter().enumerate().map(|(y, p)| p * pay(y)).sum()
            };
            for _ in 0..50 {
                prop_assert!(expected(&random_dist(&mut rng, 4, 3.0)) <= expected(&belief) + 1e-12);
            }
        }
    }

    #[test]
    fn refuses_what_has_no_payout() {
        assert_eq!(wswm(&[], &[]), Err(WswmError::Length { stakes: 0, scores: 0 }));
        assert!(matches!(wswm(&[1.0], &[1.1]), Err(WswmError::Score { index: 0, .. })));
        assert!(matches!(wswm(&[0.0, 0.0], &[0.5, 0.5]), Err(WswmError::Stake { index: 0, .. })));
        assert!(matches!(wswm(&[1.0, f64::NAN], &[0.5, 0.5]), Err(WswmError::Stake { .. })));
    }
}
