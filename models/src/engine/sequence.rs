//! The texts that are open, and those that closed but are kept for the next one that begins like them.
//!
//! Invariant: the first `cached` tokens of a sequence have keys and values in its extent; without an extent `cached` is 0.

use std::collections::BTreeMap;

use super::extents::Extent;
use crate::Token;
use crate::nn::rope::Spans;

/// Name of a sequence, never used twice by one engine.
pub(crate) type SequenceId = u64;

/// One text.
#[derive(Debug)]
pub(crate) struct Sequence {
    /// Its tokens: what the network looks at, no more.
    pub(crate) tokens: Vec<Token>,
    /// How many of them have been computed.
    pub(crate) cached: usize,
    /// Length of the text when each token entered (see `nn::rope`): ends of runs with that length.
    pub(crate) spans: Vec<usize>,
    /// Where its keys and values are.
    pub(crate) extent: Option<Extent>,
    /// When it was last run: the smallest gives way first.
    pub(crate) used: u64,
    /// Whether nobody holds it any more.
    pub(crate) closed: bool,
}

impl Sequence {
    pub(crate) fn new(tokens: Vec<Token>) -> Self {
        let spans = vec![tokens.len(); tokens.len()];
        Self { tokens, cached: 0, spans, extent: None, used: 0, closed: false }
    }

    /// Tokens that wait to be computed.
    pub(crate) fn pending(&self) -> usize {
        self.tokens.len() - self.cached
    }

    /// Adds a token.
    pub(crate) fn push(&mut self, token: Token) {
        self.tokens.push(token);
        self.spans.push(self.tokens.len());
    }

    /// Starts over with other tokens.
    pub(crate) fn replace(&mut self, tokens: Vec<Token>) {
        self.spans = vec![tokens.len(); tokens.len()];
        self.tokens = tokens;
        self.cached = 0;
    }

    /// How many tokens of another text can use this one's keys and values, of those that this one will have at `most`.
    /// `spans` says for which lengths of their texts keys are the same.
    pub(crate) fn shared(&self, other: &Self, most: usize, spans: Spans) -> usize {
        let most = most.min(self.tokens.len());
        let same = self.tokens[..most].iter().zip(&other.tokens).take_while(|(a, b)| a == b).count();
        if spans == Spans::Alike {
            return same;
        }
        let alike = |(a, b): &(&usize, &usize)| spans.class(**a) == spans.class(**b);
        self.spans[..same].iter().zip(&other.spans).take_while(alike).count()
    }
}

/// All sequences of an engine, oldest first.
pub(crate) type Sequences = BTreeMap<SequenceId, Sequence>;
