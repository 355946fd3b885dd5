//! Putting values in together gives the tree that putting them in one by one gives, node for node.

use std::collections::BTreeMap;

use proptest::collection::vec;
use proptest::prelude::*;

use super::*;

#[derive(Default)]
struct Nodes(BTreeMap<NodeKey, Node>);

impl TreeReader for Nodes {
    fn get_node_option(&self, key: &NodeKey) -> Result<Option<Node>, TreeFailure> {
        Ok(self.0.get(key).cloned())
    }

    fn get_value_option(&self, _: Version, _: KeyHash) -> Result<Option<OwnedValue>, TreeFailure> {
        Ok(None)
    }

    fn get_rightmost_leaf(&self) -> Result<Option<(NodeKey, LeafNode)>, TreeFailure> {
        Ok(None)
    }
}

fn one_by_one(nodes: &Nodes, changes: &Changes, version: Version) -> (Hash, TreeUpdateBatch) {
    let values = changes.iter().map(|(key, value)| (key_hash(key), value.clone()));
    let (root, batch) = JellyfishMerkleTree::<_, Hasher>::new(nodes).put_value_set(values, version).unwrap();
    (Hash(root.0), batch)
}

fn changes() -> impl Strategy<Value = Vec<Changes>> {
    // Few keys, so that blocks overwrite, delete and write again what others wrote; some blocks write nothing.
    let change = (0_u8..60, prop::option::weighted(0.97, any::<u8>()));
    let block = vec(change, 0..40).prop_map(|changes| {
        changes.into_iter().map(|(key, value)| (vec![key], value.map(|value| vec![value]))).collect()
    });
    vec(block, 1..12)
}

proptest! {
    #[test]
    fn together_is_one_by_one(blocks in changes()) {
        let mut nodes = Nodes::default();
        for (version, changes) in (0..).zip(&blocks) {
            let (root, batch) = put(&nodes, changes, version).unwrap();
            let (expected, other) = one_by_one(&nodes, changes, version);
            prop_assert_eq!(root, expected);
            prop_assert_eq!(batch.node_batch.nodes(), other.node_batch.nodes());
            prop_assert_eq!(&batch.stale_node_index_batch, &other.stale_node_index_batch);
            nodes.0.extend(batch.node_batch.nodes().clone());
        }
    }
}
