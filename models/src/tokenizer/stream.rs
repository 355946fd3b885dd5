//! The text of a sequence that grows token by token: never half a character, nothing held back longer than needed.

use super::pieces::Rule;
use super::{Tokenizer, TokenizerError};
use crate::Token;

/// Tokens that may wait for the rest of a character where only the decoder knows the text: one has at most four bytes.
const MAX_WAITING: usize = 4;

/// Gives the text that each further token adds.
#[derive(Debug)]
pub struct Detokenizer<'a> {
    tokenizer: &'a Tokenizer,
    skip_special: bool,
    /// Bytes of a character that is not complete.
    rest: Vec<u8>,
    /// Whether text has been given.
    begun: bool,
    /// Tokens whose text the next one may still depend on, and how many of them have been given.
    window: Vec<Token>,
    given: usize,
}

impl<'a> Detokenizer<'a> {
    pub(super) const fn new(tokenizer: &'a Tokenizer, skip_special: bool) -> Self {
        Self { tokenizer, skip_special, rest: Vec::new(), begun: false, window: Vec::new(), given: 0 }
    }

    /// The text that this token completes; empty while a character is in the making.
    ///
    /// # Errors
    /// A token that the model does not have.
    pub fn push(&mut self, token: Token) -> Result<String, TokenizerError> {
        let tokenizer = self.tokenizer;
        let vocab = tokenizer.ids;
        if token as usize >= vocab {
            return Err(TokenizerError::Token { token, vocab });
        }
        let padding = token as usize >= tokenizer.vocab_size();
        if padding || (self.skip_special && tokenizer.is_special(token)) {
            return Ok(String::new());
        }
        match tokenizer.pieces.rule {
            Rule::Decoder => self.decoded(token),
            Rule::Bytes { strip_first_space } => {
                let mut bytes = tokenizer.bytes(token).unwrap_or_default();
                if strip_first_space && !self.begun && !bytes.is_empty() {
                    bytes = bytes.strip_prefix(b" ").unwrap_or(bytes);
                }
                self.begun |= !tokenizer.bytes(token).unwrap_or_default().is_empty();
                self.rest.extend_from_slice(bytes);
                Ok(complete(&mut self.rest))
            }
        }
    }

    /// What is left when no token follows: U+FFFD for half a character.
    #[must_use]
    pub fn finish(mut self) -> String {
        let mut text = String::from_utf8_lossy(&self.rest).into_owned();
        if self.window.len() > self.given {
            let all = self.text(0).unwrap_or_default();
            let before = self.text_of_given().unwrap_or_default();
            text += all.strip_prefix(&before).unwrap_or(&all);
            self.window.clear();
        }
        text
    }

    fn text(&self, from: usize) -> Result<String, TokenizerError> {
        self.tokenizer.decode_by_encoder(&self.window[from..], false)
    }

    fn text_of_given(&self) -> Result<String, TokenizerError> {
        self.tokenizer.decode_by_encoder(&self.window[..self.given], false)
    }

    /// The text by which a decoding with the new token is longer than one without it.
    fn decoded(&mut self, token: Token) -> Result<String, TokenizerError> {
        self.window.push(token);
        let before = self.text_of_given()?;
        let all = self.text(0)?;
        let waiting = self.window.len() - self.given;
        if all.len() <= before.len() || (all.ends_with('\u{FFFD}') && waiting < MAX_WAITING) {
            return Ok(String::new());
        }
        // The window keeps what has been given last: the decoder may treat the first token of a text differently.
        self.window.drain(..self.given);
        self.given = self.window.len();
        Ok(all.strip_prefix(&before).unwrap_or(&all).to_owned())
    }
}

/// Takes the text off the front of `bytes` up to a character that may still become complete.
fn complete(bytes: &mut Vec<u8>) -> String {
    let mut text = String::new();
    let mut read = 0;
    loop {
        match std::str::from_utf8(&bytes[read..]) {
            Ok(rest) => {
                text += rest;
                bytes.clear();
                return text;
            }
            Err(error) => {
                let valid = read + error.valid_up_to();
                text += &String::from_utf8_lossy(&bytes[read..valid]);
                let Some(wrong) = error.error_len() else {
                    bytes.drain(..valid);
                    return text;
                };
                text.push(char::REPLACEMENT_CHARACTER);
                read = valid + wrong;
            }
        }
    }
}
