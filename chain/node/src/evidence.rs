//! Proofs that a validator signed two things at once: kept as files until the ledger has judged them, and reported by
//! this node itself.
//!
//! Invariant: a proof leaves the desk only when the ledger says that it convicts nobody, because somebody was quicker or
//! its time is over. Until then it is offered to the pool with each block, which holds one report against a key at a
//! time. A report that convicts costs nothing (L-67 in docs/spec/ledger.md), so an account without funds is enough.

mod desk;

use acumen_chain_ledger::{Rejection, View};
use acumen_protocol::{Call, Equivocation, Height, Keypair, Transaction};
use tokio_util::sync::CancellationToken;

use crate::error::NodeError;
use crate::executor::Executor;
use crate::mempool::PoolError;

pub(crate) use desk::{Desk, load_or_create_account};

/// Blocks for which a report is valid: it goes before everything else, so it stands in one of the next few or never.
const VALID_BLOCKS: u64 = 16;

/// What became of a proof.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Fate {
    /// It waits for a block, this node's report or another's.
    Waits,
    /// The ledger has heard it, or no longer wants to.
    Settled(Rejection),
    /// This node could not offer it now.
    Failed(PoolError),
}

/// Reports what lies on the desk, with each block, until `shutdown`.
pub(crate) async fn run(
    executor: Executor,
    account: Keypair,
    shutdown: CancellationToken,
) -> Result<(), NodeError> {
    let mut tip = executor.tip();
    loop {
        let (at_work, key) = (executor.clone(), account.clone());
        let turn = tokio::task::spawn_blocking(move || report_all(&at_work, &key)).await;
        turn.map_err(|error| NodeError::Task { reason: error.to_string() })??;
        tokio::select! {
            () = shutdown.cancelled() => return Ok(()),
            () = executor.evidence().news() => {}
            changed = tip.changed() => if changed.is_err() { return Ok(()) },
        }
    }
}

fn report_all(executor: &Executor, account: &Keypair) -> Result<(), NodeError> {
    for proof in executor.evidence().waiting() {
        let (offender, height) = (proof.offender(), proof.height());
        match report(executor, account, &proof)? {
            Fate::Waits => {}
            Fate::Settled(reason) => {
                tracing::info!(%offender, %height, %reason, "the proof of an equivocation is settled");
                executor.evidence().settle(&proof);
            }
            Fate::Failed(error) => {
                tracing::warn!(%offender, %height, %error, "an equivocation is not reported yet, trying again");
            }
        }
    }
    Ok(())
}

/// Offers one proof to the pool, signed by this node's account.
fn report(executor: &Executor, account: &Keypair, proof: &Equivocation) -> Result<Fate, NodeError> {
    let sender = account.account();
    let nonce = View::new(&executor.store().state()?).account(sender)?.nonce;
    let valid_until = Height::new(executor.store().tip().height.get().saturating_add(VALID_BLOCKS));
    let call = Call::ReportEquivocation { evidence: Box::new(*proof) };
    let (genesis, tip) = (executor.genesis(), acumen_protocol::Nacu::ZERO);
    let transaction = Transaction { genesis, sender, nonce, valid_until, tip, call };
    Ok(match executor.submit(transaction.sign(account)) {
        Ok(id) => {
            let (offender, height) = (proof.offender(), proof.height());
            tracing::warn!(%offender, %height, %id, reporter = %sender, "reported a validator that signed two things at once");
            Fate::Waits
        }
        // The same report, or one of another key by this account, waits for its block.
        Err(PoolError::Reported { .. } | PoolError::Rejected(Rejection::Nonce { .. })) => Fate::Waits,
        Err(PoolError::Rejected(reason)) if is_final(&reason) => Fate::Settled(reason),
        Err(error) => Fate::Failed(error),
    })
}

/// What no later block changes.
const fn is_final(reason: &Rejection) -> bool {
    matches!(
        reason,
        Rejection::KeyRetired { .. }
            | Rejection::EvidenceAge { .. }
            | Rejection::NotInSet { .. }
            | Rejection::UnknownConsensusKey { .. }
            | Rejection::Evidence { .. }
    )
}
