//! Who is a copy of whom, over epochs.
//!
//! An epoch's distances ([`Affinity`], blind to temperature) are added to what earlier epochs measured of the same pair.
//! Two miners are linked if they are closer than tau on average so far, *or* closer than half of tau in this epoch: an
//! exact copy is caught in its first evaluated epoch, also if it was disguised before, one noisy epoch does not set it
//! free, and one epoch of easy text does not merge honest neighbours. Only pairs that were ever near are remembered.

use std::collections::BTreeMap;

use acumen_scoring_value::cluster::{Affinity, ClusterError, MAX_CLUSTER_MINERS, MIN_SHARED_POSITIONS};
use serde::{Deserialize, Serialize};

use super::hotkey::Hotkey;
use super::sheet::Sheet;

/// A pair is remembered from the first time that it is closer than this many tau.
const NEAR_TAUS: f64 = 2.0;

/// A single epoch links below this many tau. Honest models .16 apart on average were seen .14 to .17 apart in single epochs.
const SINGLE_TAUS: f64 = 0.5;

/// Positions after which an old distance counts half: 32 epochs of the default size.
const HALF_LIFE_POSITIONS: f64 = 8_192.0;

/// Most pairs compared per epoch; with more miners only the first so many are compared with one another.
pub const MAX_COMPARED: usize = MAX_CLUSTER_MINERS;

/// Mean distance of a pair over shared positions.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
struct Mean {
    distance: f64,
    positions: f64,
}

/// What is remembered of near pairs.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Near(BTreeMap<Hotkey, BTreeMap<Hotkey, Mean>>);

/// Distances measured in one epoch between the miners that answered.
#[derive(Debug)]
pub struct Measured {
    miners: Vec<Hotkey>,
    affinity: Option<Affinity>,
}

impl Measured {
    /// Compares the kept distributions of all sheets at the positions that they share.
    ///
    /// # Errors
    /// [`ClusterError`] if the sheets hold distributions of different lengths, which [`Sheet`] rules out.
    pub fn new(sheets: &[(Hotkey, &Sheet)], positions: usize) -> Result<Self, ClusterError> {
        let miners = sheets.iter().map(|(hotkey, _)| *hotkey).collect();
        Self::of(miners, positions, |at, position| {
            sheets[at].1.shape(position).map(|shape| shape.iter().map(|&prob| f64::from(prob)).collect())
        })
    }

    /// Compares what `dist(miner, position)` gives, of the first [`MAX_COMPARED`] miners.
    ///
    /// # Errors
    /// [`ClusterError`] if distributions differ in length.
    pub fn of(
        mut miners: Vec<Hotkey>,
        positions: usize,
        dist: impl Fn(usize, usize) -> Option<Vec<f64>>,
    ) -> Result<Self, ClusterError> {
        miners.truncate(MAX_COMPARED);
        if miners.is_empty() {
            return Ok(Self { miners, affinity: None });
        }
        let mut affinity = Affinity::new(miners.len())?;
        for position in 0..positions {
            let dense: Vec<Option<Vec<f64>>> = (0..miners.len()).map(|at| dist(at, position)).collect();
            if dense.iter().flatten().count() > 1 {
                affinity.observe(&dense.iter().map(Option::as_deref).collect::<Vec<_>>())?;
            }
        }
        Ok(Self { miners, affinity: Some(affinity) })
    }

    /// Distance and shared positions of every pair that shares enough of them.
    fn pairs(&self) -> impl Iterator<Item = (Hotkey, Hotkey, Mean)> + '_ {
        let count = self.miners.len();
        let indices = (0..count).flat_map(move |j| (0..j).map(move |i| (i, j)));
        indices.filter_map(|(i, j)| {
            let affinity = self.affinity.as_ref()?;
            let positions = affinity.positions(i, j);
            let distance = affinity.distance(i, j).filter(|_| positions >= MIN_SHARED_POSITIONS)?;
            let (a, b) = ordered(self.miners[i], self.miners[j]);
            Some((a, b, Mean { distance, positions: positions as f64 }))
        })
    }
}

fn ordered(a: Hotkey, b: Hotkey) -> (Hotkey, Hotkey) {
    if a < b { (a, b) } else { (b, a) }
}

impl Near {
    /// Adds an epoch's distances and returns the pairs that are linked now, remembered ones included.
    pub fn observe(&mut self, measured: &Measured, tau: f64) -> Vec<(Hotkey, Hotkey)> {
        let mut links = Vec::new();
        for (a, b, fresh) in measured.pairs() {
            if fresh.distance < SINGLE_TAUS * tau {
                links.push((a, b));
            }
            let known = self.0.get(&a).is_some_and(|row| row.contains_key(&b));
            if known || fresh.distance < NEAR_TAUS * tau {
                self.0.entry(a).or_default().entry(b).or_default().add(fresh);
            }
        }
        for (a, row) in &mut self.0 {
            row.retain(|_, mean| mean.distance < NEAR_TAUS * tau);
            links.extend(row.iter().filter(|(_, mean)| mean.distance < tau).map(|(b, _)| (*a, *b)));
        }
        self.0.retain(|_, row| !row.is_empty());
        links
    }

    /// Forgets miners for which `keep` is false.
    pub fn retain(&mut self, keep: impl Fn(&Hotkey) -> bool) {
        self.0.retain(|a, _| keep(a));
        self.0.values_mut().for_each(|row| row.retain(|b, _| keep(b)));
        self.0.retain(|_, row| !row.is_empty());
    }
}

impl Mean {
    fn add(&mut self, fresh: Self) {
        let old = self.positions * (-fresh.positions / HALF_LIFE_POSITIONS).exp2();
        let total = old + fresh.positions;
        self.distance = (old * self.distance + fresh.positions * fresh.distance) / total;
        self.positions = total;
    }
}

/// Connected components of `links` among `miners`: for each miner, the index of the senior member of its component. The
/// senior has the lowest `rank`; ties go to the lower index.
#[must_use]
pub fn components(miners: &[Hotkey], rank: &[u64], links: &[(Hotkey, Hotkey)]) -> Vec<usize> {
    let index: BTreeMap<Hotkey, usize> =
        miners.iter().enumerate().map(|(at, hotkey)| (*hotkey, at)).collect();
    let mut label: Vec<usize> = (0..miners.len()).collect();
    for (a, b) in links {
        let (Some(&a), Some(&b)) = (index.get(a), index.get(b)) else { continue };
        let (from, to) = (label[a], label[b]);
        label.iter_mut().filter(|at| **at == from).for_each(|at| *at = to);
    }
    let mut senior: BTreeMap<usize, usize> = BTreeMap::new();
    for (at, component) in label.iter().enumerate() {
        let best = senior.entry(*component).or_insert(at);
        if (rank[at], at) < (rank[*best], *best) {
            *best = at;
        }
    }
    label.iter().map(|component| senior[component]).collect()
}

#[cfg(test)]
mod tests;
