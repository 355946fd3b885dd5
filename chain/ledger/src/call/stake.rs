//! Staking and unstaking. Stake of others than the owner is delegation; the rules are the same.

use acumen_protocol::{AccountId, Nacu};

use super::{Done, above_zero, registered, spend};
use crate::mint::{buy_stake, credit, debit_stake, minus};
use crate::positions::{self, MAX_POSITIONS};
use crate::state::Overlay;
use crate::{BlockContext, Event, Params, Rejection, StateKey, View, unbonding};

pub(super) fn stake(state: &mut Overlay<'_>, coldkey: AccountId, hotkey: AccountId, amount: Nacu) -> Done {
    above_zero(amount)?;
    let mut info = registered(View::new(state), hotkey)?;
    let positions = positions::of(View::new(state), coldkey)?;
    if positions.len() >= MAX_POSITIONS && positions.binary_search(&hotkey).is_err() {
        let count = u32::try_from(positions.len()).unwrap_or(u32::MAX);
        return Err(Rejection::TooManyPositions { coldkey, count }.into());
    }
    // Nobody asks for more shares than all supply could buy: what a pool reckons with is owned by somebody.
    spend(state, coldkey, amount)?;
    let cost = buy_stake(state, hotkey, &mut info, coldkey, amount)?;
    if cost == Nacu::ZERO {
        return Err(Rejection::StakeTooSmall { hotkey, amount }.into());
    }
    credit(state, coldkey, minus(amount, cost, "a price")?)?;
    state.put(&StateKey::Hotkey(hotkey), &info);
    Ok(vec![Event::Staked { coldkey, hotkey, amount: cost }])
}

pub(super) fn unstake(
    state: &mut Overlay<'_>,
    params: &Params,
    context: &BlockContext,
    coldkey: AccountId,
    hotkey: AccountId,
    amount: Nacu,
) -> Done {
    above_zero(amount)?;
    let mut info = registered(View::new(state), hotkey)?;
    let amount = debit_stake(state, hotkey, &mut info, coldkey, amount)?
        .map_err(|has| Rejection::StakeTooLow { hotkey, has, needs: amount })?;
    let event = if params.unbonding_epochs == 0 {
        credit(state, coldkey, amount)?;
        Event::Unstaked { coldkey, hotkey, amount }
    } else {
        let due = unbonding::start(state, params, context, (hotkey, &mut info), coldkey, amount)?;
        let due = due.ok_or(Rejection::StakeTooSmall { hotkey, amount })?;
        Event::UnbondingStarted { coldkey, hotkey, amount, due }
    };
    state.put(&StateKey::Hotkey(hotkey), &info);
    positions::refresh(state, hotkey, coldkey)?;
    Ok(vec![event])
}
