//! Text to tokens and back, and chat messages to text.
//!
//! A tokenizer comes from a Hugging Face folder (`tokenizer.json`, `tokenizer_config.json`, `chat_template.jinja`), from
//! the metadata of a GGUF file, or is that of the byte models, where a token is a byte. Encoding is done by Hugging
//! Face's own `tokenizers`; a GGUF vocabulary is first written as the `tokenizer.json` it was converted from.
//!
//! Decoding works on bytes, because a token may hold a part of a character: [`Tokenizer::bytes`] gives what a token
//! stands for, [`Detokenizer`] the text of a growing sequence, never half a character.
//!
//! Invariant: `decode` of a sequence equals what a [`Detokenizer`] gives for its tokens one after the other and at the end.

mod chat;
mod error;
mod fence;
mod folder;
#[cfg(feature = "libtorch")]
mod gguf;
mod of_model;
mod pieces;
#[cfg(feature = "libtorch")]
mod pre;
mod stream;
mod template;

#[cfg(test)]
mod tests;

use std::collections::BTreeSet;

use tokenizers::Tokenizer as Encoder;

pub use chat::{ChatTemplate, ChatTemplateError};
pub use error::TokenizerError;
pub use stream::Detokenizer;

use crate::Token;
use fence::fenced;
use pieces::Pieces;

/// Longest text that is encoded at once, in bytes: bounds the memory of a request.
pub const MAX_TEXT_BYTES: usize = 64 << 20;

/// What every tokenizer is tried with when it is loaded: letters of several alphabets, digits, signs, all kinds of space.
const TRIAL: &str =
    "The quick brown fox, 1234567890! JUMPS\tover \"the\" (lazy) dog;\r\n  <|é ß ☃ 漢字 🐳 e\u{301}|>\u{a0}";

/// Text to tokens and back. See the module.
#[derive(Debug, Clone)]
pub struct Tokenizer {
    /// None for bytes.
    encoder: Option<Box<Encoder>>,
    pieces: Pieces,
    /// Ids that the model's network has, at least those of the vocabulary: usually some more, which stand for nothing.
    ids: usize,
    special: BTreeSet<Token>,
    ends: Vec<Token>,
    kind: &'static str,
    chat: Option<ChatTemplate>,
}

impl Tokenizer {
    /// The tokenizer of byte models: every byte is a token.
    #[must_use]
    pub fn of_bytes() -> Self {
        let pieces = Pieces::exact((0..=u8::MAX).map(|byte| vec![byte]), false);
        let (ids, special) = (pieces.len(), BTreeSet::new());
        Self { encoder: None, pieces, ids, special, ends: Vec::new(), kind: "bytes", chat: None }
    }

    /// How text becomes tokens: `bytes`, `bpe`, `unigram`, `wordpiece` or `wordlevel`.
    #[must_use]
    pub const fn kind(&self) -> &'static str {
        self.kind
    }

    /// Number of ids, from 0 on.
    #[must_use]
    pub fn vocab_size(&self) -> usize {
        self.pieces.len()
    }

    /// Tokens after which generation ends.
    #[must_use]
    pub fn end_tokens(&self) -> &[Token] {
        &self.ends
    }

    /// Whether a token is a control token, which stands for no text.
    #[must_use]
    pub fn is_special(&self, token: Token) -> bool {
        self.special.contains(&token)
    }

    /// The template that turns chat messages into text, if the model has one.
    #[must_use]
    pub const fn chat_template(&self) -> Option<&ChatTemplate> {
        self.chat.as_ref()
    }

    /// Encodes a text. With `add_special` the model's own beginning and end are added; control tokens written out in
    /// the text are recognised either way.
    ///
    /// # Errors
    /// A text that is too long or that the tokenizer refuses.
    pub fn encode(&self, text: &str, add_special: bool) -> Result<Vec<Token>, TokenizerError> {
        if text.len() > MAX_TEXT_BYTES {
            return Err(TokenizerError::TooLong { bytes: text.len(), limit: MAX_TEXT_BYTES });
        }
        let Some(encoder) = &self.encoder else {
            return Ok(crate::byte_tokens(text.as_bytes()));
        };
        fenced("encoding a text", || {
            let encoding = encoder.encode_fast(text, add_special);
            Ok(encoding.map_err(|error| TokenizerError::Encode(error.to_string()))?.get_ids().to_vec())
        })
    }

    /// The bytes that a token stands for, where they do not depend on its neighbours.
    #[must_use]
    pub fn bytes(&self, token: Token) -> Option<&[u8]> {
        self.pieces.get(token)
    }

    /// The text of a sequence; what is not UTF-8 becomes U+FFFD. An id of the model's network that its vocabulary does not
    /// have (they are padded) stands for nothing.
    ///
    /// # Errors
    /// A token that the model does not have.
    pub fn decode(&self, tokens: &[Token], skip_special: bool) -> Result<String, TokenizerError> {
        let mut stream = self.detokenizer(skip_special);
        let mut text = String::new();
        for token in tokens {
            text += &stream.push(*token)?;
        }
        text += &stream.finish();
        Ok(text)
    }

    /// The text of a sequence that grows.
    #[must_use]
    pub fn detokenizer(&self, skip_special: bool) -> Detokenizer<'_> {
        Detokenizer::new(self, skip_special)
    }

    /// What `tokenizers` itself makes of a sequence.
    fn decode_by_encoder(&self, tokens: &[Token], skip_special: bool) -> Result<String, TokenizerError> {
        let Some(encoder) = &self.encoder else { return Ok(String::new()) };
        fenced("decoding tokens", || {
            encoder.decode(tokens, skip_special).map_err(|error| TokenizerError::Decode(error.to_string()))
        })
    }

    /// The `tokenizer.json` of this tokenizer; none for bytes.
    ///
    /// # Errors
    /// A tokenizer that cannot be written.
    pub fn to_json(&self) -> Result<Option<String>, TokenizerError> {
        let text = self.encoder.as_ref().map(|encoder| encoder.to_string(false)).transpose();
        text.map_err(|error| TokenizerError::Invalid(error.to_string()))
    }

    /// Puts a tokenizer together from `tokenizer.json`, and tries it once: a description may be read and fail with the
    /// first text.
    fn from_json(json: &[u8]) -> Result<Self, TokenizerError> {
        let tokenizer = fenced("reading it", || Self::read(json))?;
        let tried =
            tokenizer.encode(TRIAL, true).and_then(|tokens| tokenizer.decode_by_encoder(&tokens, false));
        match tried {
            Err(error @ TokenizerError::Invalid(_)) => Err(error),
            // A vocabulary may lack some of these characters and have no token that stands for what it lacks.
            _ => Ok(tokenizer),
        }
    }

    fn read(json: &[u8]) -> Result<Self, TokenizerError> {
        let mut encoder =
            Encoder::from_bytes(json).map_err(|error| TokenizerError::Invalid(error.to_string()))?;
        // A file may say to cut or to pad every text: that is for training and would falsify a prompt.
        encoder.with_truncation(None).map_err(|error| TokenizerError::Invalid(error.to_string()))?;
        encoder.with_padding(None);
        let special = encoder.get_added_tokens_decoder();
        let special = special.iter().filter(|(_, token)| token.special).map(|(id, _)| *id).collect();
        let kind = match encoder.get_model() {
            tokenizers::ModelWrapper::BPE(_) => "bpe",
            tokenizers::ModelWrapper::Unigram(_) => "unigram",
            tokenizers::ModelWrapper::WordPiece(_) => "wordpiece",
            tokenizers::ModelWrapper::WordLevel(_) => "wordlevel",
        };
        let pieces = Pieces::of(&encoder)?;
        let ids = pieces.len();
        Ok(Self {
            encoder: Some(Box::new(encoder)),
            pieces,
            ids,
            special,
            ends: Vec::new(),
            kind,
            chat: None,
        })
    }

    /// The id of a token that is written exactly so.
    #[must_use]
    pub fn id(&self, token: &str) -> Option<Token> {
        self.encoder.as_ref().and_then(|encoder| encoder.token_to_id(token))
    }
}
