//! A small real model: counts of bytes after the last k bytes, backed off to shorter contexts.

use std::collections::BTreeMap;

/// Lincoln, second inaugural address (1865), with some lines whose characters have several bytes.
const TEXT: &str = "With malice toward none with charity for all with firmness in the right as God gives us to see \
the right let us strive on to finish the work we are in to bind up the nation's wounds to care for him who shall have \
borne the battle and for his widow and his orphan to do all which may achieve and cherish a just and lasting peace \
among ourselves and with all nations. Der Müßiggänger grüßt fünf höfliche Bürger für 5 €. Ça déçoit l’élève zélé. \
いろはにほへとちりぬるを. Der Müßiggänger grüßt fünf höfliche Bürger für 5 €. いろはにほへとちりぬるを.";

/// Weight of the shorter context against one count of the longer.
const BACKOFF: f64 = 0.1;

#[derive(Debug)]
pub struct Model {
    order: usize,
    counts: BTreeMap<Vec<u8>, [f64; 256]>,
}

impl Model {
    pub fn of_order(order: usize) -> Self {
        let (bytes, mut counts) = (TEXT.as_bytes(), BTreeMap::new());
        for length in 0..=order {
            for window in bytes.windows(length + 1) {
                let row = counts.entry(window[..length].to_vec()).or_insert([0.0; 256]);
                row[usize::from(window[length])] += 1.0;
            }
        }
        Self { order, counts }
    }

    /// p(next byte), all 256 of them.
    pub fn probs(&self, context: &[u8]) -> Vec<f64> {
        let mut probs = vec![1.0 / 256.0; 256];
        for length in 0..=self.order.min(context.len()) {
            let Some(row) = self.counts.get(&context[context.len() - length..]) else { break };
            let total: f64 = row.iter().sum::<f64>() + BACKOFF;
            for (prob, count) in probs.iter_mut().zip(row) {
                *prob = (count + BACKOFF * *prob) / total;
            }
        }
        probs
    }
}
