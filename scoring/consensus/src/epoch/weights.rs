//! The masked, row-normalised weight matrix (step 5), as a view of the input: nothing is copied.
//!
//! An entry counts when its row has a permit, it is not on the diagonal (the owner's may be), and
//! its target was there when the weight was set (and, under commit-reveal, when it was committed).
//! All three conditions on a row come down to one bound on the target's registration block.

use std::ops::Range;

use super::tasks::Tasks;
use crate::share::{Divisor, Share};
use crate::{EpochInput, Neuron, Params, SparseRows};

/// Weights as the consensus sees them: row sums are at most one.
pub(super) struct Weights<'a> {
    rows: &'a SparseRows,
    /// Registration block per uid: packed, since entries of every pass look one up.
    registered: Vec<u64>,
    /// The last of them.
    youngest: u64,
    owner: Option<u16>,
    senders: Vec<Sender>,
}

/// What a row's entries are measured against.
#[derive(Clone, Copy, Default)]
struct Sender {
    /// Targets registered in this block or later are dropped; zero drops the row.
    horizon: u64,
    divisor: Divisor,
}

impl<'a> Weights<'a> {
    pub(super) fn new(params: &Params, input: &'a EpochInput, permits: &[bool], tasks: &Tasks) -> Self {
        let registered: Vec<u64> = input.neurons.iter().map(|neuron| neuron.block_at_registration).collect();
        let permitted = input.neurons.iter().zip(permits);
        let senders = permitted.map(|(neuron, &permit)| Sender {
            horizon: if permit { horizon(params, neuron) } else { 0 },
            divisor: Divisor::default(),
        });
        let mut view = Self {
            rows: &input.weights,
            youngest: registered.iter().copied().max().unwrap_or(0),
            registered,
            owner: input.owner_uid,
            senders: senders.collect(),
        };
        let divisors = tasks.run(|rows| rows.map(|i| view.row(i).divisor()).collect::<Vec<_>>());
        for (sender, divisor) in view.senders.iter_mut().zip(divisors.into_iter().flatten()) {
            sender.divisor = divisor;
        }
        view
    }

    /// Number of uids.
    pub(super) fn n(&self) -> usize {
        self.senders.len()
    }

    /// Row `i`.
    pub(super) fn row(&self, i: usize) -> Row<'_> {
        let Sender { horizon, divisor } = self.senders.get(i).copied().unwrap_or_default();
        let (columns, values) = if horizon > 0 { self.rows.slices(i) } else { (&[][..], &[][..]) };
        Row {
            columns,
            values,
            diagonal: u16::try_from(i).ok().filter(|&uid| self.owner != Some(uid)),
            registered: if horizon > self.youngest { None } else { Some(&self.registered) },
            horizon,
            divisor,
        }
    }
}

/// The entries of one row, or of a part of it.
#[derive(Clone, Copy)]
pub(super) struct Row<'a> {
    columns: &'a [u16],
    values: &'a [u16],
    /// Column to leave out.
    diagonal: Option<u16>,
    /// Blocks to look up; `None` where all targets are old enough, nearly always.
    registered: Option<&'a [u64]>,
    horizon: u64,
    divisor: Divisor,
}

impl<'a> Row<'a> {
    /// The entries whose uid lies in `columns`.
    pub(super) fn within(self, columns: &Range<usize>) -> Self {
        let first = self.columns.partition_point(|&j| usize::from(j) < columns.start);
        let rest = self.columns.get(first..).unwrap_or_default();
        // Each uid is named once: no more entries than columns.
        let near = rest.get(..columns.len()).unwrap_or(rest);
        let len = near.partition_point(|&j| usize::from(j) < columns.end);
        let range = first..first.saturating_add(len);
        Self {
            columns: self.columns.get(range.clone()).unwrap_or_default(),
            values: self.values.get(range).unwrap_or_default(),
            ..self
        }
    }

    /// Upper bound of the entries.
    pub(super) fn len(&self) -> usize {
        self.columns.len()
    }

    /// Entries that count, as set (explicit zeros included).
    pub(super) fn raw(self) -> impl Iterator<Item = (u16, u16)> + 'a {
        let entries = self.columns.iter().copied().zip(self.values.iter().copied());
        entries.filter(move |&(j, _)| {
            let old = self
                .registered
                .is_none_or(|blocks| blocks.get(usize::from(j)).is_some_and(|&block| block < self.horizon));
            Some(j) != self.diagonal && old
        })
    }

    /// Entries that count, divided by their sum.
    pub(super) fn normalized(self) -> impl Iterator<Item = (u16, Share)> + 'a {
        self.raw().map(move |(j, w)| (j, self.divisor.share(w)))
    }

    /// The share of an entry of the row.
    pub(super) fn share(&self, weight: u16) -> Share {
        self.divisor.share(weight)
    }

    /// By the sum of all entries: at most 65 535 of 16 bits each, so below 2^32.
    fn divisor(self) -> Divisor {
        let sum: u64 = self.raw().map(|(_, w)| u64::from(w)).sum();
        Divisor::new(u32::try_from(sum).unwrap_or(u32::MAX))
    }
}

/// A weight on a slot registered in the block of the update or later is outdated; under commit-reveal
/// so is one committed before the slot was registered.
fn horizon(params: &Params, neuron: &Neuron) -> u64 {
    let committed = neuron.commit_block.filter(|_| params.commit_reveal);
    committed.map_or(neuron.last_update, |block| neuron.last_update.min(block.saturating_add(1)))
}
