//! The naive model: plain maps and big integers, every rule written out from the specification.

use std::collections::BTreeMap;

use acumen_chain_ledger::{EpochRecord, Event, Params, StateKey, View};
use acumen_protocol::{AccountId, Epoch};
use num_bigint::BigInt;
use proptest::prelude::*;

use super::Step;
use super::common::{OWNER, TREASURY, account};
use super::pool::{Pool, zero};

#[derive(Clone, Debug)]
struct Hotkey {
    owner: u8,
    take: u16,
    pending: Option<(u16, u64)>,
    staked: Pool,
    unbonding: Pool,
    jailed_until: u64,
    in_track: bool,
}

/// The whole chain.
#[derive(Clone, Debug)]
pub(crate) struct Model {
    params: Params,
    free: BTreeMap<u8, BigInt>,
    hotkeys: BTreeMap<u8, Hotkey>,
    /// Consensus keys by the number of the hotkey that always binds them: is it bound, and was it punished?
    keys: BTreeMap<u8, (bool, bool)>,
    uids: Vec<u8>,
    issuance: BigInt,
    minted: BigInt,
    burned: BigInt,
    /// Of the next block.
    epoch: u64,
    /// Whether each transaction of the block at hand should succeed.
    pub(crate) expect: Vec<bool>,
}

/// Accounts by their number, made once.
fn tags() -> &'static Vec<AccountId> {
    static TAGS: std::sync::OnceLock<Vec<AccountId>> = std::sync::OnceLock::new();
    TAGS.get_or_init(|| (0..=255).map(account).collect())
}

impl Model {
    /// From genesis.
    pub(crate) fn new(params: &Params, dear: &[(u8, u32)], view: View<'_>) -> Self {
        let mut model = Self {
            params: params.clone(),
            free: (1..=6).map(|tag| (tag, BigInt::from(300_000_000_000_u64))).collect(),
            hotkeys: BTreeMap::new(),
            keys: (11..=14_u8).map(|hotkey| (hotkey, (false, false))).collect(),
            uids: Vec::new(),
            issuance: BigInt::from(1_860_000_000_000_u64),
            minted: zero(),
            burned: zero(),
            epoch: 1,
            expect: Vec::new(),
        };
        for tag in 1..=3_u8 {
            let mut hotkey = model.newcomer(tag);
            hotkey.staked.earn((tag, 0), &BigInt::from(10_000_000_000 * u64::from(tag)));
            if let Some((_, shares)) = dear.iter().find(|(dear, _)| *dear == tag) {
                hotkey.staked.shares.insert((tag, 0), (*shares).into());
            }
            model.hotkeys.insert(10 + tag, hotkey);
            model.uids.push(10 + tag);
        }
        model.compare(view).unwrap();
        model
    }

    fn newcomer(&self, owner: u8) -> Hotkey {
        let (staked, unbonding) = (Pool::default(), Pool::default());
        let take = self.params.default_take;
        Hotkey { owner, take, pending: None, staked, unbonding, jailed_until: 0, in_track: true }
    }

    fn epoch_of(&self, height: u64) -> u64 {
        height.div_ceil(self.params.tempo_blocks)
    }

    fn burn(&mut self, amount: &BigInt) {
        self.issuance -= amount;
        self.burned += amount;
    }

    fn pay(&mut self, tag: u8, amount: &BigInt) {
        *self.free.entry(tag).or_default() += amount;
    }

    /// Takes from a balance if it is large enough.
    fn spend(&mut self, tag: u8, amount: &BigInt) -> bool {
        let has = self.free.entry(tag).or_default();
        let enough = *has >= *amount;
        if enough {
            *has -= amount;
        }
        enough
    }

    /// A transaction in the block at `height`: `None` if it may not stand there, else whether it succeeds.
    pub(crate) fn apply(&mut self, step: &Step, size: usize, height: u64) -> Option<bool> {
        let payer = match step {
            Step::Bind { hotkey } => self.hotkeys.get(hotkey)?.owner,
            _ => step.signer().unwrap(),
        };
        let calls = if let Step::Batch { calls, .. } = step { calls.len() } else { 1 };
        let bases = BigInt::from(self.params.fee_base.get()) * calls;
        let convicts = matches!(step, Step::Report { hotkey, .. } if !self.keys[hotkey].1);
        let fee = bases + BigInt::from(self.params.fee_per_byte.get()) * size;
        let fee = if convicts { zero() } else { fee };
        if !self.spend(payer, &fee) {
            return None;
        }
        let kept: BigInt = &fee / 2;
        self.pay(TREASURY, &kept);
        self.burn(&(fee - kept));
        let before = self.clone();
        let steps = if let Step::Batch { calls, .. } = step { calls.clone() } else { vec![step.clone()] };
        let done = steps.iter().all(|step| self.call(step, height));
        if !done {
            *self = before;
        }
        Some(done)
    }

    fn call(&mut self, step: &Step, height: u64) -> bool {
        match *step {
            Step::Transfer { from, to, amount } => {
                let amount = BigInt::from(amount);
                let done = amount > zero() && self.spend(from, &amount);
                if done {
                    self.pay(to, &amount);
                }
                done
            }
            Step::Stake { from, hotkey, amount } => {
                let amount = BigInt::from(amount);
                if amount <= zero() || !self.hotkeys.contains_key(&hotkey) || !self.spend(from, &amount) {
                    return false;
                }
                let cost = self.hotkeys.get_mut(&hotkey).unwrap().staked.buy((from, 0), &amount);
                self.pay(from, &(amount - &cost));
                cost > zero()
            }
            Step::Unstake { from, hotkey, amount } => {
                self.unstake(from, hotkey, &BigInt::from(amount), height)
            }
            Step::Register { from, hotkey } => self.register(from, hotkey),
            Step::SetTake { from, hotkey, take } => self.set_take(from, hotkey, take, height),
            Step::Bind { hotkey } => {
                let jailed = self.hotkeys[&hotkey].jailed_until > height;
                let punished = self.keys[&hotkey].1;
                if !jailed && !punished {
                    self.keys.insert(hotkey, (true, false));
                }
                !jailed && !punished
            }
            Step::Report { from, hotkey } => self.report(from, hotkey, height),
            Step::Batch { .. } | Step::NextBlock => unreachable!("no single call"),
        }
    }

    fn unstake(&mut self, from: u8, hotkey: u8, amount: &BigInt, height: u64) -> bool {
        let due =
            (self.epoch_of(height) + u64::from(self.params.unbonding_epochs)) * self.params.tempo_blocks;
        let Some(info) = self.hotkeys.get_mut(&hotkey) else { return false };
        if *amount <= zero() || *amount > info.staked.worth((from, 0)) {
            return false;
        }
        let paid = info.staked.sell((from, 0), amount);
        info.unbonding.earn((from, due), &paid) > zero()
    }

    fn register(&mut self, from: u8, hotkey: u8) -> bool {
        let price = BigInt::from(self.params.initial_price.get());
        if let Some(info) = self.hotkeys.get(&hotkey)
            && (info.owner != from || info.in_track)
        {
            return false;
        }
        if !self.spend(from, &price) {
            return false;
        }
        self.burn(&price);
        self.uids.push(hotkey);
        let newcomer = self.newcomer(from);
        self.hotkeys.entry(hotkey).or_insert(newcomer);
        true
    }

    fn set_take(&mut self, from: u8, hotkey: u8, take: u16, height: u64) -> bool {
        let (epoch, max) = (self.epoch_of(height), self.params.max_take);
        let notice = u64::from(self.params.take_notice_epochs);
        let Some(info) = self.hotkeys.get_mut(&hotkey) else { return false };
        if info.owner != from || take > max {
            return false;
        }
        settle(info, epoch);
        if take <= info.take {
            (info.take, info.pending) = (take, None);
        } else {
            info.pending = Some((take, epoch + notice + 1));
        }
        true
    }

    fn report(&mut self, from: u8, hotkey: u8, height: u64) -> bool {
        let (bound, punished) = self.keys[&hotkey];
        if punished {
            return false;
        }
        self.keys.insert(hotkey, (bound, true));
        if !bound {
            return true;
        }
        let jailed = self.epoch_of(height) + u64::from(self.params.jail_epochs);
        let ppm = self.params.slash_ppm;
        let info = self.hotkeys.get_mut(&hotkey).unwrap();
        info.jailed_until = jailed * self.params.tempo_blocks + 1;
        let slashed = info.staked.slash(ppm) + info.unbonding.slash(ppm);
        let reward: BigInt = &slashed * self.params.reporter_ppm / 1_000_000;
        self.pay(from, &reward);
        self.burn(&(slashed - reward));
        true
    }

    /// Payouts of stake on its way back, then of the epoch. How consensus divides an epoch is not this model's matter: it
    /// takes the amounts from the record and follows each base unit.
    pub(crate) fn end_block(&mut self, height: u64, events: &[Event], view: View<'_>) {
        self.epoch = self.epoch_of(height + 1);
        let mut paid = Vec::new();
        for info in self.hotkeys.values_mut() {
            let due: Vec<_> =
                info.unbonding.shares.keys().filter(|(_, due)| *due <= height).copied().collect();
            for holder in due {
                let amount = info.unbonding.worth(holder);
                info.unbonding.sell(holder, &amount);
                paid.push((holder.0, amount));
            }
        }
        for (tag, amount) in paid {
            self.pay(tag, &amount);
        }
        for event in events {
            if let Event::EpochEnded { track, epoch, .. } = event {
                let key = StateKey::EpochRecord { track: *track, epoch: *epoch };
                let record: EpochRecord = view.get(&key).unwrap().unwrap();
                self.epoch(epoch.get(), &record);
            }
        }
    }

    fn epoch(&mut self, epoch: u64, record: &EpochRecord) {
        assert_eq!(record.hotkeys.len(), self.uids.len());
        let mut minted = BigInt::from(record.owner_emission.get());
        self.pay(OWNER, &minted.clone());
        for (uid, tag) in self.uids.clone().into_iter().enumerate() {
            let server = BigInt::from(record.server_emission[uid].get());
            let validator = BigInt::from(record.validator_emission[uid].get());
            minted += &server + &validator;
            let info = self.hotkeys.get_mut(&tag).unwrap();
            settle(info, epoch);
            let take: BigInt =
                if info.staked.all() == zero() { validator.clone() } else { &validator * info.take / 65_535 };
            info.staked.stake += &validator - &take;
            let own = server + take;
            if own > zero() {
                info.staked.earn((info.owner, 0), &own);
            }
        }
        assert_eq!(minted, BigInt::from(record.minted.get()));
        self.issuance += &minted;
        self.minted += minted;
    }

    /// Both sides hold the same, everywhere; nothing is below zero; everything is the issuance.
    pub(crate) fn compare(&self, view: View<'_>) -> Result<(), TestCaseError> {
        let mut total = zero();
        for (tag, free) in &self.free {
            prop_assert!(*free >= zero());
            let found = view.account(account_of(*tag)).unwrap().free.get();
            prop_assert_eq!(free, &BigInt::from(found), "free balance of {}", tag);
            total += free;
        }
        for (tag, info) in &self.hotkeys {
            let found = view.hotkey(account_of(*tag)).unwrap().unwrap();
            prop_assert_eq!(found.owner, account_of(info.owner));
            for epoch in self.epoch..self.epoch + 4 {
                let pending = info.pending.filter(|(_, from)| *from <= epoch);
                let take = pending.map_or(info.take, |(take, _)| take);
                prop_assert_eq!(found.take_in(Epoch::new(epoch)), take, "take of {} in {}", tag, epoch);
            }
            prop_assert_eq!(&info.staked.stake, &BigInt::from(found.total_stake.get()), "stake on {}", tag);
            prop_assert_eq!(&info.unbonding.stake, &BigInt::from(found.unbonding_stake.get()));
            for ((cold, _), shares) in &info.staked.shares {
                let held = view.stake(account_of(*tag), account_of(*cold)).unwrap().shares;
                prop_assert_eq!(shares, &BigInt::from(held), "shares of {} on {}", cold, tag);
            }
            for ((cold, due), shares) in &info.unbonding.shares {
                let parts = view.unbonding(account_of(*tag), account_of(*cold)).unwrap().parts;
                let held =
                    parts.iter().find(|part| part.due.get() == *due).map(|part| BigInt::from(part.shares));
                prop_assert_eq!(Some(shares), held.as_ref());
            }
            prop_assert!(info.staked.stake >= zero() && info.unbonding.stake >= zero());
            total += &info.staked.stake + &info.unbonding.stake;
        }
        let supply = view.supply().unwrap();
        prop_assert_eq!(&total, &self.issuance);
        prop_assert_eq!(&self.issuance, &BigInt::from(supply.issuance.get()));
        prop_assert_eq!(&self.minted, &BigInt::from(supply.minted.get()));
        prop_assert_eq!(&self.burned, &BigInt::from(supply.burned.get()));
        Ok(())
    }
}

fn settle(info: &mut Hotkey, epoch: u64) {
    if let Some((take, from)) = info.pending
        && from <= epoch
    {
        (info.take, info.pending) = (take, None);
    }
}

fn account_of(tag: u8) -> AccountId {
    tags()[usize::from(tag)]
}
