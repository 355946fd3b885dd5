//! What only `/v1/completions` has: prompts in four shapes, a count of log-probabilities.

use serde_json::Value;

use super::fields::Fields;
use super::{MAX_TOP_LOGPROBS, Refusal};

/// The prompts: a text, several, a list of token ids (bytes), or several.
pub(super) fn prompts(value: Option<&Value>) -> Result<Vec<Vec<u8>>, Refusal> {
    match value {
        None => Err(Refusal::missing("prompt")),
        Some(Value::String(text)) => Ok(vec![text.clone().into_bytes()]),
        Some(Value::Array(items)) => match items.first() {
            None => Err(Refusal::new(Some("prompt"), "invalid_value", "'prompt' is an empty array.")),
            Some(Value::Number(_)) => Ok(vec![tokens(items)?]),
            Some(_) => items.iter().map(prompt).collect(),
        },
        Some(_) => Err(wrong_shape()),
    }
}

fn prompt(item: &Value) -> Result<Vec<u8>, Refusal> {
    match item {
        Value::String(text) => Ok(text.clone().into_bytes()),
        Value::Array(ids) => tokens(ids),
        _ => Err(wrong_shape()),
    }
}

fn tokens(ids: &[Value]) -> Result<Vec<u8>, Refusal> {
    let byte = |id: &Value| id.as_u64().and_then(|id| u8::try_from(id).ok());
    ids.iter().map(byte).collect::<Option<_>>().ok_or_else(|| {
        let message = "Token ids of this model are bytes: integers from 0 to 255.";
        Refusal::new(Some("prompt"), "invalid_token", message)
    })
}

fn wrong_shape() -> Refusal {
    Refusal::wrong_type("prompt", "a string, an array of strings, or arrays of token ids")
}

/// `logprobs: 0` scores the chosen tokens only, more lists alternatives.
pub(super) fn logprobs(fields: &Fields<'_>) -> Result<Option<usize>, Refusal> {
    Ok(fields.integer("logprobs", 0, MAX_TOP_LOGPROBS)?.map(|count| count as usize))
}

/// `best_of` draws more choices than it returns; only as many as are returned can be drawn here.
pub(super) fn check_best_of(fields: &Fields<'_>, n: usize) -> Result<(), Refusal> {
    match fields.get("best_of") {
        Some(value) if value.as_u64() != Some(n as u64) => {
            Err(Refusal::unsupported("best_of", "leave it out or set it to the value of 'n'"))
        }
        _ => Ok(()),
    }
}
