//! How rows are divided among threads: contiguous ranges of about the same number of entries.
//!
//! The division depends on the input alone, never on the number of threads, and so do the results:
//! every sum over rows is one of integers, the same in any order.

use std::ops::Range;

use rayon::prelude::*;

/// Fewest entries worth handing to another thread: some 100 µs of work, waking a thread costs about 5.
const ENTRIES_PER_TASK: usize = 8_192;

/// Most ranges: one each for 8 threads. Sixteen cost 4 % at 4 096 neurons, for their columns of totals.
const MAX_TASKS: usize = 8;

/// Rows in ranges of about equal work.
pub(super) struct Tasks(Vec<Range<usize>>);

impl Tasks {
    /// Divides rows `0..n`, row `i` having `entries(i)`.
    ///
    /// A task keeps a column of totals, so there are so few that all totals together take no more
    /// than four bytes an entry.
    pub(super) fn new(n: usize, entries: impl Fn(usize) -> usize) -> Self {
        let all: usize = (0..n).map(&entries).sum();
        let least = ENTRIES_PER_TASK.max(n.saturating_mul(2));
        let tasks = all.checked_div(least).unwrap_or(1).clamp(1, MAX_TASKS);
        let share = all.checked_div(tasks).unwrap_or(all);
        let mut ranges = Vec::with_capacity(tasks);
        let (mut start, mut filled, mut full) = (0, 0usize, share);
        for i in 0..n {
            filled = filled.saturating_add(entries(i));
            if filled >= full && ranges.len().saturating_add(1) < tasks {
                ranges.push(start..i.saturating_add(1));
                (start, full) = (i.saturating_add(1), full.saturating_add(share));
            }
        }
        ranges.push(start..n);
        Self(ranges)
    }

    /// What `task` makes of each range, in order of the rows.
    pub(super) fn run<T: Send>(&self, task: impl Fn(Range<usize>) -> T + Send + Sync) -> Vec<T> {
        each(&self.0, |range| task(range.clone()))
    }
}

/// What `task` makes of each element, in order; a single one stays on this thread.
pub(super) fn each<P: Sync, T: Send>(parts: &[P], task: impl Fn(&P) -> T + Send + Sync) -> Vec<T> {
    match parts {
        [all] => vec![task(all)],
        parts => parts.par_iter().map(task).collect(),
    }
}

/// [`each`] for changes in place.
pub(super) fn each_mut<P: Send>(parts: &mut [P], task: impl Fn(&mut P) + Send + Sync) {
    match parts {
        [all] => task(all),
        parts => parts.par_iter_mut().for_each(task),
    }
}

#[cfg(test)]
mod tests;
