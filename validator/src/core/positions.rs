//! Realised tokens of recent epochs and what each miner gave to them: what weights are fitted to, and what shows that a
//! miner adds nothing to another.

use std::collections::{BTreeMap, VecDeque};

use acumen_scoring_value::encompass::EncompassRule;
use serde::{Deserialize, Serialize};

use super::hotkey::Hotkey;

/// Positions that are kept: 16 epochs of the default size.
pub const WINDOW_POSITIONS: usize = 4_096;

/// Positions of one epoch: probabilities of the realised tokens.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Positions {
    /// By the reference.
    pub reference: Vec<f32>,
    /// By each miner that answered at all; `None` where it did not.
    pub miners: BTreeMap<Hotkey, Vec<Option<f32>>>,
}

/// The newest epochs, whole ones, about [`WINDOW_POSITIONS`] of them.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Window(VecDeque<Positions>);

impl Window {
    /// Adds an epoch and forgets what no longer fits.
    pub fn push(&mut self, positions: Positions) {
        self.0.push_back(positions);
        while self.0.len() > 1 && self.epochs().map(|p| p.reference.len()).sum::<usize>() > WINDOW_POSITIONS {
            self.0.pop_front();
        }
    }

    /// Oldest first.
    pub fn epochs(&self) -> impl Iterator<Item = &Positions> {
        self.0.iter()
    }

    /// Whether `junior` added nothing to `senior` on the positions that both answered.
    #[must_use]
    pub fn encompasses(&self, senior: &Hotkey, junior: &Hotkey, rule: &EncompassRule) -> bool {
        let shared = self.0.iter().filter_map(|positions| {
            Some(positions.miners.get(senior)?.iter().zip(positions.miners.get(junior)?))
        });
        let both = shared.flatten().filter_map(|(a, b)| Some((f64::from((*a)?), f64::from((*b)?))));
        let (senior, junior): (Vec<f64>, Vec<f64>) = both.unzip();
        rule.encompasses(&senior, &junior, None)
    }

    /// Forgets miners for which `keep` is false.
    pub fn retain(&mut self, keep: impl Fn(&Hotkey) -> bool) {
        self.0.iter_mut().for_each(|positions| positions.miners.retain(|hotkey, _| keep(hotkey)));
    }
}
