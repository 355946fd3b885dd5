//! On which hotkeys a coldkey has stake: an index, so that one proof shows a person everything that is theirs.

use acumen_protocol::AccountId;

use crate::state::Overlay;
use crate::{LedgerError, StateKey, View};

/// Most hotkeys on which a coldkey may stake by choice. What its own hotkeys earn is staked on them regardless; each of
/// these has cost a registration.
pub(crate) const MAX_POSITIONS: usize = 256;

/// The hotkeys of `coldkey`, in order.
pub(crate) fn of(view: View<'_>, coldkey: AccountId) -> Result<Vec<AccountId>, LedgerError> {
    Ok(view.get(&StateKey::Positions(coldkey))?.unwrap_or_default())
}

/// Brings the index up to date after `coldkey`'s stake on `hotkey`, or what waits there, became something or nothing.
pub(crate) fn refresh(
    state: &mut Overlay<'_>,
    hotkey: AccountId,
    coldkey: AccountId,
) -> Result<(), LedgerError> {
    let view = View::new(state);
    let there = view.stake(hotkey, coldkey)?.shares > 0 || !view.unbonding(hotkey, coldkey)?.parts.is_empty();
    let mut hotkeys = of(view, coldkey)?;
    match (hotkeys.binary_search(&hotkey), there) {
        (Err(place), true) => hotkeys.insert(place, hotkey),
        (Ok(place), false) => {
            hotkeys.remove(place);
        }
        _ => return Ok(()),
    }
    let key = StateKey::Positions(coldkey);
    if hotkeys.is_empty() {
        state.delete(&key);
    } else {
        state.put(&key, &hotkeys);
    }
    Ok(())
}
