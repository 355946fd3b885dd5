//! Which miners are copies of one another.
//!
//! The distance of two miners is the mean Hellinger distance of their distributions over shared positions, minimised
//! over **one temperature for the pair**: d(i,j) = min_β mean_t H(p_i^β / Z, p_j). A copy run at temperature 1.3 keeps
//! every greedy token and its original's knowledge, yet is .23 away from it (SmolLM2-135M, measured); after fitting one
//! β it is back at 0. One β for all positions, not one per position: a temperature per position would also erase how
//! *certain* a model is at each place, which is most of what distinguishes honest models.
//!
//! β runs over [`GRID`], a factor 1.15 apart from 0.5 to 2, and the minimum is refined by a parabola through squared
//! distances, which are close to quadratic in ln β. Beyond a factor of 2 a temperature costs its owner far more own
//! gain than a second payout brings. The accumulator keeps one sum per pair and β; it never stores distributions.
//! Units: Hellinger distance, 0 to 1. Source of the figures: docs/scoring.md.

mod linkage;

use rayon::prelude::*;

/// Distance below which two miners are one player.
///
/// On SmolLM2-135M (2,056 tokens) variants at a distance below about 0.1 (bf16 .015, int8 .020, 1 % weight noise .035,
/// int6 .088, 3 % noise .106) cost their owner at most 0.04 nats, so the disguise is free and must not pay; they also add
/// at most 0.0004 nats to a pool, so an honest miner of such a model loses next to nothing real by being merged. From
/// .19 on (int5) a disguise costs 0.16 nats and more. 0.1 lies at the free end, and below models that were trained apart.
pub const CLUSTER_TAU: f64 = 0.1;

/// Positions two miners must share before they can be merged: the mean of so many distances has a standard error of
/// about 0.02, small against [`CLUSTER_TAU`].
pub const MIN_SHARED_POSITIONS: u64 = 32;

/// Most miners of one accumulator: 2 million sums for 512 of them.
pub const MAX_CLUSTER_MINERS: usize = 512;

/// Steps to each side of β = 1.
const STEPS: i32 = 5;

/// Ratio of neighbouring temperatures.
const RATIO: f64 = 1.15;

/// Number of temperatures tried.
pub const GRID: usize = 2 * STEPS as usize + 1;

/// Why a position was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ClusterError {
    /// Zero miners or too many.
    #[error("{0} miners: give 1 to {MAX_CLUSTER_MINERS}")]
    Miners(usize),
    /// Not one entry per miner.
    #[error("{found} reports for {expected} miners: give one per miner, None where it did not answer")]
    Reports {
        /// How many there are.
        found: usize,
        /// How many there should be.
        expected: usize,
    },
    /// Distributions of different vocabularies.
    #[error("miner {miner} reports over {found} ids, others over {expected}")]
    Vocab {
        /// Which miner.
        miner: usize,
        /// Its vocabulary.
        found: usize,
        /// That of the first report.
        expected: usize,
    },
    /// Two accumulators of different sizes.
    #[error("cannot add distances of {other} miners to those of {ours}")]
    Merge {
        /// Miners here.
        ours: usize,
        /// Miners there.
        other: usize,
    },
}

/// Sums of the distances of one pair.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Pair {
    positions: u64,
    /// Σ_t H(p_i^β, p_j) for each β.
    sums: [f64; GRID],
}

/// Accumulates the distances of all pairs of `n` miners, position by position.
#[derive(Debug, Clone, PartialEq)]
pub struct Affinity {
    miners: usize,
    /// Pairs (i, j) with i < j, by j then i.
    pairs: Vec<Pair>,
}

impl Affinity {
    /// No positions yet.
    ///
    /// # Errors
    /// [`ClusterError::Miners`].
    pub fn new(miners: usize) -> Result<Self, ClusterError> {
        if miners == 0 || miners > MAX_CLUSTER_MINERS {
            return Err(ClusterError::Miners(miners));
        }
        let pairs = vec![Pair { positions: 0, sums: [0.0; GRID] }; miners * (miners - 1) / 2];
        Ok(Self { miners, pairs })
    }

    /// Number of miners.
    #[must_use]
    pub fn miners(&self) -> usize {
        self.miners
    }

    /// Adds one position: the dense distribution of each miner that answered. Cost: n²/2 · [`GRID`] · V.
    ///
    /// # Errors
    /// [`ClusterError::Reports`] or [`ClusterError::Vocab`]; nothing is added then.
    pub fn observe(&mut self, reports: &[Option<&[f64]>]) -> Result<(), ClusterError> {
        if reports.len() != self.miners {
            return Err(ClusterError::Reports { found: reports.len(), expected: self.miners });
        }
        let expected = reports.iter().flatten().map(|dist| dist.len()).next().unwrap_or(0);
        for (miner, dist) in reports.iter().enumerate() {
            if let Some(found) = dist.map(<[f64]>::len).filter(|&found| found != expected) {
                return Err(ClusterError::Vocab { miner, found, expected });
            }
        }
        let tempered: Vec<Option<Tempered>> =
            reports.par_iter().map(|dist| dist.map(Tempered::new)).collect();
        self.pairs.par_iter_mut().enumerate().for_each(|(index, pair)| {
            let (i, j) = linkage::members(index);
            if let (Some(a), Some(b)) = (&tempered[i], &tempered[j]) {
                pair.add(a, b);
            }
        });
        Ok(())
    }

    /// Adds the positions of another accumulator of the same miners.
    ///
    /// # Errors
    /// [`ClusterError::Merge`].
    pub fn merge(&mut self, other: &Self) -> Result<(), ClusterError> {
        if other.miners != self.miners {
            return Err(ClusterError::Merge { ours: self.miners, other: other.miners });
        }
        for (pair, more) in self.pairs.iter_mut().zip(&other.pairs) {
            pair.positions += more.positions;
            pair.sums.iter_mut().zip(more.sums).for_each(|(sum, x)| *sum += x);
        }
        Ok(())
    }

    /// Distance of two miners after fitting one temperature, or None before they share a position.
    ///
    /// # Panics
    /// If there is no such miner.
    #[must_use]
    pub fn distance(&self, a: usize, b: usize) -> Option<f64> {
        assert!(a < self.miners && b < self.miners, "miner out of range");
        if a == b {
            return Some(0.0);
        }
        self.pairs[linkage::index(a.min(b), a.max(b))].distance()
    }

    /// Positions that two different miners share.
    ///
    /// # Panics
    /// If there is no such miner, or they are the same.
    #[must_use]
    pub fn positions(&self, a: usize, b: usize) -> u64 {
        assert!(a < self.miners && b < self.miners && a != b, "two different miners");
        self.pairs[linkage::index(a.min(b), a.max(b))].positions
    }

    /// Clusters by single linkage below `tau`: the label of a miner is the index of the senior member of its cluster
    /// (lowest `seniority`, ties and missing numbers by index). Pairs with fewer than [`MIN_SHARED_POSITIONS`] never link.
    #[must_use]
    pub fn clusters(&self, tau: f64, seniority: &[u64]) -> Vec<usize> {
        let linked = self.pairs.iter().enumerate().filter(|(_, pair)| {
            pair.positions >= MIN_SHARED_POSITIONS && pair.distance().is_some_and(|distance| distance < tau)
        });
        linkage::label(self.miners, linked.map(|(index, _)| linkage::members(index)), seniority)
    }
}

/// √ of a distribution at every temperature of the grid.
struct Tempered([Vec<f64>; GRID]);

impl Tempered {
    fn new(dist: &[f64]) -> Self {
        Self(std::array::from_fn(|at| {
            let beta = RATIO.powi(at as i32 - STEPS);
            if at as i32 == STEPS {
                return root(dist.to_vec());
            }
            root(dist.iter().map(|&prob| if prob > 0.0 { (beta * prob.ln()).exp() } else { 0.0 }).collect())
        }))
    }
}

/// √(p / Σp).
fn root(mut probs: Vec<f64>) -> Vec<f64> {
    let total: f64 = probs.iter().sum();
    let scale = if total > 0.0 { 1.0 / total } else { 0.0 };
    probs.iter_mut().for_each(|prob| *prob = (*prob * scale).sqrt());
    probs
}

impl Pair {
    fn add(&mut self, a: &Tempered, b: &Tempered) {
        let plain = &b.0[STEPS as usize];
        for (sum, root) in self.sums.iter_mut().zip(&a.0) {
            // H² = ½ Σ (√p − √q)²; the difference form keeps its digits where p ≈ q, 1 − Σ√pq does not.
            let squared: f64 = root.iter().zip(plain).map(|(x, y)| (x - y) * (x - y)).sum();
            *sum += (0.5 * squared).sqrt();
        }
        self.positions += 1;
    }

    fn distance(&self) -> Option<f64> {
        if self.positions == 0 {
            return None;
        }
        let squared = self.sums.map(|sum| (sum / self.positions as f64).powi(2));
        let best = (0..GRID).min_by(|&a, &b| squared[a].total_cmp(&squared[b])).unwrap_or(STEPS as usize);
        if best == 0 || best + 1 == GRID {
            return Some(squared[best].sqrt());
        }
        let (left, middle, right) = (squared[best - 1], squared[best], squared[best + 1]);
        let bend = left - 2.0 * middle + right;
        let lowest = if bend > 0.0 { middle - (left - right).powi(2) / (8.0 * bend) } else { middle };
        Some(lowest.max(0.0).sqrt())
    }
}

#[cfg(test)]
mod tests;
