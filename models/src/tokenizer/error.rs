//! What can go wrong with a tokenizer.

use std::path::PathBuf;

use super::ChatTemplateError;

/// A failure of a tokenizer or of its files.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TokenizerError {
    /// A file that could not be read.
    #[error("{path}: {reason}")]
    Io {
        /// The file.
        path: PathBuf,
        /// What the operating system said, or what is wrong with its text.
        reason: String,
    },
    /// The model has none.
    #[error("{0} has no tokenizer; give token ids instead of text")]
    Missing(PathBuf),
    /// The description of the tokenizer contradicts itself.
    #[error("the tokenizer cannot be used: {0}")]
    Invalid(String),
    /// A kind of tokenizer that is not implemented.
    #[error("{key} is `{found}`; {known} are implemented. Convert the model with its tokenizer.json instead")]
    Unknown {
        /// What is unknown.
        key: &'static str,
        /// Its value in the file.
        found: String,
        /// What would be read.
        known: String,
    },
    /// The text is over the limit.
    #[error("a text of {bytes} bytes; at most {limit} are encoded at once")]
    TooLong {
        /// Its length.
        bytes: usize,
        /// The limit.
        limit: usize,
    },
    /// The text could not be encoded.
    #[error("the text cannot be encoded: {0}")]
    Encode(String),
    /// The tokens could not be decoded.
    #[error("the tokens cannot be decoded: {0}")]
    Decode(String),
    /// A token outside the vocabulary.
    #[error("token {token} is outside the vocabulary of {vocab}")]
    Token {
        /// The token.
        token: u32,
        /// Size of the vocabulary.
        vocab: usize,
    },
    /// The chat template failed.
    #[error(transparent)]
    Template(#[from] ChatTemplateError),
}
