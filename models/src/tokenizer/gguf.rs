//! A tokenizer from the metadata of a GGUF file, by way of the `tokenizer.json` it was converted from.
//!
//! Two kinds are in use with the architectures that are read: `gpt2` (byte-level BPE with merges) and `llama`
//! (SentencePiece BPE with scores and byte fallback). Token types: 1 normal, 2 unknown, 3 control, 4 user-defined,
//! 5 unused, 6 byte.

use std::collections::{BTreeSet, HashMap};

use serde_json::{Map, Value, json};

use super::{ChatTemplate, Tokenizer, TokenizerError, pre};
use crate::Token;
use crate::gguf::{Gguf, GgufError};

const CONTROL: i64 = 3;
const USER_DEFINED: i64 = 4;
const NORMAL: i64 = 1;

/// Tokens that end an answer in one chat format or another, whatever a file names as its end.
const ENDS: [&str; 6] =
    ["<|im_end|>", "<|eot_id|>", "<|end|>", "<|endoftext|>", "<|eom_id|>", "<end_of_turn>"];

/// Longest token of a SentencePiece vocabulary, in bytes. Its trainer allows 16 characters unless told otherwise; the longest
/// in use are runs of some hundred spaces of three bytes.
const LONGEST_PIECE: usize = 1 << 10;

/// Bytes of all the ways to cut the tokens of a vocabulary in two: 256,000 tokens of ten letters need 23 million. A vocabulary
/// made to need more would take minutes and gigabytes.
const MAX_CUT_BYTES: usize = 1 << 28;

/// The vocabulary of a file.
struct Vocabulary {
    tokens: Vec<String>,
    kinds: Vec<i64>,
    /// Where `model` or `pre` has a default.
    begin: Option<Token>,
    end: Option<Token>,
    unknown: Option<Token>,
    padding: Option<Token>,
}

impl Tokenizer {
    /// Reads the tokenizer and the chat template of a GGUF file.
    ///
    /// # Errors
    /// A kind of tokenizer that is not implemented, or metadata that contradict themselves.
    pub fn from_gguf(file: &Gguf) -> Result<Self, TokenizerError> {
        let model = text(file, "tokenizer.ggml.model")?;
        let model = model.ok_or_else(|| TokenizerError::Missing(file.path().into()))?;
        let vocabulary = Vocabulary::read(file)?;
        let json = match model {
            "gpt2" => byte_level(file, &vocabulary)?,
            "llama" => sentence_piece(file, &vocabulary)?,
            other => {
                let known = "gpt2 (byte-level BPE) and llama (SentencePiece)".into();
                return Err(TokenizerError::Unknown {
                    key: "tokenizer.ggml.model",
                    found: other.into(),
                    known,
                });
            }
        };
        let mut tokenizer = Self::from_json(json.to_string().as_bytes())?;
        let embedding = file.tensor("token_embd.weight").and_then(|tensor| tensor.shape.first().copied());
        tokenizer.ids = tokenizer.ids.max(embedding.unwrap_or(0));
        tokenizer.ends = vocabulary.ends(file)?;
        let named = vocabulary.named();
        let template = text(file, "tokenizer.chat_template")?;
        tokenizer.chat = template.map(|source| ChatTemplate::new(source, named)).transpose()?;
        Ok(tokenizer)
    }
}

fn invalid(error: &GgufError) -> TokenizerError {
    TokenizerError::Invalid(error.to_string())
}

fn text<'a>(file: &'a Gguf, key: &str) -> Result<Option<&'a str>, TokenizerError> {
    file.text(key).map_err(|error| invalid(&error))
}

fn truth(file: &Gguf, key: &str, default: bool) -> Result<bool, TokenizerError> {
    Ok(file.truth(key).map_err(|error| invalid(&error))?.unwrap_or(default))
}

fn strings(file: &Gguf, key: &'static str) -> Result<Vec<String>, TokenizerError> {
    let missing = || TokenizerError::Invalid(format!("metadata `{key}` is missing"));
    let raw = file.raw_strings(key).map_err(|error| invalid(&error))?.ok_or_else(missing)?;
    raw.enumerate()
        .map(|(place, bytes)| {
            let bytes = bytes.map_err(|error| invalid(&error))?;
            String::from_utf8(bytes.to_vec())
                .map_err(|_| TokenizerError::Invalid(format!("metadata `{key}`: entry {place} is not UTF-8")))
        })
        .collect()
}

impl Vocabulary {
    fn read(file: &Gguf) -> Result<Self, TokenizerError> {
        let tokens = strings(file, "tokenizer.ggml.tokens")?;
        let kinds = file.numbers("tokenizer.ggml.token_type").map_err(|error| invalid(&error))?;
        let kinds = kinds.map_or_else(
            || vec![NORMAL; tokens.len()],
            |kinds| kinds.into_iter().map(|kind| kind as i64).collect(),
        );
        if kinds.len() != tokens.len() || tokens.is_empty() {
            let reason = format!("{} tokens and {} token types", tokens.len(), kinds.len());
            return Err(TokenizerError::Invalid(reason));
        }
        let id = |name: &str| {
            let key = format!("tokenizer.ggml.{name}_token_id");
            let id = file.unsigned(&key).map_err(|error| invalid(&error))?;
            // Some converters write the largest integer for "none".
            Ok::<_, TokenizerError>(
                id.and_then(|id| Token::try_from(id).ok()).filter(|id| (*id as usize) < tokens.len()),
            )
        };
        let (begin, end) = (id("bos")?, id("eos")?);
        let (unknown, padding) = (id("unknown")?, id("padding")?);
        Ok(Self { tokens, kinds, begin, end, unknown, padding })
    }

    fn text(&self, id: Option<Token>) -> Option<&str> {
        id.and_then(|id| self.tokens.get(id as usize)).map(String::as_str)
    }

    fn named(&self) -> Map<String, Value> {
        let names = [
            ("bos_token", self.begin),
            ("eos_token", self.end),
            ("unk_token", self.unknown),
            ("pad_token", self.padding),
        ];
        names.into_iter().filter_map(|(name, id)| Some((name.into(), self.text(id)?.into()))).collect()
    }

    fn ends(&self, file: &Gguf) -> Result<Vec<Token>, TokenizerError> {
        let mut ends: BTreeSet<Token> = self.end.into_iter().collect();
        for name in ["eot", "eom"] {
            let id =
                file.unsigned(&format!("tokenizer.ggml.{name}_token_id")).map_err(|error| invalid(&error))?;
            ends.extend(id.and_then(|id| Token::try_from(id).ok()));
        }
        let written = self.tokens.iter().zip(&self.kinds).zip(0..);
        let written = written.filter(|((text, kind), _)| **kind == CONTROL && ENDS.contains(&text.as_str()));
        ends.extend(written.map(|(_, id)| id));
        Ok(ends.into_iter().collect())
    }

    /// Id of each text; the first where a text is there twice.
    fn ids(&self) -> HashMap<&str, Token> {
        let mut ids = HashMap::with_capacity(self.tokens.len());
        for (token, id) in self.tokens.iter().zip(0..) {
            ids.entry(token.as_str()).or_insert(id);
        }
        ids
    }

    /// `added_tokens` of `tokenizer.json`: control and user-defined tokens, which are recognised in any text.
    fn added(&self) -> Value {
        let added = self.tokens.iter().zip(&self.kinds).zip(0u32..).filter_map(|((text, kind), id)| {
            let special = *kind == CONTROL;
            (special || *kind == USER_DEFINED).then(|| {
                json!({
                    "id": id, "content": text, "special": special,
                    "single_word": false, "lstrip": false, "rstrip": false, "normalized": false,
                })
            })
        });
        Value::Array(added.collect())
    }

    /// What a text begins and ends with.
    fn processor(&self, file: &Gguf, begins: bool) -> Result<Value, TokenizerError> {
        let begin = self.begin.zip(self.text(self.begin)).filter(|_| begins);
        let end = self.end.zip(self.text(self.end));
        let end = if truth(file, "tokenizer.ggml.add_eos_token", false)? { end } else { None };
        let around: Vec<(Token, &str)> = begin.into_iter().chain(end).collect();
        if around.is_empty() {
            return Ok(Value::Null);
        }
        let special = |(_, text): (Token, &str)| json!({ "SpecialToken": { "id": text, "type_id": 0 } });
        let sequence = |id: &str| {
            let text = json!({ "Sequence": { "id": id, "type_id": 0 } });
            begin.map(special).into_iter().chain([text]).chain(end.map(special)).collect::<Vec<_>>()
        };
        let tokens: Map<String, Value> = around
            .iter()
            .map(|(id, text)| ((*text).to_owned(), json!({ "id": text, "ids": [id], "tokens": [text] })))
            .collect();
        let pair = [sequence("A"), sequence("B")].concat();
        Ok(json!({
            "type": "TemplateProcessing",
            "single": sequence("A"),
            "pair": pair,
            "special_tokens": tokens,
        }))
    }
}

/// `tokenizer.json` of a byte-level BPE.
fn byte_level(file: &Gguf, vocabulary: &Vocabulary) -> Result<Value, TokenizerError> {
    const KEY: &str = "tokenizer.ggml.pre";
    let fallback = if text(file, "general.architecture")? == Some("gpt2") { "gpt-2" } else { "default" };
    let name = text(file, KEY)?.unwrap_or(fallback);
    let known = || TokenizerError::Unknown { key: KEY, found: name.into(), known: pre::KNOWN.into() };
    let rules = pre::find(name).ok_or_else(known)?;
    let begins = truth(file, "tokenizer.ggml.add_bos_token", rules.begins)?;
    let merges = strings(file, "tokenizer.ggml.merges")?;
    Ok(json!({
        "version": "1.0",
        "added_tokens": vocabulary.added(),
        "normalizer": rules.normalizer,
        "pre_tokenizer": rules.splitter,
        "post_processor": vocabulary.processor(file, begins)?,
        "decoder": { "type": "ByteLevel", "add_prefix_space": true, "trim_offsets": true, "use_regex": true },
        "model": {
            "type": "BPE",
            "ignore_merges": rules.ignore_merges,
            "vocab": vocabulary.ids(),
            "merges": merges,
        },
    }))
}

/// `tokenizer.json` of a SentencePiece BPE.
fn sentence_piece(file: &Gguf, vocabulary: &Vocabulary) -> Result<Value, TokenizerError> {
    let scores = file.numbers("tokenizer.ggml.scores").map_err(|error| invalid(&error))?.unwrap_or_default();
    if scores.len() != vocabulary.tokens.len() {
        let reason = format!("{} scores for {} tokens", scores.len(), vocabulary.tokens.len());
        return Err(TokenizerError::Invalid(reason));
    }
    let spaced = truth(file, "tokenizer.ggml.add_space_prefix", true)?;
    let begins = truth(file, "tokenizer.ggml.add_bos_token", true)?;
    let space = json!({ "type": "Replace", "pattern": { "String": " " }, "content": "▁" });
    let prefix = json!({ "type": "Prepend", "prepend": "▁" });
    let normalizers = if spaced { vec![prefix, space] } else { vec![space] };
    let mut decoders = vec![
        json!({ "type": "Replace", "pattern": { "String": "▁" }, "content": " " }),
        json!({ "type": "ByteFallback" }),
        json!({ "type": "Fuse" }),
    ];
    if spaced {
        decoders.push(json!({ "type": "Strip", "content": " ", "start": 1, "stop": 0 }));
    }
    Ok(json!({
        "version": "1.0",
        "added_tokens": vocabulary.added(),
        "normalizer": { "type": "Sequence", "normalizers": normalizers },
        "pre_tokenizer": null,
        "post_processor": vocabulary.processor(file, begins)?,
        "decoder": { "type": "Sequence", "decoders": decoders },
        "model": {
            "type": "BPE",
            "unk_token": vocabulary.text(vocabulary.unknown),
            "fuse_unk": true,
            "byte_fallback": true,
            "ignore_merges": false,
            "vocab": vocabulary.ids(),
            "merges": merges(vocabulary, &scores)?,
        },
    }))
}

/// The merges that scores imply: two tokens merge if they make a third, the best score first.
fn merges(vocabulary: &Vocabulary, scores: &[f64]) -> Result<Vec<[String; 2]>, TokenizerError> {
    let ids: HashMap<&str, Token> =
        vocabulary.ids().into_iter().filter(|(_, id)| vocabulary.kinds[*id as usize] == NORMAL).collect();
    let (mut found, mut bytes) = (Vec::new(), 0);
    for (text, id) in &ids {
        if text.len() > LONGEST_PIECE {
            let reason = format!("token {id} has {} bytes; at most {LONGEST_PIECE} are read", text.len());
            return Err(TokenizerError::Invalid(reason));
        }
        bytes += text.len() * text.chars().count().saturating_sub(1);
        if bytes > MAX_CUT_BYTES {
            let reason = "its tokens are so many and so long that the merges they imply are without end";
            return Err(TokenizerError::Invalid(reason.into()));
        }
        for (at, _) in text.char_indices().skip(1) {
            let (left, right) = text.split_at(at);
            if let Some((left_id, right_id)) = ids.get(left).zip(ids.get(right)) {
                found.push((*id, *left_id, *right_id, [left, right]));
            }
        }
    }
    found.sort_unstable_by(|a, b| {
        let score = |entry: &(Token, Token, Token, [&str; 2])| scores[entry.0 as usize];
        score(b).total_cmp(&score(a)).then_with(|| (a.0, a.1, a.2).cmp(&(b.0, b.1, b.2)))
    });
    Ok(found.into_iter().map(|(.., parts)| parts.map(str::to_owned)).collect())
}
