//! The rules of the authenticated state: a Jellyfish Merkle tree (`jmt`) with blake2b-256, over the hashes of the keys'
//! bytes. Nodes build it (`chain/store`), readers check proofs against it; both use this module.

use acumen_protocol::Hash;
use blake2::digest::consts::U32;
use jmt::proof::SparseMerkleProof;
use jmt::storage::{LeafNode, Node, NodeKey, TreeReader, TreeUpdateBatch};
use jmt::{JellyfishMerkleTree, KeyHash, OwnedValue, RootHash, Version};

use crate::state::{Changes, StateError};

/// The tree's hash function.
pub type Hasher = blake2::Blake2b<U32>;

/// A proof that a key has a value, or none.
pub type Proof = SparseMerkleProof<Hasher>;

/// Longest encoded proof: 256 siblings of an inner node's two hashes, and the leaf.
pub const MAX_PROOF_BYTES: usize = 32 * 1024;

/// Where a key stands in the tree.
#[must_use]
pub fn key_hash(key: &[u8]) -> KeyHash {
    KeyHash(Hash::of(key).0)
}

/// Why a proof proves nothing.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the proof of state key 0x{key} does not lead to state root {root}: {reason}")]
pub struct ProofError {
    /// The key, in hex.
    pub key: String,
    /// The root.
    pub root: Hash,
    /// What is wrong.
    pub reason: String,
}

/// A proof's bytes.
pub fn encode_proof(proof: &Proof) -> Result<Vec<u8>, StateError> {
    borsh::to_vec(proof).map_err(|error| StateError { reason: error.to_string() })
}

/// Checks that in the state with `root`, `key` has exactly `value` (`None`: has no value).
pub fn verify(root: &Hash, key: &[u8], value: Option<&[u8]>, proof: &[u8]) -> Result<(), ProofError> {
    let refuse = |reason: String| ProofError { key: to_hex(key), root: *root, reason };
    if proof.len() > MAX_PROOF_BYTES {
        return Err(refuse(format!("it has {} bytes, at most {MAX_PROOF_BYTES} are possible", proof.len())));
    }
    let proof: Proof = borsh::from_slice(proof).map_err(|error| refuse(error.to_string()))?;
    proof.verify(RootHash(root.0), key_hash(key), value).map_err(|error| refuse(error.to_string()))
}

/// The root of a state that consists of `changes` alone: how a reader computes the state root of genesis by itself.
pub fn root_of(changes: &Changes) -> Result<Hash, StateError> {
    first_nodes(changes).map(|(root, _)| root)
}

/// Root and nodes of a tree that consists of `changes` alone, at version 0.
pub fn first_nodes(changes: &Changes) -> Result<(Hash, TreeUpdateBatch), StateError> {
    put(&EmptyTree, changes, 0).map_err(|error| StateError { reason: error.to_string() })
}

/// Root and nodes after `changes`, as `version` of the tree that `reader` holds up to the version before.
pub fn put<R: TreeReader>(
    reader: &R,
    changes: &Changes,
    version: Version,
) -> Result<(Hash, TreeUpdateBatch), TreeFailure> {
    let tree = JellyfishMerkleTree::<_, Hasher>::new(reader);
    let written = |(key, value): (&Vec<u8>, &Option<Vec<u8>>)| Some((key_hash(key), value.clone()?));
    let written: Option<Vec<_>> = changes.iter().map(written).collect();
    // Put in together, each inner node is hashed once, and not once for every value below it. This way of `jmt` knows no
    // deletions, and no change at all; the tree and its nodes are the same.
    if let Some(written) = written.filter(|written| !written.is_empty()) {
        let (roots, nodes) = tree.batch_put_value_sets(vec![written], None, version)?;
        let root = roots.first().ok_or_else(|| TreeFailure::msg("the tree has no root"))?;
        return Ok((Hash(root.0), nodes));
    }
    let values = changes.iter().map(|(key, value)| (key_hash(key), value.clone()));
    let (root, nodes) = tree.put_value_set(values, version)?;
    Ok((Hash(root.0), nodes))
}

/// The tree before genesis.
struct EmptyTree;

impl TreeReader for EmptyTree {
    fn get_node_option(&self, _: &NodeKey) -> Result<Option<Node>, TreeFailure> {
        Ok(None)
    }

    fn get_value_option(&self, _: Version, _: KeyHash) -> Result<Option<OwnedValue>, TreeFailure> {
        Ok(None)
    }

    fn get_rightmost_leaf(&self) -> Result<Option<(NodeKey, LeafNode)>, TreeFailure> {
        Ok(None)
    }
}

/// The error type that `jmt` asks its readers for.
pub type TreeFailure = anyhow::Error;

fn to_hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests;
