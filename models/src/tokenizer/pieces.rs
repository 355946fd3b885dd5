//! The bytes that each token stands for.
//!
//! Byte-level BPE writes a byte as one printable character; SentencePiece writes a space as `▁` and a byte that has no
//! token of its own as `<0x0A>`. Both are put back into bytes here, once, when the tokenizer is loaded. Other kinds of
//! decoders look at neighbours; for them there are no such pieces.

use std::collections::HashMap;
use std::ops::Range;

use serde_json::Value;
use tokenizers::Tokenizer as Encoder;

use super::TokenizerError;
use crate::Token;

/// Largest vocabulary that is believed: ids far above are a fault of the file.
const MAX_VOCAB: usize = 1 << 22;

/// See the module.
#[derive(Debug, Clone)]
pub(super) struct Pieces {
    bytes: Vec<u8>,
    /// Where each token's bytes lie.
    places: Vec<Range<u32>>,
    pub(super) rule: Rule,
}

/// How tokens come together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Rule {
    /// Their bytes follow each other.
    Bytes {
        /// The space that the text begins with is not part of it.
        strip_first_space: bool,
    },
    /// Only the decoder of `tokenizers` knows.
    Decoder,
}

impl Pieces {
    /// Tokens with known bytes.
    pub(super) fn exact(tokens: impl Iterator<Item = Vec<u8>>, strip_first_space: bool) -> Self {
        let mut pieces =
            Self { bytes: Vec::new(), places: Vec::new(), rule: Rule::Bytes { strip_first_space } };
        for token in tokens {
            let start = pieces.bytes.len() as u32;
            pieces.bytes.extend(token);
            pieces.places.push(start..pieces.bytes.len() as u32);
        }
        pieces
    }

    /// The pieces of a tokenizer, by its decoder.
    pub(super) fn of(encoder: &Encoder) -> Result<Self, TokenizerError> {
        let vocab = encoder.get_vocab(true);
        let size = vocab.values().max().map_or(0, |last| *last as usize + 1);
        let bytes: usize = vocab.keys().map(String::len).sum();
        if size > MAX_VOCAB || u32::try_from(bytes).is_err() {
            let reason = format!("its highest id is {}; at most {MAX_VOCAB} ids are read", size - 1);
            return Err(TokenizerError::Invalid(reason));
        }
        let mut tokens = vec![String::new(); size];
        for (token, id) in vocab {
            tokens[id as usize] = token;
        }
        let decoder = serde_json::to_value(encoder.get_decoder()).unwrap_or(Value::Null);
        Ok(match Style::of(&decoder) {
            Style::ByteLevel => {
                let table = byte_of_char();
                Self::exact(tokens.iter().map(|token| byte_level(&table, token)), false)
            }
            Style::SentencePiece { strip } => {
                Self::exact(tokens.iter().map(|token| sentence_piece(token)), strip)
            }
            Style::Other => {
                let mut pieces = Self::exact(tokens.iter().map(|_| Vec::new()), false);
                pieces.rule = Rule::Decoder;
                pieces
            }
        })
    }

    /// Number of ids.
    pub(super) fn len(&self) -> usize {
        self.places.len()
    }

    /// A token's bytes.
    pub(super) fn get(&self, token: Token) -> Option<&[u8]> {
        if self.rule == Rule::Decoder {
            return None;
        }
        let place = self.places.get(token as usize)?;
        self.bytes.get(place.start as usize..place.end as usize)
    }
}

enum Style {
    ByteLevel,
    SentencePiece { strip: bool },
    Other,
}

impl Style {
    /// What kind of decoder a `tokenizer.json` describes.
    fn of(decoder: &Value) -> Self {
        let kind = |value: &Value| value["type"].as_str().map(str::to_owned).unwrap_or_default();
        match kind(decoder).as_str() {
            "ByteLevel" => Self::ByteLevel,
            "Metaspace" if decoder["replacement"] == "▁" => {
                Self::SentencePiece { strip: decoder["prepend_scheme"] != "never" }
            }
            "Sequence" => {
                let parts = decoder["decoders"].as_array().cloned().unwrap_or_default();
                let kinds: Vec<String> = parts.iter().map(kind).collect();
                let kinds: Vec<&str> = kinds.iter().map(String::as_str).collect();
                let spaces = parts
                    .first()
                    .is_some_and(|part| part["pattern"]["String"] == "▁" && part["content"] == " ");
                match kinds.as_slice() {
                    ["ByteLevel"] => Self::ByteLevel,
                    ["Replace", "ByteFallback", "Fuse"] if spaces => Self::SentencePiece { strip: false },
                    ["Replace", "ByteFallback", "Fuse", "Strip"]
                        if spaces
                            && parts[3]["content"] == " "
                            && parts[3]["start"] == 1
                            && parts[3]["stop"] == 0 =>
                    {
                        Self::SentencePiece { strip: true }
                    }
                    _ => Self::Other,
                }
            }
            _ => Self::Other,
        }
    }
}

/// The characters with which byte-level BPE writes bytes: printable ones stand for themselves, the others follow from
/// U+0100 on. Source: GPT-2's encoder.
fn byte_of_char() -> HashMap<char, u8> {
    let printable = |byte: u8| matches!(byte, b'!'..=b'~' | 0xA1..=0xAC | 0xAE..=0xFF);
    let mut next = 0x100u32;
    (0..=u8::MAX)
        .filter_map(|byte| {
            let code = if printable(byte) {
                u32::from(byte)
            } else {
                next += 1;
                next - 1
            };
            char::from_u32(code).map(|char| (char, byte))
        })
        .collect()
}

/// A token with a character that stands for no byte (a control token) is its own text.
fn byte_level(table: &HashMap<char, u8>, token: &str) -> Vec<u8> {
    let bytes: Option<Vec<u8>> = token.chars().map(|char| table.get(&char).copied()).collect();
    bytes.unwrap_or_else(|| token.as_bytes().to_vec())
}

fn sentence_piece(token: &str) -> Vec<u8> {
    match byte_token(token) {
        Some(byte) => vec![byte],
        None => token.replace('▁', " ").into_bytes(),
    }
}

/// The byte of a token `<0x0A>`.
pub(super) fn byte_token(token: &str) -> Option<u8> {
    let digits = token.strip_prefix("<0x")?.strip_suffix('>')?;
    (digits.len() == 2).then(|| u8::from_str_radix(digits, 16).ok()).flatten()
}
