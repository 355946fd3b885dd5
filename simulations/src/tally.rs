//! Collecting a run's rows, and their means over its last half.

use acumen_chain_ledger::{Audit, EpochRecord};
use acumen_protocol::{Nacu, Uid};

use crate::Scenario;
use crate::cast::Actor;
use crate::result::{NeuronSummary, Row, RunResult, Summary, SupplyRow, Timing};

/// What has happened so far.
#[derive(Debug)]
pub(crate) struct Tally {
    rows: Vec<Row>,
    /// Index into the actors, for each row.
    owners: Vec<usize>,
    supply: Vec<SupplyRow>,
    transactions: u64,
    failed: u64,
    genesis: u64,
}

impl Tally {
    /// Begins with the audit of genesis.
    pub(crate) fn new(genesis: &Audit) -> Self {
        let genesis = genesis.issuance.get();
        Self { rows: Vec::new(), owners: Vec::new(), supply: Vec::new(), transactions: 0, failed: 0, genesis }
    }

    /// Counts a block's transactions.
    pub(crate) fn block(&mut self, transactions: usize, failed: usize) {
        self.transactions += transactions as u64;
        self.failed += failed as u64;
    }

    /// Takes down an epoch; `weights` is the mean revealed row.
    pub(crate) fn epoch(
        &mut self,
        record: &EpochRecord,
        audit: &Audit,
        actors: &[Actor],
        weights: &[(Uid, f64)],
    ) {
        let (epoch, height) = (record.epoch.get(), record.height.get());
        for (index, hotkey) in record.hotkeys.iter().enumerate() {
            let Some(owner) = actors.iter().position(|actor| actor.hotkey.account == *hotkey) else {
                continue;
            };
            let actor = &actors[owner];
            let uid = index as u16; // A track has at most 65,536 slots.
            let weight = weights.iter().find(|(of, _)| of.get() == uid).map_or(0.0, |(_, weight)| *weight);
            let paid = record.server_emission[index].checked_add(record.validator_emission[index]);
            self.owners.push(owner);
            self.rows.push(Row {
                epoch,
                height,
                uid,
                name: actor.name.clone(),
                role: actor.role,
                behaviour: actor.behaviour.clone(),
                stake: record.stake[index].get(),
                weight: six_decimals(weight),
                consensus: share(record.consensus[index]),
                incentive: share(record.incentive[index]),
                dividend: share(record.dividends[index]),
                emission: paid.unwrap_or(Nacu::ZERO).get(),
            });
        }
        self.supply.push(SupplyRow {
            epoch,
            height,
            issuance: audit.issuance.get(),
            balances_total: audit.balances_total.get(),
            minted: audit.minted.get(),
            burned: audit.burned.get(),
            owner: record.owner_emission.get(),
        });
    }

    /// The finished run.
    pub(crate) fn finish(self, scenario: &Scenario, actors: &[Actor], timing: Timing) -> RunResult {
        let last = self.supply.last().copied();
        let text = |field: fn(&SupplyRow) -> u64| last.as_ref().map_or(0, field).to_string();
        let summary = Summary {
            scenario: scenario.name.clone(),
            seed: scenario.seed,
            epochs: scenario.epochs,
            blocks: last.map_or(0, |row| row.height),
            transactions: self.transactions,
            failed: self.failed,
            issuance_at_genesis: self.genesis.to_string(),
            issuance: text(|row| row.issuance),
            minted: text(|row| row.minted),
            burned: text(|row| row.burned),
            neurons: (0..actors.len())
                .map(|owner| self.neuron(owner, &actors[owner], scenario.epochs))
                .collect(),
        };
        RunResult { rows: self.rows, supply: self.supply, summary, timing }
    }

    fn neuron(&self, owner: usize, actor: &Actor, epochs: u64) -> NeuronSummary {
        let own = || self.rows.iter().zip(&self.owners).filter(|(_, of)| **of == owner).map(|(row, _)| row);
        let late: Vec<&Row> = own().filter(|row| row.epoch > epochs / 2).collect();
        let per_stake = |row: &&Row| {
            let total: u64 = self.total_stake(row.epoch);
            if row.stake == 0 { 0.0 } else { row.dividend * total as f64 / row.stake as f64 }
        };
        NeuronSummary {
            name: actor.name.clone(),
            role: actor.role,
            behaviour: actor.behaviour.clone(),
            incentive: mean(late.iter().map(|row| row.incentive)),
            dividend_per_stake: mean(late.iter().map(per_stake)),
            emission: own().map(|row| row.emission).sum::<u64>().to_string(),
        }
    }

    /// Stake of all validators in an epoch.
    fn total_stake(&self, epoch: u64) -> u64 {
        let from = self.rows.partition_point(|row| row.epoch < epoch);
        let rows = self.rows[from..].iter().take_while(|row| row.epoch == epoch);
        rows.filter(|row| row.role == crate::Role::Validator).map(|row| row.stake).sum()
    }
}

fn mean(values: impl ExactSizeIterator<Item = f64>) -> f64 {
    let count = values.len();
    if count == 0 { 0.0 } else { six_decimals(values.sum::<f64>() / count as f64) }
}

/// Shares are stored in steps of 1/65,535: six decimals lose nothing.
fn six_decimals(value: f64) -> f64 {
    (value * 1e6).round() / 1e6
}

fn share(of_65535: u16) -> f64 {
    six_decimals(f64::from(of_65535) / f64::from(u16::MAX))
}
