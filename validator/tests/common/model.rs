//! An interpolated n-gram over bytes: a real model whose quality is its order.

use std::collections::HashMap;

/// Counts of the byte after each context of up to `order` bytes.
#[derive(Debug)]
pub struct NGram {
    order: usize,
    counts: HashMap<Vec<u8>, HashMap<u8, f64>>,
}

impl NGram {
    pub fn train(order: usize, text: &[u8]) -> Self {
        let mut counts: HashMap<Vec<u8>, HashMap<u8, f64>> = HashMap::new();
        for at in 0..text.len() {
            for length in 0..=order.min(at) {
                let row = counts.entry(text[at - length..at].to_vec()).or_default();
                *row.entry(text[at]).or_default() += 1.0;
            }
        }
        Self { order, counts }
    }

    /// Natural-log probabilities of the next byte: each longer context is mixed with what the shorter ones say.
    pub fn logprobs(&self, context: &[u8]) -> Vec<f32> {
        let mut probs = vec![1.0 / 256.0; 256];
        for length in 0..=self.order.min(context.len()) {
            let Some(row) = self.counts.get(&context[context.len() - length..]) else { break };
            let (total, distinct) = (row.values().sum::<f64>(), row.len() as f64);
            // Witten–Bell: as much for the unseen as there were different bytes.
            for (byte, prob) in probs.iter_mut().enumerate() {
                let seen = row.get(&(byte as u8)).copied().unwrap_or(0.0);
                *prob = (seen + distinct * *prob) / (total + distinct);
            }
        }
        probs.into_iter().map(|prob: f64| prob.ln() as f32).collect()
    }
}
