//! Proposing, validating and committing blocks: the ledger on top of the store. Everything here blocks; async callers
//! use a blocking thread.

use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use acumen_chain_ledger::{
    Audit, BlockBuilder, BlockContext, BlockError, BlockOutcome, Event, Overlay, StateRead, View, audit,
    check, execute_block, fee_with_tip, payer,
};
use acumen_chain_network::NetworkHandle;
use acumen_chain_store::{Prepared, Store, StoredBlock};
use acumen_protocol::codec::Encode as _;
use acumen_protocol::hash::merkle_root;
use acumen_protocol::limits::{MAX_BLOCK_BYTES, MAX_BLOCK_TRANSACTIONS};
use acumen_protocol::transaction::{TransactionError, VerifiedTransaction};
use acumen_protocol::{
    Block, Certificate, ConsensusPublic, Hash, Header, Height, SignedTransaction, TimestampMs, ValidatorSet,
};
use rayon::prelude::*;
use tokio::sync::watch;

use crate::error::NodeError;
use crate::mempool::{Mempool, Offer, PoolError};
use crate::metrics::Metrics;

/// Undecided blocks of which the outcome is kept: a height has one, or a second one if its first round was lost.
const MAX_ASSEMBLED: usize = 4;

/// The application that consensus drives. Cheap to clone; clones share everything.
#[derive(Clone, Debug)]
pub struct Executor {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    store: Store,
    pool: Mutex<Mempool>,
    tip: watch::Sender<Height>,
    metrics: Metrics,
    /// Blocks that were applied to the tip and are not decided.
    assembled: Mutex<Vec<Assembled>>,
    /// Where transactions submitted here are published, if this node has peers.
    network: OnceLock<NetworkHandle>,
}

impl Executor {
    pub(crate) fn new(store: Store, pool: Mempool, metrics: Metrics) -> Self {
        let tip = watch::Sender::new(store.tip().height);
        metrics.height(store.tip().height);
        let (pool, assembled) = (Mutex::new(pool), Mutex::new(Vec::new()));
        Self { shared: Arc::new(Shared { store, pool, tip, metrics, assembled, network: OnceLock::new() }) }
    }

    /// The store.
    #[must_use]
    pub fn store(&self) -> &Store {
        &self.shared.store
    }

    /// The genesis hash.
    #[must_use]
    pub fn genesis(&self) -> Hash {
        self.store().genesis()
    }

    /// The set that decides the next block.
    pub fn validators(&self) -> Result<ValidatorSet, NodeError> {
        Ok(View::new(&self.store().state()?).validators()?)
    }

    /// Follows the tip.
    #[must_use]
    pub fn tip(&self) -> watch::Receiver<Height> {
        self.shared.tip.subscribe()
    }

    pub(crate) fn metrics(&self) -> &Metrics {
        &self.shared.metrics
    }

    pub(crate) fn pool(&self) -> MutexGuard<'_, Mempool> {
        self.shared.pool.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// From now on, what is submitted here is published there. The first network stays.
    pub(crate) fn publish_to(&self, network: NetworkHandle) {
        let _ = self.shared.network.set(network);
    }

    /// Checks a transaction against the tip's state, queues it, and publishes it if it is new.
    pub fn submit(&self, signed: SignedTransaction) -> Result<Hash, PoolError> {
        let network = self.shared.network.get().map(|network| (network, signed.to_bytes()));
        let (id, new) = self.admit(signed)?;
        if let Some((network, bytes)) = network.filter(|_| new)
            && let Err(error) = network.publish(bytes)
        {
            tracing::warn!(%id, %error, "a transaction was queued here and not published");
        }
        Ok(id)
    }

    /// Checks a transaction against the tip's state and queues it. True if it was not there already.
    pub(crate) fn admit(&self, signed: SignedTransaction) -> Result<(Hash, bool), PoolError> {
        let genesis = self.genesis();
        let verified = signed.clone().verify(&genesis).map_err(PoolError::Transaction)?;
        let internal = |error: &dyn std::fmt::Display| PoolError::Internal { reason: error.to_string() };
        let mut pool = self.pool();
        if pool.contains(&verified.id()) {
            return Ok((verified.id(), false));
        }
        let state = self.store().state().map_err(|error| internal(&error))?;
        let context = self.next_context(TimestampMs::ZERO);
        let gap = u64::try_from(pool.limits().per_sender).unwrap_or(u64::MAX);
        let checked = check(&state, &context, &verified, gap).map_err(|error| internal(&error))?;
        checked.map_err(PoolError::Rejected)?;
        let added = pool.add(self.offer(&state, signed, verified).map_err(|error| internal(&error))?);
        self.shared.metrics.pool(pool.len());
        added.map(|id| (id, true))
    }

    /// What the pool wants to know about a transaction that the ledger has found fit.
    fn offer(
        &self,
        state: &dyn StateRead,
        signed: SignedTransaction,
        verified: VerifiedTransaction,
    ) -> Result<Offer, NodeError> {
        let view = View::new(state);
        let sender = verified.get().sender;
        let payer = payer(view, verified.get())?.unwrap_or(sender);
        let fee = fee_with_tip(&view.params()?, &verified);
        let (funds, next) = (view.account(payer)?.free, view.account(sender)?.nonce);
        Ok(Offer { signed, verified, fee, payer, funds, next, tip: self.store().tip().height })
    }

    fn next_context(&self, now: TimestampMs) -> BlockContext {
        let tip = self.store().tip();
        let height = tip.height.next().unwrap_or(tip.height);
        let time = now.max(tip.time.next().unwrap_or(tip.time));
        BlockContext { genesis: self.genesis(), height, time }
    }

    /// A new block from the pool, on top of the tip.
    pub(crate) fn assemble_next(
        &self,
        proposer: &ConsensusPublic,
        now: TimestampMs,
    ) -> Result<Block, NodeError> {
        let context = self.next_context(now);
        let state = self.store().state()?;
        let candidates = self.pool().candidates();
        let mut builder = BlockBuilder::new(&state, context)?;
        let (mut transactions, mut bytes) = (Vec::new(), 0_usize);
        for (signed, verified) in candidates {
            let size = bytes.saturating_add(verified.size());
            if transactions.len() >= MAX_BLOCK_TRANSACTIONS || size > MAX_BLOCK_BYTES {
                break;
            }
            if builder.push(&verified)?.is_ok() {
                bytes = size;
                transactions.push(signed);
            }
        }
        let outcome = builder.finish()?;
        let assembled = self.assemble(&state, context, *proposer, transactions, outcome)?;
        let block = assembled.block.clone();
        self.remember(assembled);
        Ok(block)
    }

    fn assemble(
        &self,
        state: &dyn StateRead,
        context: BlockContext,
        proposer: ConsensusPublic,
        transactions: Vec<SignedTransaction>,
        outcome: BlockOutcome,
    ) -> Result<Assembled, NodeError> {
        let validators_hash = View::new(state).validators()?.hash();
        let next = outcome.next_validators.clone();
        let events: Vec<Vec<u8>> = outcome.events.iter().map(|event| event.encode()).collect();
        let audit = audit_of_epoch(state, &outcome)?;
        let prepared = self.store().prepare(outcome.changes)?;
        let header = Header {
            height: context.height,
            parent: self.store().tip().id(),
            time: context.time,
            proposer,
            transactions_root: Block::transactions_root(&transactions),
            events_root: merkle_root(events.clone()),
            state_root: prepared.root(),
            validators_hash,
            next_validators_hash: next.hash(),
        };
        let next_validators = (next.hash() != validators_hash).then_some(next);
        let block = Block { header, transactions };
        Ok(Assembled { block, prepared, events, decoded: outcome.events, next_validators, audit })
    }

    /// Applies a block on top of the tip and checks that its header says what follows. Commits nothing.
    fn replay(&self, block: &Block) -> Result<Assembled, NodeError> {
        let header = &block.header;
        let genesis = self.genesis();
        let state = self.store().state()?;
        let verified = self.verify_all(&block.transactions).map_err(|error| wrong(header, &error))?;
        let context = BlockContext { genesis, height: header.height, time: header.time };
        let outcome = execute_block(&state, context, &verified)?;
        let again = self.assemble(&state, context, header.proposer, block.transactions.clone(), outcome)?;
        let later = header.time > self.store().tip().time;
        if again.block.header != *header || !later {
            return Err(wrong(header, &"its header is not what its transactions lead to"));
        }
        Ok(again)
    }

    /// Checks the signatures of transactions on all cores; those of the pool were checked when they came.
    fn verify_all(
        &self,
        transactions: &[SignedTransaction],
    ) -> Result<Vec<VerifiedTransaction>, TransactionError> {
        let genesis = self.genesis();
        let ids: Vec<Hash> = transactions.par_iter().map(SignedTransaction::id).collect();
        let known: Vec<Option<VerifiedTransaction>> = {
            let pool = self.pool();
            ids.iter().map(|id| pool.verified(id).cloned()).collect()
        };
        let verify = |(signed, known): (&SignedTransaction, Option<VerifiedTransaction>)| match known {
            Some(verified) => Ok(verified),
            None => signed.clone().verify(&genesis),
        };
        transactions.par_iter().zip(known).map(verify).collect()
    }

    /// Keeps what applying a block led to, so that committing it does not apply it a second time.
    fn remember(&self, assembled: Assembled) {
        let mut kept = self.shared.assembled.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.len() >= MAX_ASSEMBLED {
            kept.remove(0);
        }
        kept.push(assembled);
    }

    /// What was kept of a block that follows the tip. Everything else is of another height, or of another block of this
    /// one, and is dropped.
    fn recall(&self, id: &Hash) -> Option<Assembled> {
        let mut kept =
            std::mem::take(&mut *self.shared.assembled.lock().unwrap_or_else(PoisonError::into_inner));
        let tip = self.store().tip().id();
        let found = |one: &Assembled| one.block.header.id() == *id && one.block.header.parent == tip;
        kept.iter().position(found).map(|index| kept.swap_remove(index))
    }

    /// Would this block be a correct next one? [`NodeError::InvalidBlock`] if it would not.
    pub(crate) fn validate(&self, block: &Block) -> Result<(), NodeError> {
        let assembled = self.replay(block).map_err(|error| match error {
            NodeError::Block(BlockError::Inadmissible { .. }) => wrong(&block.header, &error),
            other => other,
        })?;
        self.remember(assembled);
        Ok(())
    }

    /// Commits the recorded block that `certificate` is about. When this returns, it is durable.
    pub(crate) fn commit(&self, certificate: Certificate) -> Result<(), NodeError> {
        let (height, id, set) = (certificate.height, certificate.block, self.validators()?);
        let invalid = |reason: String| NodeError::InvalidBlock { height, reason };
        certificate.verify(&self.genesis(), &set).map_err(|error| invalid(error.to_string()))?;
        let assembled = match self.recall(&id) {
            Some(assembled) => assembled,
            None => {
                let recorded = self.store().undecided()?.into_iter().find(|one| one.block.header.id() == id);
                let recorded = recorded.ok_or_else(|| invalid(format!("{id} is decided, but not here")))?;
                self.replay(&recorded.block)?
            }
        };
        let Assembled { block, prepared, events, decoded, next_validators, audit } = assembled;
        let stored = StoredBlock { block, certificate: Some(certificate), next_validators, events, audit };
        self.store().commit(&stored, prepared)?;
        self.after_commit(&stored.block, &decoded)
    }

    fn after_commit(&self, block: &Block, events: &[Event]) -> Result<(), NodeError> {
        let height = block.header.height;
        let state = self.store().state()?;
        let account_of = |sender| View::new(&state).account(sender).map(|found| (found.nonce, found.free));
        let mut pool = self.pool();
        pool.after_block(height, &block.transactions, account_of)?;
        self.shared.metrics.committed(height, block.transactions.len(), events);
        self.shared.metrics.pool(pool.len());
        drop(pool);
        for event in events {
            if let Event::EpochEnded { track, epoch, paid } = event {
                tracing::info!(%track, %epoch, %height, paid = %paid.to_acu_string(), "epoch");
            }
        }
        self.shared.tip.send_replace(height);
        Ok(())
    }
}

/// A block with everything that goes to disk with it.
#[derive(Debug)]
struct Assembled {
    block: Block,
    prepared: Prepared,
    events: Vec<Vec<u8>>,
    decoded: Vec<Event>,
    next_validators: Option<ValidatorSet>,
    audit: Option<Audit>,
}

/// At the end of an epoch, when tokens are minted, everything is added up: a block that makes or loses one base unit is
/// neither proposed nor committed.
fn audit_of_epoch(state: &dyn StateRead, outcome: &BlockOutcome) -> Result<Option<Audit>, NodeError> {
    if !outcome.events.iter().any(|event| matches!(event, Event::EpochEnded { .. })) {
        return Ok(None);
    }
    let mut after = Overlay::new(state);
    after.merge(outcome.changes.clone());
    Ok(Some(audit(&after)?))
}

pub(crate) fn wrong(header: &Header, reason: &dyn std::fmt::Display) -> NodeError {
    NodeError::InvalidBlock { height: header.height, reason: reason.to_string() }
}
