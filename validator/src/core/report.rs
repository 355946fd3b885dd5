//! The report of one epoch: what was asked, what was answered, what follows. Written as JSON and served over gRPC.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::hotkey::Hotkey;
use super::plan::Source;

/// One question, without its text: the digest lets anybody who is shown the text check it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Evidence {
    /// blake2b-256 of context and truth.
    pub digest: String,
    /// Where it came from.
    pub source: Source,
    /// Loss of the reference on it, nats per scored byte.
    pub reference: f64,
}

/// One miner in one epoch. Values in nats per byte unless their name says otherwise.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct MinerReport {
    /// Its slot.
    pub uid: u16,
    /// Its hotkey.
    pub hotkey: Hotkey,
    /// Name of its model, as it says.
    pub model: String,
    /// Whether it was asked in this epoch.
    pub asked: bool,
    /// Valid answers in time.
    pub answered: u64,
    /// Share of the wanted answers that were valid and in time.
    pub availability: f64,
    /// Mean loss over this epoch's scored bytes, missing ones at the reference.
    pub nats_per_byte: f64,
    /// Gain over the reference, accumulated and paired over epochs.
    pub own_gain: f64,
    /// 95 % interval, bootstrap over documents.
    pub own_gain_low: f64,
    /// Its upper end.
    pub own_gain_high: f64,
    /// Value in the pool over clusters, accumulated and paired over epochs.
    pub marginal: f64,
    /// Effective number of bytes behind them.
    pub effective_bytes: f64,
    /// α · share of gain + (1 − α) · share of marginal value, among those that are paid.
    pub reward: f64,
    /// Weight set on the chain.
    pub weight: u16,
    /// Weight in the pool that a gateway should use.
    pub pool_weight: f64,
    /// Uid of the senior member of its cluster.
    pub cluster: u16,
    /// Loss on held-out documents so far.
    pub held_out_bits_per_byte: f64,
    /// Faults by kind.
    pub faults: BTreeMap<String, u64>,
    /// The newest reason.
    pub fault: Option<String>,
}

/// One epoch.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct EpochReport {
    /// Epoch in which it was measured.
    pub epoch: u64,
    /// The track.
    pub track: u16,
    /// Who measured.
    pub validator: Hotkey,
    /// Scored bytes per document that count for everybody.
    pub scored_bytes: usize,
    /// What was asked.
    pub questions: Vec<Evidence>,
    /// Who answered what.
    pub miners: Vec<MinerReport>,
    /// Of the pool with weights from earlier epochs, on held-out bytes so far; 0 before there are any.
    pub collective_bits_per_byte: f64,
    /// Bytes behind it.
    pub held_out_bytes: u64,
    /// Mean loss of the generators themselves on their scored bytes.
    pub generator_entropy: f64,
}
