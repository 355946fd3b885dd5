//! Writing a block: everything in one durable transaction.

use std::sync::PoisonError;

use acumen_chain_ledger::Changes;
use acumen_chain_ledger::tree::{self as rules, key_hash};
use acumen_protocol::{Hash, Height};
use jmt::storage::TreeUpdateBatch;
use redb::{ReadableTable as _, WriteTransaction};

use crate::blocks::{StoredBlock, put_block};
use crate::error::StoreError;
use crate::proposal::forget_proposals;
use crate::prune::prune;
use crate::store::Store;
use crate::sum::Sum;
use crate::tables::{HISTORY, KEYS, NODES, STALE, STALE_NODE, STALE_VALUE, VALUES, history_key, stale_key};

/// Changes with the tree's nodes and root that follow from them; nothing of it is on disk yet.
pub struct Prepared {
    height: Height,
    root: Hash,
    changes: Changes,
    nodes: TreeUpdateBatch,
}

impl std::fmt::Debug for Prepared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Prepared")
            .field("height", &self.height)
            .field("root", &self.root)
            .finish_non_exhaustive()
    }
}

impl Prepared {
    /// The state root for the header.
    #[must_use]
    pub const fn root(&self) -> Hash {
        self.root
    }
}

impl Store {
    /// Computes the state root after applying `changes` to the tip's state, as the block at the next height.
    pub fn prepare(&self, changes: Changes) -> Result<Prepared, StoreError> {
        let tip = self.tip().height;
        let height = tip.next().ok_or(StoreError::NotNext { height: tip, tip })?;
        self.prepare_at(height, changes)
    }

    pub(crate) fn prepare_genesis(&self, changes: &Changes) -> Result<Prepared, StoreError> {
        let (root, nodes) = acumen_chain_ledger::tree::first_nodes(changes)
            .map_err(|error| StoreError::corrupt(&self.path, error))?;
        Ok(Prepared { height: Height::ZERO, root, changes: changes.clone(), nodes })
    }

    fn prepare_at(&self, height: Height, changes: Changes) -> Result<Prepared, StoreError> {
        let (root, nodes) = rules::put(&self.tree_tables()?, &changes, height.get())
            .map_err(|error| StoreError::corrupt(&self.path, error))?;
        Ok(Prepared { height, root, changes, nodes })
    }

    /// Commits a decided block. When this returns, the block survives the loss of the process and of power.
    pub fn commit(&self, block: &StoredBlock, prepared: Prepared) -> Result<(), StoreError> {
        let (height, tip) = (block.block.header.height, self.tip());
        let follows = tip.height.next() == Some(height) && block.block.header.parent == tip.id();
        if !follows || prepared.height != height || prepared.root != block.block.header.state_root {
            return Err(StoreError::NotNext { height, tip: tip.height });
        }
        self.write_block(block, prepared, false)?;
        *self.tip.write().unwrap_or_else(PoisonError::into_inner) = block.block.header.clone();
        Ok(())
    }

    pub(crate) fn write_block(
        &self,
        block: &StoredBlock,
        prepared: Prepared,
        create: bool,
    ) -> Result<(), StoreError> {
        let write = self.db.begin_write().map_err(|error| self.failed(error))?;
        let mut sum = Sum::default();
        let written = (|| {
            if create {
                Self::create_tables(&write)?;
            }
            put_block(&write, block)?;
            forget_proposals(&write, block.block.header.height)?;
            sum = Sum::begin(&write)?;
            put_state(&write, &prepared, &mut sum)?;
            sum.end(&write)?;
            put_nodes(&write, &prepared)?;
            prune(&write, prepared.height.get().saturating_sub(self.options.keep_states))
        })();
        written.map_err(|error| self.failed(error))?;
        sum.check(prepared.height).map_err(|error| error.into_store(&self.path))?;
        write.commit().map_err(|error| self.failed(error))
    }
}

/// Values at the tip, their history, and which older history they make stale.
fn put_state(write: &WriteTransaction, prepared: &Prepared, sum: &mut Sum) -> Result<(), redb::Error> {
    let height = prepared.height.get();
    let mut values = write.open_table(VALUES)?;
    let mut history = write.open_table(HISTORY)?;
    let mut stale = write.open_table(STALE)?;
    let mut keys = write.open_table(KEYS)?;
    for (key, value) in &prepared.changes {
        let hash = key_hash(key).0;
        let (from, to) = (history_key(&hash, 0), history_key(&hash, height));
        let before = history.range(from.as_slice()..to.as_slice())?.next_back().transpose()?;
        let before = before.map(|(old, _)| old.value().to_vec());
        if let Some(old) = before {
            stale.insert(stale_key(height, STALE_VALUE, &old).as_slice(), [].as_slice())?;
        } else {
            keys.insert(hash.as_slice(), key.as_slice())?;
        }
        let before = match value {
            Some(value) => {
                history.insert(to.as_slice(), value.as_slice())?;
                values.insert(key.as_slice(), value.as_slice())?
            }
            None => values.remove(key.as_slice())?,
        };
        sum.add(key, before.as_ref().map(redb::AccessGuard::value), value.as_deref());
    }
    Ok(())
}

fn put_nodes(write: &WriteTransaction, prepared: &Prepared) -> Result<(), redb::Error> {
    let mut nodes = write.open_table(NODES)?;
    for (key, node) in prepared.nodes.node_batch.nodes() {
        nodes.insert(borsh::to_vec(key)?.as_slice(), borsh::to_vec(node)?.as_slice())?;
    }
    let mut stale = write.open_table(STALE)?;
    let height = prepared.height.get();
    if let Some(before) = height.checked_sub(1).filter(|_| prepared.changes.is_empty()) {
        // Without changes the tree copies its root to the new version and marks nothing stale; the borsh form of a node
        // key begins with the version, little-endian.
        for root in prepared.nodes.node_batch.nodes().keys() {
            let mut old = before.to_le_bytes().to_vec();
            old.extend(borsh::to_vec(root)?.iter().skip(old.len()));
            stale.insert(stale_key(height, STALE_NODE, &old).as_slice(), [].as_slice())?;
        }
    }
    for index in &prepared.nodes.stale_node_index_batch {
        let key = stale_key(index.stale_since_version, STALE_NODE, &borsh::to_vec(&index.node_key)?);
        stale.insert(key.as_slice(), [].as_slice())?;
    }
    Ok(())
}
