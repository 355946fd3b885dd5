//! The few facts about libtorch that the rest of this crate relies on.
//!
//! Only fallible `f_*` calls are used elsewhere: the others panic. Gradients are switched off by a guard per call,
//! because the mode belongs to a thread and the guard restores it on unwinding too. Inter-op parallelism is one thread:
//! several would only contend with the replica's own.

use std::sync::Once;

use tch::{Kind, TchError, Tensor};

use crate::{LogProbs, ModelError, Token};

impl From<TchError> for ModelError {
    fn from(error: TchError) -> Self {
        Self::Engine(words(&error))
    }
}

/// What libtorch says, without the trace of its own C++ frames: that tells the reader of a log nothing of the model.
/// TorchScript's traceback through the module's code comes before it and stays.
pub(crate) fn words(error: &TchError) -> String {
    let text = error.to_string();
    let told = text.split("\nException raised from ").next().unwrap_or_default();
    told.trim().to_owned()
}

/// Sets the process up once, and this thread's intra-op threads if a number is given.
pub(crate) fn prepare(threads: Option<usize>) {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        if tch::get_num_interop_threads() != 1 {
            tch::set_num_interop_threads(1);
        }
    });
    if let Some(threads) = threads.and_then(|threads| i32::try_from(threads).ok()) {
        tch::set_num_threads(threads.max(1));
    }
}

/// Rows of tokens of one length as an `i64` tensor `[rows, length]`.
pub(crate) fn ids(rows: &[&[Token]], length: usize) -> Result<Tensor, ModelError> {
    let mut flat: Vec<i64> = Vec::with_capacity(rows.len() * length);
    for row in rows {
        flat.extend(row.iter().map(|token| i64::from(*token)));
        // Padding on the right: a causal model never looks there.
        flat.resize(flat.len() + length - row.len(), 0);
    }
    Ok(Tensor::f_from_slice(&flat)?.f_view([dim(rows.len()), dim(length)])?)
}

/// A size as libtorch wants it.
pub(crate) fn dim(size: usize) -> i64 {
    i64::try_from(size).unwrap_or(i64::MAX)
}

/// Logits `[rows, vocab]` as normalised log-probabilities, one vector a row.
pub(crate) fn log_probs(logits: &Tensor) -> Result<Vec<LogProbs>, ModelError> {
    let normal = logits.f_log_softmax(-1, Kind::Float)?.f_contiguous()?;
    let (rows, vocab) = normal.size2()?;
    let (rows, vocab) = (size(rows), size(vocab));
    let mut flat = vec![0f32; rows * vocab];
    let count = flat.len();
    normal.f_copy_data(&mut flat, count)?;
    if flat.iter().any(|value| value.is_nan()) {
        return Err(ModelError::Engine("the model answered with NaN".into()));
    }
    Ok(flat.chunks(vocab.max(1)).map(<[f32]>::to_vec).collect())
}

/// A size that libtorch gave.
pub(crate) fn size(dim: i64) -> usize {
    usize::try_from(dim).unwrap_or(0)
}
