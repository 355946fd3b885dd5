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

    /// What `count` shares are worth exactly is a fraction: its whole part, and the next whole number from it on.
    fn price(&self, count: &BigInt) -> (BigInt, BigInt) {
        let (exact, all) = (count * &self.stake, self.all());
        let down = &exact / &all;
        let up = if &down * &all == exact { down.clone() } else { &down + 1 };
        (down, up)
    }

    /// The most shares that cost no more than `amount`, by trying; returns what they cost.
    pub(crate) fn buy(&mut self, holder: (u8, u64), amount: &BigInt) -> BigInt {
        let (bought, cost) = if self.all() == zero() {
            (amount * 65_536, amount.clone())
        } else {
            let few = |count: &BigInt| self.price(count).1 <= *amount;
            let bought = last(few, &(amount * self.all() + 1));
            let cost = self.price(&bought).1;
            (bought, cost)
        };
        self.stake += &cost;
        if bought > zero() {
            *self.shares.entry(holder).or_default() += &bought;
        }
        cost
    }

    /// All of `amount`, for as many shares as it pays for.
    pub(crate) fn earn(&mut self, holder: (u8, u64), amount: &BigInt) -> BigInt {
        let all = self.all();
        let bought = if all == zero() { amount * 65_536 } else { amount * all / &self.stake };
        self.stake += amount;
        if bought > zero() {
            *self.shares.entry(holder).or_default() += &bought;
        }
        bought
    }

    /// The fewest shares that are worth at least `amount`, by trying, or all if `amount` is their whole worth; returns
    /// what is paid for them.
    pub(crate) fn sell(&mut self, holder: (u8, u64), amount: &BigInt) -> BigInt {
        let held = self.shares[&holder].clone();
        let sold = if *amount == self.worth(holder) {
            held.clone()
        } else {
            last(|count| self.price(count).0 < *amount, &held) + 1
        };
        let paid = self.price(&sold).0;
        self.stake -= &paid;
        if sold == held {
            self.shares.remove(&holder);
        } else {
            self.shares.insert(holder, held - sold);
        }
        paid
    }

    pub(crate) fn slash(&mut self, ppm: u32) -> BigInt {
        let least = if self.all() == zero() { zero() } else { BigInt::from(1) };
        let wanted: BigInt = &self.stake * ppm / 1_000_000;
        let part = wanted.min(&self.stake - least);
        self.stake -= &part;
        part
    }
}

/// The last number from 0 to `end` for which `holds`, which holds up to some number and for none behind it.
fn last(holds: impl Fn(&BigInt) -> bool, end: &BigInt) -> BigInt {
    let (mut low, mut high) = (zero(), end + 1);
    while &high - &low > BigInt::from(1) {
        let middle: BigInt = (&low + &high) / 2;
        if holds(&middle) { low = middle } else { high = middle }
    }
    low
}
