//! The bytes that each token stands for, in an order in which all tokens that begin alike lie side by side.

use crate::{ModelError, Token};

/// The spellings of a tokenizer. Invariant: every printable character of ASCII and the newline is a token, so that any
/// English text can be spelled. Tokenizers may lack other bytes; such a byte gets the floor of the prediction, and is left
/// out of what the model reads.
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
    /// [`ModelError::Spelling`] if a byte that every text has is missing.
    pub(crate) fn new(spellings: Vec<Option<Vec<u8>>>) -> Result<Self, ModelError> {
        let lengths = spellings.iter().map(|bytes| bytes.as_ref().map_or(0, Vec::len)).collect();
        let spelled = (0..Token::MAX).zip(spellings);
        let mut sorted: Vec<(Vec<u8>, Token)> = spelled
            .filter_map(|(token, bytes)| bytes.filter(|bytes| !bytes.is_empty()).map(|bytes| (bytes, token)))
            .collect();
        sorted.sort_unstable();
        let vocabulary = Self { sorted, lengths };
        let single = |byte: u8| vocabulary.tokens_of(&[byte]).next().is_some();
        let mut needed = (b' '..=b'~').chain([b'\n']);
        match needed.find(|byte| !single(*byte)) {
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
            let longest = self.longest(text);
            tokens.extend(longest.map(|(_, token)| token));
            text = &text[longest.map_or(1, |(length, _)| length)..];
        }
        tokens
    }

    /// The longest token that `text` begins with.
    fn longest(&self, text: &[u8]) -> Option<(usize, Token)> {
        let (mut here, mut best) = (self.all(), None);
        for (index, byte) in text.iter().enumerate() {
            let (whole, rest) = self.split(self.narrow(here, *byte));
            best = whole.first().map(|(_, token)| (index + 1, *token)).or(best);
            if rest.start == rest.end {
                break;
            }
            here = rest;
        }
        best
    }
}
