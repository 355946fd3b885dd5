//! How text is split before byte-pair encoding, by the names of `tokenizer.ggml.pre`.
//!
//! A GGUF file holds only the name. The rules are those of the `tokenizer.json` that the named models were published
//! with, which is also where llama.cpp has them from.

use serde_json::{Value, json};

/// A pre-tokenizer, and what goes with it in the same models.
pub(super) struct Pre {
    /// `pre_tokenizer` of `tokenizer.json`.
    pub(super) splitter: Value,
    /// `normalizer` of the same.
    pub(super) normalizer: Value,
    /// A piece that is a token as a whole is not merged.
    pub(super) ignore_merges: bool,
    /// Whether a text begins with the beginning token where the file does not say.
    pub(super) begins: bool,
}

const LLAMA3: &str = concat!(
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}|",
    r" ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
);
const QWEN2: &str = concat!(
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}|",
    r" ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
);
const TEKKEN: &str = concat!(
    r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+|",
    r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*|\p{N}|",
    r" ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+"
);

/// Names that are known, for messages.
pub(super) const KNOWN: &str =
    "gpt-2, smollm, starcoder, llama-bpe, llama3, qwen2, deepseek-r1-qwen and tekken";

/// The rules of a name.
pub(super) fn find(name: &str) -> Option<Pre> {
    let plain = |splitter| Pre { splitter, normalizer: Value::Null, ignore_merges: false, begins: false };
    Some(match name {
        "gpt-2" => plain(byte_level(true)),
        "smollm" | "starcoder" => {
            plain(sequence([json!({ "type": "Digits", "individual_digits": true }), byte_level(true)]))
        }
        "llama-bpe" | "llama3" | "llama-v3" => {
            Pre { ignore_merges: true, begins: true, ..plain(split(LLAMA3)) }
        }
        "qwen2" => Pre { normalizer: json!({ "type": "NFC" }), ..plain(split(QWEN2)) },
        "deepseek-r1-qwen" => {
            Pre { normalizer: json!({ "type": "NFC" }), begins: true, ..plain(split(QWEN2)) }
        }
        "tekken" => Pre { ignore_merges: true, begins: true, ..plain(split(TEKKEN)) },
        _ => return None,
    })
}

/// Bytes as printable characters, with or without GPT-2's own splitting.
fn byte_level(use_regex: bool) -> Value {
    json!({ "type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true, "use_regex": use_regex })
}

fn sequence<const N: usize>(parts: [Value; N]) -> Value {
    json!({ "type": "Sequence", "pretokenizers": Vec::from(parts) })
}

fn split(regex: &str) -> Value {
    let split = json!({
        "type": "Split",
        "pattern": { "Regex": regex },
        "behavior": "Isolated",
        "invert": false,
    });
    sequence([split, byte_level(false)])
}
