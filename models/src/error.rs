//! What can go wrong with a model, with the values that explain it and what to do.

use std::path::PathBuf;

/// A failure of a model or of its file. `Clone`, so that one failure can answer many waiting requests.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ModelError {
    /// The file could not be read or written.
    #[error("{path}: {reason}")]
    Io {
        /// The file.
        path: PathBuf,
        /// What the operating system said.
        reason: String,
    },
    /// The file is larger than the loader may read.
    #[error("{path}: {bytes} bytes, more than the {limit} that are read from a file of this kind")]
    TooLarge {
        /// The file.
        path: PathBuf,
        /// Its size.
        bytes: u64,
        /// The limit it broke.
        limit: u64,
    },
    /// Nothing here reads this format.
    #[error(
        "{path}: not a known model format; expected a Hugging Face folder, .gguf, .safetensors (byte GPT), .pt (TorchScript) \
         or .ngram"
    )]
    UnknownFormat {
        /// The file.
        path: PathBuf,
    },
    /// The configuration names a network that is not implemented here.
    #[error(
        "{path}: architecture `{found}` does not generate text here; these do: {supported}; any other can be served as \
         TorchScript (.pt)"
    )]
    UnknownArchitecture {
        /// The file.
        path: PathBuf,
        /// What it names.
        found: String,
        /// The ones that are.
        supported: String,
    },
    /// A setting of a known architecture that is not implemented here.
    #[error("{path}: `{field}` is {found}, which is not supported; supported: {known}")]
    Unsupported {
        /// The file.
        path: PathBuf,
        /// The setting.
        field: String,
        /// Its value.
        found: String,
        /// The values that work.
        known: String,
    },
    /// The tokenizer that came with the model.
    #[error(transparent)]
    Tokenizer(#[from] crate::tokenizer::TokenizerError),
    /// A byte that no token stands for.
    #[error("no token stands for the byte {byte:#04x}: the model cannot answer byte by byte")]
    Spelling {
        /// The byte.
        byte: u8,
    },
    /// The format is known but this build cannot run it.
    #[error("{path}: needs libtorch, and this build has none; build with the feature `libtorch`")]
    NoLibtorch {
        /// The file.
        path: PathBuf,
    },
    /// The file's contents are not what its format demands.
    #[error("{path}: {reason}; the file is damaged or not a model of this kind, fetch it again")]
    Corrupt {
        /// The file.
        path: PathBuf,
        /// What was wrong.
        reason: String,
    },
    /// One tensor of the file is not what the configuration demands.
    #[error("{path}: tensor `{tensor}`: {reason}")]
    Tensor {
        /// The file.
        path: PathBuf,
        /// The tensor.
        tensor: String,
        /// What was wrong.
        reason: String,
    },
    /// [`crate::LanguageModel::open`] was called without a document.
    #[error("a session needs at least one context")]
    NoDocuments,
    /// [`crate::Session::advance`] was called with the wrong number of tokens.
    #[error("{tokens} tokens for {documents} documents; send exactly one for each")]
    DocumentCount {
        /// Documents of the session.
        documents: usize,
        /// Tokens received.
        tokens: usize,
    },
    /// A token that the vocabulary does not have.
    #[error("token {token} is outside the vocabulary of {vocab}")]
    Token {
        /// The token.
        token: u32,
        /// Size of the vocabulary.
        vocab: u32,
    },
    /// A text does not fit the cache even when nothing else is in it.
    #[error("a text of {tokens} tokens does not fit the cache of {capacity}; raise `cache_tokens`")]
    CacheFull {
        /// Tokens of the text.
        tokens: usize,
        /// Tokens that the cache holds.
        capacity: usize,
    },
    /// The engine failed.
    #[error("the engine failed: {0}")]
    Engine(String),
    /// The model's code panicked; the replica is loading it afresh.
    #[error("the model panicked and is being loaded again: {0}")]
    Panicked(String),
    /// The model did not come back from a step; another is being loaded.
    #[error("the model hangs and is being loaded again on another thread; open the session again")]
    Hung,
    /// The session is not known to the replica any more.
    #[error("the session is gone; open it again")]
    SessionLost,
    /// A configuration that cannot be used.
    #[error("{field}: {reason}")]
    Config {
        /// The field.
        field: &'static str,
        /// What is wrong with its value.
        reason: String,
    },
}
