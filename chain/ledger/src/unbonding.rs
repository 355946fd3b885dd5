//! Stake on its way back: it waits for whole epochs, in the hotkey's unbonding pool, where a slash still finds it.
//!
//! What one coldkey takes off one hotkey in one epoch is one part and is paid out with one block, the last one of the
//! epoch in which its time is over. Work for each block is bounded; what does not fit waits for the next one.

use acumen_protocol::{AccountId, Height, Nacu};

use crate::mint::credit;
use crate::record::{UnbondingPart, UnbondingQueue};
use crate::state::Overlay;
use crate::{BlockContext, Event, Hotkey, LedgerError, Params, StateKey, View, positions};

/// Most payouts of a block: a quarter of the transactions that a block may hold, each about the work of a transfer. Fewer,
/// and somebody who fills blocks with small withdrawals could hold up everybody else's for long.
const MAX_PAYOUTS: usize = 1_024;

/// Puts `amount`, already taken out of the stake on `hotkey`, into its unbonding pool. `info` is the hotkey's record,
/// which the caller writes back. Returns the block of the payout.
pub(crate) fn start(
    state: &mut Overlay<'_>,
    params: &Params,
    context: &BlockContext,
    (hotkey, info): (AccountId, &mut Hotkey),
    coldkey: AccountId,
    amount: Nacu,
) -> Result<Option<Height>, LedgerError> {
    let mut pool = info.unbonding();
    let shares = pool.earn(amount)?;
    if shares == 0 {
        return Ok(None);
    }
    info.set_unbonding(pool);
    let due = params.last_block_of(params.epochs_after(context.height, params.unbonding_epochs));
    let view = View::new(state);
    let mut waiting = view.unbonding(hotkey, coldkey)?;
    match waiting.parts.iter_mut().find(|part| part.due == due) {
        Some(part) => {
            let sum = part.shares.checked_add(shares);
            part.shares = sum.ok_or(LedgerError::Overflow { what: "shares" })?;
        }
        None => {
            waiting.parts.push(UnbondingPart { due, shares });
            let mut queue: UnbondingQueue = view.get(&StateKey::UnbondingQueue)?.unwrap_or_default();
            let entry = StateKey::UnbondingEntry(queue.tail);
            queue.tail =
                queue.tail.checked_add(1).ok_or(LedgerError::Overflow { what: "the unbonding queue" })?;
            state.put(&entry, &(due, hotkey, coldkey));
            state.put(&StateKey::UnbondingQueue, &queue);
        }
    }
    state.put(&StateKey::Unbonding { hotkey, coldkey }, &waiting);
    Ok(Some(due))
}

/// Pays what is due with this block. The queue is in order of arrival: after governance has shortened the time, a newer
/// part waits for the older ones before it.
pub(crate) fn pay(state: &mut Overlay<'_>, context: &BlockContext) -> Result<Vec<Event>, LedgerError> {
    let queue: Option<UnbondingQueue> = View::new(state).get(&StateKey::UnbondingQueue)?;
    let Some(mut queue) = queue.filter(|queue| queue.head < queue.tail) else { return Ok(Vec::new()) };
    let mut events = Vec::new();
    while queue.head < queue.tail && events.len() < MAX_PAYOUTS {
        let entry = StateKey::UnbondingEntry(queue.head);
        let (due, hotkey, coldkey): (Height, AccountId, AccountId) = View::new(state).need(&entry)?;
        if due > context.height {
            break;
        }
        events.push(pay_part(state, due, hotkey, coldkey)?);
        state.delete(&entry);
        queue.head = queue.head.saturating_add(1);
    }
    if !events.is_empty() {
        state.put(&StateKey::UnbondingQueue, &queue);
    }
    Ok(events)
}

fn pay_part(
    state: &mut Overlay<'_>,
    due: Height,
    hotkey: AccountId,
    coldkey: AccountId,
) -> Result<Event, LedgerError> {
    let view = View::new(state);
    let mut info: Hotkey = view.need(&StateKey::Hotkey(hotkey))?;
    let mut waiting = view.unbonding(hotkey, coldkey)?;
    let shares = waiting.parts.iter().find(|part| part.due == due).map(|part| part.shares);
    let shares = shares.ok_or_else(|| LedgerError::Missing {
        what: format!("the part due at {due} of what {coldkey} took off {hotkey}"),
    })?;
    waiting.parts.retain(|part| part.due != due);
    let mut pool = info.unbonding();
    let amount = pool.redeem(shares)?;
    info.set_unbonding(pool);
    state.put(&StateKey::Hotkey(hotkey), &info);
    let key = StateKey::Unbonding { hotkey, coldkey };
    if waiting.parts.is_empty() {
        state.delete(&key);
        positions::refresh(state, hotkey, coldkey)?;
    } else {
        state.put(&key, &waiting);
    }
    credit(state, coldkey, amount)?;
    Ok(Event::Unbonded { coldkey, hotkey, amount })
}
