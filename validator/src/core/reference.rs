//! The reference: what somebody knows who has only counted bytes.
//!
//! A smoothed unigram over the 256 bytes, fitted on samples of equal total weight (the validator's held-out texts, and a
//! public sample of every generator). Own gain is measured against it, so a miner that knows no more than byte
//! frequencies earns nothing, and a missing answer is scored as if the miner had said just this. It is the same for
//! every miner and epoch, hence it moves no rank; it sets where zero is.

use acumen_scoring_tasks::{Family, text};

/// Ids of track 0: bytes.
pub const VOCABULARY: u32 = 256;

/// Documents and bytes per family in the public sample: enough that a byte's frequency is known to about 1 %.
const SAMPLE_DOCUMENTS: u64 = 32;
const SAMPLE_BYTES: usize = 256;

/// Count that every byte starts with (Krichevsky–Trofimov): no byte is impossible.
const PRIOR: f64 = 0.5;

/// Probabilities of the 256 bytes; each positive, sum 1.
#[derive(Debug, Clone, PartialEq)]
pub struct Reference(Vec<f64>);

impl Reference {
    /// The mean of the smoothed unigrams of `samples`; uniform without any.
    #[must_use]
    pub fn fit<'a>(samples: impl IntoIterator<Item = &'a [u8]>) -> Self {
        let unigrams: Vec<Vec<f64>> = samples.into_iter().map(unigram).collect();
        if unigrams.is_empty() {
            return Self(unigram(&[]));
        }
        let share = 1.0 / unigrams.len() as f64;
        let mean = |byte: usize| unigrams.iter().map(|unigram| unigram[byte]).sum::<f64>() * share;
        Self((0..VOCABULARY as usize).map(mean).collect())
    }

    /// The reference of a validator: half its held-out texts, half the generators.
    #[must_use]
    pub fn of(held_out: &[u8]) -> Self {
        Self::fit([held_out, &generated_sample()])
    }

    /// Probability of `byte`.
    #[must_use]
    pub fn prob(&self, byte: u8) -> f64 {
        self.0[usize::from(byte)]
    }
}

fn unigram(sample: &[u8]) -> Vec<f64> {
    let mut counts = vec![PRIOR; VOCABULARY as usize];
    for &byte in sample {
        counts[usize::from(byte)] += 1.0;
    }
    let total: f64 = counts.iter().sum();
    counts.iter_mut().for_each(|count| *count /= total);
    counts
}

/// Text of every family from a seed that anybody knows: only its byte frequencies matter.
fn generated_sample() -> Vec<u8> {
    let documents =
        Family::ALL.into_iter().flat_map(|family| (0..SAMPLE_DOCUMENTS).map(move |index| (family, index)));
    documents.flat_map(|(family, index)| text(family, &[0; 32], index, SAMPLE_BYTES)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_byte_is_possible_and_the_sum_is_one() {
        let reference = Reference::of(b"the quick brown fox");
        let total: f64 = (0..=255).map(|byte| reference.prob(byte)).sum();
        assert!((total - 1.0).abs() < 1e-12);
        assert!((0..=255).all(|byte| reference.prob(byte) > 0.0));
        assert!(reference.prob(b'e') > 20.0 * reference.prob(0xff));
    }

    #[test]
    fn samples_count_equally_whatever_their_length() {
        let reference = Reference::fit([&[b'a'; 100_000][..], &[b'b'; 100_000][..]]);
        assert!((reference.prob(b'a') - reference.prob(b'b')).abs() < 1e-12);
        let lopsided = Reference::fit([&[b'a'; 1_000_000][..], &[b'b'; 100_000][..]]);
        assert!((lopsided.prob(b'a') - lopsided.prob(b'b')).abs() < 0.01);
        assert!((Reference::fit([]).prob(7) - 1.0 / 256.0).abs() < 1e-15);
    }
}
