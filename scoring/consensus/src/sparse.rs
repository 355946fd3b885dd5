//! Sparse rows of `u16` values in CSR: the one matrix form of weights and bonds.
//!
//! Invariant (kept by every constructor): one row per uid, columns inside a row strictly increasing
//! and below the number of rows. Four bytes an entry; explicit zeros are entries.

use crate::Error;

/// The most neurons: uids are `u16`, and the count itself must be one too, as upstream.
pub const MAX_NEURONS: usize = 65_535;

/// A square sparse matrix, row `i` belonging to uid `i`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SparseRows {
    offsets: Vec<usize>,
    columns: Vec<u16>,
    values: Vec<u16>,
}

impl Default for SparseRows {
    fn default() -> Self {
        Self { offsets: vec![0], columns: Vec::new(), values: Vec::new() }
    }
}

impl SparseRows {
    /// `n` rows of `(uid, value)`, checked.
    ///
    /// # Errors
    /// More than [`MAX_NEURONS`] rows, another number of rows than `n`, a column that is no uid, or
    /// columns that do not strictly increase.
    pub fn new(n: usize, rows: Vec<Vec<(u16, u16)>>) -> Result<Self, Error> {
        if n > MAX_NEURONS {
            return Err(Error::TooManyNeurons { n, max: MAX_NEURONS });
        }
        if rows.len() != n {
            return Err(Error::RowCount { n, rows: rows.len() });
        }
        let entries = rows.iter().map(Vec::len).sum();
        let mut built = Self::with_capacity(n, entries);
        for (i, row) in rows.into_iter().enumerate() {
            check_row(i, &row, n)?;
            built.columns.extend(row.iter().map(|&(column, _)| column));
            built.values.extend(row.iter().map(|&(_, value)| value));
            built.offsets.push(built.columns.len());
        }
        Ok(built)
    }

    /// [`SparseRows::new`] for rows in any order; naming a uid twice is still an error.
    ///
    /// # Errors
    /// As [`SparseRows::new`].
    pub fn from_unsorted(n: usize, mut rows: Vec<Vec<(u16, u16)>>) -> Result<Self, Error> {
        for row in &mut rows {
            row.sort_unstable_by_key(|&(column, _)| column);
        }
        Self::new(n, rows)
    }

    /// `n` empty rows.
    ///
    /// # Errors
    /// More than [`MAX_NEURONS`] rows.
    pub fn empty(n: usize) -> Result<Self, Error> {
        Self::new(n, vec![Vec::new(); n])
    }

    pub(crate) fn with_capacity(n: usize, entries: usize) -> Self {
        let mut offsets = Vec::with_capacity(n.saturating_add(1));
        offsets.push(0);
        Self { offsets, columns: Vec::with_capacity(entries), values: Vec::with_capacity(entries) }
    }

    /// Appends a row that the caller knows to hold the invariant.
    pub(crate) fn push_row(&mut self, columns: &[u16], values: impl Iterator<Item = u16>) {
        self.columns.extend_from_slice(columns);
        self.values.extend(values);
        self.offsets.push(self.columns.len());
    }

    /// Number of rows, which is the number of uids.
    #[must_use]
    pub fn n(&self) -> usize {
        self.offsets.len().saturating_sub(1)
    }

    /// Number of stored entries, explicit zeros included.
    #[must_use]
    pub fn entries(&self) -> usize {
        self.columns.len()
    }

    /// Row `i` as `(uid, value)`, uids increasing; empty beyond the last row.
    pub fn row(&self, i: usize) -> impl Iterator<Item = (u16, u16)> + '_ {
        let (columns, values) = self.slices(i);
        columns.iter().copied().zip(values.iter().copied())
    }

    /// Uids and values of row `i`, of the same length.
    pub(crate) fn slices(&self, i: usize) -> (&[u16], &[u16]) {
        let range = self.range(i);
        let columns = self.columns.get(range.clone()).unwrap_or_default();
        (columns, self.values.get(range).unwrap_or_default())
    }

    /// Number of entries of row `i`.
    #[must_use]
    pub fn row_len(&self, i: usize) -> usize {
        self.range(i).len()
    }

    /// All rows as nested vectors.
    #[must_use]
    pub fn to_rows(&self) -> Vec<Vec<(u16, u16)>> {
        (0..self.n()).map(|i| self.row(i).collect()).collect()
    }

    fn range(&self, i: usize) -> std::ops::Range<usize> {
        let end = self.columns.len();
        let at = |k: usize| self.offsets.get(k).copied().unwrap_or(end);
        at(i)..at(i.saturating_add(1))
    }
}

fn check_row(i: usize, row: &[(u16, u16)], n: usize) -> Result<(), Error> {
    let mut previous: Option<u16> = None;
    for &(column, _) in row {
        if usize::from(column) >= n {
            return Err(Error::ColumnOutOfRange { row: i, column, n });
        }
        if let Some(previous) = previous.filter(|&p| p >= column) {
            return Err(Error::ColumnsNotIncreasing { row: i, previous, column });
        }
        previous = Some(column);
    }
    Ok(())
}

#[cfg(test)]
mod tests;
