//! The one place where a score becomes an integer weight.
//!
//! weight = round(65535 · score / largest score), as [`Weights`] wants it: increasing uids, zeros dropped.

use acumen_protocol::Uid;
use acumen_protocol::weights::{Weights, WeightsError};

/// The row of weights for `scores`; a score that is not a positive number is worth nothing. Empty if all are.
///
/// # Errors
/// [`WeightsError`] for a uid given twice or too many of them.
pub fn integer(scores: &[(Uid, f64)]) -> Result<Weights, WeightsError> {
    let usable = |score: f64| if score.is_finite() { score.max(0.0) } else { 0.0 };
    let top = scores.iter().map(|(_, score)| usable(*score)).fold(0.0, f64::max);
    let scale = if top > 0.0 { f64::from(u16::MAX) / top } else { 0.0 };
    // In 0..=65535 by construction; the cast saturates.
    let weight = |score: f64| (usable(score) * scale).round() as u16;
    let mut entries: Vec<(Uid, u16)> = scores.iter().map(|(uid, score)| (*uid, weight(*score))).collect();
    entries.sort_unstable_by_key(|(uid, _)| *uid);
    Weights::new(entries)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(scores: &[(u16, f64)]) -> Vec<(u16, u16)> {
        let scores: Vec<(Uid, f64)> = scores.iter().map(|(uid, score)| (Uid::new(*uid), *score)).collect();
        integer(&scores).unwrap().entries().iter().map(|(uid, weight)| (uid.get(), *weight)).collect()
    }

    #[test]
    fn weights_are_proportional_to_scores_and_in_order() {
        assert_eq!(row(&[(4, 0.1), (2, 0.2), (3, 0.0)]), [(2, 65_535), (4, 32_768)]);
    }

    #[test]
    fn what_is_no_score_is_worth_nothing() {
        assert_eq!(row(&[(1, f64::NAN), (2, f64::INFINITY), (3, -1.0), (4, 1e-9)]), [(4, 65_535)]);
        assert_eq!(row(&[(1, 0.0)]), []);
        assert_eq!(row(&[]), []);
    }

    #[test]
    fn a_uid_is_listed_once() {
        assert!(integer(&[(Uid::new(1), 1.0), (Uid::new(1), 2.0)]).is_err());
    }
}
