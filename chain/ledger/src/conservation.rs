//! Conservation in every block: what the block changed in balances and stakes is what it minted less what it burned.
//!
//! Cost grows with what a block changes, not with the state. Together with a genesis that adds up this shows, by
//! induction over the blocks, what [`crate::audit()`] shows by walking the state.

use std::collections::BTreeMap;

use acumen_protocol::codec::{Decode, decode_all};
use acumen_protocol::{AccountId, Nacu};

use crate::pool::Pool;
use crate::state::Changes;
use crate::{Account, Hotkey, LedgerError, Stake, StateKey, StateRead, Supply, Unbonding};

/// A block that would make or lose tokens. Differences are after less before, in base units or shares.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Breach {
    /// What is owned moved by something else than minting and burning.
    #[error(
        "balances and stakes changed by {owned} nacu and the issuance by {issuance}, but {minted} were minted and {burned} burned"
    )]
    Supply {
        /// Change of all balances and stakes.
        owned: i128,
        /// Change of the issuance.
        issuance: i128,
        /// Change of the sum minted.
        minted: i128,
        /// Change of the sum burned.
        burned: i128,
    },
    /// A pool's shares are not those of its stakers.
    #[error("stakers of {hotkey} hold {held} shares more than before, its {pool} counts {counted} more")]
    Shares {
        /// The hotkey.
        hotkey: AccountId,
        /// `stake` or `unbonding`.
        pool: &'static str,
        /// Change over all stakers.
        held: i128,
        /// Change of the pool's count.
        counted: i128,
    },
    /// A pool has stake without shares, or shares without stake.
    #[error("{pool} of {hotkey} is {stake} nacu in {shares} shares")]
    Pool {
        /// The hotkey.
        hotkey: AccountId,
        /// `stake` or `unbonding`.
        pool: &'static str,
        /// Its base units.
        stake: Nacu,
        /// Its shares.
        shares: u128,
    },
}

/// Checks `changes` on top of the state `before`, which is asked for what counts only. Keys whose value stays the same do
/// no harm.
pub fn conserved(before: &dyn StateRead, changes: &Changes) -> Result<(), LedgerError> {
    let mut sums = Sums::default();
    for (key, after) in changes {
        let kind = StateKey::from_bytes(key)?;
        if is_counted(&kind) {
            sums.add(kind, before.get(key)?.as_deref(), after.as_deref())?;
        }
    }
    sums.check()
}

/// Is there a value that [`Sums`] adds up?
const fn is_counted(key: &StateKey) -> bool {
    matches!(
        key,
        StateKey::Account(_)
            | StateKey::Supply
            | StateKey::Hotkey(_)
            | StateKey::Stake { .. }
            | StateKey::Unbonding { .. }
    )
}

/// The sum of everything that anybody owns, kept up to date change by change: what [`crate::audit()`] adds up afresh.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Owned(i128);

impl Owned {
    /// Goes on from a sum.
    #[must_use]
    pub fn from(sum: Nacu) -> Self {
        Self(units(sum))
    }

    /// Takes in the change of one value.
    pub fn add(
        &mut self,
        key: &[u8],
        before: Option<&[u8]>,
        after: Option<&[u8]>,
    ) -> Result<(), LedgerError> {
        if key.starts_with(&StateKey::accounts()) {
            let (old, new) = both::<Account>(before, after)?;
            let free = |account: Option<Account>| account.map_or(0, |account| units(account.free));
            add(&mut self.0, free(new), free(old))
        } else if key.starts_with(&StateKey::hotkeys()) {
            let (old, new) = both::<Hotkey>(before, after)?;
            let held = |hotkey: Option<Hotkey>| {
                hotkey.map_or(0, |hotkey| {
                    units(hotkey.total_stake).saturating_add(units(hotkey.unbonding_stake))
                })
            };
            add(&mut self.0, held(new), held(old))
        } else {
            Ok(())
        }
    }

    /// The sum.
    pub fn total(self) -> Result<Nacu, LedgerError> {
        let sum = u64::try_from(self.0).map_err(|_| LedgerError::Overflow { what: "the sum of balances" });
        sum.map(Nacu::new)
    }
}

/// Differences that a block makes.
#[derive(Debug, Default)]
pub(crate) struct Sums {
    owned: i128,
    supply: [i128; 3],
    /// By hotkey and pool: what stakers hold, what the pool counts.
    shares: BTreeMap<(AccountId, &'static str), (i128, i128)>,
}

const STAKE: &str = "stake";
const UNBONDING: &str = "unbonding";

impl Sums {
    /// Adds the change of one value.
    pub(crate) fn add(
        &mut self,
        key: StateKey,
        before: Option<&[u8]>,
        after: Option<&[u8]>,
    ) -> Result<(), LedgerError> {
        match key {
            StateKey::Account(_) => {
                let (old, new) = both::<Account>(before, after)?;
                let free = |account: Option<Account>| account.map_or(0, |account| units(account.free));
                add(&mut self.owned, free(new), free(old))
            }
            StateKey::Supply => {
                let (old, new) = both::<Supply>(before, after)?;
                let (old, new) = (old.unwrap_or_default(), new.unwrap_or_default());
                let [issuance, minted, burned] = &mut self.supply;
                add(issuance, units(new.issuance), units(old.issuance))?;
                add(minted, units(new.minted), units(old.minted))?;
                add(burned, units(new.burned), units(old.burned))
            }
            StateKey::Hotkey(hotkey) => {
                let (old, new) = both::<Hotkey>(before, after)?;
                self.pool(hotkey, STAKE, old.map(|old| old.staked()), new.map(|new| new.staked()))?;
                self.pool(hotkey, UNBONDING, old.map(|old| old.unbonding()), new.map(|new| new.unbonding()))
            }
            StateKey::Stake { hotkey, .. } => {
                let (old, new) = both::<Stake>(before, after)?;
                let shares = |stake: Option<Stake>| stake.map_or(0, |stake| stake.shares);
                self.held(hotkey, STAKE, shares(old), shares(new))
            }
            StateKey::Unbonding { hotkey, .. } => {
                let (old, new) = both::<Unbonding>(before, after)?;
                let sum = |unbonding: Option<Unbonding>| {
                    let parts = unbonding.unwrap_or_default().parts;
                    parts.iter().fold(0_u128, |sum, part| sum.saturating_add(part.shares))
                };
                self.held(hotkey, UNBONDING, sum(old), sum(new))
            }
            _ => Ok(()),
        }
    }

    fn held(
        &mut self,
        hotkey: AccountId,
        pool: &'static str,
        old: u128,
        new: u128,
    ) -> Result<(), LedgerError> {
        let (held, _) = self.shares.entry((hotkey, pool)).or_default();
        add(held, signed(new)?, signed(old)?)
    }

    fn pool(
        &mut self,
        hotkey: AccountId,
        pool: &'static str,
        old: Option<Pool>,
        new: Option<Pool>,
    ) -> Result<(), LedgerError> {
        let empty = Pool { stake: Nacu::ZERO, shares: 0 };
        let (old, new) = (old.unwrap_or(empty), new.unwrap_or(empty));
        if (new.stake == Nacu::ZERO) != (new.shares == 0) {
            let Pool { stake, shares } = new;
            return Err(Breach::Pool { hotkey, pool, stake, shares }.into());
        }
        add(&mut self.owned, units(new.stake), units(old.stake))?;
        let (_, counted) = self.shares.entry((hotkey, pool)).or_default();
        add(counted, signed(new.shares)?, signed(old.shares)?)
    }

    /// Do they add up?
    pub(crate) fn check(self) -> Result<(), LedgerError> {
        let Self { owned, supply: [issuance, minted, burned], shares } = self;
        if issuance != owned || minted.checked_sub(burned) != Some(issuance) || minted < 0 || burned < 0 {
            return Err(Breach::Supply { owned, issuance, minted, burned }.into());
        }
        match shares.into_iter().find(|(_, (held, counted))| held != counted) {
            Some(((hotkey, pool), (held, counted))) => {
                Err(Breach::Shares { hotkey, pool, held, counted }.into())
            }
            None => Ok(()),
        }
    }
}

fn both<T: Decode>(
    before: Option<&[u8]>,
    after: Option<&[u8]>,
) -> Result<(Option<T>, Option<T>), LedgerError> {
    let read = |bytes: Option<&[u8]>| bytes.map(|bytes| decode_all("state value", bytes)).transpose();
    Ok((read(before)?, read(after)?))
}

fn units(amount: Nacu) -> i128 {
    i128::from(amount.get())
}

fn signed(shares: u128) -> Result<i128, LedgerError> {
    i128::try_from(shares).map_err(|_| LedgerError::Overflow { what: "shares" })
}

fn add(sum: &mut i128, new: i128, old: i128) -> Result<(), LedgerError> {
    let added = new.checked_sub(old).and_then(|difference| sum.checked_add(difference));
    *sum = added.ok_or(LedgerError::Overflow { what: "a sum of changes" })?;
    Ok(())
}
