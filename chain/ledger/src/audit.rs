//! Adding everything up afresh: the check that no base unit was made or lost.

use std::collections::BTreeMap;

use acumen_protocol::codec::{Decode, Encode};
use acumen_protocol::{AccountId, Nacu};

use crate::pool::Pool;
use crate::{Account, Hotkey, LedgerError, Stake, StateKey, StateRead, Unbonding, View};

/// What an audit has found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Audit {
    /// Sum over every account and every pool of stake, unbonding stake included.
    pub balances_total: Nacu,
    /// The ledger's own count.
    pub issuance: Nacu,
    /// Minted since genesis.
    pub minted: Nacu,
    /// Burned since genesis.
    pub burned: Nacu,
}

/// A breach of conservation.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AuditError {
    /// Balances are not the issuance.
    #[error("accounts and stakes hold {balances_total} nacu, the issuance is {issuance} nacu")]
    Issuance {
        /// Sum of what is owned.
        balances_total: Nacu,
        /// The ledger's count.
        issuance: Nacu,
    },
    /// A pool's shares are not those of its stakers.
    #[error("stakers of {hotkey} hold {held} shares, its pool counts {counted} over {stake} nacu")]
    Shares {
        /// The hotkey.
        hotkey: AccountId,
        /// Sum over stakers.
        held: u128,
        /// The pool's count.
        counted: u128,
        /// The pool's stake.
        stake: Nacu,
    },
    /// The state is damaged.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
}

/// Walks the whole state. Cost grows with the state: for the end of an epoch, `GetSupply`, tests and simulations, not
/// for every block.
pub fn audit(state: &dyn StateRead) -> Result<Audit, AuditError> {
    let view = View::new(state);
    let mut total = Some(Nacu::ZERO);
    let mut add = |amount| total = total.and_then(|sum: Nacu| sum.checked_add(amount));
    view.each::<Account>(&StateKey::accounts(), |_, account| add(account.free))?;
    let mut hotkeys = BTreeMap::new();
    view.each::<Hotkey>(&StateKey::hotkeys(), |key, hotkey| {
        add(hotkey.total_stake);
        add(hotkey.unbonding_stake);
        if let StateKey::Hotkey(id) = key {
            hotkeys.insert(id, hotkey);
        }
    })?;
    for (id, hotkey) in hotkeys {
        let mut held = 0_u128;
        view.each::<Stake>(&StateKey::stakes_on(id), |_, stake| held = held.saturating_add(stake.shares))?;
        same_shares(id, held, hotkey.staked())?;
        let mut held = 0_u128;
        view.each::<Unbonding>(&StateKey::unbonding_off(id), |_, unbonding| {
            held = unbonding.parts.iter().fold(held, |sum, part| sum.saturating_add(part.shares));
        })?;
        same_shares(id, held, hotkey.unbonding())?;
    }
    let supply = view.supply()?;
    let balances_total = total.ok_or(LedgerError::Overflow { what: "the sum of balances" })?;
    if balances_total != supply.issuance {
        return Err(AuditError::Issuance { balances_total, issuance: supply.issuance });
    }
    Ok(Audit { balances_total, issuance: supply.issuance, minted: supply.minted, burned: supply.burned })
}

fn same_shares(hotkey: AccountId, held: u128, pool: Pool) -> Result<(), AuditError> {
    let Pool { stake, shares: counted } = pool;
    if held != counted || (held == 0) != (stake == Nacu::ZERO) {
        return Err(AuditError::Shares { hotkey, held, counted, stake });
    }
    Ok(())
}
