//! An interpolated Witten-Bell n-gram over bytes: the honest baseline, without libtorch.
//!
//! For a history h with n followers counted and t different ones, P(b|h) = (count(b|h) + t P(b|shorter h)) / (n + t),
//! down to the uniform distribution over 256 bytes below the empty history (Witten and Bell 1991, method C). Every byte
//! keeps a probability above zero, and the distribution sums to 1 by construction.

mod count;
mod file;

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use crate::files::{self, Digest};
use crate::model::{check_advance, check_contexts};
use crate::{LanguageModel, LogProbs, ModelError, ModelInfo, Session, Token};

pub use count::{NgramConfig, train};

/// Bytes are the vocabulary, and a newline begins every document.
const VOCAB: u32 = 256;
const BEGIN: u8 = b'\n';
/// Longest n-gram that a file may hold: histories of 7 bytes fit in a `u64` key with room for their length.
pub const MAX_ORDER: usize = 8;

/// What follows one history: bytes in ascending order, each with its count.
type Followers = Vec<(u8, u32)>;

/// Counts of followers by history, one table for each length of history from 0 to order - 1.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Counts {
    name: String,
    tables: Vec<BTreeMap<Vec<u8>, Followers>>,
}

impl Counts {
    /// Probabilities of the next byte after a history of any length.
    fn probabilities(&self, history: &[u8]) -> Vec<f64> {
        let mut current = vec![1.0 / f64::from(VOCAB); VOCAB as usize];
        for (length, table) in self.tables.iter().enumerate() {
            let Some(start) = history.len().checked_sub(length) else { break };
            let Some(followers) = table.get(&history[start..]) else { break };
            let seen: f64 = followers.iter().map(|(_, count)| f64::from(*count)).sum();
            let kinds = followers.len() as f64;
            current.iter_mut().for_each(|p| *p *= kinds / (seen + kinds));
            for (byte, count) in followers {
                current[usize::from(*byte)] += f64::from(*count) / (seen + kinds);
            }
        }
        current
    }

    fn log_probs(&self, history: &[u8]) -> LogProbs {
        self.probabilities(history).into_iter().map(|p| p.ln() as f32).collect()
    }

    fn entries(&self) -> u64 {
        self.tables.iter().flat_map(BTreeMap::values).map(|followers| followers.len() as u64).sum()
    }
}

/// An n-gram model read from a file.
#[derive(Debug)]
pub struct NgramModel {
    info: ModelInfo,
    counts: Arc<Counts>,
}

impl NgramModel {
    /// Reads a file of at most `limit` bytes.
    ///
    /// # Errors
    /// What is wrong with the file.
    pub fn read(path: &Path, limit: u64) -> Result<Self, ModelError> {
        let bytes = files::read(path, limit)?;
        let counts = file::decode(&bytes).map_err(|reason| files::corrupt(path, reason))?;
        let info = ModelInfo {
            name: counts.name.clone(),
            architecture: "ngram".into(),
            format: "ngram".into(),
            parameters: counts.entries(),
            vocab: VOCAB,
            context: (counts.tables.len() - 1).max(1),
            digest: Digest::of(&bytes),
            tokenizer: "bytes".into(),
        };
        Ok(Self { info, counts: Arc::new(counts) })
    }
}

impl LanguageModel for NgramModel {
    fn info(&self) -> &ModelInfo {
        &self.info
    }

    fn open(&self, contexts: &[Vec<Token>]) -> Result<Box<dyn Session>, ModelError> {
        check_contexts(contexts, VOCAB)?;
        let histories = contexts.iter().map(|context| {
            let mut history = vec![BEGIN];
            history.extend(context.iter().filter_map(|token| u8::try_from(*token).ok()));
            history
        });
        let mut session = NgramSession {
            histories: histories.collect(),
            predictions: Vec::new(),
            counts: Arc::clone(&self.counts),
        };
        session.predict_all();
        Ok(Box::new(session))
    }
}

struct NgramSession {
    counts: Arc<Counts>,
    histories: Vec<Vec<u8>>,
    predictions: Vec<LogProbs>,
}

impl NgramSession {
    fn predict_all(&mut self) {
        let longest = self.counts.tables.len() - 1;
        for history in &mut self.histories {
            history.drain(..history.len().saturating_sub(longest));
        }
        self.predictions = self.histories.iter().map(|history| self.counts.log_probs(history)).collect();
    }
}

impl Session for NgramSession {
    fn predict(&self) -> &[LogProbs] {
        &self.predictions
    }

    fn advance(&mut self, tokens: &[Token]) -> Result<(), ModelError> {
        check_advance(tokens, self.histories.len(), VOCAB)?;
        for (history, token) in self.histories.iter_mut().zip(tokens) {
            history.extend(u8::try_from(*token).ok());
        }
        self.predict_all();
        Ok(())
    }
}
