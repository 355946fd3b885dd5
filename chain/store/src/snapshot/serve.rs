//! Giving pieces of a kept state to whoever asks.

use acumen_protocol::{Hash, Height};
use jmt::storage::{Node, NodeKey, TreeReader as _};
use redb::ReadOnlyTable;

use super::piece::{Branch, MAX_LEAVES, MAX_PIECE_BYTES, Piece, Prefix};
use crate::error::StoreError;
use crate::store::Store;
use crate::tables::KEYS;
use crate::tree::TreeTables;

/// What gathering the leaves of a subtree comes to.
enum Gathered {
    Leaves(Vec<(Vec<u8>, Vec<u8>)>),
    TooMuch,
}

struct Reader<'a> {
    store: &'a Store,
    tables: TreeTables,
    keys: ReadOnlyTable<&'static [u8], &'static [u8]>,
    height: Height,
}

impl Store {
    /// What lies below `prefix` in the state after the block at `height`; `None` if the tree has no node there.
    pub fn piece(&self, height: Height, prefix: &Prefix) -> Result<Option<Piece>, StoreError> {
        self.check_kept(height)?;
        let keys = self.read()?.open_table(KEYS).map_err(|error| self.failed(error))?;
        let reader = Reader { store: self, tables: self.tree_tables()?, keys, height };
        let read = (|| {
            let Some((path, node)) = reader.find(prefix)? else { return Ok(None) };
            match (reader.gather(&path, &node)?, node) {
                (Gathered::Leaves(leaves), _) => Ok(Some(Piece::Leaves(leaves))),
                (Gathered::TooMuch, Node::Internal(node)) => {
                    let branch = |nibble: u8| {
                        let child = node.child(nibble.into())?;
                        Some(Branch { hash: Hash(child.hash), leaf: child.is_leaf() })
                    };
                    Ok(Some(Piece::Branches((0..16).map(branch).collect())))
                }
                (Gathered::TooMuch, _) => Ok(None),
            }
        })();
        read.map_err(|error: anyhow::Error| self.moved_on(height, &error))
    }
}

/// The key of the node at `nibbles`, written at `version`.
fn node_key(version: u64, nibbles: &[u8]) -> NodeKey {
    NodeKey::new(version, nibbles.iter().map(|nibble| (*nibble).into()).collect())
}

impl Reader<'_> {
    /// Walks down from the root.
    fn find(&self, prefix: &Prefix) -> anyhow::Result<Option<(Vec<u8>, Node)>> {
        let mut node = self.tables.get_node(&node_key(self.height.get(), &[]))?;
        let mut path = Vec::new();
        for nibble in prefix.nibbles() {
            let Node::Internal(inner) = &node else { return Ok(None) };
            let Some(child) = inner.child((*nibble).into()) else { return Ok(None) };
            path.push(*nibble);
            node = self.tables.get_node(&node_key(child.version, &path))?;
        }
        Ok(Some((path, node)))
    }

    /// Everything below `node`, in order, unless it is more than a piece may hold.
    fn gather(&self, path: &[u8], node: &Node) -> anyhow::Result<Gathered> {
        let mut stack = vec![(path.to_vec(), node.clone())];
        let (mut leaves, mut bytes) = (Vec::new(), 0_usize);
        while let Some((path, node)) = stack.pop() {
            match node {
                Node::Null => {}
                Node::Leaf(leaf) => {
                    let (key, value) = self.leaf(leaf.key_hash())?;
                    bytes = bytes.saturating_add(key.len()).saturating_add(value.len());
                    leaves.push((key, value));
                    if leaves.len() > MAX_LEAVES || (bytes > MAX_PIECE_BYTES && leaves.len() > 1) {
                        return Ok(Gathered::TooMuch);
                    }
                }
                Node::Internal(inner) => {
                    // Saves the reading; what is certain is counted above.
                    if inner.leaf_count() > MAX_LEAVES {
                        return Ok(Gathered::TooMuch);
                    }
                    for nibble in (0..16_u8).rev() {
                        let Some(child) = inner.child(nibble.into()) else { continue };
                        let path = [path.as_slice(), &[nibble]].concat();
                        let below = self.tables.get_node(&node_key(child.version, &path))?;
                        stack.push((path, below));
                    }
                }
            }
        }
        Ok(Gathered::Leaves(leaves))
    }

    fn leaf(&self, hash: jmt::KeyHash) -> anyhow::Result<(Vec<u8>, Vec<u8>)> {
        let key = self.keys.get(hash.0.as_slice())?.map(|key| key.value().to_vec());
        let value = self.tables.get_value_option(self.height.get(), hash)?;
        key.zip(value).ok_or_else(|| {
            let path = self.store.path().display();
            anyhow::anyhow!("{path}: a key or value of the tree at height {} is missing", self.height)
        })
    }
}
