//! Fees: a base for each call, a price per byte and a tip by choice, paid whether the transaction succeeds or fails. Half
//! is burned (the larger half of an odd fee), half goes to the treasury. A report that convicts costs its tip only.

use acumen_protocol::transaction::VerifiedTransaction;
use acumen_protocol::{AccountId, Nacu, Transaction};

use crate::call::evidence::Verdict;
use crate::mint::{burn, credit, debit, minus};
use crate::state::Overlay;
use crate::{LedgerError, Params, Rejection, StateKey, View};

/// Most least fees that a hotkey may offer as a tip: enough to be heard in a full block, little of what its owner has.
const HOTKEY_TIP: u64 = 10;

/// The least fee of a signed transaction of `size` bytes with one call: without a tip.
#[must_use]
pub fn fee_of(params: &Params, size: usize) -> Nacu {
    let bytes = u64::try_from(size).unwrap_or(u64::MAX);
    let fee = params.fee_per_byte.get().saturating_mul(bytes).saturating_add(params.fee_base.get());
    Nacu::new(fee)
}

/// What a transaction pays: the least fee, another base for each further call of a batch, and its tip. A sum beyond all supply saturates, and nobody can pay it.
#[must_use]
pub fn fee_with_tip(params: &Params, tx: &VerifiedTransaction) -> Nacu {
    let more = u64::try_from(tx.get().call.count()).unwrap_or(u64::MAX).saturating_sub(1);
    let bases = params.fee_base.get().saturating_mul(more);
    Nacu::new(fee_of(params, tx.size()).get().saturating_add(bases).saturating_add(tx.get().tip.get()))
}

/// What `tx` pays: its fee and tip, or the tip alone if it is a report that stands alone, is next in its sender's order
/// (one that waits for others may never come to anything), and convicts somebody. Whoever has the proof can then submit
/// it, with an empty account too; and nobody can flood blocks with such reports, because each key is convicted once.
fn fee_due(
    view: View<'_>,
    params: &Params,
    tx: &VerifiedTransaction,
    verdict: Option<&Verdict>,
) -> Result<Nacu, LedgerError> {
    let next = view.account(tx.get().sender)?.nonce == tx.get().nonce;
    let waived = next && verdict.is_some_and(Result::is_ok);
    Ok(if waived { tx.get().tip } else { fee_with_tip(params, tx) })
}

/// Refuses a tip by which a stolen hotkey would spend its owner's balance: at most [`HOTKEY_TIP`] times the least fee.
fn check_tip(params: &Params, tx: &VerifiedTransaction) -> Result<(), Rejection> {
    let (tip, max) = (tx.get().tip, fee_of(params, tx.size()).get().saturating_mul(HOTKEY_TIP));
    let max = Nacu::new(max);
    if tx.get().call.is_hotkey_call() && tip > max {
        return Err(Rejection::HotkeyTip { tip, max });
    }
    Ok(())
}

/// Who pays for `transaction`; `Ok(Err(_))` if nobody can.
pub fn payer(view: View<'_>, transaction: &Transaction) -> Result<Result<AccountId, Rejection>, LedgerError> {
    let sender = transaction.sender;
    if !transaction.call.is_hotkey_call() {
        return Ok(Ok(sender));
    }
    let info = view.hotkey(sender)?;
    Ok(info.map(|info| info.owner).ok_or(Rejection::NotRegistered { hotkey: sender }))
}

/// Takes the fee; `Ok(Err(_))` if the payer cannot afford it (nothing changed then).
pub(crate) fn charge(
    state: &mut Overlay<'_>,
    params: &Params,
    tx: &VerifiedTransaction,
    verdict: Option<&Verdict>,
) -> Result<Result<Nacu, Rejection>, LedgerError> {
    if let Err(rejection) = check_tip(params, tx) {
        return Ok(Err(rejection));
    }
    let account = match payer(View::new(state), tx.get())? {
        Ok(account) => account,
        Err(rejection) => return Ok(Err(rejection)),
    };
    let fee = fee_due(View::new(state), params, tx, verdict)?;
    if let Some(has) = debit(state, account, fee)? {
        return Ok(Err(Rejection::Balance { account, has, needs: fee }));
    }
    let kept = Nacu::new(fee.get().checked_div(2).unwrap_or(0));
    if fee > Nacu::ZERO {
        burn(state, minus(fee, kept, "a fee")?)?;
    }
    let treasury = View::new(state).need(&StateKey::Treasury)?;
    credit(state, treasury, kept)?;
    Ok(Ok(fee))
}
