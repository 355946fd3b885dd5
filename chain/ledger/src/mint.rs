//! Moving base units between balances, stake pools and the supply. Every unit that leaves one place enters another.

use acumen_protocol::{AccountId, Nacu};

use crate::state::Overlay;
use crate::{Account, Hotkey, LedgerError, Stake, StateKey, Supply, View, positions};

const fn overflow(what: &'static str) -> LedgerError {
    LedgerError::Overflow { what }
}

/// Sum that the supply's bound keeps in range.
pub(crate) fn plus(a: Nacu, b: Nacu, what: &'static str) -> Result<Nacu, LedgerError> {
    a.checked_add(b).ok_or_else(|| overflow(what))
}

/// Difference that the caller has checked.
pub(crate) fn minus(a: Nacu, b: Nacu, what: &'static str) -> Result<Nacu, LedgerError> {
    a.checked_sub(b).ok_or_else(|| overflow(what))
}

/// Adds to an account's free balance.
pub(crate) fn credit(state: &mut Overlay<'_>, id: AccountId, amount: Nacu) -> Result<(), LedgerError> {
    if amount == Nacu::ZERO {
        return Ok(());
    }
    let account = View::new(state).account(id)?;
    let free = plus(account.free, amount, "a balance")?;
    state.put(&StateKey::Account(id), &Account { free, ..account });
    Ok(())
}

/// Takes from an account's free balance; `Ok(Some(has))` if it holds too little (nothing changed then).
pub(crate) fn debit(
    state: &mut Overlay<'_>,
    id: AccountId,
    amount: Nacu,
) -> Result<Option<Nacu>, LedgerError> {
    let account = View::new(state).account(id)?;
    match account.free.checked_sub(amount) {
        None => Ok(Some(account.free)),
        Some(free) => {
            state.put(&StateKey::Account(id), &Account { free, ..account });
            Ok(None)
        }
    }
}

/// Records that `amount`, already taken from somebody, no longer exists.
pub(crate) fn burn(state: &mut Overlay<'_>, amount: Nacu) -> Result<(), LedgerError> {
    let supply = View::new(state).supply()?;
    let supply = Supply {
        issuance: minus(supply.issuance, amount, "issuance")?,
        burned: plus(supply.burned, amount, "burned")?,
        burned_in_epoch: plus(supply.burned_in_epoch, amount, "burned in this epoch")?,
        ..supply
    };
    state.put(&StateKey::Supply, &supply);
    Ok(())
}

/// Buys `coldkey` the shares of `hotkey`'s stake that `amount` pays for, perhaps none. `info` is the hotkey's record, which
/// the caller writes back. Returns what they cost, which somebody has paid.
pub(crate) fn buy_stake(
    state: &mut Overlay<'_>,
    hotkey: AccountId,
    info: &mut Hotkey,
    coldkey: AccountId,
    amount: Nacu,
) -> Result<Nacu, LedgerError> {
    let mut pool = info.staked();
    let (bought, cost) = pool.buy(amount)?;
    info.set_staked(pool);
    give_shares(state, hotkey, coldkey, bought)?;
    Ok(cost)
}

/// Adds `amount`, which `coldkey` has earned, to its stake on `hotkey`. `info` is the hotkey's record, which the caller
/// writes back. What rounding leaves of the amount belongs to the whole pool.
pub(crate) fn credit_stake(
    state: &mut Overlay<'_>,
    hotkey: AccountId,
    info: &mut Hotkey,
    coldkey: AccountId,
    amount: Nacu,
) -> Result<(), LedgerError> {
    let mut pool = info.staked();
    let bought = pool.earn(amount)?;
    info.set_staked(pool);
    give_shares(state, hotkey, coldkey, bought)
}

fn give_shares(
    state: &mut Overlay<'_>,
    hotkey: AccountId,
    coldkey: AccountId,
    bought: u128,
) -> Result<(), LedgerError> {
    if bought == 0 {
        return Ok(());
    }
    let held = View::new(state).stake(hotkey, coldkey)?;
    let shares = held.shares.checked_add(bought).ok_or_else(|| overflow("shares"))?;
    state.put(&StateKey::Stake { hotkey, coldkey }, &Stake { shares });
    if held.shares == 0 {
        positions::refresh(state, hotkey, coldkey)?;
    }
    Ok(())
}

/// Sells the fewest shares of `coldkey`'s stake on `hotkey` that are worth `amount`, and returns all that they are worth
/// (see [`crate::pool`]); `Err` with what all of them are worth if that is less (nothing changed then).
pub(crate) fn debit_stake(
    state: &mut Overlay<'_>,
    hotkey: AccountId,
    info: &mut Hotkey,
    coldkey: AccountId,
    amount: Nacu,
) -> Result<Result<Nacu, Nacu>, LedgerError> {
    let key = StateKey::Stake { hotkey, coldkey };
    let held = View::new(state).stake(hotkey, coldkey)?.shares;
    let mut pool = info.staked();
    let worth = pool.worth(held);
    if amount > worth {
        return Ok(Err(worth));
    }
    let (sold, paid) = pool.sell(held, amount)?;
    info.set_staked(pool);
    match held.checked_sub(sold).ok_or_else(|| overflow("shares"))? {
        0 => state.delete(&key),
        shares => state.put(&key, &Stake { shares }),
    }
    Ok(Ok(paid))
}
