//! Counter-based randomness: the draw of one choice at one step depends on nothing else.
//!
//! Invariant: (seed, choice, step) determines the draw, so that a seed reproduces an answer whatever else the gateway
//! serves and however many choices one request has. ChaCha12 is portable: the same everywhere.

use rand::{RngCore as _, SeedableRng as _};
use rand_chacha::ChaCha12Rng;

/// 32-bit words that one draw takes from the key stream.
const WORDS_PER_DRAW: u128 = 2;

/// Bits of a draw: as many as an f64 holds exactly below 1.
const DRAW_BITS: u32 = 53;

/// A number in [0, 1).
#[must_use]
pub fn uniform(seed: u64, choice: usize, step: u64) -> f64 {
    let mut generator = ChaCha12Rng::seed_from_u64(seed);
    generator.set_stream(choice as u64);
    generator.set_word_pos(u128::from(step) * WORDS_PER_DRAW);
    let bits = generator.next_u64() >> (u64::BITS - DRAW_BITS);
    bits as f64 / (1_u64 << DRAW_BITS) as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn draws_depend_on_all_three_and_are_even() {
        assert_eq!(uniform(7, 1, 2), uniform(7, 1, 2));
        let base = uniform(7, 1, 2);
        assert!([uniform(8, 1, 2), uniform(7, 2, 2), uniform(7, 1, 3)].iter().all(|&other| other != base));
        let draws: Vec<f64> = (0..4_000).map(|step| uniform(1, 0, step)).collect();
        assert!(draws.iter().all(|draw| (0.0..1.0).contains(draw)));
        let mean = draws.iter().sum::<f64>() / draws.len() as f64;
        assert!((mean - 0.5).abs() < 0.02, "{mean}");
    }
}
