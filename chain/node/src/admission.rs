//! Letting transactions into the pool: many at once, each signature checked once.
//!
//! What waits already, or was checked when a block proposed it, is not checked again; what its sender's nonce has passed is
//! refused before its signature costs anything. The rest is checked on all cores, many in one equation.

use std::collections::BTreeMap;

use acumen_chain_ledger::{Fit, LedgerError, Rejection, StateRead, View, check};
use acumen_proto::verifier::{Claim, all_hold};
use acumen_protocol::limits::MAX_BLOCK_TRANSACTIONS;
use acumen_protocol::transaction::{TransactionError, VerifiedTransaction};
use acumen_protocol::{Call, Hash, SignedTransaction, TimestampMs};
use rayon::prelude::*;

use crate::executor::Executor;
use crate::mempool::{Mempool, Offer, PoolError};

/// Most signatures in one equation: more save little, and a forgery makes all of its set be checked one by one.
const TOGETHER: usize = 64;

/// Transactions queued while the pool is held: a few milliseconds, for which a proposer waits.
const HELD: usize = 64;

/// Checked transactions kept of blocks that are not decided: two whole blocks.
const MAX_PROPOSED: usize = 2 * MAX_BLOCK_TRANSACTIONS;

/// Transactions of blocks that were proposed and are not decided, checked.
pub(crate) type Proposed = BTreeMap<Hash, VerifiedTransaction>;

type Checked = Result<VerifiedTransaction, PoolError>;

fn internal(error: &dyn std::fmt::Display) -> PoolError {
    PoolError::Internal { reason: error.to_string() }
}

/// Refuses a report of a key against which one waits, before the ledger judges the proof: everybody who heard it sends
/// one.
fn not_reported(pool: &Mempool, verified: &VerifiedTransaction) -> Result<(), PoolError> {
    match &verified.get().call {
        Call::ReportEquivocation { evidence } if pool.is_reported(&evidence.offender()) => {
            Err(PoolError::Reported { key: evidence.offender() })
        }
        _ => Ok(()),
    }
}

/// Checks signatures on all cores, in the order given.
fn verify(
    genesis: &Hash,
    transactions: Vec<SignedTransaction>,
) -> Vec<Result<VerifiedTransaction, TransactionError>> {
    let set = transactions.len().div_ceil(rayon::current_num_threads().max(1)).clamp(1, TOGETHER);
    let sets: Vec<Vec<SignedTransaction>> = transactions.chunks(set).map(<[_]>::to_vec).collect();
    let hold = |claims: Vec<Claim>| all_hold(&claims);
    sets.into_par_iter()
        .flat_map_iter(|set| {
            SignedTransaction::verify_together(set, genesis, |parts| {
                hold(
                    parts
                        .into_iter()
                        .map(|(signer, message, signature)| Claim { signer, message, signature })
                        .collect(),
                )
            })
        })
        .collect()
}

impl Executor {
    /// Checks a transaction against the tip's state, queues it, and publishes it if it is new.
    pub fn submit(&self, signed: SignedTransaction) -> Result<Hash, PoolError> {
        let nothing = || Err(internal(&"a transaction got no answer"));
        self.submit_all(vec![signed]).pop().unwrap_or_else(nothing)
    }

    /// The same for many, in the order given.
    pub fn submit_all(&self, signed: Vec<SignedTransaction>) -> Vec<Result<Hash, PoolError>> {
        let network = self.network();
        let bytes: Vec<Vec<u8>> =
            network.map(|_| signed.iter().map(SignedTransaction::to_bytes).collect()).unwrap_or_default();
        let admitted = self.admit_all(signed);
        for (admitted, bytes) in admitted.iter().zip(bytes) {
            if let (Ok((id, true)), Some(network)) = (admitted, network)
                && let Err(error) = network.publish(bytes)
            {
                tracing::warn!(%id, %error, "a transaction was queued here and not published");
            }
        }
        admitted.into_iter().map(|admitted| admitted.map(|(id, _)| id)).collect()
    }

    /// Checks transactions against the tip's state and queues them. True for those that were not there already.
    pub(crate) fn admit_all(&self, signed: Vec<SignedTransaction>) -> Vec<Result<(Hash, bool), PoolError>> {
        let ids: Vec<Hash> = signed.par_iter().map(SignedTransaction::id).collect();
        let mut answers: Vec<Option<Result<(Hash, bool), PoolError>>> = vec![None; signed.len()];
        match self.sift(&signed, &ids, &mut answers) {
            Ok(known) => self.enter(signed, known, &mut answers),
            Err(error) => answers.fill(Some(Err(error))),
        }
        let nothing = || Err(internal(&"a transaction got no answer"));
        answers.into_iter().map(|answer| answer.unwrap_or_else(nothing)).collect()
    }

    /// Answers what needs no signature check; returns what a proposed block had checked.
    fn sift(
        &self,
        signed: &[SignedTransaction],
        ids: &[Hash],
        answers: &mut [Option<Result<(Hash, bool), PoolError>>],
    ) -> Result<Vec<Option<VerifiedTransaction>>, PoolError> {
        {
            let pool = self.pool();
            for (id, answer) in ids.iter().zip(answers.iter_mut()) {
                *answer = pool.contains(id).then_some(Ok((*id, false)));
            }
        }
        let state = self.store().state().map_err(|error| internal(&error))?;
        for (signed, answer) in signed.iter().zip(answers.iter_mut()).filter(|(_, answer)| answer.is_none()) {
            let transaction = signed.unverified();
            let expected =
                View::new(&state).account(transaction.sender).map_err(|error| internal(&error))?.nonce;
            if transaction.genesis == self.genesis() && transaction.nonce < expected {
                let found = transaction.nonce;
                *answer = Some(Err(PoolError::Rejected(Rejection::Nonce { expected, found })));
            }
        }
        let proposed = self.proposed();
        Ok(ids.iter().map(|id| proposed.get(id).cloned()).collect())
    }

    /// Checks the signatures of what has no answer yet, and queues it.
    fn enter(
        &self,
        signed: Vec<SignedTransaction>,
        known: Vec<Option<VerifiedTransaction>>,
        answers: &mut [Option<Result<(Hash, bool), PoolError>>],
    ) {
        let open: Vec<(SignedTransaction, Option<VerifiedTransaction>)> = signed
            .into_iter()
            .zip(known)
            .zip(answers.iter())
            .filter(|(_, answer)| answer.is_none())
            .map(|(transaction, _)| transaction)
            .collect();
        let unchecked = open.iter().filter(|(_, known)| known.is_none()).map(|(signed, _)| signed.clone());
        let mut checked = self.verify(unchecked.collect()).into_iter();
        let both = open.into_iter().map(|(signed, known)| {
            let verified: Checked = match known {
                Some(known) => Ok(known),
                None => checked.next().map_or_else(
                    || Err(internal(&"a signature was not checked")),
                    |one| one.map_err(PoolError::Transaction),
                ),
            };
            (signed, verified)
        });
        let both: Vec<_> = both.collect();
        let mut free = answers.iter_mut().filter(|answer| answer.is_none());
        for chunk in both.chunks(HELD) {
            for (answer, queued) in free.by_ref().zip(self.queue(chunk)) {
                *answer = Some(queued);
            }
        }
    }

    fn queue(&self, offers: &[(SignedTransaction, Checked)]) -> Vec<Result<(Hash, bool), PoolError>> {
        let mut pool = self.pool();
        let state = match self.store().state() {
            Ok(state) => state,
            Err(error) => return vec![Err(internal(&error)); offers.len()],
        };
        let context = self.next_context(TimestampMs::ZERO);
        let gap = u64::try_from(pool.limits().per_sender).unwrap_or(u64::MAX);
        let mut one = |signed: &SignedTransaction, verified: &Checked| {
            let verified = verified.clone()?;
            if pool.contains(&verified.id()) {
                return Ok((verified.id(), false));
            }
            not_reported(&pool, &verified)?;
            let fit = check(&state, &context, &verified, gap).map_err(|error| internal(&error))?;
            let fit = fit.map_err(PoolError::Rejected)?;
            let offer =
                self.offer(&state, signed.clone(), verified, fit).map_err(|error| internal(&error))?;
            pool.add(offer).map(|id| (id, true))
        };
        let answers = offers.iter().map(|(signed, verified)| one(signed, verified)).collect();
        self.metrics().pool(pool.len());
        answers
    }

    /// What the pool wants to know about a transaction that the ledger has found fit.
    fn offer(
        &self,
        state: &dyn StateRead,
        signed: SignedTransaction,
        verified: VerifiedTransaction,
        fit: Fit,
    ) -> Result<Offer, LedgerError> {
        let (view, Fit { fee, payer, convicts }) = (View::new(state), fit);
        let (funds, next) = (view.account(payer)?.free, view.account(verified.get().sender)?.nonce);
        let tip = self.store().tip().height;
        Ok(Offer { signed, verified, fee, payer, funds, next, tip, convicts })
    }

    fn verify(
        &self,
        transactions: Vec<SignedTransaction>,
    ) -> Vec<Result<VerifiedTransaction, TransactionError>> {
        self.metrics().signatures(transactions.len());
        verify(&self.genesis(), transactions)
    }

    /// Checks the signatures of a block's transactions; those of the pool, and of a block proposed before, were checked
    /// when they came.
    pub(crate) fn verify_block(
        &self,
        transactions: &[SignedTransaction],
    ) -> Result<Vec<VerifiedTransaction>, TransactionError> {
        let ids: Vec<Hash> = transactions.par_iter().map(SignedTransaction::id).collect();
        let waiting: Vec<Option<VerifiedTransaction>> = {
            let (pool, proposed) = (self.pool(), self.proposed());
            ids.iter().map(|id| pool.verified(id).or_else(|| proposed.get(id)).cloned()).collect()
        };
        let unchecked = transactions.iter().zip(&waiting).filter(|(_, known)| known.is_none());
        let checked = self.verify(unchecked.map(|(signed, _)| signed.clone()).collect());
        let checked = checked.into_iter().collect::<Result<Vec<_>, _>>()?;
        let mut proposed = self.proposed();
        if proposed.len().saturating_add(checked.len()) > MAX_PROPOSED {
            proposed.clear();
        }
        proposed.extend(checked.iter().map(|verified| (verified.id(), verified.clone())));
        drop(proposed);
        let mut checked = checked.into_iter();
        Ok(waiting.into_iter().filter_map(|known| known.or_else(|| checked.next())).collect())
    }
}
