//! A checkpoint's recipe: the file from which it is made again.

use serde::{Deserialize, Serialize};

use crate::ngram::NgramConfig;

/// What to train, told apart by the field `kind`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "lowercase")]
pub enum Recipe {
    /// A byte GPT: see `train::run`.
    #[cfg(feature = "libtorch")]
    Gpt(crate::train::TrainConfig),
    /// An n-gram: see [`crate::ngram::train`].
    Ngram(NgramConfig),
}
