//! An interpolated n-gram over bytes: a real model whose quality is its order.

use std::collections::BTreeMap;

/// Counts of the byte after each context of up to `order` bytes.
#[derive(Debug)]
pub struct NGram {
    order: usize,
    counts: BTreeMap<Vec<u8>, BTreeMap<u8, f64>>,
}

impl NGram {
    /// Counts `text`.
    #[must_use]
    pub fn train(order: usize, text: &[u8]) -> Self {
        let mut counts: BTreeMap<Vec<u8>, BTreeMap<u8, f64>> = BTreeMap::new();
        for at in 0..text.len() {
            for length in 0..=order.min(at) {
                let row = counts.entry(text[at - length..at].to_vec()).or_default();
                *row.entry(text[at]).or_default() += 1.0;
            }
        }
        Self { order, counts }
    }

    /// Probabilities of the next byte: each longer context is mixed with what the shorter ones say.
    #[must_use]
    pub fn probs(&self, context: &[u8]) -> Vec<f64> {
        let mut probs = vec![1.0 / 256.0; 256];
        for length in 0..=self.order.min(context.len()) {
            let Some(row) = self.counts.get(&context[context.len() - length..]) else { break };
            let (total, distinct) = (row.values().sum::<f64>(), row.len() as f64);
            // Witten–Bell: as much for the unseen as there were different bytes.
            probs.iter_mut().for_each(|prob| *prob *= distinct / (total + distinct));
            for (byte, seen) in row {
                probs[usize::from(*byte)] += seen / (total + distinct);
            }
        }
        probs
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distributions_sum_to_one_and_longer_contexts_know_more() {
        let model = NGram::train(2, b"abcabcabc");
        for context in [&b""[..], b"a", b"ab", b"zz"] {
            assert!((model.probs(context).iter().sum::<f64>() - 1.0).abs() < 1e-12);
        }
        assert!(model.probs(b"ab")[usize::from(b'c')] > model.probs(b"")[usize::from(b'c')]);
    }
}
