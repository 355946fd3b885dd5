//! Proofs that something stands in a list, against the root that [`crate::hash::merkle_root`] computes.
//!
//! A proof shows that the leaf is in the list; its place is what the prover says, because the root does not bind the
//! number of leaves. Where the place matters, take the whole list.

use parity_scale_codec::{Decode, Encode};

use crate::Hash;

/// Longest path: of a list with 2^32 leaves.
pub const MAX_PATH: usize = 32;

/// The path from a leaf to the root.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct MerkleProof {
    /// Place of the leaf, counted from 0.
    pub index: u32,
    /// Leaves of the list.
    pub count: u32,
    /// The neighbours on the way up, lowest first. Where a node has none, it is carried up and nothing stands here.
    pub path: Vec<Hash>,
}

/// Every level of the tree over `leaves`, the lowest first.
#[derive(Clone, Debug)]
pub struct MerkleTree(Vec<Vec<Hash>>);

fn leaf(bytes: &[u8]) -> Hash {
    Hash::of(&[&[0], bytes].concat())
}

fn inner(left: &Hash, right: &Hash) -> Hash {
    Hash::of(&[&[1], left.0.as_slice(), right.0.as_slice()].concat())
}

impl MerkleTree {
    /// Hashes all leaves and what is above them.
    pub fn new<'a>(leaves: impl IntoIterator<Item = &'a [u8]>) -> Self {
        let mut levels = vec![leaves.into_iter().map(leaf).collect::<Vec<_>>()];
        while let Some(level) = levels.last().filter(|level| level.len() > 1) {
            let above = level.chunks(2).map(|pair| match pair {
                [left, right] => inner(left, right),
                [odd] => *odd,
                _ => Hash::ZERO,
            });
            let above = above.collect();
            levels.push(above);
        }
        Self(levels)
    }

    /// The root.
    #[must_use]
    pub fn root(&self) -> Hash {
        self.0.last().and_then(|top| top.first()).copied().unwrap_or(Hash::ZERO)
    }

    /// The proof of the leaf at `index`, if there is one.
    #[must_use]
    pub fn prove(&self, index: u32) -> Option<MerkleProof> {
        let count = u32::try_from(self.0.first()?.len()).ok()?;
        let mut at = usize::try_from(index).ok().filter(|_| index < count)?;
        let mut path = Vec::new();
        for level in &self.0 {
            path.extend(level.get(at ^ 1));
            at = at.checked_div(2)?;
        }
        // The top has no neighbour: index 0 ^ 1 is beyond its one node.
        Some(MerkleProof { index, count, path })
    }
}

impl MerkleProof {
    /// True if the path leads from `bytes` to `root`.
    #[must_use]
    pub fn verify(&self, root: &Hash, bytes: &[u8]) -> bool {
        self.root_over(bytes).is_some_and(|found| found == *root)
    }

    fn root_over(&self, bytes: &[u8]) -> Option<Hash> {
        if self.index >= self.count || self.path.len() > MAX_PATH {
            return None;
        }
        let (mut at, mut count) = (self.index, self.count);
        let mut node = leaf(bytes);
        let mut path = self.path.iter();
        while count > 1 {
            let neighbour = at ^ 1;
            if neighbour < count {
                let other = path.next()?;
                node = if at & 1 == 0 { inner(&node, other) } else { inner(other, &node) };
            }
            at = at.checked_div(2)?;
            count = count.div_ceil(2);
        }
        path.next().is_none().then_some(node)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hash::merkle_root;

    fn leaves(count: u32) -> Vec<Vec<u8>> {
        (0..count).map(|index| index.to_le_bytes().to_vec()).collect()
    }

    #[test]
    fn every_leaf_of_every_list_is_proven_and_no_other() {
        for count in 0..40_u32 {
            let list = leaves(count);
            let tree = MerkleTree::new(list.iter().map(Vec::as_slice));
            let root = merkle_root(list.clone());
            assert_eq!(tree.root(), root);
            assert_eq!(tree.prove(count), None);
            for index in 0..count {
                let proof = tree.prove(index).unwrap();
                let place = usize::try_from(index).unwrap();
                assert!(proof.verify(&root, &list[place]), "{index} of {count}");
                assert!(!proof.verify(&root, b"other"));
                let neighbour = (place + 1) % list.len();
                assert!(count == 1 || !proof.verify(&root, &list[neighbour]));
                let mut longer = proof.clone();
                longer.path.push(Hash::ZERO);
                assert!(!longer.verify(&root, &list[place]));
                let mut shorter = proof.clone();
                assert!(shorter.path.pop().is_none() || !shorter.verify(&root, &list[place]));
            }
        }
    }

    #[test]
    fn an_inner_node_is_no_leaf() {
        let list = leaves(4);
        let tree = MerkleTree::new(list.iter().map(Vec::as_slice));
        let (left, right) = (leaf(&list[0]), leaf(&list[1]));
        let forged = [left.0, right.0].concat();
        let upper = tree.prove(0).unwrap().path[1];
        let proof = MerkleProof { index: 0, count: 2, path: vec![upper] };
        assert!(!proof.verify(&tree.root(), &forged));
    }
}
