//! Properties that upstream's tests state in words.

use crate::tests_support::{network, rows};
use crate::{Neuron, Params, epoch};

pub(super) fn run(name: &str) {
    match name {
        "prop_01_commit_reveal_mask" => commit_reveal_mask(),
        "prop_02_deregistered_bonds" => deregistered_bonds(),
        _ => panic!("no property named {name:?}"),
    }
}

/// A weight committed before its target registered is worth nothing to the target.
fn commit_reveal_mask() {
    let mut input = network(&[100, 0, 0, 0], &[0]);
    input.weights = rows(4, &[(0, &[(1, 21_845), (2, 21_845), (3, 21_845)])]);
    input.neurons[0].commit_block = Some(5);
    for (uid, registered) in [(0, 1), (1, 5), (2, 6), (3, 7)] {
        input.neurons[uid].block_at_registration = registered;
    }
    let masked = epoch(&Params::default(), &input).unwrap();
    assert_eq!(masked.incentive, [0, 65_535, 0, 0]);

    let off = Params { commit_reveal: false, ..Params::default() };
    let open = epoch(&off, &input).unwrap();
    assert!(open.incentive[1..].iter().all(|&share| share > 0));
}

/// Bonds on a slot that changed hands since the last epoch are gone; the others grow.
fn deregistered_bonds() {
    let mut input = network(&[100, 100, 0, 0], &[0, 1]);
    let row: &[(u16, u16)] = &[(2, 65_535), (3, 65_535)];
    input.weights = rows(4, &[(0, row), (1, row)]);
    let params = Params::default();
    let before = epoch(&params, &input).unwrap();
    let bond = |out: &crate::EpochOutput, j: u16| out.bonds.row(0).find(|&(uid, _)| uid == j).unwrap().1;
    input.bonds = before.bonds.clone();
    input.neurons[3] = Neuron { block_at_registration: input.block, ..Neuron::default() };
    input.last_tempo = Some(input.block);
    input.block += 10;
    input.neurons[0].last_update = input.block;
    let after = epoch(&params, &input).unwrap();
    assert!(bond(&after, 2) >= bond(&before, 2));
    assert!(bond(&after, 3) <= bond(&before, 3));
}
