//! A game as it is written down (the JSON of `acumen eval value`), and what makes it valid.
//!
//! Invariant of a validated game: every probability, and every probability times its miner's share of the weight, is at
//! least [`LEAST`], so that no logarithm of the game is infinite or loses digits.

use super::Game;
use super::logsum::LEAST;
use serde::{Deserialize, Serialize};

/// Most miners of one game; sampling beyond is slower than an epoch.
pub const MAX_MINERS: usize = 4_096;

/// Most probabilities (miners × tokens) of one game: 256 MiB of f64.
pub const MAX_CELLS: usize = 1 << 25;

/// A game before it is checked.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct GameSpec {
    /// Per miner, the probability it gave to each realised token.
    pub probs: Vec<Vec<f64>>,
    /// Probability of the reference model for each realised token.
    pub reference: Vec<f64>,
    /// Document of each token.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub documents: Option<Vec<u64>>,
    /// Pool weight of each miner, any positive scale; uniform if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub weights: Option<Vec<f64>>,
    /// Clone cluster of each miner; one each if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub clusters: Option<Vec<u64>>,
    /// Seniority number of each miner (lowest is senior), for instance the block of registration; the index if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seniority: Option<Vec<u64>>,
}

/// Why a game is not one.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum GameError {
    /// No miner, or no token.
    #[error("a game needs at least one miner and one token, not {miners} × {tokens}")]
    Empty {
        /// Number of miners.
        miners: usize,
        /// Number of tokens.
        tokens: usize,
    },
    /// More than memory should be asked for.
    #[error(
        "{miners} miners × {tokens} tokens is too large: at most {MAX_MINERS} miners and {MAX_CELLS} cells"
    )]
    TooLarge {
        /// Number of miners.
        miners: usize,
        /// Number of tokens.
        tokens: usize,
    },
    /// A list has the wrong length.
    #[error("{field} has {found} entries, expected {expected}")]
    Length {
        /// Which list.
        field: String,
        /// Its length.
        found: usize,
        /// The right length.
        expected: usize,
    },
    /// A probability that is 0, vanishing or above 1.
    #[error(
        "{field} at token {token} is {value:?}: give a probability from {LEAST:e} to 1, floored as a report is"
    )]
    Probability {
        /// Which list.
        field: String,
        /// Which entry.
        token: usize,
        /// What it is.
        value: f64,
    },
    /// A weight that is not positive and finite.
    #[error("weight of miner {miner} is {value}: give a positive finite number")]
    Weight {
        /// Which miner.
        miner: usize,
        /// What it is.
        value: f64,
    },
    /// A weighted probability that vanishes.
    #[error(
        "probability {prob:?} of miner {miner} at its weight share {share:?} vanishes: raise its floor or its weight"
    )]
    Vanishing {
        /// Which miner.
        miner: usize,
        /// Its probability.
        prob: f64,
        /// Its share of the weight.
        share: f64,
    },
    /// Exact values cost 2^n evaluations.
    #[error("{players} players are too many for exact values: at most {max}, sample beyond")]
    TooManyPlayers {
        /// How many there are.
        players: usize,
        /// How many are possible.
        max: usize,
    },
}

pub(super) fn validate(spec: GameSpec) -> Result<Game, GameError> {
    let (miners, tokens) = (spec.probs.len(), spec.reference.len());
    if miners == 0 || tokens == 0 {
        return Err(GameError::Empty { miners, tokens });
    }
    if miners > MAX_MINERS || miners.saturating_mul(tokens) > MAX_CELLS {
        return Err(GameError::TooLarge { miners, tokens });
    }
    check_probs("reference", &spec.reference, tokens)?;
    for (miner, row) in spec.probs.iter().enumerate() {
        check_probs(&format!("probs of miner {miner}"), row, tokens)?;
    }
    check_len("documents", spec.documents.as_deref(), tokens)?;
    check_len("weights", spec.weights.as_deref(), miners)?;
    check_len("clusters", spec.clusters.as_deref(), miners)?;
    check_len("seniority", spec.seniority.as_deref(), miners)?;
    let weights = shares(spec.weights, miners)?;
    for (miner, (row, &share)) in spec.probs.iter().zip(&weights).enumerate() {
        if let Some(&prob) = row.iter().find(|&&prob| prob * share < LEAST) {
            return Err(GameError::Vanishing { miner, prob, share });
        }
    }
    Ok(Game {
        miners,
        tokens,
        probs: spec.probs.concat(),
        reference: spec.reference,
        weights,
        documents: spec.documents,
        clusters: spec.clusters.unwrap_or_else(|| (0..miners as u64).collect()),
        seniority: spec.seniority.unwrap_or_else(|| (0..miners as u64).collect()),
    })
}

fn check_probs(field: &str, row: &[f64], tokens: usize) -> Result<(), GameError> {
    check_len(field, Some(row), tokens)?;
    match row.iter().position(|&prob| !(LEAST..=1.0).contains(&prob)) {
        Some(token) => Err(GameError::Probability { field: field.to_owned(), token, value: row[token] }),
        None => Ok(()),
    }
}

fn check_len<T>(field: &str, list: Option<&[T]>, expected: usize) -> Result<(), GameError> {
    match list {
        Some(list) if list.len() != expected => {
            Err(GameError::Length { field: field.to_owned(), found: list.len(), expected })
        }
        _ => Ok(()),
    }
}

/// Weights scaled to sum 1.
fn shares(weights: Option<Vec<f64>>, miners: usize) -> Result<Vec<f64>, GameError> {
    let weights = weights.unwrap_or_else(|| vec![1.0; miners]);
    let total: f64 = weights.iter().sum();
    for (miner, &value) in weights.iter().enumerate() {
        if !(value > 0.0 && value.is_finite() && total.is_finite()) {
            return Err(GameError::Weight { miner, value });
        }
    }
    Ok(weights.into_iter().map(|weight| weight / total).collect())
}

impl TryFrom<GameSpec> for Game {
    type Error = GameError;

    fn try_from(spec: GameSpec) -> Result<Self, GameError> {
        Self::new(spec)
    }
}

impl From<Game> for GameSpec {
    fn from(game: Game) -> Self {
        Self {
            probs: game.probs.chunks_exact(game.tokens).map(<[f64]>::to_vec).collect(),
            reference: game.reference,
            documents: game.documents,
            weights: Some(game.weights),
            clusters: Some(game.clusters),
            seniority: Some(game.seniority),
        }
    }
}
