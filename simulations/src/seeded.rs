//! Draws that depend on nothing but what they are for: each purpose has a generator of its own, seeded by a hash of its
//! name and numbers, so that adding a miner does not change what any other one draws.

use acumen_protocol::Hash;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{RngCore, SeedableRng};

/// A generator for one purpose.
#[derive(Debug)]
pub(crate) struct Seeded {
    bits: ChaCha8Rng,
    /// The second normal of the last pair.
    spare: Option<f64>,
}

impl Seeded {
    /// The generator for `purpose` and the numbers that tell its uses apart.
    pub(crate) fn new(seed: u64, purpose: &str, numbers: [u64; 3]) -> Self {
        Self { bits: ChaCha8Rng::from_seed(bytes(seed, purpose, numbers)), spare: None }
    }

    /// Uniform in the open interval (0, 1).
    pub(crate) fn unit(&mut self) -> f64 {
        ((self.bits.next_u64() >> 11) as f64 + 0.5) / (1_u64 << 53) as f64
    }

    /// Standard normal (Box and Muller 1958).
    pub(crate) fn normal(&mut self) -> f64 {
        if let Some(spare) = self.spare.take() {
            return spare;
        }
        let radius = (-2.0 * self.unit().ln()).sqrt();
        let (sin, cos) = (std::f64::consts::TAU * self.unit()).sin_cos();
        self.spare = Some(radius * sin);
        radius * cos
    }

    /// `count` standard normals.
    pub(crate) fn normals(&mut self, count: usize) -> Vec<f64> {
        (0..count).map(|_| self.normal()).collect()
    }
}

/// 32 bytes that belong to one purpose: seeds of keys and salts.
pub(crate) fn bytes(seed: u64, purpose: &str, numbers: [u64; 3]) -> [u8; 32] {
    Hash::of_encoded(&("acumen/simulation", seed, purpose, numbers)).0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn normals_have_mean_zero_and_variance_one() {
        let draws = Seeded::new(1, "test", [0; 3]).normals(40_000);
        let mean = draws.iter().sum::<f64>() / draws.len() as f64;
        let variance = draws.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / draws.len() as f64;
        // Four standard errors: 0.02 and 0.028.
        assert!(mean.abs() < 0.02 && (variance - 1.0).abs() < 0.03, "{mean} {variance}");
    }

    #[test]
    fn purposes_do_not_share_draws() {
        let first = |purpose, numbers| Seeded::new(1, purpose, numbers).unit();
        assert_eq!(first("a", [1, 2, 3]), first("a", [1, 2, 3]));
        assert_ne!(first("a", [1, 2, 3]), first("b", [1, 2, 3]));
        assert_ne!(first("a", [1, 2, 3]), first("a", [1, 3, 2]));
    }
}
