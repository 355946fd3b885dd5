//! The contract that every model keeps: contexts in, one normalised distribution per document out.
//!
//! Invariants: a distribution has exactly `vocab` entries and its exponentials sum to 1 within 1e-4; a session holds
//! the same number of documents from [`LanguageModel::open`] to its end; the distribution of a document does not
//! depend on the other documents of its session beyond floating-point noise (stated and tested per architecture).

use std::ops::ControlFlow;

use serde::Serialize;

use crate::ModelError;

/// An id in a model's vocabulary. For byte-level models it is the byte's value.
pub type Token = u32;

/// Natural-log probabilities of every token of the vocabulary, normalised.
pub type LogProbs = Vec<f32>;

/// What a model is, as it is reported to others.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ModelInfo {
    /// Name of the model: the one in its file, else the file's stem.
    pub name: String,
    /// Family of the network: `gpt-bytes`, `ngram` or `torchscript`.
    pub architecture: String,
    /// Format of the file: `safetensors`, `torchscript` or `ngram`.
    pub format: String,
    /// Number of learned values (of stored counts for an n-gram; 0 where the file does not tell).
    pub parameters: u64,
    /// Number of tokens in the vocabulary.
    pub vocab: u32,
    /// Most tokens that one prediction can look back on.
    pub context: usize,
    /// blake2b-256 of the model's file.
    #[serde(serialize_with = "hex_digest")]
    pub digest: [u8; 32],
    /// How text becomes tokens: `bytes`.
    pub tokenizer: String,
}

fn hex_digest<S: serde::Serializer>(digest: &[u8; 32], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&format!("0x{}", hex::encode(digest)))
}

/// A loaded model. Not `Send`: the thread that loaded it runs it (see [`crate::replica`]).
pub trait LanguageModel {
    /// What this model is.
    fn info(&self) -> &ModelInfo;

    /// Reads the contexts and predicts what follows each.
    ///
    /// Contexts may have different lengths and may be empty: every document begins with a newline that the caller does
    /// not send, so an empty context is the start of a document. A context longer than the window is cut from the left.
    ///
    /// # Errors
    /// A token outside the vocabulary, no document at all, or a failure of the engine.
    fn open(&self, contexts: &[Vec<Token>]) -> Result<Box<dyn Session>, ModelError>;

    /// Tokens that end a text, where the model names some.
    fn stops(&self) -> &[Token] {
        &[]
    }

    /// What it keeps in memory, where it knows.
    fn memory(&self) -> Option<Memory> {
        None
    }

    /// As [`LanguageModel::open`], but returns before the contexts have been read: [`LanguageModel::step`] reads on, for
    /// all sessions that have begun at once, until [`Session::poll`] says that its predictions are there.
    ///
    /// Models that cannot share work between sessions read the contexts here.
    ///
    /// # Errors
    /// As [`LanguageModel::open`].
    fn begin(&self, contexts: &[Vec<Token>]) -> Result<Box<dyn Session>, ModelError> {
        self.open(contexts)
    }

    /// Bytes of weights that one step of few sequences reads, where that is known: what bounds its speed.
    fn step_bytes(&self) -> Option<usize> {
        None
    }

    /// Runs one step of whatever has begun.
    ///
    /// # Errors
    /// None today: a failure is told to the sessions that it concerns.
    fn step(&self) -> Result<(), ModelError> {
        Ok(())
    }

    /// Scores of what follows each of the tokens (or the last of them), handed to `each` with the index of the token, as
    /// the network gives them: before normalisation. Models without such scores give natural-log probabilities.
    ///
    /// Tokens are read as they stand; models that put a begin token before a session do so here, too.
    ///
    /// # Errors
    /// No token, more than can be read at once, one outside the vocabulary, or a failure of the engine.
    fn logits(
        &self,
        tokens: &[Token],
        positions: Positions,
        each: &mut dyn FnMut(usize, &[f32]) -> ControlFlow<()>,
    ) -> Result<(), ModelError> {
        let Some(last) = tokens.len().checked_sub(1) else {
            return Err(ModelError::Config { field: "tokens", reason: "there is no token to read".into() });
        };
        let first = if positions == Positions::Last { last } else { 0 };
        let mut session = self.open(&[tokens[..=first].to_vec()])?;
        for index in first..=last {
            if each(index, &session.predict()[0]).is_break() {
                break;
            }
            if let Some(token) = tokens.get(index + 1) {
                session.advance(&[*token])?;
            }
        }
        Ok(())
    }

    /// Minus the log-probability of every token of every document, each given those before it, in nats: what a session
    /// that starts empty and is told token after token would have lost. Models override it where they are faster.
    ///
    /// # Errors
    /// As [`LanguageModel::open`] and [`Session::advance`].
    fn score(&self, documents: &[Vec<Token>]) -> Result<Vec<Vec<f32>>, ModelError> {
        check_documents(documents, self.info().vocab)?;
        documents.iter().map(|document| step_through(self, document)).collect()
    }
}

fn step_through<M: LanguageModel + ?Sized>(model: &M, document: &[Token]) -> Result<Vec<f32>, ModelError> {
    let mut session = model.open(&[Vec::new()])?;
    let mut nats = Vec::with_capacity(document.len());
    for token in document {
        nats.push(-session.predict()[0][*token as usize]);
        session.advance(&[*token])?;
    }
    Ok(nats)
}

/// Documents that advance together, one token each at a time.
pub trait Session {
    /// The distribution of the next token, one per document in the order of [`LanguageModel::open`].
    fn predict(&self) -> &[LogProbs];

    /// Appends one realised token to each document and predicts again.
    ///
    /// A session may outgrow the model's window without limit: it then forgets all but the last half of the window.
    ///
    /// # Errors
    /// The wrong number of tokens, a token outside the vocabulary (the session is unchanged by either), or a failure
    /// of the engine (the session must not be used again).
    fn advance(&mut self, tokens: &[Token]) -> Result<(), ModelError>;

    /// As [`Session::advance`], but returns before the tokens have been read: see [`LanguageModel::begin`].
    ///
    /// # Errors
    /// As [`Session::advance`].
    fn begin(&mut self, tokens: &[Token]) -> Result<(), ModelError> {
        self.advance(tokens)
    }

    /// Whether what has begun is done; [`Session::predict`] holds its predictions then.
    ///
    /// # Errors
    /// A failure of the engine (the session must not be used again).
    fn poll(&mut self) -> Result<bool, ModelError> {
        Ok(true)
    }

    /// The predictions, moved out where that is cheaper; [`Session::predict`] is empty until the next ones.
    fn take(&mut self) -> Vec<LogProbs> {
        self.predict().to_vec()
    }

    /// Whether the session lives on the steps of the model that opened it, and ends with it.
    fn needs_steps(&self) -> bool {
        false
    }
}

/// What a model keeps in memory, where it knows.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Memory {
    /// Bytes of weights that a step reads.
    pub weight_bytes: usize,
    /// Bytes that one token takes in the cache of keys and values.
    pub cache_bytes_per_token: usize,
    /// Tokens that the cache holds.
    pub cache_tokens: usize,
    /// Tokens of the cache that are taken now.
    pub cache_used: usize,
}

/// Which tokens to score.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Positions {
    /// What follows the last token.
    Last,
    /// What follows each token.
    All,
}

/// Checks what a caller hands to [`LanguageModel::open`].
pub(crate) fn check_contexts(contexts: &[Vec<Token>], vocab: u32) -> Result<(), ModelError> {
    if contexts.is_empty() {
        return Err(ModelError::NoDocuments);
    }
    contexts.iter().try_for_each(|context| check_tokens(context, vocab))
}

/// Checks what a caller hands to [`Session::advance`].
pub(crate) fn check_advance(tokens: &[Token], documents: usize, vocab: u32) -> Result<(), ModelError> {
    if tokens.len() != documents {
        return Err(ModelError::DocumentCount { documents, tokens: tokens.len() });
    }
    check_tokens(tokens, vocab)
}

/// Checks what a caller hands to [`LanguageModel::score`].
pub(crate) fn check_documents(documents: &[Vec<Token>], vocab: u32) -> Result<(), ModelError> {
    documents.iter().try_for_each(|document| check_tokens(document, vocab))
}

fn check_tokens(tokens: &[Token], vocab: u32) -> Result<(), ModelError> {
    match tokens.iter().find(|token| **token >= vocab) {
        Some(&token) => Err(ModelError::Token { token, vocab }),
        None => Ok(()),
    }
}

/// The bytes of a text as tokens of a byte-level model.
#[must_use]
pub fn byte_tokens(text: &[u8]) -> Vec<Token> {
    text.iter().map(|byte| Token::from(*byte)).collect()
}
