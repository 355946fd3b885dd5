//! The engine's JSON to tokens with log-probabilities. Two shapes are in use.
//!
//! OpenAI's completions (vLLM, llama-cpp-python): `choices[0].logprobs.top_logprobs[0]` is an object from the token's
//! text to its log-probability. OpenAI's chat, which llama.cpp's own server uses for both:
//! `choices[0].logprobs.content[0].top_logprobs` is a list of `{token, bytes, logprob}`, there with `id`.

use serde_json::Value;

/// Most tokens that are looked at: an engine that lists its whole vocabulary is within it.
const MAX_TOKENS: usize = 1 << 20;

/// How vLLM writes ids when asked for them.
const TOKEN_ID: &str = "token_id:";

/// One listed token.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Listed {
    /// Its bytes; none if they cannot be told.
    pub(super) bytes: Option<Vec<u8>>,
    pub(super) id: Option<u32>,
    pub(super) logprob: f64,
}

/// The tokens of the first position; an error says what is missing.
pub(super) fn read(answer: &Value) -> Result<Vec<Listed>, String> {
    let logprobs = answer.pointer("/choices/0/logprobs").ok_or("there is no choices[0].logprobs")?;
    let listed: Vec<Listed> = if let Some(Value::Object(tokens)) = logprobs.pointer("/top_logprobs/0") {
        tokens.iter().take(MAX_TOKENS).filter_map(|(text, logprob)| of_text(text, logprob)).collect()
    } else if let Some(Value::Array(tokens)) = logprobs.pointer("/content/0/top_logprobs") {
        tokens.iter().take(MAX_TOKENS).filter_map(of_object).collect()
    } else {
        return Err("choices[0].logprobs has neither top_logprobs nor content".to_owned());
    };
    if listed.is_empty() {
        return Err("no token is listed".to_owned());
    }
    Ok(listed)
}

fn of_text(text: &str, logprob: &Value) -> Option<Listed> {
    let logprob = logprob.as_f64().filter(|logprob| *logprob <= 0.0)?;
    let id = text.strip_prefix(TOKEN_ID).and_then(|id| id.parse().ok());
    let bytes = if id.is_some() { None } else { bytes_of(text) };
    Some(Listed { bytes, id, logprob })
}

fn of_object(token: &Value) -> Option<Listed> {
    let logprob = token.get("logprob")?.as_f64().filter(|logprob| *logprob <= 0.0)?;
    let id = token.get("id").and_then(Value::as_u64).and_then(|id| u32::try_from(id).ok());
    let named = token.get("bytes").and_then(Value::as_array).map(|bytes| {
        bytes
            .iter()
            .filter_map(|byte| byte.as_u64().and_then(|byte| u8::try_from(byte).ok()))
            .collect::<Vec<u8>>()
    });
    let text = token.get("token").and_then(Value::as_str);
    let bytes = named.filter(|bytes| !bytes.is_empty()).or_else(|| text.and_then(bytes_of));
    Some(Listed { bytes, id, logprob })
}

/// The bytes of a token's text; none for half a character, which arrives as the replacement character.
fn bytes_of(text: &str) -> Option<Vec<u8>> {
    (!text.is_empty() && !text.contains(char::REPLACEMENT_CHARACTER)).then(|| text.as_bytes().to_vec())
}
