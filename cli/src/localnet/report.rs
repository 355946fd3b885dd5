//! An epoch of a localnet as data: what the chain paid, beside what the validators measured.
//!
//! The chain's part is verified; the measured part is the median over the validators that answered, and only informs.

use std::collections::BTreeMap;

use acumen_chain_client::ledger::EpochRecord;
use acumen_proto::validation_v1::{GetReportResponse, MinerScore};
use serde_json::{Value, json};

use super::layout;
use super::plan::{Plan, Role};
use crate::commands::amounts::{nacu, share};
use crate::commands::reads::{Row, rows};

/// All that is known of one epoch.
pub(crate) struct EpochReport {
    pub(crate) record: EpochRecord,
    pub(crate) block: acumen_protocol::Hash,
    pub(crate) state_root: acumen_protocol::Hash,
    /// Sum of all balances at the end of the epoch, as the node has added them up.
    pub(crate) balances_total: acumen_protocol::Nacu,
    /// By validators, in order.
    pub(crate) scores: Vec<GetReportResponse>,
}

/// A neuron's line.
pub(crate) struct Line {
    pub(crate) row: Row,
    pub(crate) name: String,
    pub(crate) role: &'static str,
    pub(crate) measured: Option<Measured>,
}

/// What the validators measured of a miner: medians.
pub(crate) struct Measured {
    pub(crate) nats_per_byte: f64,
    pub(crate) own_gain: f64,
    pub(crate) marginal: f64,
    pub(crate) reward: f64,
    /// On the chain's scale, where the largest of a validator is 65,535.
    pub(crate) weight: f64,
    pub(crate) held_out_bits_per_byte: f64,
}

impl EpochReport {
    /// One line per neuron, by uid.
    pub(crate) fn lines(&self, plan: &Plan) -> Vec<Line> {
        let names: BTreeMap<String, &super::plan::Process> = plan
            .processes
            .iter()
            .map(|process| (layout::hotkey(plan, &process.name).to_string(), process))
            .collect();
        rows(&self.record)
            .into_iter()
            .map(|row| {
                let hotkey = row.hotkey.to_string();
                let process = names.get(&hotkey);
                let name = process.map_or_else(|| hotkey.clone(), |process| process.name.clone());
                let role = process.map_or("neuron", |process| process.role.command());
                let measured = if role == Role::Miner.command() { self.measured(&hotkey) } else { None };
                Line { row, name, role, measured }
            })
            .collect()
    }

    fn measured(&self, hotkey: &str) -> Option<Measured> {
        let scores: Vec<&MinerScore> = self
            .scores
            .iter()
            .flat_map(|report| &report.miners)
            .filter(|score| score.hotkey == hotkey)
            .collect();
        let of = |field: fn(&MinerScore) -> f64| median(scores.iter().map(|score| field(score)));
        Some(Measured {
            nats_per_byte: of(|score| score.nats_per_byte)?,
            own_gain: of(|score| score.own_gain)?,
            marginal: of(|score| score.marginal)?,
            reward: of(|score| score.reward)?,
            weight: of(|score| f64::from(score.weight))?,
            held_out_bits_per_byte: of(|score| score.held_out_bits_per_byte)?,
        })
    }

    /// The collective's loss on held-out documents so far, if it was measured.
    pub(crate) fn collective(&self) -> Option<f64> {
        let measured = self.scores.iter().filter(|report| report.held_out_bytes > 0);
        median(measured.map(|report| report.collective_bits_per_byte))
    }

    /// The line of `--json`.
    pub(crate) fn to_json(&self, plan: &Plan) -> Value {
        let record = &self.record;
        let neurons: Vec<Value> = self.lines(plan).iter().map(Line::to_json).collect();
        json!({
            "event": "epoch",
            "epoch": record.epoch.get(),
            "height": record.height.get(),
            "block": self.block.to_string(),
            "state_root": self.state_root.to_string(),
            "track": record.track.get(),
            "neurons": neurons,
            "owner_emission": nacu(record.owner_emission),
            "minted": nacu(record.minted),
            "burned": nacu(record.burned),
            "issuance": nacu(record.issuance),
            "balances_total": nacu(self.balances_total),
            "collective_bits_per_byte": self.collective(),
        })
    }

    /// The summary of a run whose last epoch this is.
    pub(crate) fn summary(&self, plan: &Plan, epochs: u64) -> Value {
        let miners: Vec<Value> = self
            .lines(plan)
            .iter()
            .filter(|line| line.role == Role::Miner.command())
            .map(|line| {
                json!({
                    "uid": line.row.uid,
                    "name": line.name,
                    "held_out_bits_per_byte": line.measured.as_ref().map(|m| m.held_out_bits_per_byte),
                    "incentive": share(line.row.incentive),
                })
            })
            .collect();
        json!({
            "event": "summary",
            "epochs": epochs,
            "height": self.record.height.get(),
            "collective_bits_per_byte": self.collective(),
            "miners": miners,
            "issuance": nacu(self.record.issuance),
            "balances_total": nacu(self.balances_total),
        })
    }
}

impl Line {
    fn to_json(&self) -> Value {
        let of = |field: fn(&Measured) -> f64| self.measured.as_ref().map(field);
        json!({
            "uid": self.row.uid,
            "hotkey": self.row.hotkey.to_string(),
            "name": self.name,
            "role": self.role,
            "model": (self.role == Role::Miner.command()).then(|| self.name.trim_start_matches("miner-")),
            "stake": nacu(self.row.stake),
            "nats_per_byte": of(|m| m.nats_per_byte),
            "own_gain": of(|m| m.own_gain),
            "marginal": of(|m| m.marginal),
            "reward": of(|m| m.reward),
            "weight": of(|m| m.weight).map(|weight| weight.round() as u64),
            "held_out_bits_per_byte": of(|m| m.held_out_bits_per_byte),
            "consensus": share(self.row.consensus),
            "incentive": share(self.row.incentive),
            "dividend": share(self.row.dividend),
            "emission": nacu(self.row.emission),
        })
    }
}

/// Median of the finite values, if there are any; the mean of the middle two if they are even in number.
fn median(values: impl Iterator<Item = f64>) -> Option<f64> {
    let mut sorted: Vec<f64> = values.filter(|value| value.is_finite()).collect();
    sorted.sort_by(f64::total_cmp);
    let upper = sorted.get(sorted.len() / 2)?;
    let lower = sorted.get(sorted.len().saturating_sub(1) / 2)?;
    Some(f64::midpoint(*lower, *upper))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_leaves_out_what_is_no_number() {
        assert_eq!(median([].into_iter()), None);
        assert_eq!(median([f64::NAN].into_iter()), None);
        assert_eq!(median([3.0, f64::NAN, 1.0].into_iter()), Some(2.0));
        assert_eq!(median([3.0, 9.0, 1.0].into_iter()), Some(3.0));
    }
}
