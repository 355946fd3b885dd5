//! The naive model's pool: shares by holder, all sums made afresh.

use std::collections::BTreeMap;

use num_bigint::BigInt;

/// A pool: base units, and shares by holder.
#[derive(Clone, Debug, Default)]
pub(crate) struct Pool {
    pub(crate) stake: BigInt,
    pub(crate) shares: BTreeMap<(u8, u64), BigInt>,
}

pub(crate) fn zero() -> BigInt {
    BigInt::from(0)
}

impl Pool {
    pub(crate) fn all(&self) -> BigInt {
        self.shares.values().sum()
    }

    pub(crate) fn worth(&self, holder: (u8, u64)) -> BigInt {
        match self.shares.get(&holder) {
            Some(held) => held * &self.stake / self.all(),
            None => zero(),
        }
    }

    pub(crate) fn buy(&mut self, holder: (u8, u64), amount: &BigInt) -> BigInt {
        let all = self.all();
        let bought = if all == zero() { amount * 65_536 } else { amount * all / &self.stake };
        self.stake += amount;
        if bought > zero() {
            *self.shares.entry(holder).or_default() += &bought;
        }
        bought
    }

    pub(crate) fn sell(&mut self, holder: (u8, u64), amount: &BigInt) {
        let held = self.shares[&holder].clone();
        let sold = if *amount == self.worth(holder) {
            held.clone()
        } else {
            (amount * self.all() + &self.stake - 1) / &self.stake
        };
        self.stake -= amount;
        if sold == held {
            self.shares.remove(&holder);
        } else {
            self.shares.insert(holder, held - sold);
        }
    }

    pub(crate) fn slash(&mut self, ppm: u32) -> BigInt {
        let least = if self.all() == zero() { zero() } else { BigInt::from(1) };
        let wanted: BigInt = &self.stake * ppm / 1_000_000;
        let part = wanted.min(&self.stake - least);
        self.stake -= &part;
        part
    }
}
