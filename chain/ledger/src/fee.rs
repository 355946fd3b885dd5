//! Fees: a base for each call, a price per byte and a tip by choice, paid whether the transaction succeeds or fails. Half
//! is burned (the larger half of an odd fee), half goes to the treasury.

use acumen_protocol::transaction::VerifiedTransaction;
use acumen_protocol::{AccountId, Nacu, Transaction};

use crate::mint::{burn, credit, debit, minus};
use crate::state::Overlay;
use crate::{LedgerError, Params, Rejection, StateKey, View};

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
) -> Result<Result<Nacu, Rejection>, LedgerError> {
    let account = match payer(View::new(state), tx.get())? {
        Ok(account) => account,
        Err(rejection) => return Ok(Err(rejection)),
    };
    let fee = fee_with_tip(params, tx);
    if let Some(has) = debit(state, account, fee)? {
        return Ok(Err(Rejection::Balance { account, has, needs: fee }));
    }
    let kept = Nacu::new(fee.get().checked_div(2).unwrap_or(0));
    burn(state, minus(fee, kept, "a fee")?)?;
    let treasury = View::new(state).need(&StateKey::Treasury)?;
    credit(state, treasury, kept)?;
    Ok(Ok(fee))
}
