//! Adding everything up afresh: the check that no base unit was made or lost.

use std::collections::BTreeMap;

use acumen_protocol::codec::{Decode, Encode, decode_all};
use acumen_protocol::{AccountId, Nacu};

use crate::{Account, Hotkey, LedgerError, Stake, StateError, StateKey, StateRead, View};

/// What an audit has found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Audit {
    /// Sum over every account and every pool of stake.
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
    let mut total = Some(Nacu::ZERO);
    let mut add = |amount| total = total.and_then(|sum: Nacu| sum.checked_add(amount));
    each::<Account>(state, &StateKey::accounts(), |_, account| add(account.free))?;
    let mut pools = BTreeMap::new();
    each::<Hotkey>(state, &StateKey::hotkeys(), |key, hotkey| {
        add(hotkey.total_stake);
        if let StateKey::Hotkey(id) = key {
            pools.insert(id, hotkey);
        }
    })?;
    for (id, pool) in pools {
        let mut held = 0_u128;
        each::<Stake>(state, &StateKey::stakes_on(id), |_, stake| held = held.saturating_add(stake.shares))?;
        if held != pool.total_shares || (held == 0) != (pool.total_stake == Nacu::ZERO) {
            let (counted, stake) = (pool.total_shares, pool.total_stake);
            return Err(AuditError::Shares { hotkey: id, held, counted, stake });
        }
    }
    let supply = View::new(state).supply()?;
    let balances_total = total.ok_or(LedgerError::Overflow { what: "the sum of balances" })?;
    if balances_total != supply.issuance {
        return Err(AuditError::Issuance { balances_total, issuance: supply.issuance });
    }
    Ok(Audit { balances_total, issuance: supply.issuance, minted: supply.minted, burned: supply.burned })
}

fn each<T: parity_scale_codec::Decode>(
    state: &dyn StateRead,
    prefix: &[u8],
    mut visit: impl FnMut(StateKey, T),
) -> Result<(), LedgerError> {
    state.walk(prefix, &mut |key, value| {
        let damaged = |error: acumen_protocol::codec::DecodeError| StateError { reason: error.to_string() };
        let key = StateKey::from_bytes(key).map_err(damaged)?;
        visit(key, decode_all("state value", value).map_err(damaged)?);
        Ok(())
    })?;
    Ok(())
}
