//! New bonds of the rows of one task, in CSR, with the sums that the task knows.
//!
//! A bond is above zero and at most one, 2^32 as a raw value, so one less fits 32 bits: six bytes an
//! entry with its uid, where the whole matrix has to be held until all column totals are known.

use std::ops::Range;

use crate::SparseRows;
use crate::share::Share;

/// Bonds of a range of rows.
pub(super) struct Part {
    first: usize,
    /// Where each finished row ends.
    ends: Vec<usize>,
    columns: Vec<u16>,
    /// Raw values minus one.
    less_one: Vec<u32>,
    /// Sum per uid over the rows of the part.
    totals: Vec<Share>,
    /// Validator trust per finished row.
    trust: Vec<Share>,
}

impl Part {
    /// For `rows` of a matrix of `n` uids, of at most `entries` in all.
    pub(super) fn new(rows: &Range<usize>, n: usize, entries: usize) -> Self {
        Self {
            first: rows.start,
            ends: Vec::with_capacity(rows.len()),
            columns: Vec::with_capacity(entries),
            less_one: Vec::with_capacity(entries),
            totals: vec![Share::ZERO; n],
            trust: Vec::with_capacity(rows.len()),
        }
    }

    /// Appends a bond of at most one to the current row; one of zero is none.
    pub(super) fn push(&mut self, column: u16, bond: Share) {
        if bond > Share::ZERO {
            self.columns.push(column);
            self.less_one.push(less_one(bond));
            if let Some(total) = self.totals.get_mut(usize::from(column)) {
                *total = total.plus(bond);
            }
        }
    }

    /// Ends the current row.
    pub(super) fn end_row(&mut self, trust: Share) {
        self.ends.push(self.columns.len());
        self.trust.push(trust);
    }

    /// Validator trust of the rows.
    pub(super) fn trust(&self) -> &[Share] {
        &self.trust
    }

    /// Rows with their uid.
    pub(super) fn rows(&self) -> impl Iterator<Item = (usize, Bonds<'_>)> {
        let starts = std::iter::once(0).chain(self.ends.iter().copied());
        let ranges = starts.zip(self.ends.iter().copied());
        let row = |(start, end): (usize, usize)| Bonds {
            columns: self.columns.get(start..end).unwrap_or_default(),
            less_one: self.less_one.get(start..end).unwrap_or_default(),
        };
        (self.first..).zip(ranges.map(row))
    }

    /// Replaces each bond by `f(column, bond)`, above zero and at most one.
    pub(super) fn update(&mut self, f: impl Fn(u16, Share) -> Share) {
        for (&j, bits) in self.columns.iter().zip(&mut self.less_one) {
            *bits = less_one(f(j, more_one(*bits)));
        }
    }
}

fn less_one(bond: Share) -> u32 {
    u32::try_from(bond.bits().saturating_sub(1)).unwrap_or(u32::MAX)
}

fn more_one(bits: u32) -> Share {
    Share::from_bits(u64::from(bits).saturating_add(1))
}

/// One row of a part.
#[derive(Clone, Copy)]
pub(super) struct Bonds<'a> {
    columns: &'a [u16],
    less_one: &'a [u32],
}

impl<'a> Bonds<'a> {
    pub(super) fn iter(self) -> impl Iterator<Item = (u16, Share)> + 'a {
        self.columns.iter().copied().zip(self.less_one.iter().map(|&bits| more_one(bits)))
    }
}

/// Sums per uid over all parts.
pub(super) fn totals(parts: &mut [Part], n: usize) -> Vec<Share> {
    let mut totals = vec![Share::ZERO; n];
    for part in parts {
        for (total, share) in totals.iter_mut().zip(std::mem::take(&mut part.totals)) {
            *total = total.plus(share);
        }
    }
    totals
}

/// Largest bond per uid over all parts.
pub(super) fn maxima(parts: &[Part], n: usize) -> Vec<Share> {
    let mut largest = vec![Share::ZERO; n];
    for (j, bond) in parts.iter().flat_map(Part::rows).flat_map(|(_, row)| row.iter()) {
        if let Some(cell) = largest.get_mut(usize::from(j)) {
            *cell = bond.max(*cell);
        }
    }
    largest
}

/// The bonds to store: only validators of the next epoch keep theirs.
pub(super) fn stored(parts: Vec<Part>, keep: &[bool]) -> SparseRows {
    let keeps = |i: usize| keep.get(i).copied().unwrap_or(false);
    let kept = parts.iter().flat_map(Part::rows).filter(|&(i, _)| keeps(i));
    let entries = kept.map(|(_, row)| row.columns.len()).sum();
    let mut built = SparseRows::with_capacity(keep.len(), entries);
    for part in parts {
        for (i, row) in part.rows() {
            let row = if keeps(i) { row } else { Bonds { columns: &[], less_one: &[] } };
            built.push_row(row.columns, row.less_one.iter().map(|&bits| more_one(bits).to_u16()));
        }
    }
    built
}
