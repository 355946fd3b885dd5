//! Receiving a state: into a database of its own beside the chain's, piece by piece, and put in place by one rename when
//! nothing is missing. Whenever it ends in the middle, it goes on where it stopped.
//!
//! A piece enters only after it was verified ([`Piece::verify`]) against a hash that leads to the certified state root. The
//! tree is built by the rules of `jmt` themselves, all nodes at version [`VERSION`]; the root alone is found at the target's
//! height, as that of any block.

use std::path::{Path, PathBuf};

use acumen_chain_ledger::Genesis;
use acumen_chain_ledger::tree::{Hasher, key_hash};
use acumen_protocol::codec::{Encode as _, decode_all};
use acumen_protocol::finality::SignedHeader;
use acumen_protocol::{Hash, Height};
use jmt::JellyfishMerkleTree;
use jmt::storage::{LeafNode, Node, NodeKey, TreeReader};
use jmt::{KeyHash, OwnedValue, Version};
use redb::{
    Database, ReadableDatabase as _, ReadableTable as _, ReadableTableMetadata as _, TableDefinition,
    WriteTransaction,
};

use super::piece::{Piece, PieceError, Prefix};
use crate::blocks::{StoredBlock, put_block};
use crate::error::StoreError;
use crate::store::{FILE, Options, Store};
use crate::sum::Sum;
use crate::tables::{
    FIRST_KEPT, HEADERS, HISTORY, KEYS, LAYOUT, LAYOUT_VERSION, META, NODES, Row, VALUES, history_key,
};
use crate::tree::TreeTables;

/// The database's file while it is being filled.
const PARTIAL: &str = "chain.partial.redb";

/// Place in the tree → hash of the node there, of which nothing has come yet.
const PENDING: TableDefinition<'static, &'static [u8], &'static [u8]> = TableDefinition::new("pending");

/// In `META`: SCALE of the block whose state this is.
const TARGET: &str = "restore-target";

/// Version of the nodes and values: below every height that follows, so that none is ever taken for a later block's.
const VERSION: u64 = 1;

/// Keys with what they lead to.
type Pairs = Vec<(Vec<u8>, Vec<u8>)>;

/// A state that is being received.
#[derive(Debug)]
pub struct Restore {
    db: Database,
    dir: PathBuf,
    path: PathBuf,
    target: StoredBlock,
}

/// Why a piece did not enter.
#[derive(Debug, thiserror::Error)]
pub enum RestoreError {
    /// Whoever sent it is at fault.
    #[error(transparent)]
    Piece(#[from] PieceError),
    /// This machine is.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Restore {
    /// Does `dir` hold a chain already?
    #[must_use]
    pub fn is_needed(dir: &Path) -> bool {
        !dir.join(FILE).exists()
    }

    /// The unfinished one in `dir`, if there is one that this program has begun, not one of another layout.
    pub fn resume(dir: &Path, options: Options) -> Result<Option<Self>, StoreError> {
        let path = dir.join(PARTIAL);
        if !path.exists() {
            return Ok(None);
        }
        let db = open(&path, options)?;
        let found = read_target(&db, &path);
        Ok(found.ok().flatten().map(|target| Self { db, dir: dir.to_owned(), path, target }))
    }

    /// Begins with the state after `target`, which the caller has verified. What was unfinished is dropped. Genesis is
    /// refused: every node computes it.
    pub fn begin(dir: &Path, target: StoredBlock, options: Options) -> Result<Self, StoreError> {
        let height = target.block.header.height;
        if height.get() < VERSION {
            return Err(StoreError::NotNext { height, tip: Height::ZERO });
        }
        let io = |error: std::io::Error| StoreError::Io { path: dir.to_owned(), reason: error.to_string() };
        std::fs::create_dir_all(dir).map_err(io)?;
        let path = dir.join(PARTIAL);
        match std::fs::remove_file(&path) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(io(error)),
            _ => {}
        }
        let restore = Self { db: open(&path, options)?, dir: dir.to_owned(), path, target };
        restore.write(|write| {
            Store::create_tables(write)?;
            write.open_table(META)?.insert(TARGET, restore.target.encode().as_slice())?;
            let root = restore.target.block.header.state_root;
            write.open_table(PENDING)?.insert(Prefix::root().nibbles(), root.0.as_slice())?;
            Ok(())
        })?;
        Ok(restore)
    }

    /// The block whose state this is.
    #[must_use]
    pub const fn target(&self) -> &StoredBlock {
        &self.target
    }

    /// Up to `count` places of which nothing has come yet, with the hashes of their nodes. None: [`Restore::finish`].
    pub fn missing(&self, count: usize) -> Result<Vec<(Prefix, Hash)>, StoreError> {
        let read = self.db.begin_read().map_err(|error| self.failed(error))?;
        let pending = read.open_table(PENDING).map_err(|error| self.failed(error))?;
        let entries = pending.iter().map_err(|error| self.failed(error))?;
        let place = |entry: Result<Row<'_>, _>| {
            let (prefix, hash) = entry.map_err(|error: redb::StorageError| self.failed(error))?;
            let damaged = |_| StoreError::corrupt(&self.path, "an unfinished state does not read");
            let prefix = Prefix::new(prefix.value().to_vec()).map_err(|_| damaged(()))?;
            Ok((prefix, Hash(hash.value().try_into().map_err(|_| damaged(()))?)))
        };
        entries.take(count).map(place).collect()
    }

    /// Keys received so far.
    pub fn keys(&self) -> Result<u64, StoreError> {
        let read = self.db.begin_read().map_err(|error| self.failed(error))?;
        let keys = read.open_table(VALUES).map_err(|error| self.failed(error))?;
        keys.len().map_err(|error| self.failed(error))
    }

    /// Takes a piece for one of the missing places; durable when this returns. A piece that is not asked for, or not any
    /// longer, changes nothing.
    pub fn put(&self, prefix: &Prefix, piece: &Piece) -> Result<(), RestoreError> {
        let Some(expected) = self.expected(prefix)? else { return Ok(()) };
        piece.verify(prefix, &expected)?;
        let nodes = match piece {
            Piece::Leaves(leaves) => self.nodes_of(leaves)?,
            Piece::Branches(_) => Vec::new(),
        };
        self.write(|write| {
            let mut pending = write.open_table(PENDING)?;
            pending.remove(prefix.nibbles())?;
            match piece {
                Piece::Leaves(leaves) => put_leaves(write, leaves, &nodes)?,
                Piece::Branches(branches) => {
                    for (nibble, branch) in (0_u8..).zip(branches) {
                        let child = branch.and_then(|branch| Some((prefix.child(nibble)?, branch.hash)));
                        if let Some((place, hash)) = child {
                            pending.insert(place.nibbles(), hash.0.as_slice())?;
                        }
                    }
                }
            }
            Ok(())
        })?;
        Ok(())
    }

    fn expected(&self, prefix: &Prefix) -> Result<Option<Hash>, StoreError> {
        let read = self.db.begin_read().map_err(|error| self.failed(error))?;
        let pending = read.open_table(PENDING).map_err(|error| self.failed(error))?;
        let found = pending.get(prefix.nibbles()).map_err(|error| self.failed(error))?;
        Ok(found.and_then(|hash| hash.value().try_into().ok()).map(Hash))
    }

    /// The tree's nodes after adding `leaves`, keys and nodes as they lie on disk.
    fn nodes_of(&self, leaves: &[(Vec<u8>, Vec<u8>)]) -> Result<Pairs, StoreError> {
        if leaves.is_empty() {
            return Ok(Vec::new());
        }
        let read = self.db.begin_read().map_err(|error| self.failed(error))?;
        let nodes = read.open_table(NODES).map_err(|error| self.failed(error))?;
        let history = read.open_table(HISTORY).map_err(|error| self.failed(error))?;
        let tables = Unfinished(TreeTables { nodes, history });
        let values = leaves.iter().map(|(key, value)| (key_hash(key), Some(value.clone())));
        let encoded = || -> anyhow::Result<Pairs> {
            let (_, batch) = JellyfishMerkleTree::<_, Hasher>::new(&tables).put_value_set(values, VERSION)?;
            let nodes = batch.node_batch.nodes().iter();
            nodes.map(|(key, node)| Ok((borsh::to_vec(key)?, borsh::to_vec(node)?))).collect()
        };
        encoded().map_err(|error| StoreError::corrupt(&self.path, error))
    }

    /// Puts the state in place, with its block, genesis, and the last header of each epoch in between (`ends`).
    /// Nothing may be missing. May be done again if it was interrupted. After this, [`Store::open`] finds the chain at the target's height.
    pub fn finish(self, genesis: &Genesis, ends: &[SignedHeader]) -> Result<(), StoreError> {
        if let Some((prefix, _)) = self.missing(1)?.first() {
            let reason =
                format!("an unfinished state was to be used: place {:?} is missing", prefix.nibbles());
            return Err(StoreError::corrupt(&self.path, reason));
        }
        let first = Store::genesis_block(genesis)?;
        self.write(|write| {
            place_root(write, self.target.block.header.height)?;
            Sum::afresh(write)?.end(write)?;
            put_block(write, &first)?;
            put_block(write, &self.target)?;
            let mut headers = write.open_table(HEADERS)?;
            for end in ends {
                headers.insert(end.header.height.get(), end.encode().as_slice())?;
            }
            // The target stays: until the file has its name, a start finds it and does this again.
            let mut meta = write.open_table(META)?;
            meta.insert(FIRST_KEPT, self.target.block.header.height.get().encode().as_slice())?;
            Ok(())
        })?;
        let Self { db, dir, path, .. } = self;
        drop(db);
        let io = |error: std::io::Error| StoreError::Io { path: path.clone(), reason: error.to_string() };
        std::fs::rename(&path, dir.join(FILE)).map_err(io)?;
        std::fs::File::open(&dir).and_then(|dir| dir.sync_all()).map_err(io)
    }

    /// Forgets what has been received.
    pub fn discard(self) -> Result<(), StoreError> {
        let Self { db, path, .. } = self;
        drop(db);
        std::fs::remove_file(&path).map_err(|error| StoreError::Io { path, reason: error.to_string() })
    }

    fn write(
        &self,
        work: impl FnOnce(&WriteTransaction) -> Result<(), redb::Error>,
    ) -> Result<(), StoreError> {
        let write = self.db.begin_write().map_err(|error| self.failed(error))?;
        work(&write).map_err(|error| self.failed(error))?;
        write.commit().map_err(|error| self.failed(error))
    }

    fn failed(&self, error: impl Into<redb::Error>) -> StoreError {
        StoreError::database(&self.path, error)
    }
}

fn open(path: &Path, options: Options) -> Result<Database, StoreError> {
    let mut builder = Database::builder();
    builder.set_cache_size(options.cache_bytes);
    builder.create(path).map_err(|error| StoreError::database(path, error))
}

/// `None` if the process ended before the first write, or the layout is another.
fn read_target(db: &Database, path: &Path) -> Result<Option<StoredBlock>, StoreError> {
    let failed = |error: redb::Error| StoreError::database(path, error);
    let read = db.begin_read().map_err(|error| failed(error.into()))?;
    let meta = read.open_table(META).map_err(|error| failed(error.into()))?;
    let layout = meta.get(LAYOUT).map_err(|error| failed(error.into()))?;
    if layout.is_none_or(|layout| layout.value() != LAYOUT_VERSION.encode()) {
        return Ok(None);
    }
    let found = meta.get(TARGET).map_err(|error| failed(error.into()))?;
    found.map(|bytes| decode_all("target", bytes.value()).map_err(StoreError::decode(path))).transpose()
}

fn put_leaves(
    write: &WriteTransaction,
    leaves: &[(Vec<u8>, Vec<u8>)],
    nodes: &[(Vec<u8>, Vec<u8>)],
) -> Result<(), redb::Error> {
    let mut values = write.open_table(VALUES)?;
    let mut history = write.open_table(HISTORY)?;
    let mut keys = write.open_table(KEYS)?;
    for (key, value) in leaves {
        let hash = key_hash(key).0;
        values.insert(key.as_slice(), value.as_slice())?;
        history.insert(history_key(&hash, VERSION).as_slice(), value.as_slice())?;
        keys.insert(hash.as_slice(), key.as_slice())?;
    }
    let mut table = write.open_table(NODES)?;
    for (key, node) in nodes {
        table.insert(key.as_slice(), node.as_slice())?;
    }
    Ok(())
}

/// Moves the root to where the tree looks for it at `height`, unless it is there.
fn place_root(write: &WriteTransaction, height: Height) -> Result<(), redb::Error> {
    let mut nodes = write.open_table(NODES)?;
    let (from, to) = (borsh::to_vec(&root_key(VERSION))?, borsh::to_vec(&root_key(height.get()))?);
    let root = nodes.remove(from.as_slice())?.map(|root| root.value().to_vec());
    if root.is_none() && nodes.get(to.as_slice())?.is_some() {
        return Ok(());
    }
    // An empty state has the empty root.
    let root = root.map_or_else(|| borsh::to_vec(&Node::Null), Ok)?;
    nodes.insert(to.as_slice(), root.as_slice())?;
    Ok(())
}

fn root_key(version: Version) -> NodeKey {
    NodeKey::new(version, std::iter::empty().collect())
}

/// The tree as far as it has come. `jmt` looks for the root of the version before the one it writes; here there is only
/// one, whose nodes are overwritten in place (keys are only added, so every node that is replaced has a successor at the
/// same place).
struct Unfinished(TreeTables);

impl TreeReader for Unfinished {
    fn get_node_option(&self, key: &NodeKey) -> anyhow::Result<Option<Node>> {
        if *key != root_key(key.version()) {
            return self.0.get_node_option(key);
        }
        let root = self.0.get_node_option(&root_key(VERSION))?;
        Ok(Some(root.unwrap_or(Node::Null)))
    }

    fn get_value_option(&self, version: Version, key: KeyHash) -> anyhow::Result<Option<OwnedValue>> {
        self.0.get_value_option(version, key)
    }

    fn get_rightmost_leaf(&self) -> anyhow::Result<Option<(NodeKey, LeafNode)>> {
        self.0.get_rightmost_leaf()
    }
}
