//! Runs a case of the format of `vectors/` (its README describes it): what `acumen eval yuma` prints.
//!
//! Every step carries its whole state, so a step depends on no other. Rows may come in any order.
//! Numbers are integers throughout; the output repeats the names of the vectors' `derived` numbers.

#[allow(
    clippy::disallowed_types,
    reason = "serde's code for `flatten` names every number type; no float is read"
)]
mod format;
mod generator;

use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use crate::{EpochOutput, Error, epoch};
use format::{Case, Kind, Permits, Sequence};

/// The kinds of case that have epochs to run.
pub const KINDS: [&str; 3] = ["epoch_sequence", "epoch_generated", "validator_permits"];

/// Why a case could not be run.
#[derive(Debug, thiserror::Error)]
pub enum CaseError {
    /// Not JSON, or not of this format.
    #[error("the case is not of the format of vectors/README.md: {0}")]
    Format(#[from] serde_json::Error),
    /// A kind without epochs.
    #[error("a case of kind {kind:?} has no epochs to run: use one of {KINDS:?}")]
    Kind {
        /// The kind found.
        kind: String,
    },
    /// A list of a state has another length than its stakes.
    #[error("step {step:?}: {field} has {found} elements for {expected} stakes: give one per uid")]
    Length {
        /// Label of the step.
        step: String,
        /// Name of the list.
        field: &'static str,
        /// Neurons.
        expected: usize,
        /// Elements found.
        found: usize,
    },
    /// The generator asks for something that it cannot build.
    #[error("the generator has {validators} validators among {n} neurons: use 1 to n")]
    Generator {
        /// Neurons.
        n: u16,
        /// Validators.
        validators: u16,
    },
    /// The generator asks for more than fits.
    #[error("the generator makes {entries} entries, above {max}: use fewer neurons, validators or epochs")]
    TooLarge {
        /// Weights and neurons, over all epochs.
        entries: u64,
        /// The largest number allowed.
        max: u64,
    },
    /// A matrix of a state is none.
    #[error("step {step:?}, {matrix}: {source}")]
    Rows {
        /// Label of the step.
        step: String,
        /// `weights` or `bonds`.
        matrix: &'static str,
        /// Why.
        source: Error,
    },
    /// The epoch refused its input.
    #[error("step {step:?}: {source}")]
    Epoch {
        /// Label of the step.
        step: String,
        /// Why.
        source: Error,
    },
}

/// Runs every step of a case: `{"steps":[{"label":…,"consensus_u16":[…],…}]}`.
///
/// Members of `params` and `state` that mean nothing here are listed under `ignored`, so that a
/// misspelt one is not taken for a default in silence.
///
/// # Errors
/// See [`CaseError`].
pub fn run_case(json: &str) -> Result<Value, CaseError> {
    let Kind { kind } = serde_json::from_str(json)?;
    match kind.as_str() {
        "epoch_sequence" => run_sequence(&inputs(json)?),
        "epoch_generated" => generator::run(&inputs(json)?),
        "validator_permits" => run_permits(&inputs(json)?),
        _ => Err(CaseError::Kind { kind }),
    }
}

/// From the text rather than from parsed JSON: its errors name the line.
fn inputs<T: DeserializeOwned>(json: &str) -> Result<T, CaseError> {
    let Case { inputs } = serde_json::from_str(json)?;
    Ok(inputs)
}

fn run_sequence(sequence: &Sequence) -> Result<Value, CaseError> {
    let params = sequence.params.to_params();
    let mut steps = Vec::with_capacity(sequence.steps.len());
    let mut ignored = sequence.params.ignored();
    for step in &sequence.steps {
        let input = step.to_input(&sequence.params, sequence.tempo)?;
        let output = run(&step.label, &params, &input)?;
        steps.push(printed(&step.label, &output));
        ignored.extend(step.state.ignored());
    }
    if ignored.is_empty() {
        return Ok(json!({ "steps": steps }));
    }
    Ok(json!({ "steps": steps, "ignored": ignored }))
}

fn run_permits(permits: &Permits) -> Result<Value, CaseError> {
    let mut steps = Vec::new();
    for (i, case) in permits.cases.iter().enumerate() {
        for (name, stakes) in [("", &case.stakes), (" after", &case.then_stakes)] {
            let label = format!("case {i}{name}");
            let (params, input) = case.to_input(&label, stakes)?;
            steps.push(printed(&label, &run(&label, &params, &input)?));
        }
    }
    Ok(json!({ "steps": steps }))
}

fn run(label: &str, params: &crate::Params, input: &crate::EpochInput) -> Result<EpochOutput, CaseError> {
    epoch(params, input).map_err(|source| CaseError::Epoch { step: label.to_owned(), source })
}

fn printed(label: &str, output: &EpochOutput) -> Value {
    json!({
        "label": label,
        "consensus_u16": output.consensus,
        "incentive_u16": output.incentive,
        "dividends_u16": output.dividends,
        "validator_trust_u16": output.validator_trust,
        "stake_weight_u16": output.stake_weight,
        "validator_permits": output.validator_permits,
        "bonds_u16": output.bonds.to_rows(),
        "server_emission": output.server_emission,
        "validator_emission": output.validator_emission,
        "emission": output.emission,
    })
}

#[cfg(test)]
mod tests;
