//! Pieces of a state: how a new node receives one from strangers, each piece verified alone.
//!
//! The tree's root is certified. Whoever knows a node's hash can ask for its *piece*: either all keys and values below it,
//! or the hashes of its sixteen children. Both can be checked against the hash, so a wrong piece names the one who sent
//! it, pieces may come from different peers, and nothing unverified is ever kept. Pure.

use acumen_chain_ledger::tree::{Hasher, key_hash};
use acumen_protocol::Hash;
use acumen_protocol::codec::{Decode, Encode};
use blake2::Digest as _;
use jmt::storage::LeafNode;
use jmt::{KeyHash, ValueHash};

/// Nibbles of a whole path: two for each byte of a hash.
pub(crate) const MAX_PREFIX: usize = 64;

/// Keys of a piece at most; a node with more below it answers with its children.
pub(crate) const MAX_LEAVES: usize = 4_096;

/// Bytes of keys and values of a piece at most, unless it is a single value.
pub(crate) const MAX_PIECE_BYTES: usize = 512 << 10;

/// The hash of a subtree without keys (`SPARSE_MERKLE_PLACEHOLDER_HASH__` in jmt).
const EMPTY: [u8; 32] = *b"SPARSE_MERKLE_PLACEHOLDER_HASH__";

/// A place in the tree: the first nibbles of the hashes of the keys below it, each in a byte of its own.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Encode, Decode)]
pub struct Prefix(Vec<u8>);

/// Not a place in the tree.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no place in the tree: at most {MAX_PREFIX} nibbles, each below 16")]
pub struct PrefixError;

impl Prefix {
    /// The root's.
    #[must_use]
    pub const fn root() -> Self {
        Self(Vec::new())
    }

    /// From nibbles, one in a byte.
    pub fn new(nibbles: Vec<u8>) -> Result<Self, PrefixError> {
        if nibbles.len() > MAX_PREFIX || nibbles.iter().any(|nibble| *nibble > 15) {
            return Err(PrefixError);
        }
        Ok(Self(nibbles))
    }

    /// The nibbles, one in a byte.
    #[must_use]
    pub fn nibbles(&self) -> &[u8] {
        &self.0
    }

    /// The place of a child; `None` below the last level.
    #[must_use]
    pub fn child(&self, nibble: u8) -> Option<Self> {
        Self::new([self.0.as_slice(), &[nibble]].concat()).ok()
    }

    fn holds(&self, key: &KeyHash) -> bool {
        self.0.iter().enumerate().all(|(index, nibble)| nibble_at(key, index) == Some(*nibble))
    }
}

fn nibble_at(key: &KeyHash, index: usize) -> Option<u8> {
    let byte = key.0.get(index / 2)?;
    Some(if index.is_multiple_of(2) { byte >> 4 } else { byte & 15 })
}

/// A child of an inner node.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Branch {
    /// Its hash.
    pub hash: Hash,
    /// True if there is exactly one key below it.
    pub leaf: bool,
}

/// What lies below a node of the tree.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub enum Piece {
    /// Every key and value, in order of the keys' hashes.
    Leaves(Vec<(Vec<u8>, Vec<u8>)>),
    /// Too much for one piece: the children, by nibble.
    Branches(Vec<Option<Branch>>),
}

/// Why a piece is not what was asked for.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PieceError {
    /// Keys out of order, twice, or from elsewhere in the tree.
    #[error("key {index} of the piece is out of place")]
    OutOfPlace {
        /// Which one.
        index: usize,
    },
    /// Not sixteen children.
    #[error("an inner node has 16 places for children, this one has {count}")]
    Children {
        /// How many.
        count: usize,
    },
    /// The content is not what the tree commits to.
    #[error("the piece hashes to {found}, the certified state has {expected} there")]
    Hash {
        /// Its hash.
        found: Hash,
        /// The tree's.
        expected: Hash,
    },
}

impl Piece {
    /// Checks that this is what lies below the node at `prefix` that has hash `expected`.
    pub fn verify(&self, prefix: &Prefix, expected: &Hash) -> Result<(), PieceError> {
        let found = match self {
            Self::Leaves(leaves) => hash_of_leaves(prefix, leaves)?,
            Self::Branches(branches) if branches.len() == 16 => combine(branches).0,
            Self::Branches(branches) => return Err(PieceError::Children { count: branches.len() }),
        };
        let found = Hash(found);
        if found == *expected { Ok(()) } else { Err(PieceError::Hash { found, expected: *expected }) }
    }
}

fn hash_of_leaves(prefix: &Prefix, leaves: &[(Vec<u8>, Vec<u8>)]) -> Result<[u8; 32], PieceError> {
    let mut hashed: Vec<(KeyHash, [u8; 32])> = Vec::with_capacity(leaves.len());
    for (index, (key, value)) in leaves.iter().enumerate() {
        let key = key_hash(key);
        let rising = hashed.last().is_none_or(|(before, _)| before.0 < key.0);
        if !rising || !prefix.holds(&key) {
            return Err(PieceError::OutOfPlace { index });
        }
        hashed.push((key, LeafNode::new(key, ValueHash::with::<Hasher>(value)).hash::<Hasher>()));
    }
    Ok(subtree(&hashed, prefix.0.len() * 4))
}

/// The hash of the subtree that `leaves`, in order and without repetition, form from bit `bit` of their keys on. A single
/// leaf stands for its whole subtree, so the recursion ends where two keys part: at bit 255 at the latest.
fn subtree(leaves: &[(KeyHash, [u8; 32])], bit: usize) -> [u8; 32] {
    match leaves {
        [] => EMPTY,
        [(_, hash)] => *hash,
        several => {
            let (left, right) = several.split_at(several.partition_point(|(key, _)| !bit_at(key, bit)));
            inner(&subtree(left, bit + 1), &subtree(right, bit + 1))
        }
    }
}

fn bit_at(key: &KeyHash, bit: usize) -> bool {
    key.0.get(bit / 8).is_some_and(|byte| byte >> (7 - bit % 8) & 1 == 1)
}

/// The hash over some children, and whether it is that of a single leaf, which stands for the whole subtree.
fn combine(children: &[Option<Branch>]) -> ([u8; 32], bool) {
    match children {
        [] | [None] => (EMPTY, true),
        [Some(child)] => (child.hash.0, child.leaf),
        several => {
            let (left, right) = several.split_at(several.len() / 2);
            match (combine(left), combine(right)) {
                ((EMPTY, _), (right, true)) => (right, true),
                ((left, true), (EMPTY, _)) => (left, true),
                ((left, _), (right, _)) => (inner(&left, &right), false),
            }
        }
    }
}

fn inner(left: &[u8; 32], right: &[u8; 32]) -> [u8; 32] {
    let mut hasher = Hasher::new();
    hasher.update(jmt::proof::INTERNAL_DOMAIN_SEPARATOR);
    hasher.update(left);
    hasher.update(right);
    hasher.finalize().into()
}
