//! Integer draws from a stream of random words, the same on every machine and for every version of `rand`.

use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::RngCore;

/// A uniform number below `bound`, by rejection, so that no value is favoured. `bound` is at least 1.
pub(crate) fn below(rng: &mut ChaCha20Rng, bound: u32) -> u32 {
    let zone = u32::MAX - (u32::MAX % bound + 1) % bound;
    loop {
        let word = rng.next_u32();
        if word <= zone {
            return word % bound;
        }
    }
}

/// An index of `weights`, with probability proportional to its weight. The sum is at least 1 and fits in 32 bits.
pub(crate) fn weighted(rng: &mut ChaCha20Rng, weights: impl Iterator<Item = u32> + Clone) -> usize {
    let mut left = below(rng, weights.clone().sum());
    let mut last = 0;
    for (index, weight) in weights.enumerate() {
        last = index;
        if left < weight {
            break;
        }
        left -= weight;
    }
    last
}

/// `count` different items of `items`, in the order drawn (all of them if there are fewer).
pub(crate) fn distinct<T: Copy>(rng: &mut ChaCha20Rng, items: &[T], count: usize) -> Vec<T> {
    let mut pool = items.to_vec();
    let mut drawn = Vec::with_capacity(count);
    while drawn.len() < count && !pool.is_empty() {
        let size = u32::try_from(pool.len()).unwrap_or(u32::MAX);
        drawn.push(pool.swap_remove(below(rng, size) as usize));
    }
    drawn
}
