//! `epoch_generated`: a subnet of equal validators that all weigh all servers alike.
//!
//! Uids `0..validators` are validators, the rest servers. One epoch without weights issues the
//! permits, then `epochs` epochs run on the state that each leaves.

use serde::Deserialize;
use serde_json::{Value, json};

use super::format::{CaseParams, rows};
use super::{CaseError, printed};
use crate::{EpochInput, Neuron, SparseRows};

/// Everybody registers in this block.
const REGISTERED: u64 = 1;

/// Most entries of all epochs together (a few GB of output): the largest case of upstream, 4 096
/// neurons, has a quarter of them.
const MAX_ENTRIES: u64 = 1 << 24;

/// `inputs` of an `epoch_generated`.
#[derive(Deserialize)]
pub(super) struct Generated {
    generator: Generator,
    params: CaseParams,
    tempo: u64,
}

#[derive(Deserialize)]
struct Generator {
    n: u16,
    validators: u16,
    stake_per_validator: u64,
    epochs: u16,
}

impl Generator {
    fn check(&self) -> Result<(), CaseError> {
        let &Self { n, validators, epochs, .. } = self;
        if validators == 0 || validators > n {
            return Err(CaseError::Generator { n, validators });
        }
        let weights = u64::from(validators).saturating_mul(u64::from(n.saturating_sub(validators)));
        let epoch = weights.saturating_add(u64::from(n));
        let entries = epoch.saturating_mul(u64::from(epochs).saturating_add(1));
        if entries > MAX_ENTRIES {
            return Err(CaseError::TooLarge { entries, max: MAX_ENTRIES });
        }
        Ok(())
    }
}

pub(super) fn run(generated: &Generated) -> Result<Value, CaseError> {
    generated.generator.check()?;
    let params = generated.params.to_params();
    let mut input = generated.first_epoch()?;
    let mut steps = Vec::new();
    for step in 0..=generated.generator.epochs {
        let label = match step {
            0 => "permits".to_owned(),
            _ => format!("epoch {step}"),
        };
        let output = super::run(&label, &params, &input)?;
        steps.push(printed(&label, &output));
        for (neuron, permit) in input.neurons.iter_mut().zip(&output.validator_permits) {
            neuron.permit = *permit;
            neuron.last_update = input.block;
        }
        input.weights = generated.weights(&label)?;
        input.bonds = output.bonds;
        input.block = input.block.saturating_add(1);
        input.last_tempo = Some(input.block);
    }
    Ok(json!({ "steps": steps }))
}

impl Generated {
    fn first_epoch(&self) -> Result<EpochInput, CaseError> {
        let Generator { n, validators, .. } = self.generator;
        let n = usize::from(n);
        let neurons = (0..n)
            .map(|uid| Neuron {
                stake: if uid < usize::from(validators) { self.generator.stake_per_validator } else { 0 },
                last_update: REGISTERED,
                block_at_registration: REGISTERED,
                ..Neuron::default()
            })
            .collect();
        Ok(EpochInput {
            block: REGISTERED.saturating_add(1),
            last_tempo: None,
            tempo: self.tempo,
            owner_uid: self.params.owner_uid,
            neurons,
            weights: rows("permits", "weights", n, &vec![Vec::new(); n])?,
            bonds: rows("permits", "bonds", n, &vec![Vec::new(); n])?,
            emission: self.params.emission,
        })
    }

    /// Every validator's row: 65 535 on every server.
    fn weights(&self, label: &str) -> Result<SparseRows, CaseError> {
        let Generator { n, validators, .. } = self.generator;
        let row: Vec<(u16, u16)> = (validators..n).map(|uid| (uid, u16::MAX)).collect();
        let all = (0..n).map(|uid| if uid < validators { row.clone() } else { Vec::new() }).collect();
        rows(label, "weights", usize::from(n), &all)
    }
}
