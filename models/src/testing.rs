//! What the tests of several modules need: small models with known weights, and comparisons.

use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::{RngCore, SeedableRng};
use tch::Tensor;

use crate::gpt::{self, GptConfig, GptModel};
use crate::torch::dim;
use crate::{LogProbs, Token};

/// A network that is quick to run and, with a window of 8, quick to outgrow.
pub(crate) const TINY: GptConfig = GptConfig { context: 8, layers: 2, heads: 2, width: 16, hidden: 24 };

/// Differences that the order of floating-point sums explains.
pub(crate) const TOLERANCE: f32 = 1e-4;

/// Held by tests that draw from libtorch's generator: there is one for the whole process, and a seed that one test sets
/// would be used up by another.
pub(crate) fn generator() -> MutexGuard<'static, ()> {
    static GENERATOR: Mutex<()> = Mutex::new(());
    GENERATOR.lock().unwrap_or_else(PoisonError::into_inner)
}

pub(crate) fn checkpoint(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("checkpoints").join(name)
}

/// Weights of any shape from a seed, large enough that distributions are far from uniform.
pub(crate) fn weights(config: GptConfig, seed: u64) -> Vec<(String, Tensor)> {
    let mut rng = ChaCha20Rng::seed_from_u64(seed);
    let tensors = config.tensors().into_iter().map(|(name, shape)| {
        let count: usize = shape.iter().product();
        let values: Vec<f32> = (0..count).map(|_| (rng.next_u32() % 2001) as f32 / 1000.0 - 1.0).collect();
        let dims: Vec<i64> = shape.iter().map(|size| dim(*size)).collect();
        (name, Tensor::f_from_slice(&values).and_then(|flat| flat.f_view(&dims[..])).unwrap())
    });
    tensors.collect()
}

/// A model with those weights, through a file in `folder`.
pub(crate) fn model(folder: &Path, config: GptConfig, seed: u64) -> GptModel {
    let path = folder.join(format!("tiny-{seed}.safetensors"));
    let card = serde_json::json!({ "seed": seed });
    gpt::write(&path, "tiny", config, card, &weights(config, seed)).unwrap();
    GptModel::read(&path, 1 << 20).unwrap()
}

/// Bytes that do not repeat.
pub(crate) fn tokens(seed: u64, count: usize) -> Vec<Token> {
    let mut rng = ChaCha20Rng::seed_from_u64(seed);
    (0..count).map(|_| rng.next_u32() % 256).collect()
}

pub(crate) fn assert_close(a: &LogProbs, b: &LogProbs, what: &str) {
    assert_eq!(a.len(), b.len(), "{what}");
    let far = a.iter().zip(b).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
    assert!(far <= TOLERANCE, "{what}: differs by {far}");
}

pub(crate) fn assert_normal(distribution: &LogProbs) {
    let sum: f64 = distribution.iter().map(|log_prob| f64::from(*log_prob).exp()).sum();
    assert!((sum - 1.0).abs() < 1e-4, "sums to {sum}");
}
