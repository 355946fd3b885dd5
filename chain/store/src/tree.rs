//! The authenticated tree on disk: reading nodes, roots and proofs.

use acumen_chain_ledger::tree::{Hasher, encode_proof, key_hash};
use acumen_protocol::{Hash, Height};
use jmt::storage::{LeafNode, Node, NodeKey, TreeReader};
use jmt::{JellyfishMerkleTree, KeyHash, OwnedValue, Version};
use redb::ReadOnlyTable;

use crate::error::StoreError;
use crate::store::Store;
use crate::tables::{FIRST_KEPT, HISTORY, NODES, history_key};

/// A value and the proof that it is the key's, or that the key has none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Proven {
    /// The value.
    pub value: Option<Vec<u8>>,
    /// The proof's bytes, for [`acumen_chain_ledger::tree::verify`].
    pub proof: Vec<u8>,
}

/// The tables that `jmt` reads.
pub(crate) struct TreeTables {
    pub(crate) nodes: ReadOnlyTable<&'static [u8], &'static [u8]>,
    pub(crate) history: ReadOnlyTable<&'static [u8], &'static [u8]>,
}

impl TreeReader for TreeTables {
    fn get_node_option(&self, node_key: &NodeKey) -> anyhow::Result<Option<Node>> {
        let found = self.nodes.get(borsh::to_vec(node_key)?.as_slice())?;
        Ok(found.map(|bytes| borsh::from_slice(bytes.value())).transpose()?)
    }

    fn get_value_option(&self, max_version: Version, key: KeyHash) -> anyhow::Result<Option<OwnedValue>> {
        let (from, to) = (history_key(&key.0, 0), history_key(&key.0, max_version));
        let mut newest = self.history.range(from.as_slice()..=to.as_slice())?;
        Ok(newest.next_back().transpose()?.map(|(_, value)| value.value().to_vec()))
    }

    fn get_rightmost_leaf(&self) -> anyhow::Result<Option<(NodeKey, LeafNode)>> {
        anyhow::bail!("only needed by jmt's own way to restore a tree, which this store does not use")
    }
}

impl Store {
    pub(crate) fn tree_tables(&self) -> Result<TreeTables, StoreError> {
        let read = self.read()?;
        let nodes = read.open_table(NODES).map_err(|error| self.failed(error))?;
        let history = read.open_table(HISTORY).map_err(|error| self.failed(error))?;
        Ok(TreeTables { nodes, history })
    }

    /// The tree's root after the block at `height`.
    pub(crate) fn root_at(&self, height: Height) -> Result<Hash, StoreError> {
        let tables = self.tree_tables()?;
        let root = JellyfishMerkleTree::<_, Hasher>::new(&tables).get_root_hash(height.get());
        root.map(|root| Hash(root.0)).map_err(|error| StoreError::corrupt(&self.path, error))
    }

    /// Values and proofs of `keys` in the state after the block at `height`.
    pub fn prove(&self, height: Height, keys: &[Vec<u8>]) -> Result<Vec<Proven>, StoreError> {
        self.check_kept(height)?;
        let tables = self.tree_tables()?;
        let tree = JellyfishMerkleTree::<_, Hasher>::new(&tables);
        let prove = |key: &Vec<u8>| {
            let found = tree.get_with_proof(key_hash(key), height.get());
            let (value, proof) = found.map_err(|error| self.moved_on(height, &error))?;
            let proof = encode_proof(&proof).map_err(|error| StoreError::corrupt(&self.path, error))?;
            Ok(Proven { value, proof })
        };
        keys.iter().map(prove).collect()
    }

    pub(crate) fn check_kept(&self, height: Height) -> Result<(), StoreError> {
        let (first, tip) = (Height::new(self.meta(FIRST_KEPT)?), self.tip().height);
        if height < first || height > tip {
            return Err(StoreError::NotKept { height, first, tip });
        }
        Ok(())
    }

    /// A height that was pruned while it was read is not damage.
    pub(crate) fn moved_on(&self, height: Height, error: &anyhow::Error) -> StoreError {
        match self.meta::<u64>(FIRST_KEPT) {
            Ok(first) if height.get() < first => {
                StoreError::NotKept { height, first: Height::new(first), tip: self.tip().height }
            }
            _ => StoreError::corrupt(&self.path, error),
        }
    }
}
