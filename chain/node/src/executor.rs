//! Proposing, validating and committing blocks: the ledger on top of the store. Everything here blocks; async callers
//! use a blocking thread.

mod assembly;

use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use acumen_chain_ledger::{
    Audit, AuditError, BlockContext, BlockError, BlockOutcome, Event, LedgerError, Overlay, Owned, StateKey,
    StateRead, Supply, View, execute_block,
};
use acumen_chain_network::NetworkHandle;
use acumen_chain_store::{Prepared, Store, StoredBlock};
use acumen_protocol::codec::Encode as _;
use acumen_protocol::hash::merkle_root;
use acumen_protocol::{
    AccountId, Block, Certificate, ConsensusPublic, Hash, Header, Height, SignedTransaction, TimestampMs,
    TrackId, ValidatorSet,
};
use tokio::sync::watch;

use crate::admission::Proposed;
use crate::error::NodeError;
use crate::evidence::Desk;
use crate::mempool::Mempool;
use crate::metrics::Metrics;

pub(crate) use assembly::is_breach;

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
    /// Their transactions that were not in the pool: a second proposal or gossip need not check them again.
    proposed: Mutex<Proposed>,
    /// Where transactions submitted here are published, if this node has peers.
    network: OnceLock<NetworkHandle>,
    /// Proofs of equivocation that the ledger has not judged.
    evidence: Desk,
}

impl Executor {
    pub(crate) fn new(store: Store, pool: Mempool, metrics: Metrics) -> Self {
        let tip = watch::Sender::new(store.tip().height);
        metrics.height(store.tip().height);
        let (pool, assembled, network) = (Mutex::new(pool), Mutex::new(Vec::new()), OnceLock::new());
        let dir = store.path().parent().unwrap_or_else(|| store.path());
        let evidence = Desk::open(dir, &store.genesis());
        let proposed = Mutex::new(Proposed::new());
        let shared = Shared { store, pool, tip, metrics, assembled, proposed, network, evidence };
        Self { shared: Arc::new(shared) }
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

    /// Is `hotkey` registered on some track now?
    pub fn is_registered(&self, hotkey: AccountId) -> Result<bool, NodeError> {
        let state = self.store().state()?;
        let view = View::new(&state);
        // Whoever was never registered anywhere has no hotkey record: one read, and not one for each track.
        if view.hotkey(hotkey)?.is_none() {
            return Ok(false);
        }
        let tracks: u16 = view.need(&StateKey::Tracks)?;
        for track in 0..tracks {
            if view.uid_of(TrackId::new(track), hotkey)?.is_some() {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Follows the tip.
    #[must_use]
    pub fn tip(&self) -> watch::Receiver<Height> {
        self.shared.tip.subscribe()
    }

    pub(crate) fn evidence(&self) -> &Desk {
        &self.shared.evidence
    }

    pub(crate) fn metrics(&self) -> &Metrics {
        &self.shared.metrics
    }

    pub(crate) fn pool(&self) -> MutexGuard<'_, Mempool> {
        self.shared.pool.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Transactions of blocks that were proposed and are not decided, checked.
    pub(crate) fn proposed(&self) -> MutexGuard<'_, Proposed> {
        self.shared.proposed.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn network(&self) -> Option<&NetworkHandle> {
        self.shared.network.get()
    }

    /// From now on, what is submitted here is published there. The first network stays.
    pub(crate) fn publish_to(&self, network: NetworkHandle) {
        let _ = self.shared.network.set(network);
    }

    pub(crate) fn next_context(&self, now: TimestampMs) -> BlockContext {
        let tip = self.store().tip();
        let height = tip.height.next().unwrap_or(tip.height);
        let time = now.max(tip.time.next().unwrap_or(tip.time));
        BlockContext { genesis: self.genesis(), height, time }
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
        let audit = self.audit_of_epoch(state, &outcome)?;
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

    /// At the end of an epoch, when tokens are minted, what everybody owns is compared with what was issued: a block that
    /// makes or loses one base unit is neither proposed nor voted for. The sum goes on from the store's, which compares it
    /// again with every block.
    fn audit_of_epoch(
        &self,
        state: &dyn StateRead,
        outcome: &BlockOutcome,
    ) -> Result<Option<Audit>, NodeError> {
        if !outcome.events.iter().any(|event| matches!(event, Event::EpochEnded { .. })) {
            return Ok(None);
        }
        let mut owned = Owned::from(self.store().supply()?.1.balances_total);
        for (key, after) in &outcome.changes {
            let before = state.get(key).map_err(LedgerError::from)?;
            owned.add(key, before.as_deref(), after.as_deref())?;
        }
        let mut after = Overlay::new(state);
        after.merge(outcome.changes.clone());
        let Supply { issuance, minted, burned, .. } = View::new(&after).supply()?;
        let balances_total = owned.total()?;
        if balances_total != issuance {
            return Err(AuditError::Issuance { balances_total, issuance }.into());
        }
        Ok(Some(Audit { balances_total, issuance, minted, burned }))
    }

    /// Applies a block on top of the tip and checks that its header says what follows. Commits nothing.
    fn replay(&self, block: &Block) -> Result<Assembled, NodeError> {
        let header = &block.header;
        let genesis = self.genesis();
        let state = self.store().state()?;
        let verified = self.verify_block(&block.transactions).map_err(|error| wrong(header, &error))?;
        let context = BlockContext { genesis, height: header.height, time: header.time };
        let outcome = execute_block(&state, context, &verified)?;
        let again = self.assemble(&state, context, header.proposer, block.transactions.clone(), outcome)?;
        let later = header.time > self.store().tip().time;
        if again.block.header != *header || !later {
            return Err(wrong(header, &"its header is not what its transactions lead to"));
        }
        Ok(again)
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
        self.proposed().clear();
        self.after_commit(&stored.block, &decoded)
    }

    fn after_commit(&self, block: &Block, events: &[Event]) -> Result<(), NodeError> {
        let height = block.header.height;
        let state = self.store().state()?;
        let view = View::new(&state);
        let payers = Self::payers(view, block)?;
        let account_of = |id| view.account(id).map(|found| (found.nonce, found.free));
        let mut pool = self.pool();
        pool.after_block(height, &block.transactions, &payers, account_of)?;
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

pub(crate) fn wrong(header: &Header, reason: &dyn std::fmt::Display) -> NodeError {
    NodeError::InvalidBlock { height: header.height, reason: reason.to_string() }
}

#[cfg(test)]
mod tests;
