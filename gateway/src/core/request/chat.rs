//! What only `/v1/chat/completions` has: messages, `logprobs` as a switch.

use serde_json::Value;

use super::fields::Fields;
use super::{MAX_TOP_LOGPROBS, Refusal};
use crate::core::template::{self, Role};

/// The messages as one prompt.
pub(super) fn prompt(value: Option<&Value>) -> Result<Vec<u8>, Refusal> {
    let messages = value.ok_or_else(|| Refusal::missing("messages"))?;
    let messages = messages.as_array().ok_or_else(|| Refusal::wrong_type("messages", "an array"))?;
    if messages.is_empty() {
        return Err(Refusal::new(Some("messages"), "invalid_value", "'messages' is an empty array."));
    }
    let parsed: Vec<(Role, String)> =
        messages.iter().enumerate().map(|(at, message)| parse(at, message)).collect::<Result<_, _>>()?;
    Ok(template::render(&parsed).into_bytes())
}

fn parse(at: usize, message: &Value) -> Result<(Role, String), Refusal> {
    let at = format!("messages[{at}]");
    let map = message.as_object().ok_or_else(|| Refusal::wrong_type(&at, "an object"))?;
    let fields = Fields::new(map);
    for (name, value) in map.iter().filter(|(_, value)| !value.is_null()) {
        let harmless =
            ["role", "content", "name"].contains(&name.as_str()) || value == &Value::Array(Vec::new());
        if !harmless {
            return Err(Refusal::unsupported(&format!("{at}.{name}"), "only role and text content are"));
        }
    }
    let role = match fields.text("role")? {
        Some("system" | "developer") => Role::System,
        Some("user") => Role::User,
        Some("assistant") => Role::Assistant,
        None => return Err(Refusal::missing(&format!("{at}.role"))),
        Some(_) => {
            let message = format!("'{at}.role' must be system, developer, user or assistant.");
            return Err(Refusal::new(Some(&format!("{at}.role")), "invalid_value", message));
        }
    };
    let content = fields.get("content").ok_or_else(|| Refusal::missing(&format!("{at}.content")))?;
    Ok((role, text(&at, content)?))
}

/// A text, or parts of type `text` put together.
fn text(at: &str, content: &Value) -> Result<String, Refusal> {
    let param = format!("{at}.content");
    let parts = match content {
        Value::String(text) => return Ok(text.clone()),
        Value::Array(parts) => parts,
        _ => return Err(Refusal::wrong_type(&param, "a string or an array of parts")),
    };
    let part = |part: &Value| match part.get("type").and_then(Value::as_str) {
        Some("text") => part
            .get("text")
            .and_then(Value::as_str)
            .map(str::to_owned)
            .ok_or_else(|| Refusal::wrong_type(&param, "parts with a string `text`")),
        _ => Err(Refusal::unsupported(&param, "only parts of type `text` are")),
    };
    parts.iter().map(part).collect()
}

/// `logprobs: true`, with `top_logprobs` alternatives.
pub(super) fn logprobs(fields: &Fields<'_>) -> Result<Option<usize>, Refusal> {
    let wanted = fields.boolean("logprobs")?.unwrap_or(false);
    let top = fields.integer("top_logprobs", 0, MAX_TOP_LOGPROBS)?;
    if top.is_some() && !wanted {
        let message = "'top_logprobs' is only possible with 'logprobs': true.";
        return Err(Refusal::new(Some("top_logprobs"), "invalid_value", message));
    }
    Ok(wanted.then_some(top.unwrap_or(0) as usize))
}
