//! Fees: a base, a price per byte and a tip by choice, paid whether the transaction succeeds or fails. Half is burned (the larger half of
//! an odd fee), half goes to the treasury.

use acumen_protocol::transaction::VerifiedTransaction;
use acumen_protocol::{AccountId, Call, Nacu, Transaction};

use crate::mint::{burn, credit, debit, minus};
use crate::state::Overlay;
use crate::{LedgerError, Params, Rejection, StateKey, View};

/// The least fee of a signed transaction of `size` bytes: without a tip.
#[must_use]
pub fn fee_of(params: &Params, size: usize) -> Nacu {
    let bytes = u64::try_from(size).unwrap_or(u64::MAX);
    let fee = params.fee_per_byte.get().saturating_mul(bytes).saturating_add(params.fee_base.get());
    Nacu::new(fee)
}

/// What a transaction pays: the least fee and its tip. A sum beyond all supply saturates, and nobody can pay it.
#[must_use]
pub fn fee_with_tip(params: &Params, tx: &VerifiedTransaction) -> Nacu {
    Nacu::new(fee_of(params, tx.size()).get().saturating_add(tx.get().tip.get()))
}

/// True if a hotkey signs the call; its owner pays then.
const fn is_hotkey_call(call: &Call) -> bool {
    matches!(
        call,
        Call::Serve { .. }
            | Call::CommitWeights { .. }
            | Call::RevealWeights { .. }
            | Call::RegisterConsensusKey { .. }
    )
}

/// Who pays for `transaction`; `Ok(Err(_))` if nobody can.
pub(crate) fn payer(
    view: View<'_>,
    transaction: &Transaction,
) -> Result<Result<AccountId, Rejection>, LedgerError> {
    let sender = transaction.sender;
    if !is_hotkey_call(&transaction.call) {
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
