//! Log-probabilities in the two shapes that the two endpoints have. A token is a byte.
//!
//! A byte that is a character by itself is shown as that; others as `\xNN`, with `bytes:` before it in completions, as
//! OpenAI shows tokens that are parts of characters.

use serde_json::{Map, Value, json};

use crate::core::decode::ScoredByte;

/// What stands for ln 0, which JSON cannot hold: OpenAI's own lower bound.
const FLOOR: f64 = -9999.0;

fn token(byte: u8, prefix: &str) -> String {
    if byte.is_ascii() { char::from(byte).to_string() } else { format!("{prefix}\\x{byte:02x}") }
}

fn logprob(value: Option<f64>) -> Value {
    value.map_or(Value::Null, |value| json!(value.max(FLOOR)))
}

/// `{tokens, token_logprobs, top_logprobs, text_offset}`; offsets count characters, from `start` on.
pub(super) fn of_completion(bytes: &[ScoredByte], start: usize) -> Value {
    let name = |byte: u8| token(byte, "bytes:");
    let top = |scored: &ScoredByte| -> Map<String, Value> {
        scored.top.iter().map(|&(byte, value)| (name(byte), logprob(Some(value)))).collect()
    };
    let mut begun = start;
    let mut offset = |scored: &ScoredByte| {
        let continues = scored.byte & 0b1100_0000 == 0b1000_0000;
        begun += usize::from(!continues);
        begun.saturating_sub(1).max(start)
    };
    json!({
        "tokens": bytes.iter().map(|scored| name(scored.byte)).collect::<Vec<_>>(),
        "token_logprobs": bytes.iter().map(|scored| logprob(scored.logprob)).collect::<Vec<_>>(),
        "top_logprobs": bytes.iter().map(top).collect::<Vec<_>>(),
        "text_offset": bytes.iter().map(&mut offset).collect::<Vec<_>>(),
    })
}

/// `{content: [{token, logprob, bytes, top_logprobs}]}`.
pub(super) fn of_chat(bytes: &[ScoredByte]) -> Value {
    let entry = |byte: u8, value: Option<f64>| json!({"token": token(byte, ""), "logprob": logprob(value), "bytes": [byte]});
    let of = |scored: &ScoredByte| {
        let mut value = entry(scored.byte, scored.logprob);
        let top: Vec<Value> = scored.top.iter().map(|&(byte, value)| entry(byte, Some(value))).collect();
        value["top_logprobs"] = Value::Array(top);
        value
    };
    json!({"content": bytes.iter().map(of).collect::<Vec<_>>(), "refusal": null})
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_and_offsets_are_of_characters() {
        let scored = |byte| ScoredByte { byte, logprob: Some(f64::NEG_INFINITY), top: vec![(byte, -0.5)] };
        let bytes: Vec<ScoredByte> = "aé!".bytes().map(scored).collect();
        let value = of_completion(&bytes, 10);
        assert_eq!(value["tokens"], json!(["a", "bytes:\\xc3", "bytes:\\xa9", "!"]));
        assert_eq!(value["text_offset"], json!([10, 11, 11, 12]));
        assert_eq!(value["token_logprobs"][0], json!(FLOOR));
        assert_eq!(of_chat(&bytes)["content"][1]["bytes"], json!([0xC3]));
        assert_eq!(of_chat(&bytes)["content"][0]["top_logprobs"][0]["logprob"], json!(-0.5));
    }
}
