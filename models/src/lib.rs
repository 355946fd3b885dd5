//! Language models that answer with a next-token distribution.
//!
//! The first-class output here is not text but a normalised distribution over the next token for each of many
//! documents in lock-step: [`LanguageModel::open`] takes the contexts, [`Session::predict`] gives one distribution per
//! document, [`Session::advance`] is told what came next. Scoring, sampling and evaluation all stand on these three.
//!
//! | module | what it is |
//! |---|---|
//! | [`load`](load()) | a file of any supported format to a model; the file is not trusted |
//! | `gpt` | byte-level transformer with a key-value cache (libtorch) |
//! | `torchscript` | any traced `forward(ids[B, T]) -> logits[B, T, V]` (libtorch) |
//! | `gguf` | files of llama.cpp: weights, configuration, tokenizer |
//! | [`ngram`] | interpolated Witten-Bell n-gram, without libtorch |
//! | `arch`, `engine` | decoders of Hugging Face folders and GGUF files on a batching engine (libtorch) |
//! | `encoder` | one vector for a text (libtorch) |
//! | [`replica`] | one OS thread that owns a model, behind a queue bounded in tokens |
//! | [`bytewise`] | any of them, answering byte by byte |
//! | [`tokenizer`] | text to tokens and back, chat messages to text |
//! | [`sampling`] | the choice of a token that anyone can replay |
//! | [`evaluate`], [`inspect`] | what can be done with any model |
//! | `train` | the training loop of the shipped checkpoints (libtorch) |
//!
//! Units: log-probabilities are natural logarithms; losses are nats unless a name says bits per byte.

#![deny(unsafe_code)]

#[cfg(feature = "libtorch")]
mod arch;
pub mod bytewise;
pub mod corpus;
#[cfg(feature = "libtorch")]
mod documents;
#[cfg(feature = "libtorch")]
pub mod encoder;
#[cfg(feature = "libtorch")]
mod engine;
mod error;
pub mod evaluate;
mod files;
#[cfg(feature = "libtorch")]
pub mod gguf;
#[cfg(feature = "libtorch")]
pub mod gpt;
#[cfg(feature = "libtorch")]
mod hf;
pub mod inspect;
mod load;
#[cfg(feature = "libtorch")]
mod mapped;
mod model;
pub mod ngram;
#[cfg(feature = "libtorch")]
mod nn;
mod options;
pub mod perplexity;
#[cfg(feature = "libtorch")]
mod quant;
pub mod recipe;
pub mod replica;
pub mod sampling;
#[cfg(feature = "libtorch")]
mod score;
#[cfg(all(test, feature = "libtorch"))]
mod testing;
pub mod tokenizer;
#[cfg(feature = "libtorch")]
mod torch;
#[cfg(feature = "libtorch")]
pub mod torchscript;
#[cfg(feature = "libtorch")]
pub mod train;
#[cfg(feature = "libtorch")]
mod weights;
#[cfg(feature = "libtorch")]
mod window;

pub use error::ModelError;
pub use load::load;
pub use model::{LanguageModel, LogProbs, Memory, ModelInfo, Positions, Session, Token, byte_tokens};
pub use options::{Device, Dtype, LoadOptions};
pub use replica::{Load, Replica, ReplicaError, ReplicaLimits, SessionHandle};
pub use tokenizer::Tokenizer;
