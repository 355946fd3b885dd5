//! Penalties and biases: how a request changes the next byte's distribution before a byte is drawn, as OpenAI defines it.
//!
//! ln p of a byte is raised by its bias, lowered by `presence` if the choice has generated it already, and by `frequency`
//! for every time that it has. Only what a choice generated counts, not its prompt.

use std::borrow::Cow;
use std::collections::BTreeMap;

/// What is changed.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Steering {
    /// Against bytes that were generated at all.
    pub presence: f64,
    /// Against bytes for each time that they were generated.
    pub frequency: f64,
    /// For or against certain bytes; −100 bans one, to all intents.
    pub bias: BTreeMap<u8, f64>,
}

/// How often a choice has generated each byte.
#[derive(Clone, Debug)]
pub struct Counts(Vec<u32>);

impl Default for Counts {
    fn default() -> Self {
        Self(vec![0; 256])
    }
}

impl Counts {
    /// Counts one byte.
    pub fn add(&mut self, byte: u8) {
        if let Some(count) = self.0.get_mut(usize::from(byte)) {
            *count = count.saturating_add(1);
        }
    }
}

impl Steering {
    /// `probs` as changed; proportional to probabilities, the largest being 1.
    #[must_use]
    pub fn steer<'a>(&self, probs: &'a [f64], counts: &Counts) -> Cow<'a, [f64]> {
        if *self == Self::default() {
            return Cow::Borrowed(probs);
        }
        let mut logs: Vec<f64> = probs.iter().map(|prob| prob.ln()).collect();
        for (log, &count) in logs.iter_mut().zip(&counts.0).filter(|(_, count)| **count > 0) {
            *log -= self.presence + self.frequency * f64::from(count);
        }
        for (&byte, bias) in &self.bias {
            if let Some(log) = logs.get_mut(usize::from(byte)) {
                *log += bias;
            }
        }
        let top = logs.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        Cow::Owned(logs.into_iter().map(|log| (log - top).exp()).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_term_is_added_to_the_logarithm_as_defined() {
        let probs = [0.5, 0.25, 0.125, 0.125];
        let mut counts = Counts::default();
        [0, 0, 1].into_iter().for_each(|byte| counts.add(byte));
        let steering = Steering { presence: 0.3, frequency: 0.2, bias: BTreeMap::from([(2, 1.0)]) };
        let expected =
            [0.5 * f64::exp(-0.3 - 2.0 * 0.2), 0.25 * f64::exp(-0.3 - 0.2), 0.125 * f64::exp(1.0), 0.125];
        let got = steering.steer(&probs, &counts);
        for (got, expected) in got.iter().zip(expected) {
            assert!((got - expected / expected_top()).abs() < 1e-12, "{got}");
        }
        fn expected_top() -> f64 {
            0.125 * f64::exp(1.0)
        }
    }

    #[test]
    fn without_a_wish_the_distribution_is_left_alone() {
        let mut counts = Counts::default();
        counts.add(1);
        assert_eq!(Steering::default().steer(&[0.1, 0.9], &counts).as_ref(), [0.1, 0.9]);
    }

    #[test]
    fn a_ban_holds_even_for_a_certain_byte() {
        let ban = Steering { bias: BTreeMap::from([(1, -100.0)]), ..Steering::default() };
        let steered = ban.steer(&[1e-6, 1.0 - 1e-6], &Counts::default());
        assert!(steered[0] == 1.0 && steered[1] < 1e-30, "{steered:?}");
    }
}
