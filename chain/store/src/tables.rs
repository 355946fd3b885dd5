//! The tables of the database and the layout of their keys.

use redb::TableDefinition;

/// Bytes to bytes.
pub(crate) type Bytes = TableDefinition<'static, &'static [u8], &'static [u8]>;

/// A row of such a table.
pub(crate) type Row<'a> = (redb::AccessGuard<'a, &'static [u8]>, redb::AccessGuard<'a, &'static [u8]>);

/// Height → SCALE of [`acumen_protocol::finality::SignedHeader`]: of every block that is here and, below a restored state, of
/// the last one of each epoch.
pub(crate) const HEADERS: TableDefinition<'static, u64, &'static [u8]> = TableDefinition::new("headers");

/// Height → SCALE of what a block has besides its signed header: transactions, events, audit.
pub(crate) const BLOCKS: TableDefinition<'static, u64, &'static [u8]> = TableDefinition::new("blocks");

/// Transaction id → height.
pub(crate) const TRANSACTIONS: TableDefinition<'static, &'static [u8], u64> =
    TableDefinition::new("transactions");

/// State key → value, at the tip.
pub(crate) const VALUES: Bytes = TableDefinition::new("values");

/// Hash of a state key, height (big-endian) → the value written there.
pub(crate) const HISTORY: Bytes = TableDefinition::new("history");

/// Hash of a state key → the key, for every key that ever had a value: the tree knows hashes only, and who receives a
/// state needs the keys.
pub(crate) const KEYS: Bytes = TableDefinition::new("keys");

/// Tree node key → tree node, both as borsh.
pub(crate) const NODES: Bytes = TableDefinition::new("nodes");

/// Height (big-endian), kind, key → nothing: an entry of [`NODES`] or [`HISTORY`] that no height from this one on needs.
pub(crate) const STALE: Bytes = TableDefinition::new("stale");

/// Height, round (both big-endian), block id → SCALE of [`crate::Undecided`], until the height is decided.
pub(crate) const PROPOSALS: Bytes = TableDefinition::new("proposals");

/// Name → SCALE of a fact about the store.
pub(crate) const META: TableDefinition<'static, &'static str, &'static [u8]> = TableDefinition::new("meta");

/// In [`META`]: first height whose state is kept, `u64`.
pub(crate) const FIRST_KEPT: &str = "first-kept";

/// In [`META`]: version of this layout, `u32`.
pub(crate) const LAYOUT: &str = "layout";

/// The present layout.
pub(crate) const LAYOUT_VERSION: u32 = 5;

/// In [`META`]: the sum of everything that anybody owns at the tip, [`acumen_protocol::Nacu`].
pub(crate) const OWNED: &str = "owned";

/// In [`META`]: hash of the SCALE form of the genesis document that this chain was made from. Who opens it with the same
/// document need not compute the genesis state again.
pub(crate) const DOCUMENT: &str = "genesis-document";

/// Kinds of entries in [`STALE`].
pub(crate) const STALE_NODE: u8 = 0;
pub(crate) const STALE_VALUE: u8 = 1;

/// Key in [`PROPOSALS`].
pub(crate) fn proposal_key(height: u64, round: u32, id: &[u8; 32]) -> Vec<u8> {
    [height.to_be_bytes().as_slice(), &round.to_be_bytes(), id].concat()
}

/// Key in [`HISTORY`].
pub(crate) fn history_key(key_hash: &[u8; 32], height: u64) -> Vec<u8> {
    [key_hash.as_slice(), &height.to_be_bytes()].concat()
}

/// Key in [`STALE`].
pub(crate) fn stale_key(since: u64, kind: u8, key: &[u8]) -> Vec<u8> {
    [since.to_be_bytes().as_slice(), &[kind], key].concat()
}
