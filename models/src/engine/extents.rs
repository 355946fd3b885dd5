//! Which stretches of the arena are free: a buddy allocator over tokens.
//!
//! Stretches are powers of two long and aligned to their length, so that those of one length lie at equal distances and
//! one attention call can walk over many. The lowest free address is taken first: texts opened together lie together.
//! Invariant: free stretches do not overlap, and no two of them could be merged.

use std::collections::BTreeSet;

/// Shortest stretch, in tokens.
pub(crate) const SHORTEST: usize = 64;

/// A stretch of the arena.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Extent {
    /// First token.
    pub(crate) start: usize,
    /// Tokens: a power of two.
    pub(crate) length: usize,
}

/// See the module.
#[derive(Debug)]
pub(crate) struct Extents {
    /// Free starts by order: order k is `SHORTEST << k` tokens long.
    free: Vec<BTreeSet<usize>>,
    capacity: usize,
    used: usize,
}

impl Extents {
    /// An arena of `capacity` tokens, a multiple of [`SHORTEST`].
    pub(crate) fn new(capacity: usize) -> Self {
        let units = capacity / SHORTEST;
        let orders = usize::BITS as usize - units.leading_zeros() as usize;
        let mut free = vec![BTreeSet::new(); orders.max(1)];
        let mut start = 0;
        for order in (0..orders).rev().filter(|order| units >> order & 1 == 1) {
            free[order].insert(start);
            start += SHORTEST << order;
        }
        Self { free, capacity: units * SHORTEST, used: 0 }
    }

    /// Tokens in the arena.
    pub(crate) fn capacity(&self) -> usize {
        self.capacity
    }

    /// Tokens that are taken.
    pub(crate) fn used(&self) -> usize {
        self.used
    }

    /// Longest stretch that an empty arena can give.
    pub(crate) fn longest(capacity: usize) -> usize {
        let units = capacity / SHORTEST;
        if units == 0 { 0 } else { SHORTEST << units.ilog2() }
    }

    /// A stretch of at least `tokens`, the lowest that is free.
    pub(crate) fn take(&mut self, tokens: usize) -> Option<Extent> {
        let wanted = order(tokens);
        let (start, mut found) =
            (wanted..self.free.len()).filter_map(|order| Some((*self.free[order].first()?, order))).min()?;
        self.free[found].remove(&start);
        while found > wanted {
            found -= 1;
            self.free[found].insert(start + (SHORTEST << found));
        }
        let length = SHORTEST << wanted;
        self.used += length;
        Some(Extent { start, length })
    }

    /// Gives a stretch back.
    pub(crate) fn give(&mut self, extent: Extent) {
        self.used -= extent.length;
        let (mut start, mut at) = (extent.start, order(extent.length));
        while at + 1 < self.free.len() {
            let buddy = start ^ (SHORTEST << at);
            if !self.free[at].remove(&buddy) {
                break;
            }
            start = start.min(buddy);
            at += 1;
        }
        self.free[at].insert(start);
    }
}

/// The order of the shortest stretch of at least `tokens`.
fn order(tokens: usize) -> usize {
    tokens.div_ceil(SHORTEST).max(1).next_power_of_two().ilog2() as usize
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn neighbours_lie_together_and_everything_comes_back() {
        let mut extents = Extents::new(1024 + 64);
        let taken: Vec<Extent> = (0..4).map(|_| extents.take(65).unwrap()).collect();
        assert_eq!(taken.iter().map(|extent| extent.start).collect::<Vec<_>>(), [0, 128, 256, 384]);
        assert_eq!(extents.used(), 512);
        assert_eq!(extents.take(1025), None);
        taken.into_iter().for_each(|extent| extents.give(extent));
        assert_eq!(extents.take(1024), Some(Extent { start: 0, length: 1024 }));
        assert_eq!(extents.take(64), Some(Extent { start: 1024, length: 64 }));
        assert_eq!(extents.take(1), None);
    }

    proptest! {
        #[test]
        fn stretches_never_overlap(units in 1usize..70, wishes in prop::collection::vec((1usize..600, any::<bool>()), 1..80)) {
            let mut extents = Extents::new(units * SHORTEST);
            let mut held: Vec<Extent> = Vec::new();
            for (tokens, give) in wishes {
                if give && !held.is_empty() {
                    extents.give(held.swap_remove(tokens % held.len()));
                } else if let Some(extent) = extents.take(tokens) {
                    prop_assert!(extent.length >= tokens && extent.start % extent.length == 0);
                    prop_assert!(extent.start + extent.length <= extents.capacity());
                    let apart = |other: &Extent| {
                        other.start + other.length <= extent.start || extent.start + extent.length <= other.start
                    };
                    prop_assert!(held.iter().all(apart));
                    held.push(extent);
                }
                prop_assert_eq!(extents.used(), held.iter().map(|extent| extent.length).sum::<usize>());
            }
            held.into_iter().for_each(|extent| extents.give(extent));
            prop_assert!(extents.take(Extents::longest(units * SHORTEST)).is_some());
        }
    }
}
