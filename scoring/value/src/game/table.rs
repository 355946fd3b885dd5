//! The value of every coalition, in one table.
//!
//! Each non-empty coalition is its parent (itself without its highest low player) plus one row, so the walk costs one
//! vector addition per coalition, as a Gray code does, but it never subtracts: a sum that has held a large probability
//! keeps every digit of the small ones. Work is split by the highest players into tasks that own disjoint parts of the
//! table, and the order of additions is the same for any number of threads.

use super::logsum::{BLOCK, add_block, ln_product};
use super::{Game, GameError};
use rayon::prelude::*;

/// Most players of an exact game: 2^20 coalitions are 8 MiB.
pub const MAX_EXACT: usize = 20;

/// Players below which one task does everything.
const SERIAL_PLAYERS: usize = 10;

/// Most players that select a task: 64 tasks balance any usual number of cores.
const MAX_SPLIT: usize = 6;

/// v(S) of every coalition S; player i is bit i of the index.
#[derive(Debug, Clone, PartialEq)]
pub struct Coalitions {
    players: usize,
    values: Vec<f64>,
}

impl Coalitions {
    /// Evaluates every coalition of miners of `game`.
    ///
    /// # Errors
    /// [`GameError::TooManyPlayers`] beyond [`MAX_EXACT`].
    pub fn of(game: &Game) -> Result<Self, GameError> {
        let players = game.miners();
        if players > MAX_EXACT {
            return Err(GameError::TooManyPlayers { players, max: MAX_EXACT });
        }
        let rows = game.weighted();
        let split = players.saturating_sub(SERIAL_PLAYERS).min(MAX_SPLIT);
        let low = players - split;
        let mut values = vec![0.0; 1 << players];
        values.par_chunks_mut(1 << low).enumerate().for_each(|(high, part)| {
            Walk::new(&rows, game.tokens(), low).fill(high, part);
        });
        finish(game, &mut values);
        Ok(Self { players, values })
    }

    /// A table written by hand: `values[S]` with player i as bit i.
    ///
    /// # Errors
    /// [`GameError::TooManyPlayers`], or [`GameError::Length`] if the table does not have 2^players entries.
    pub fn from_values(players: usize, values: Vec<f64>) -> Result<Self, GameError> {
        if players > MAX_EXACT {
            return Err(GameError::TooManyPlayers { players, max: MAX_EXACT });
        }
        if values.len() != 1 << players {
            let field = "coalition values".to_owned();
            return Err(GameError::Length { field, found: values.len(), expected: 1 << players });
        }
        Ok(Self { players, values })
    }

    /// Number of players.
    #[must_use]
    pub fn players(&self) -> usize {
        self.players
    }

    /// The whole table.
    #[must_use]
    pub fn values(&self) -> &[f64] {
        &self.values
    }

    /// Σ_S weight(|S|) · (v(S∪i) − v(S)) over the coalitions without `player`.
    pub(super) fn marginal_sum(&self, player: usize, weight: &[f64]) -> f64 {
        let bit = 1usize << player;
        let mut sums = vec![0.0; weight.len()];
        for (base, pair) in self.values.chunks_exact(2 * bit).enumerate() {
            let (without, with) = pair.split_at(bit);
            for (offset, (v_without, v_with)) in without.iter().zip(with).enumerate() {
                let size = (base.count_ones() + offset.count_ones()) as usize;
                sums[size] += v_with - v_without;
            }
        }
        sums.iter().zip(weight).map(|(sum, weight)| sum * weight).sum()
    }
}

/// Depth-first walk over the coalitions of the `low` players on top of a fixed set of high ones.
struct Walk<'a> {
    rows: &'a [f64],
    tokens: usize,
    low: usize,
    /// One block of running sums per depth.
    sums: Vec<[f64; BLOCK]>,
    start: usize,
    len: usize,
}

impl<'a> Walk<'a> {
    fn new(rows: &'a [f64], tokens: usize, low: usize) -> Self {
        Self { rows, tokens, low, sums: vec![[0.0; BLOCK]; low + 1], start: 0, len: 0 }
    }

    /// Adds Σ_t ln Σ_{i∈S} w_i p_it to `part[low bits of S]` for every S with these high players.
    fn fill(&mut self, high: usize, part: &mut [f64]) {
        for start in (0..self.tokens).step_by(BLOCK) {
            self.start = start;
            self.len = BLOCK.min(self.tokens - start);
            self.sums[0] = [0.0; BLOCK];
            for player in (0..usize::BITS as usize).filter(|bit| high >> bit & 1 == 1) {
                let row = self.row(self.low + player);
                self.sums[0].iter_mut().zip(row).for_each(|(sum, x)| *sum += x);
            }
            if high != 0 {
                part[0] += ln_product(&self.sums[0][..self.len]);
            }
            self.descend(0, 0, 0, part);
        }
    }

    fn row(&self, player: usize) -> &'a [f64] {
        &self.rows[player * self.tokens + self.start..][..self.len]
    }

    fn descend(&mut self, depth: usize, first: usize, coalition: usize, part: &mut [f64]) {
        for player in first..self.low {
            let row = self.row(player);
            let (above, below) = self.sums.split_at_mut(depth + 1);
            let joined = coalition | 1 << player;
            part[joined] += add_block(&mut below[0][..self.len], &above[depth][..self.len], row);
            self.descend(depth + 1, player + 1, joined, part);
        }
    }
}

/// Turns sums of logarithms into values: per token, over the coalition's weight and the reference.
fn finish(game: &Game, values: &mut [f64]) {
    let tokens = game.tokens() as f64;
    let mean_ln_reference = game.mean_ln_reference();
    let mut weight = vec![0.0; values.len()];
    for coalition in 1..values.len() {
        let player = coalition.ilog2() as usize;
        weight[coalition] = weight[coalition ^ (1 << player)] + game.weights()[player];
        values[coalition] = values[coalition] / tokens - weight[coalition].ln() - mean_ln_reference;
    }
    values[0] = 0.0;
}
