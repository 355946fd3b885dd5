//! Value over clone clusters: a copy adds nothing, and takes nothing from the original.
//!
//! One player per cluster, which acts as its senior member (lowest seniority number, ties to the lower index) with that
//! member's weight; the senior takes the cluster's Shapley value and the others take 0. Adding copies of a miner to its
//! cluster therefore changes no number at all: this is Owen's quotient game (Owen 1977) with seniority inside.

use super::{Coalitions, Game, MAX_EXACT, shapley_sampled};

/// Seed of the default sampling beyond [`MAX_EXACT`] clusters; fixed, so that a score can be recomputed by anyone.
pub(crate) const DEFAULT_SEED: u64 = 0x6163_756d_656e;

/// Orders sampled by default beyond [`MAX_EXACT`] clusters.
pub(crate) const DEFAULT_PERMUTATIONS: usize = 1_024;

/// Index of the senior member of each cluster, ascending.
#[must_use]
pub fn seniors(game: &Game) -> Vec<usize> {
    let rank = |miner: usize| (game.seniority()[miner], miner);
    let mut members: Vec<usize> = (0..game.miners()).collect();
    members.sort_unstable_by_key(|&miner| (game.clusters()[miner], rank(miner)));
    members.dedup_by_key(|miner| game.clusters()[*miner]);
    members.sort_unstable();
    members
}

/// Cluster Shapley value of each miner, nats per token; 0 for all but the senior member of a cluster.
///
/// Exact up to [`MAX_EXACT`] clusters, sampled beyond with a fixed seed.
#[must_use]
pub fn owen(game: &Game) -> Vec<f64> {
    owen_with(game, DEFAULT_SEED, DEFAULT_PERMUTATIONS)
}

/// [`owen`] with the seed and the number of orders used beyond [`MAX_EXACT`] clusters.
#[must_use]
pub fn owen_with(game: &Game, seed: u64, permutations: usize) -> Vec<f64> {
    let seniors = seniors(game);
    let quotient = game.restrict(&seniors);
    let paid = match Coalitions::of(&quotient) {
        Ok(table) if seniors.len() <= MAX_EXACT => table.shapley(),
        _ => shapley_sampled(&quotient, seed, permutations).mean,
    };
    let mut values = vec![0.0; game.miners()];
    for (senior, value) in seniors.into_iter().zip(paid) {
        values[senior] = value;
    }
    values
}
