//! One token out of one distribution: temperature, nucleus, greedy.
//!
//! Invariant: the chosen id has positive weight in the tempered, truncated distribution; ties go to the smaller id.

use std::cmp::Ordering;

/// How tokens are chosen.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Sampling {
    /// Exponent 1/T on every probability; 0 takes the most probable token.
    pub temperature: f64,
    /// Smallest mass that the kept tokens must hold: only the fewest, most probable tokens are kept.
    pub top_p: f64,
}

impl Sampling {
    /// Chooses an id of `probs` with a `uniform` draw from [0, 1).
    #[must_use]
    pub fn choose(&self, probs: &[f64], uniform: f64) -> usize {
        let order = descending(probs);
        let best = order.first().copied().unwrap_or(0);
        if self.temperature <= 0.0 {
            return best;
        }
        let kept = self.nucleus(probs, &order);
        let total: f64 = kept.iter().map(|&(_, weight)| weight).sum();
        let mut left = uniform * total;
        for &(id, weight) in &kept {
            left -= weight;
            if left < 0.0 {
                return id;
            }
        }
        best
    }

    /// The kept ids with their tempered weights (best = 1), most probable first.
    fn nucleus(&self, probs: &[f64], order: &[usize]) -> Vec<(usize, f64)> {
        let top = order.first().map_or(0.0, |&best| probs[best].ln());
        let weights: Vec<(usize, f64)> =
            order.iter().map(|&id| (id, ((probs[id].ln() - top) / self.temperature).exp())).collect();
        let wanted = self.top_p * weights.iter().map(|&(_, weight)| weight).sum::<f64>();
        let mut mass = 0.0;
        let more = weights.iter().take_while(|&&(_, weight)| {
            let needed = mass < wanted;
            mass += weight;
            needed
        });
        let count = more.count().max(1);
        weights.into_iter().take(count).collect()
    }
}

/// Ids of `probs`, most probable first, ties by id.
#[must_use]
pub fn descending(probs: &[f64]) -> Vec<usize> {
    let mut order: Vec<usize> = (0..probs.len()).collect();
    order.sort_by(|&a, &b| probs[b].partial_cmp(&probs[a]).unwrap_or(Ordering::Equal).then(a.cmp(&b)));
    order
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn frequencies(sampling: Sampling, probs: &[f64]) -> Vec<f64> {
        const DRAWS: u32 = 20_000;
        let mut counts = vec![0.0; probs.len()];
        for draw in 0..DRAWS {
            counts[sampling.choose(probs, f64::from(draw) / f64::from(DRAWS))] += 1.0 / f64::from(DRAWS);
        }
        counts
    }

    #[test]
    fn temperature_one_samples_the_distribution_itself() {
        let probs = [0.1, 0.0, 0.6, 0.3];
        let got = frequencies(Sampling { temperature: 1.0, top_p: 1.0 }, &probs);
        assert!(got.iter().zip(probs).all(|(got, want)| (got - want).abs() < 1e-3), "{got:?}");
    }

    #[test]
    fn temperature_raises_probabilities_to_its_inverse() {
        let got = frequencies(Sampling { temperature: 0.5, top_p: 1.0 }, &[0.2, 0.8]);
        assert!((got[0] - 0.04 / 0.68).abs() < 1e-3, "{got:?}");
    }

    #[test]
    fn the_nucleus_is_the_fewest_tokens_that_hold_the_mass() {
        let got = frequencies(Sampling { temperature: 1.0, top_p: 0.79 }, &[0.1, 0.5, 0.3, 0.1]);
        assert!(got[0] == 0.0 && got[3] == 0.0 && (got[1] - 0.625).abs() < 1e-3, "{got:?}");
        let only_best = frequencies(Sampling { temperature: 1.0, top_p: 0.0 }, &[0.1, 0.5, 0.4]);
        assert!((only_best[1] - 1.0).abs() < 1e-9, "{only_best:?}");
    }

    proptest! {
        #[test]
        fn greedy_and_cold_agree_on_the_first_best(
            probs in prop::collection::vec(1_u32..50, 2..40), uniform in 0.0..1.0_f64,
        ) {
            let probs: Vec<f64> = probs.into_iter().map(f64::from).collect();
            let greedy = Sampling { temperature: 0.0, top_p: 1.0 }.choose(&probs, uniform);
            let max = probs.iter().copied().fold(0.0, f64::max);
            prop_assert_eq!(greedy, probs.iter().position(|&p| p == max).unwrap());
            let cold = Sampling { temperature: 1e-6, top_p: 1.0 }.choose(&probs, uniform);
            prop_assert_eq!(probs[cold], max);
        }
    }
}
