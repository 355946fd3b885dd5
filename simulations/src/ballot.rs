//! What validators ask for and what they have said: documents and answers of an epoch, revealed rows and their mean.

use std::collections::BTreeMap;

use acumen_protocol::weights::Weights;
use acumen_protocol::{AccountId, Nacu, Uid};

use crate::Scenario;
use crate::answer::{Asker, Miners};
use crate::judge::Candidate;
use crate::seeded::Seeded;
use crate::world::Exam;

/// A registered miner.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Slot {
    pub(crate) miner: usize,
    pub(crate) uid: Uid,
    pub(crate) hotkey: AccountId,
    pub(crate) registered_at: u64,
}

/// A validator's last word.
#[derive(Debug)]
pub(crate) struct Revealed {
    pub(crate) stake: Nacu,
    pub(crate) weights: Weights,
}

/// Draws a validator's documents and collects the answers.
pub(crate) fn ask(scenario: &Scenario, miners: &Miners<'_>, slots: &[Slot], asker: Asker) -> Vec<Candidate> {
    let numbers = [asker.validator as u64, asker.epoch, 0];
    let mut draws = Seeded::new(scenario.seed, "documents", numbers);
    let exam = Exam::draw(&scenario.world, scenario.world.tokens(), &mut draws);
    let candidate = |slot: &Slot| {
        let answer = miners.answer(slot.miner, &exam, asker)?;
        Some(Candidate { uid: slot.uid, hotkey: slot.hotkey, registered_at: slot.registered_at, answer })
    };
    slots.iter().filter_map(candidate).collect()
}

/// Mean of the revealed rows, each scaled to sum 1, by stake, without that of validator `except`.
pub(crate) fn mean_row(revealed: &[Option<Revealed>], except: usize) -> Vec<(Uid, f64)> {
    let mut sums = BTreeMap::<Uid, f64>::new();
    let mut stakes = 0.0;
    let others = revealed.iter().enumerate().filter(|(validator, _)| *validator != except);
    for Revealed { stake, weights } in others.filter_map(|(_, revealed)| revealed.as_ref()) {
        let total: f64 = weights.entries().iter().map(|(_, weight)| f64::from(*weight)).sum();
        let stake = stake.get() as f64;
        stakes += stake;
        for (uid, weight) in weights.entries() {
            *sums.entry(*uid).or_default() += stake * f64::from(*weight) / total;
        }
    }
    sums.into_iter().map(|(uid, sum)| (uid, if stakes > 0.0 { sum / stakes } else { 0.0 })).collect()
}
