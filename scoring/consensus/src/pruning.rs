//! Who loses its slot when a track is full.
//!
//! Order: least emission, then oldest registration, then lowest uid. Immune slots come after all
//! others, and others are spared too while no more than a minimum of them is left. Source:
//! `get_neuron_to_prune` in `opentensor/subtensor@14bc6f9f` (`subnets/registration.rs`).

/// What decides about one slot.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Candidate {
    /// The slot.
    pub uid: u16,
    /// Emission of the last epoch, base units.
    pub emission: u64,
    /// Block in which its holder registered.
    pub block_at_registration: u64,
    /// The track owner's: never pruned.
    pub protected: bool,
}

/// Younger than the immunity period?
#[must_use]
pub fn is_immune(block: u64, block_at_registration: u64, immunity_period: u64) -> bool {
    block.saturating_sub(block_at_registration) < immunity_period
}

/// The slot to take, or `None` where every slot is protected (or, with too few non-immune slots,
/// where none is immune).
///
/// `min_non_immune` non-immune slots are left alone: with no more than that many, an immune slot
/// goes instead.
#[must_use]
pub fn select(
    candidates: &[Candidate],
    block: u64,
    immunity_period: u64,
    min_non_immune: u16,
) -> Option<u16> {
    let open = || candidates.iter().filter(|candidate| !candidate.protected);
    let immune = |c: &Candidate| is_immune(block, c.block_at_registration, immunity_period);
    let free = open().filter(|c| !immune(c)).count();
    let take_free = free > usize::from(min_non_immune);
    open().filter(|c| immune(c) != take_free).min_by_key(|c| rank(c)).map(|c| c.uid)
}

/// All unprotected slots, the first to lose its place first, immunity aside.
#[must_use]
pub fn order(candidates: &[Candidate]) -> Vec<u16> {
    let mut open: Vec<&Candidate> = candidates.iter().filter(|c| !c.protected).collect();
    open.sort_unstable_by_key(|c| rank(c));
    open.iter().map(|c| c.uid).collect()
}

fn rank(candidate: &Candidate) -> (u64, u64, u16) {
    (candidate.emission, candidate.block_at_registration, candidate.uid)
}

#[cfg(test)]
mod tests;
