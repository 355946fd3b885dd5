//! The bytes that each token stands for, in an order in which all tokens that begin alike lie side by side.

use crate::{ModelError, Token};

/// The spellings of a tokenizer. Invariant: every single byte is a token, so that every text can be spelled.
#[derive(Debug)]
pub(crate) struct Vocabulary {
    /// Tokens with their bytes, by bytes. Tokens without bytes (control tokens) are not here.
    sorted: Vec<(Vec<u8>, Token)>,
    /// Bytes of each token, by id.
    lengths: Vec<usize>,
}

/// Tokens that begin with the same `depth` bytes: places `start..end` of the order. None of them is shorter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Beginning {
    pub(crate) start: usize,
    pub(crate) end: usize,
    pub(crate) depth: usize,
}

impl Vocabulary {
    /// From the bytes of each token in the order of ids; none for a token that stands for no text.
    ///
    /// # Errors
    /// [`ModelError::Spelling`] if a single byte is missing: some texts would have no probability at all.
    pub(crate) fn new(spellings: Vec<Option<Vec<u8>>>) -> Result<Self, ModelError> {
        let lengths = spellings.iter().map(|bytes| bytes.as_ref().map_or(0, Vec::len)).collect();
        let spelled = (0..Token::MAX).zip(spellings);
        let mut sorted: Vec<(Vec<u8>, Token)> = spelled
            .filter_map(|(token, bytes)| bytes.filter(|bytes| !bytes.is_empty()).map(|bytes| (bytes, token)))
            .collect();
        sorted.sort_unstable();
        let vocabulary = Self { sorted, lengths };
        let single = |byte: u8| vocabulary.tokens_of(&[byte]).next().is_some();
        match (0..=u8::MAX).find(|byte| !single(*byte)) {
            Some(byte) => Err(ModelError::Spelling { byte }),
            None => Ok(vocabulary),
        }
    }

    /// How many bytes a token stands for.
    pub(crate) fn length(&self, token: Token) -> usize {
        self.lengths.get(token as usize).copied().unwrap_or(0)
    }

    /// All tokens.
    pub(crate) fn all(&self) -> Beginning {
        Beginning { start: 0, end: self.sorted.len(), depth: 0 }
    }

    /// Those of `beginning` that end with it, then the others.
    pub(crate) fn split(&self, beginning: Beginning) -> (&[(Vec<u8>, Token)], Beginning) {
        let range = &self.sorted[beginning.start..beginning.end];
        // The shortest of those that begin alike come first.
        let whole = range.partition_point(|(bytes, _)| bytes.len() == beginning.depth);
        (&range[..whole], Beginning { start: beginning.start + whole, ..beginning })
    }

    /// The tokens of `beginning`, which are all longer than it, with their next byte.
    pub(crate) fn next_bytes(&self, beginning: Beginning) -> impl Iterator<Item = (u8, Token)> {
        let range = &self.sorted[beginning.start..beginning.end];
        range.iter().map(move |(bytes, token)| (bytes[beginning.depth], *token))
    }

    /// Those of `beginning`, which are all longer than it, that go on with `byte`.
    pub(crate) fn narrow(&self, beginning: Beginning, byte: u8) -> Beginning {
        let range = &self.sorted[beginning.start..beginning.end];
        let from = range.partition_point(|(bytes, _)| bytes[beginning.depth] < byte);
        let to = range.partition_point(|(bytes, _)| bytes[beginning.depth] <= byte);
        let start = beginning.start;
        Beginning { start: start + from, end: start + to, depth: beginning.depth + 1 }
    }

    /// Tokens that stand for exactly these bytes.
    fn tokens_of(&self, bytes: &[u8]) -> impl Iterator<Item = Token> {
        let from = self.sorted.partition_point(|(known, _)| known.as_slice() < bytes);
        self.sorted[from..].iter().take_while(move |(known, _)| known == bytes).map(|(_, token)| *token)
    }

    /// One way to spell a text: the longest token first. Not what a tokenizer would choose, but a spelling for any bytes.
    pub(crate) fn spell(&self, mut text: &[u8]) -> Vec<Token> {
        let mut tokens = Vec::new();
        while !text.is_empty() {
            let (length, token) = self.longest(text);
            tokens.push(token);
            text = &text[length..];
        }
        tokens
    }

    /// The longest token that `text`, which is not empty, begins with.
    fn longest(&self, text: &[u8]) -> (usize, Token) {
        let mut here = self.all();
        let mut best = (1, 0);
        for (index, byte) in text.iter().enumerate() {
            let (whole, rest) = self.split(self.narrow(here, *byte));
            if let Some((_, token)) = whole.first() {
                best = (index + 1, *token);
            }
            if rest.start == rest.end {
                break;
            }
            here = rest;
        }
        best
    }
}
