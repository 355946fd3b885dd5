//! The masked, row-normalised weight matrix (step 5), as a view of the input: nothing is copied.
//!
//! An entry counts when its row has a permit, it is not on the diagonal (the owner's may be), and
//! its target was there when the weight was set (and, under commit-reveal, when it was committed).
//! All three conditions on a row come down to one bound on the target's registration block.

use rayon::prelude::*;

use crate::fixed::{Fix, ZERO, at, ratio};
use crate::{EpochInput, Neuron, Params, SparseRows};

/// Weights as the consensus sees them: row sums are at most one.
pub(super) struct Weights<'a> {
    rows: &'a SparseRows,
    /// Registration block per uid: packed, since every entry of every pass looks one up.
    registered: Vec<u64>,
    owner: Option<u16>,
    senders: Vec<Sender>,
}

/// What a row's entries are measured against.
#[derive(Clone, Copy, Default)]
struct Sender {
    /// Targets registered in this block or later are dropped; zero drops the row.
    horizon: u64,
    /// Sum of the entries that count: below 2^32, so exact.
    sum: u64,
}

impl<'a> Weights<'a> {
    pub(super) fn new(params: &Params, input: &'a EpochInput, permits: &[bool]) -> Self {
        let mut view = Self {
            rows: &input.weights,
            registered: input.neurons.iter().map(|neuron| neuron.block_at_registration).collect(),
            owner: input.owner_uid,
            senders: Vec::new(),
        };
        let permitted = input.neurons.par_iter().zip(permits).enumerate();
        view.senders = permitted
            .map(|(i, (neuron, &permit))| {
                let horizon = if permit { horizon(params, neuron) } else { 0 };
                let sum = view.kept(i, horizon).map(|(_, w)| u64::from(w)).sum();
                Sender { horizon, sum }
            })
            .collect();
        view
    }

    /// Number of uids.
    pub(super) fn n(&self) -> usize {
        self.senders.len()
    }

    /// Entries of row `i` that count, as set (explicit zeros included).
    pub(super) fn raw_row(&self, i: usize) -> impl Iterator<Item = (u16, u16)> + '_ {
        self.kept(i, self.sender(i).horizon)
    }

    /// Entries of row `i` that count, divided by their sum.
    pub(super) fn row(&self, i: usize) -> impl Iterator<Item = (u16, Fix)> + '_ {
        let sum = self.sender(i).sum;
        self.raw_row(i).map(move |(j, w)| (j, ratio(u64::from(w), sum)))
    }

    /// Row `i`'s share for an entry `w` of it.
    pub(super) fn normalized(&self, i: usize, w: u16) -> Fix {
        ratio(u64::from(w), self.sender(i).sum)
    }

    /// Upper bound of the entries of row `i`.
    pub(super) fn row_capacity(&self, i: usize) -> usize {
        if self.sender(i).horizon == 0 { 0 } else { self.rows.row_len(i) }
    }

    /// Validator trust: the part of each row within consensus (step 8).
    pub(super) fn trust(&self, consensus: &[Fix]) -> Vec<Fix> {
        (0..self.n())
            .into_par_iter()
            .map(|i| self.row(i).fold(ZERO, |sum, (j, w)| sum.saturating_add(w.min(at(consensus, j)))))
            .collect()
    }

    fn sender(&self, i: usize) -> Sender {
        self.senders.get(i).copied().unwrap_or_default()
    }

    fn kept(&self, i: usize, horizon: u64) -> impl Iterator<Item = (u16, u16)> + '_ {
        let diagonal = u16::try_from(i).ok().filter(|&uid| self.owner != Some(uid));
        let rows = (horizon > 0).then(|| self.rows.row(i));
        rows.into_iter().flatten().filter(move |&(j, _)| {
            let registered = self.registered.get(usize::from(j));
            Some(j) != diagonal && registered.is_some_and(|&block| block < horizon)
        })
    }
}

/// A weight on a slot registered in the block of the update or later is outdated; under commit-reveal
/// so is one committed before the slot was registered.
fn horizon(params: &Params, neuron: &Neuron) -> u64 {
    let committed = neuron.commit_block.filter(|_| params.commit_reveal);
    committed.map_or(neuron.last_update, |block| neuron.last_update.min(block.saturating_add(1)))
}
