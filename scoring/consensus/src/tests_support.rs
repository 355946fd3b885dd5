//! Small networks for the tests of this crate.

use crate::{EpochInput, Neuron, SparseRows};

/// One neuron per stake, registered at block 1, updated at block 10; it is block 11.
pub(crate) fn network(stakes: &[u64], permitted: &[usize]) -> EpochInput {
    let neuron = |(uid, &stake)| Neuron {
        stake,
        last_update: 10,
        block_at_registration: 1,
        permit: permitted.contains(&uid),
        ..Neuron::default()
    };
    EpochInput {
        block: 11,
        last_tempo: Some(10),
        tempo: 10,
        owner_uid: None,
        neurons: stakes.iter().enumerate().map(neuron).collect(),
        weights: rows(stakes.len(), &[]),
        bonds: rows(stakes.len(), &[]),
        emission: 1_000_000_000,
    }
}

/// `n` rows, those not named empty.
pub(crate) fn rows(n: usize, named: &[(usize, &[(u16, u16)])]) -> SparseRows {
    let mut all = vec![Vec::new(); n];
    for &(uid, row) in named {
        all[uid] = row.to_vec();
    }
    SparseRows::new(n, all).unwrap()
}
