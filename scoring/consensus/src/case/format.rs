//! The JSON of a case, and its translation to an epoch's input.
//!
//! Invariant: a list of another length than the stakes is an error, never padded.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;
use serde_json::Value;

use super::CaseError;
use crate::{EpochInput, LiquidAlpha, Neuron, Params, SparseRows};

/// Sparse rows as the format writes them.
pub(super) type Rows = Vec<Vec<(u16, u16)>>;

/// What a file is.
#[derive(Deserialize)]
pub(super) struct Kind {
    pub(super) kind: String,
}

/// A file of a known kind.
#[derive(Deserialize)]
pub(super) struct Case<T> {
    pub(super) inputs: T,
}

/// `inputs` of an `epoch_sequence`.
#[derive(Deserialize)]
pub(super) struct Sequence {
    pub(super) params: CaseParams,
    pub(super) tempo: u64,
    pub(super) steps: Vec<Step>,
}

/// Parameters; what is absent has the default of a new subnet.
#[derive(Deserialize)]
#[serde(default)]
pub(super) struct CaseParams {
    kappa: u16,
    bonds_penalty: u16,
    bonds_moving_average: u64,
    yuma3: bool,
    liquid_alpha: bool,
    alpha_low: u16,
    alpha_high: u16,
    alpha_sigmoid_steepness: i16,
    max_validators: u16,
    min_stake: u64,
    activity_cutoff: u64,
    commit_reveal: bool,
    bonds_reset: bool,
    pub(super) owner_uid: Option<u16>,
    pub(super) emission: u64,
    #[serde(flatten)]
    other: BTreeMap<String, Value>,
}

impl Default for CaseParams {
    fn default() -> Self {
        let (params, liquid) = (Params::default(), LiquidAlpha::default());
        Self {
            kappa: params.kappa,
            bonds_penalty: params.bonds_penalty,
            bonds_moving_average: params.bonds_moving_average,
            yuma3: params.yuma3,
            liquid_alpha: params.liquid_alpha.is_some(),
            alpha_low: liquid.low,
            alpha_high: liquid.high,
            alpha_sigmoid_steepness: liquid.steepness,
            max_validators: params.max_allowed_validators,
            min_stake: params.min_stake,
            activity_cutoff: params.activity_cutoff,
            commit_reveal: params.commit_reveal,
            bonds_reset: params.bonds_reset,
            owner_uid: None,
            emission: crate::emission::INITIAL_BLOCK_EMISSION,
            other: BTreeMap::new(),
        }
    }
}

impl CaseParams {
    pub(super) fn to_params(&self) -> Params {
        Params {
            kappa: self.kappa,
            bonds_moving_average: self.bonds_moving_average,
            bonds_penalty: self.bonds_penalty,
            yuma3: self.yuma3,
            liquid_alpha: self.liquid_alpha.then_some(LiquidAlpha {
                low: self.alpha_low,
                high: self.alpha_high,
                steepness: self.alpha_sigmoid_steepness,
            }),
            activity_cutoff: self.activity_cutoff,
            max_allowed_validators: self.max_validators,
            min_stake: self.min_stake,
            commit_reveal: self.commit_reveal,
            bonds_reset: self.bonds_reset,
        }
    }

    /// Members without a meaning here.
    pub(super) fn ignored(&self) -> BTreeSet<String> {
        self.other.keys().map(|k| format!("params.{k}")).collect()
    }
}

/// One epoch of a sequence.
#[derive(Deserialize)]
pub(super) struct Step {
    pub(super) label: String,
    pub(super) state: State,
}

/// The whole state before an epoch.
#[derive(Deserialize)]
pub(super) struct State {
    block: u64,
    stakes: Vec<u64>,
    last_update: Vec<u64>,
    block_at_registration: Vec<u64>,
    permits: Vec<bool>,
    weights: Rows,
    bonds: Rows,
    last_tempo: Option<u64>,
    #[serde(alias = "commit_blocks")]
    commit_block: Option<Vec<Option<u64>>>,
    bonds_reset: Option<Vec<bool>>,
    #[serde(flatten)]
    other: BTreeMap<String, Value>,
}

impl State {
    /// Members without a meaning here.
    pub(super) fn ignored(&self) -> BTreeSet<String> {
        self.other.keys().map(|k| format!("state.{k}")).collect()
    }
}

impl Step {
    pub(super) fn to_input(&self, params: &CaseParams, tempo: u64) -> Result<EpochInput, CaseError> {
        let state = &self.state;
        let n = state.stakes.len();
        self.check_lengths(n)?;
        let neurons = (0..n).map(|uid| state.neuron(uid)).collect();
        Ok(EpochInput {
            block: state.block,
            last_tempo: state.last_tempo,
            tempo,
            owner_uid: params.owner_uid,
            neurons,
            weights: rows(&self.label, "weights", n, &state.weights)?,
            bonds: rows(&self.label, "bonds", n, &state.bonds)?,
            emission: params.emission,
        })
    }

    fn check_lengths(&self, expected: usize) -> Result<(), CaseError> {
        let state = &self.state;
        let optional = |list: Option<usize>| list.unwrap_or(expected);
        let lengths = [
            ("last_update", state.last_update.len()),
            ("block_at_registration", state.block_at_registration.len()),
            ("permits", state.permits.len()),
            ("weights", state.weights.len()),
            ("bonds", state.bonds.len()),
            ("commit_block", optional(state.commit_block.as_ref().map(Vec::len))),
            ("bonds_reset", optional(state.bonds_reset.as_ref().map(Vec::len))),
        ];
        match lengths.iter().find(|&&(_, found)| found != expected) {
            Some(&(field, found)) => {
                Err(CaseError::Length { step: self.label.clone(), field, expected, found })
            }
            None => Ok(()),
        }
    }
}

impl State {
    fn neuron(&self, uid: usize) -> Neuron {
        let of = |list: &[u64]| list.get(uid).copied().unwrap_or_default();
        let flag = |list: &[bool]| list.get(uid).copied().unwrap_or_default();
        let commits = self.commit_block.as_deref().unwrap_or_default();
        Neuron {
            stake: of(&self.stakes),
            last_update: of(&self.last_update),
            block_at_registration: of(&self.block_at_registration),
            permit: flag(&self.permits),
            commit_block: commits.get(uid).copied().flatten(),
            bonds_reset: flag(self.bonds_reset.as_deref().unwrap_or_default()),
        }
    }
}

/// Rows of a state, in any order.
pub(super) fn rows(step: &str, matrix: &'static str, n: usize, rows: &Rows) -> Result<SparseRows, CaseError> {
    SparseRows::from_unsorted(n, rows.clone()).map_err(|source| CaseError::Rows {
        step: step.to_owned(),
        matrix,
        source,
    })
}

/// `inputs` of `validator_permits`.
#[derive(Deserialize)]
pub(super) struct Permits {
    pub(super) cases: Vec<PermitCase>,
}

/// Stakes before and after.
#[derive(Deserialize)]
pub(super) struct PermitCase {
    max_validators: u16,
    min_stake: u64,
    pub(super) stakes: Vec<u64>,
    pub(super) then_stakes: Vec<u64>,
}

impl PermitCase {
    /// An epoch without weights over `stakes`.
    pub(super) fn to_input(&self, label: &str, stakes: &[u64]) -> Result<(Params, EpochInput), CaseError> {
        let n = stakes.len();
        let empty = |matrix| rows(label, matrix, n, &vec![Vec::new(); n]);
        let neuron = |&stake: &u64| Neuron { stake, ..Neuron::default() };
        let params = Params {
            max_allowed_validators: self.max_validators,
            min_stake: self.min_stake,
            ..Params::default()
        };
        let input = EpochInput {
            block: 1,
            last_tempo: None,
            tempo: 1,
            owner_uid: None,
            neurons: stakes.iter().map(neuron).collect(),
            weights: empty("weights")?,
            bonds: empty("bonds")?,
            emission: crate::emission::INITIAL_BLOCK_EMISSION,
        };
        Ok((params, input))
    }
}
