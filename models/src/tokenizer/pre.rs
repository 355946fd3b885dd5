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

const GPT4O: &str = concat!(
    r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?|",
    r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*(?i:'s|'t|'re|'ve|'m|'ll|'d)?|",
    r"\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+"
);
const GPT2: &str = r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)";
const DEEPSEEK_V3: &str = concat!(
    r##"[!"#$%&'()*+,\-./:;<=>?@\[\\\]^_`{|}~][A-Za-z]+|[^\r\n\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+|"##,
    r" ?[\p{P}\p{S}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
);
/// Chinese and Korean characters, as DeepSeek's tokenizers bound them.
const IDEOGRAPHS: &str = "[一-龥ࠀ-一가-퟿]+";

/// Names that are known, for messages.
pub(super) const KNOWN: &str = "default, gpt-2, mpt, olmo, smollm, starcoder, refact, command-r, falcon, llama-bpe, \
     llama3, smaug-bpe, qwen2, stablelm2, deepseek-r1-qwen, deepseek-coder, deepseek-v3, gpt-4o, viking, poro-chat and \
     tekken";

/// The rules of a name. What llama.cpp calls `default` stands for files that name none.
pub(super) fn find(name: &str) -> Option<Pre> {
    let plain = |splitter| Pre { splitter, normalizer: Value::Null, ignore_merges: false, begins: false };
    let composed = |splitter| Pre { normalizer: json!({ "type": "NFC" }), ..plain(splitter) };
    Some(match name {
        "gpt-2" | "phi-2" | "gigachat" | "mellum" | "a.x-4.0" | "mpt" | "olmo" | "jais" | "trillion" => {
            plain(byte_level(true))
        }
        "smollm" | "starcoder" | "refact" | "command-r" | "codeshell" | "exaone" | "minerva-7b" => {
            plain(sequence([json!({ "type": "Digits", "individual_digits": true }), byte_level(true)]))
        }
        "llama-bpe" | "llama3" | "llama-v3" | "falcon3" | "falcon-h1" | "pixtral" | "midm-2.0" | "lfm2" => {
            Pre { ignore_merges: true, begins: true, ..plain(split(&[LLAMA3])) }
        }
        "smaug-bpe" | "dbrx" | "chatglm-bpe" => plain(split(&[LLAMA3])),
        "qwen2" | "kormo" => composed(split(&[QWEN2])),
        "stablelm2" | "hunyuan" => plain(split(&[QWEN2])),
        "deepseek-r1-qwen" => Pre { begins: true, ..composed(split(&[QWEN2])) },
        "deepseek-coder" => plain(split(&[r"[\r\n]", r"\s?\p{L}+", r"\s?\p{P}+", IDEOGRAPHS, r"\p{N}"])),
        "deepseek-v3" => plain(split(&[r"\p{N}{1,3}", "[一-龥぀-ゟ゠-ヿ]+", DEEPSEEK_V3])),
        "falcon" => plain(split(&[r"[\p{P}\$\+<=>\^~\|`]+", GPT2, "[0-9][0-9][0-9]"])),
        "gpt-4o" => plain(split(&[GPT4O])),
        "viking" => plain(split(&[r" ?[^(\s|.,!?…。，、।۔،)]+", r"\p{N}"])),
        "poro-chat" | "bloom" | "gpt3-finnish" => plain(split(&[r" ?[^(\s|.,!?…。，、।۔،)]+"])),
        "tekken" => Pre { ignore_merges: true, begins: true, ..plain(split(&[TEKKEN])) },
        "default" => plain(split(&[r"[\p{P}\$\+<=>\^~\|]+", GPT2, r"\p{N}+", "[0-9][0-9][0-9]"])),
        _ => return None,
    })
}

/// Bytes as printable characters, with or without GPT-2's own splitting.
fn byte_level(use_regex: bool) -> Value {
    json!({ "type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true, "use_regex": use_regex })
}

fn sequence(parts: impl IntoIterator<Item = Value>) -> Value {
    json!({ "type": "Sequence", "pretokenizers": parts.into_iter().collect::<Vec<_>>() })
}

/// Splits by one expression after the other, then writes bytes as characters.
fn split(expressions: &[&str]) -> Value {
    let split = |regex: &&str| json!({ "type": "Split", "pattern": { "Regex": regex }, "behavior": "Isolated", "invert": false });
    sequence(expressions.iter().map(split).chain([byte_level(false)]))
}
