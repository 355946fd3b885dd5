//! `acumen eval value`: every value of one game, as JSON.
//!
//! Input: `{"probs":[[T] per miner],"reference":[T],"documents":[T]?,"weights":[n]?,"clusters":[n]?,"seniority":[n]?,
//! "alpha":0.5?}`. Output, in nats per token: `own_gain`, `loo`, `shapley`, `banzhaf` (one player per miner), `owen`,
//! `stacking`, `reward` (shares) and `pool_loss`, plus `method`, which says what was exact and what was sampled, and, for at
//! least three documents, `intervals`: 95 % ends `[low, high]` of `own_gain` and `owen` by bootstrap over documents.
//!
//! `own_gain` is v({i}) of every miner, copies included. In `owen` and `reward` the senior member stands for its
//! cluster, and the others have 0. Labels of documents and clusters may be integers or strings.

use crate::confidence::{self, DEFAULT_RESAMPLES, Interval};
use crate::game::owen::{DEFAULT_PERMUTATIONS, DEFAULT_SEED};
use crate::game::{
    Coalitions, Game, GameError, GameSpec, MAX_EXACT, banzhaf_sampled, loo, owen, pool_loss, seniors,
    shapley_sampled, stacking_exact,
};
use crate::reward::{DEFAULT_ALPHA, RewardRule, paid};
use serde::Deserialize;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

/// Most bytes of JSON that are parsed.
pub const MAX_JSON_BYTES: usize = 1 << 30;

/// Pairs of coalitions for a sampled Banzhaf value.
const BANZHAF_PAIRS: usize = 16_384;

/// Most clusters whose values get an interval: it needs an exact game per document.
const MAX_INTERVAL_PLAYERS: usize = 12;

/// Why a game could not be evaluated.
#[derive(Debug, thiserror::Error)]
pub enum EvalError {
    /// Not JSON of the right shape.
    #[error("game file: {0}")]
    Json(#[from] serde_json::Error),
    /// JSON of a game that is not valid.
    #[error("game: {0}")]
    Game(#[from] GameError),
    /// α is not a share.
    #[error("alpha is {0}: give a number from 0 to 1")]
    Alpha(f64),
    /// Too much input.
    #[error("game file of {0} bytes: at most {MAX_JSON_BYTES}")]
    TooLarge(usize),
}

/// A document or a cluster may be named by a whole number or a string; only equality counts.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(try_from = "Value")]
enum Label {
    Number(i128),
    Text(String),
}

impl TryFrom<Value> for Label {
    type Error = String;

    fn try_from(value: Value) -> Result<Self, String> {
        match value {
            Value::String(text) => Ok(Self::Text(text)),
            other => Rank::try_from(other).map(|rank| Self::Number(rank.0)),
        }
    }
}

/// A seniority number: any whole number, lowest is senior.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(try_from = "Value")]
struct Rank(i128);

impl TryFrom<Value> for Rank {
    type Error = String;

    fn try_from(value: Value) -> Result<Self, String> {
        let whole = value.as_i64().map(i128::from).or_else(|| value.as_u64().map(i128::from));
        whole.map(Self).ok_or_else(|| {
            format!("{value} is not a whole number of 64 bits (documents and clusters may also be strings)")
        })
    }
}

#[derive(Debug, Deserialize)]
#[serde(expecting = "an object with `probs` and `reference`")]
struct GameFile {
    probs: Vec<Vec<f64>>,
    reference: Vec<f64>,
    documents: Option<Vec<Label>>,
    weights: Option<Vec<f64>>,
    clusters: Option<Vec<Label>>,
    seniority: Option<Vec<Rank>>,
    alpha: Option<f64>,
    /// Anything else is not used, and said so in the output.
    #[serde(flatten)]
    unknown: Map<String, Value>,
}

/// Evaluates the game of a JSON text. The output is one object; see the module.
///
/// # Errors
/// [`EvalError`], with the first thing that is wrong.
pub fn eval_value(json: &str) -> Result<Value, EvalError> {
    if json.len() > MAX_JSON_BYTES {
        return Err(EvalError::TooLarge(json.len()));
    }
    let file: GameFile = serde_json::from_str(json)?;
    let alpha = file.alpha.unwrap_or(DEFAULT_ALPHA);
    if !(0.0..=1.0).contains(&alpha) {
        return Err(EvalError::Alpha(alpha));
    }
    let ignored: Vec<&String> = file.unknown.keys().collect();
    let ignored = (!ignored.is_empty()).then(|| json!(ignored));
    let game = Game::new(GameSpec {
        probs: file.probs,
        reference: file.reference,
        documents: file.documents.map(numbered),
        weights: file.weights,
        clusters: file.clusters.map(numbered),
        seniority: file.seniority.map(ranked),
    })?;
    let mut output = evaluate(&game, alpha);
    if let (Some(intervals), Some(object)) = (intervals(&game, alpha), output.as_object_mut()) {
        object.insert("intervals".to_owned(), intervals);
    }
    if let (Some(ignored), Some(object)) = (ignored, output.as_object_mut()) {
        object.insert("ignored".to_owned(), ignored);
    }
    Ok(output)
}

fn evaluate(game: &Game, alpha: f64) -> Value {
    let (shapley, banzhaf, method) = match Coalitions::of(game) {
        Ok(table) => (table.shapley(), table.banzhaf(), json!("exact")),
        Err(_) => {
            let shapley = shapley_sampled(game, DEFAULT_SEED, DEFAULT_PERMUTATIONS);
            let banzhaf = banzhaf_sampled(game, DEFAULT_SEED, BANZHAF_PAIRS);
            let method = json!({"sampled": {
                "seed": DEFAULT_SEED,
                "shapley_permutations": shapley.rounds * game.miners(),
                "shapley_low": shapley.low, "shapley_high": shapley.high,
                "banzhaf_pairs": banzhaf.rounds,
                "banzhaf_low": banzhaf.low, "banzhaf_high": banzhaf.high,
            }});
            (shapley.mean, banzhaf.mean, method)
        }
    };
    // Without copies the clusters are the miners, and their values the same game's.
    let alone = seniors(game).len() == game.miners();
    let parts = paid(game, if alone { shapley.clone() } else { owen(game) }, alpha);
    let stacking = stacking_exact(game);
    let owen_method = if seniors(game).len() <= MAX_EXACT { "exact" } else { "sampled" };
    json!({
        "own_gain": parts.own_gain,
        "loo": loo(game),
        "shapley": shapley,
        "banzhaf": banzhaf,
        "owen": parts.marginal,
        "stacking": stacking.weights,
        "reward": parts.reward,
        "pool_loss": pool_loss(game),
        "alpha": alpha,
        "method": {"shapley": method, "banzhaf": method, "owen": owen_method, "stacking_gap": stacking.gap},
    })
}

/// Ends of the intervals that are finite: of the own gain, and of the cluster value where it is cheap.
fn intervals(game: &Game, alpha: f64) -> Option<Value> {
    let parts = confidence::per_document(game);
    if game.documents().is_none() || parts.len() < confidence::MIN_DOCUMENTS {
        return None;
    }
    let rule = RewardRule { alpha, ..RewardRule::default() };
    let ends = |list: &[Interval]| list.iter().map(|one| [one.low, one.high]).collect::<Vec<_>>();
    if seniors(game).len() > MAX_INTERVAL_PLAYERS {
        let gains = confidence::own_gain_intervals(game, DEFAULT_SEED, DEFAULT_RESAMPLES);
        return Some(json!({"own_gain": ends(&gains)}));
    }
    let found = confidence::intervals(game, &rule, DEFAULT_SEED, DEFAULT_RESAMPLES);
    Some(json!({"own_gain": ends(&found.own_gain), "owen": ends(&found.marginal)}))
}

/// Numbers labels by their first appearance.
fn numbered(labels: Vec<Label>) -> Vec<u64> {
    let mut seen = BTreeMap::new();
    labels
        .into_iter()
        .map(|label| {
            let next = seen.len() as u64;
            *seen.entry(label).or_insert(next)
        })
        .collect()
}

/// Seniority numbers as their places in order, ties kept.
fn ranked(numbers: Vec<Rank>) -> Vec<u64> {
    let mut sorted = numbers.clone();
    sorted.sort_unstable();
    sorted.dedup();
    numbers.iter().map(|number| sorted.partition_point(|other| other < number) as u64).collect()
}

#[cfg(test)]
mod tests;
