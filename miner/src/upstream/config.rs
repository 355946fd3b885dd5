//! Where the engine is, and how its tokens become ours.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::config::ConfigError;

/// The table `[model.upstream]`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct UpstreamConfig {
    /// The API's root: `http://HOST:PORT/v1`.
    pub url: String,
    /// The model's name there.
    pub model: String,
    /// File with the key that the engine asks for, if it does.
    #[serde(default)]
    pub api_key_file: Option<PathBuf>,
    /// What a token of this miner is.
    #[serde(default)]
    pub tokens: Tokens,
    /// Size of the vocabulary, with `tokens = "ids"`.
    #[serde(default)]
    pub vocabulary: Option<u32>,
    /// Tokens of a document that are sent, the last ones.
    #[serde(default = "defaults::context")]
    pub context: usize,
    /// Tokens whose log-probabilities are asked for: as many as the engine gives (vLLM: `--max-logprobs`).
    #[serde(default = "defaults::top")]
    pub top: u32,
    /// Requests to the engine at once.
    #[serde(default = "defaults::concurrency")]
    pub concurrency: usize,
    /// How long one may take.
    #[serde(default = "defaults::timeout_ms")]
    pub timeout_ms: u64,
}

/// What a token of this miner is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Tokens {
    /// A byte, as track 0 wants it: the mass of the engine's tokens is summed by their next byte. Works with every
    /// engine, because only texts cross the wire.
    #[default]
    Bytes,
    /// An id of the engine's own vocabulary. The engine must take ids as a prompt and name ids in its answer: llama.cpp's
    /// server does, vLLM with `return_tokens_as_token_ids`, which is always asked for.
    Ids,
}

mod defaults {
    pub(super) const fn context() -> usize {
        2_048
    }
    pub(super) const fn top() -> u32 {
        20
    }
    pub(super) const fn concurrency() -> usize {
        32
    }
    pub(super) const fn timeout_ms() -> u64 {
        30_000
    }
}

impl UpstreamConfig {
    /// Size of the vocabulary.
    pub(crate) fn vocabulary(&self) -> u32 {
        match self.tokens {
            Tokens::Bytes => 256,
            Tokens::Ids => self.vocabulary.unwrap_or(0),
        }
    }

    pub(crate) fn resolve_paths(&mut self, base: &Path) {
        if let Some(path) = &mut self.api_key_file {
            *path = base.join(&*path);
        }
    }

    /// Opens the file of the key.
    pub(crate) fn check_files(&self) -> Result<(), ConfigError> {
        let Some(path) = &self.api_key_file else { return Ok(()) };
        let read = std::fs::read_to_string(path);
        read.map(drop).map_err(|error| ConfigError {
            field: "model.upstream.api_key_file",
            reason: format!("{}: {error}", path.display()),
        })
    }

    pub(crate) fn check(&self) -> Result<(), ConfigError> {
        let refuse = |field, reason: &str| Err(ConfigError { field, reason: reason.to_owned() });
        if !self.url.starts_with("http://") {
            return refuse(
                "model.upstream.url",
                "write http://HOST:PORT/v1; the engine belongs on a network of yours",
            );
        }
        match (self.tokens, self.vocabulary) {
            (Tokens::Bytes, Some(_)) => {
                return refuse(
                    "model.upstream.vocabulary",
                    "bytes have 256; leave it out, or write tokens = \"ids\"",
                );
            }
            (Tokens::Ids, None | Some(0 | 1)) => {
                return refuse("model.upstream.vocabulary", "say how many ids the engine's tokenizer has");
            }
            _ => {}
        }
        for (field, count) in [
            ("model.upstream.context", self.context),
            ("model.upstream.concurrency", self.concurrency),
            ("model.upstream.top", self.top as usize),
        ] {
            if count == 0 {
                return refuse(field, "must be at least 1");
            }
        }
        Ok(())
    }
}
