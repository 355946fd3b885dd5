//! What every epoch measured, kept until it no longer counts.
//!
//! Per epoch and miner: the mean gain of each document and the marginal value. An epoch's weight is its number of bytes
//! per document set, halved for every half-life of bytes asked since. Because marginal values are linear in the game, their
//! weighted mean over epochs with the same players is the marginal value in the accumulated game.

use std::collections::BTreeMap;

use acumen_scoring_value::confidence::{self, Document};
use serde::{Deserialize, Serialize};

use super::fit::{Cell, additive};
use super::hotkey::Hotkey;

/// Most epochs kept; with the default half-life of 16 epochs the oldest counts 1/16.
pub const MAX_BLOCKS: usize = 64;

/// Bootstrap draws per miner and epoch: the ends of an interval move by about 2 % of its width between seeds.
const RESAMPLES: usize = 1_000;

/// One epoch's measurements.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Block {
    /// The epoch.
    pub epoch: u64,
    /// Scored bytes of each document.
    pub tokens: usize,
    /// Number of documents.
    pub documents: usize,
    /// Mean gain of each document, per miner that answered at all.
    pub gains: BTreeMap<Hotkey, Vec<f64>>,
    /// Marginal value, per senior miner that answered at all.
    pub marginals: BTreeMap<Hotkey, f64>,
}

impl Standing {
    /// Without the uncertainty.
    #[must_use]
    pub const fn value(&self) -> Value {
        Value { gain: self.gain, marginal: self.marginal }
    }
}

impl Block {
    fn bytes(&self) -> f64 {
        (self.tokens * self.documents) as f64
    }
}

/// What a miner is worth, over the epochs that count.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Value {
    /// Own gain, paired over epochs.
    pub gain: f64,
    /// Marginal value, paired over epochs; 0 if it was never the senior of its cluster.
    pub marginal: f64,
}

/// What is known of one miner.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Standing {
    /// Own gain, paired over epochs.
    pub gain: f64,
    /// Its 95 % interval, from a bootstrap over all documents.
    pub low: f64,
    /// Upper end.
    pub high: f64,
    /// Marginal value, paired over epochs; 0 if it was never the senior of its cluster.
    pub marginal: f64,
    /// Effective number of bytes behind the gain, (Σw)² / Σw² (Kish).
    pub effective_bytes: f64,
}

/// Blocks of epochs, oldest first.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct History(Vec<Block>);

impl History {
    /// Adds an epoch.
    pub fn push(&mut self, block: Block) {
        self.0.push(block);
        let excess = self.0.len().saturating_sub(MAX_BLOCKS);
        self.0.drain(..excess);
    }

    /// Forgets miners for which `keep` is false.
    pub fn retain(&mut self, keep: impl Fn(&Hotkey) -> bool) {
        for block in &mut self.0 {
            block.gains.retain(|hotkey, _| keep(hotkey));
            block.marginals.retain(|hotkey, _| keep(hotkey));
        }
    }

    /// Newest epoch measured.
    #[must_use]
    pub fn newest(&self) -> Option<u64> {
        self.0.last().map(|block| block.epoch)
    }

    /// Value of each of `miners`; `None` for one that has never answered.
    #[must_use]
    pub fn values(&self, miners: &[Hotkey], half_life_bytes: f64) -> Vec<Option<Value>> {
        let weights = self.weights(half_life_bytes);
        let gain = |block: &Block| block.gains.iter().map(|(key, of)| (*key, mean(of))).collect::<Vec<_>>();
        let marginal =
            |block: &Block| block.marginals.iter().map(|(key, value)| (*key, *value)).collect::<Vec<_>>();
        let gains = additive(miners.len(), &weights, &self.cells(miners, gain));
        let marginals = additive(miners.len(), &weights, &self.cells(miners, marginal));
        let pair = |(gain, marginal): (Option<f64>, Option<f64>)| {
            gain.map(|gain| Value { gain, marginal: marginal.unwrap_or(0.0) })
        };
        gains.into_iter().zip(marginals).map(pair).collect()
    }

    /// The same with its uncertainty.
    #[must_use]
    pub fn standings(&self, miners: &[Hotkey], half_life_bytes: f64) -> Vec<Option<Standing>> {
        let weights = self.weights(half_life_bytes);
        let standing = |(hotkey, value): (&Hotkey, Option<Value>)| {
            let Value { gain, marginal } = value?;
            let (half_below, half_above, effective_bytes) = self.spread(hotkey, &weights);
            Some(Standing {
                gain,
                low: gain - half_below,
                high: gain + half_above,
                marginal,
                effective_bytes,
            })
        };
        miners.iter().zip(self.values(miners, half_life_bytes)).map(standing).collect()
    }

    /// One cell per measured value of `miners`.
    fn cells(&self, miners: &[Hotkey], of: impl Fn(&Block) -> Vec<(Hotkey, f64)>) -> Vec<Cell> {
        let index: BTreeMap<Hotkey, usize> =
            miners.iter().enumerate().map(|(at, hotkey)| (*hotkey, at)).collect();
        let mut cells = Vec::new();
        for (epoch, block) in self.0.iter().enumerate() {
            let known = of(block).into_iter().filter_map(|(key, value)| Some((*index.get(&key)?, value)));
            cells.extend(known.map(|(miner, value)| Cell { miner, epoch, value }));
        }
        cells
    }

    /// Weight of each block.
    fn weights(&self, half_life_bytes: f64) -> Vec<f64> {
        let mut age = 0.0;
        let mut weights: Vec<f64> = Vec::with_capacity(self.0.len());
        for block in self.0.iter().rev() {
            weights.push(block.bytes() * (-age / half_life_bytes).exp2());
            age += block.bytes();
        }
        weights.reverse();
        weights
    }

    /// Arms of the interval around a miner's mean gain, and its effective number of bytes.
    fn spread(&self, hotkey: &Hotkey, weights: &[f64]) -> (f64, f64, f64) {
        let mut documents = Vec::new();
        let (mut sum, mut squares) = (0.0, 0.0);
        for (block, weight) in self.0.iter().zip(weights) {
            let Some(gains) = block.gains.get(hotkey) else { continue };
            documents.extend(gains.iter().map(|&mean| Document { mean, tokens: block.tokens }));
            sum += weight;
            squares += weight * weight / block.bytes();
        }
        let seed = self.newest().unwrap_or(0);
        let interval = confidence::bootstrap_documents(&documents, seed, RESAMPLES);
        let effective = if squares > 0.0 { sum * sum / squares } else { 0.0 };
        (interval.mean - interval.low, interval.high - interval.mean, effective)
    }
}

fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len().max(1) as f64
}
