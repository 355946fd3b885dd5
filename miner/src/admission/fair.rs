//! Who comes next: fair queueing by start time, weighted by stake (Goyal, Vin, Cheng, SIGCOMM 1996).
//!
//! A request's tag is where its sender's share of the model has got to: the sender's last request moved it on by its
//! charge over its weight. Requests are served by tag. A sender with twice the weight gets twice the tokens while both ask, nobody
//! starves, and who has asked for nothing so far comes before who has asked for much.

use std::collections::HashMap;

use acumen_protocol::{AccountId, Nacu};

/// Tag units per token at weight one.
const SCALE: u128 = 1_000_000_000;

/// Base units of stake that weigh as much as being let in at all: a thousand ACU.
const NACU_PER_WEIGHT: u64 = 1_000_000_000_000;

/// Most senders remembered; those that lie behind are forgotten first, which changes nothing for them.
const MAX_SENDERS: usize = 4_096;

/// A place in the order: the tag, and the time of arrival among equals.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Key {
    start: u128,
    arrival: u64,
    finish: u128,
}

/// The order.
#[derive(Debug, Default)]
pub(super) struct Fair {
    now: u128,
    arrivals: u64,
    finished: HashMap<AccountId, u128>,
}

impl Fair {
    /// The place of a request that comes now. It is not taken yet.
    pub(super) fn key(&mut self, sender: AccountId, stake: Nacu, charge: u64) -> Key {
        let start = self.finished.get(&sender).copied().unwrap_or(0).max(self.now);
        self.arrivals += 1;
        Key { start, arrival: self.arrivals, finish: start.saturating_add(span(stake, charge)) }
    }

    /// Takes the place: the sender's next request comes behind it.
    pub(super) fn take(&mut self, sender: AccountId, key: Key) {
        if self.finished.len() >= MAX_SENDERS && !self.finished.contains_key(&sender) {
            let now = self.now;
            self.finished.retain(|_, finish| *finish > now);
        }
        if self.finished.len() < MAX_SENDERS || self.finished.contains_key(&sender) {
            self.finished.insert(sender, key.finish);
        }
    }

    /// The request at this place is served now.
    pub(super) fn serve(&mut self, key: Key) {
        self.now = self.now.max(key.start);
    }

    /// A request that is served without waiting.
    pub(super) fn pass(&mut self, sender: AccountId, stake: Nacu, charge: u64) {
        let key = self.key(sender, stake, charge);
        self.take(sender, key);
        self.serve(key);
    }
}

/// What a stake weighs, in thousandths, so that a few ACU weigh something too.
pub(crate) fn weight(stake: Nacu) -> u128 {
    1_000 + u128::from(stake.get()) * 1_000 / u128::from(NACU_PER_WEIGHT)
}

fn span(stake: Nacu, charge: u64) -> u128 {
    u128::from(charge).saturating_mul(SCALE * 1_000) / weight(stake)
}
