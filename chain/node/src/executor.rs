//! Proposing, validating and committing blocks: the ledger on top of the store. Everything here blocks; async callers
//! use a blocking thread.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use acumen_chain_ledger::{
    Audit, BlockBuilder, BlockContext, BlockOutcome, Event, Overlay, StateRead, View, audit, check,
    execute_block, fee_with_tip, payer,
};
use acumen_chain_store::{Prepared, Store, StoredBlock};
use acumen_protocol::codec::Encode as _;
use acumen_protocol::hash::merkle_root;
use acumen_protocol::limits::{MAX_BLOCK_BYTES, MAX_BLOCK_TRANSACTIONS};
use acumen_protocol::transaction::VerifiedTransaction;
use acumen_protocol::{
    Block, Certificate, ConsensusPublic, Hash, Header, Height, SignedTransaction, TimestampMs, ValidatorSet,
};
use tokio::sync::watch;

use crate::error::NodeError;
use crate::mempool::{Mempool, Offer, PoolError};
use crate::metrics::Metrics;

/// The application that an engine drives. Cheap to clone; clones share everything.
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
    /// The newest block assembled here, so that committing an own proposal does not apply it a second time.
    assembled: Mutex<Option<Assembled>>,
}

impl Executor {
    pub(crate) fn new(store: Store, pool: Mempool, metrics: Metrics) -> Self {
        let tip = watch::Sender::new(store.tip().height);
        metrics.height(store.tip().height);
        let (pool, assembled) = (Mutex::new(pool), Mutex::new(None));
        Self { shared: Arc::new(Shared { store, pool, tip, metrics, assembled }) }
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

    pub(crate) fn pool(&self) -> MutexGuard<'_, Mempool> {
        self.shared.pool.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Checks a transaction against the tip's state and queues it.
    pub fn submit(&self, signed: SignedTransaction) -> Result<Hash, PoolError> {
        let genesis = self.genesis();
        let verified = signed.clone().verify(&genesis).map_err(PoolError::Transaction)?;
        let internal = |error: &dyn std::fmt::Display| PoolError::Internal { reason: error.to_string() };
        let mut pool = self.pool();
        if pool.contains(&verified.id()) {
            return Ok(verified.id());
        }
        let state = self.store().state().map_err(|error| internal(&error))?;
        let context = self.next_context(TimestampMs::ZERO);
        let gap = u64::try_from(pool.limits().per_sender).unwrap_or(u64::MAX);
        let checked = check(&state, &context, &verified, gap).map_err(|error| internal(&error))?;
        checked.map_err(PoolError::Rejected)?;
        let added = pool.add(self.offer(&state, signed, verified).map_err(|error| internal(&error))?);
        self.shared.metrics.pool(pool.len());
        added
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

    /// The block that this node proposes next: the one on record if there is one, else a new one from the pool.
    pub fn propose(&self, proposer: &ConsensusPublic, now: TimestampMs) -> Result<Block, NodeError> {
        let context = self.next_context(now);
        if let Some(recorded) = self.store().proposal(context.height)? {
            return Ok(recorded);
        }
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
        *self.shared.assembled.lock().unwrap_or_else(PoisonError::into_inner) = Some(assembled);
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
        let verify = |signed: &SignedTransaction| signed.clone().verify(&genesis);
        let verified = block.transactions.iter().map(verify).collect::<Result<Vec<VerifiedTransaction>, _>>();
        let verified = verified.map_err(|error| wrong(header, &error))?;
        let context = BlockContext { genesis, height: header.height, time: header.time };
        let outcome = execute_block(&state, context, &verified)?;
        let again = self.assemble(&state, context, header.proposer, block.transactions.clone(), outcome)?;
        let later = header.time > self.store().tip().time;
        if again.block.header != *header || !later {
            return Err(wrong(header, &"its header is not what its transactions lead to"));
        }
        Ok(again)
    }

    fn assembled_or_replayed(&self, block: &Block) -> Result<Assembled, NodeError> {
        let own = self.shared.assembled.lock().unwrap_or_else(PoisonError::into_inner).take();
        let same = |own: &Assembled| own.block == *block && block.header.parent == self.store().tip().id();
        own.filter(same).map_or_else(|| self.replay(block), Ok)
    }

    /// Would this block be a correct next one? For engines that vote on the proposals of others.
    pub fn validate(&self, block: &Block) -> Result<(), NodeError> {
        let size: usize = block.transactions.iter().map(|tx| tx.to_bytes().len()).sum();
        if block.transactions.len() > MAX_BLOCK_TRANSACTIONS || size > MAX_BLOCK_BYTES {
            return Err(wrong(&block.header, &"it is larger than a block may be"));
        }
        self.replay(block).map(|_| ())
    }

    /// Applies and commits a decided block. When this returns, it is durable.
    pub fn commit(&self, block: Block, certificate: Certificate) -> Result<(), NodeError> {
        let set = self.validators()?;
        certificate.verify(&self.genesis(), &set).map_err(|error| wrong(&block.header, &error))?;
        let Assembled { block, prepared, events, decoded, next_validators, audit } =
            self.assembled_or_replayed(&block)?;
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

fn wrong(header: &Header, reason: &dyn std::fmt::Display) -> NodeError {
    NodeError::InvalidBlock { height: header.height, reason: reason.to_string() }
}
