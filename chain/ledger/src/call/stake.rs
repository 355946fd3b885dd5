//! Staking and unstaking. Stake of others than the owner is delegation; the rules are the same.

use acumen_protocol::{AccountId, Nacu};

use super::{Done, above_zero, registered, spend};
use crate::mint::{credit, credit_stake, debit_stake};
use crate::state::Overlay;
use crate::{Event, Rejection, StateKey, View};

pub(super) fn stake(state: &mut Overlay<'_>, coldkey: AccountId, hotkey: AccountId, amount: Nacu) -> Done {
    above_zero(amount)?;
    let mut info = registered(View::new(state), hotkey)?;
    spend(state, coldkey, amount)?;
    if credit_stake(state, hotkey, &mut info, coldkey, amount)? == 0 {
        return Err(Rejection::StakeTooSmall { hotkey, amount }.into());
    }
    state.put(&StateKey::Hotkey(hotkey), &info);
    Ok(vec![Event::Staked { coldkey, hotkey, amount }])
}

pub(super) fn unstake(state: &mut Overlay<'_>, coldkey: AccountId, hotkey: AccountId, amount: Nacu) -> Done {
    above_zero(amount)?;
    let mut info = registered(View::new(state), hotkey)?;
    if let Some(has) = debit_stake(state, hotkey, &mut info, coldkey, amount)? {
        return Err(Rejection::StakeTooLow { hotkey, has, needs: amount }.into());
    }
    state.put(&StateKey::Hotkey(hotkey), &info);
    credit(state, coldkey, amount)?;
    Ok(vec![Event::Unstaked { coldkey, hotkey, amount }])
}
