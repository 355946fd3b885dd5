//! Which parameters an endpoint knows, and which values of those that it cannot serve are harmless.
//!
//! A parameter that is in no list is refused in OpenAI's words, so that a typing error is not taken for a setting.

use serde_json::{Map, Value};

use super::{Kind, Refusal};

/// Read by both endpoints.
const COMMON: &[&str] = &[
    "model",
    "max_tokens",
    "temperature",
    "top_p",
    "n",
    "stop",
    "stream",
    "stream_options",
    "logprobs",
    "seed",
    "presence_penalty",
    "frequency_penalty",
    "logit_bias",
];

/// Read by `/v1/completions` only.
const COMPLETION: &[&str] = &["prompt", "echo", "best_of"];

/// Read by `/v1/chat/completions` only.
const CHAT: &[&str] = &["messages", "max_completion_tokens", "top_logprobs"];

/// Labels for the operator's own bookkeeping; they change no answer.
const LABELS: &[&str] =
    &["user", "metadata", "safety_identifier", "prompt_cache_key", "prompt_cache_retention", "service_tier"];

/// Known to clients, not available here except with a neutral value.
struct Neutral {
    name: &'static str,
    is_neutral: fn(&Value) -> bool,
    instead: &'static str,
}

const OMIT: &str = "leave it out";

/// Parameters of either endpoint that ask for something else than text from a distribution.
const NEUTRAL: &[Neutral] = &[
    Neutral { name: "suffix", is_neutral: |value| value == "", instead: OMIT },
    Neutral { name: "tools", is_neutral: is_empty, instead: OMIT },
    Neutral {
        name: "tool_choice",
        // Without tools there is nothing to choose.
        is_neutral: |value| value == "none" || value == "auto",
        instead: OMIT,
    },
    Neutral { name: "parallel_tool_calls", is_neutral: Value::is_boolean, instead: OMIT },
    Neutral { name: "functions", is_neutral: is_empty, instead: OMIT },
    Neutral { name: "function_call", is_neutral: |value| value == "none", instead: OMIT },
    Neutral { name: "response_format", is_neutral: is_text_format, instead: "only {\"type\": \"text\"} is" },
    Neutral {
        name: "modalities",
        is_neutral: |value| *value == serde_json::json!(["text"]),
        instead: "only text is",
    },
    Neutral { name: "store", is_neutral: |value| value == false, instead: "nothing is stored" },
    Neutral { name: "audio", is_neutral: |_| false, instead: OMIT },
    Neutral { name: "prediction", is_neutral: |_| false, instead: OMIT },
    Neutral { name: "reasoning_effort", is_neutral: |value| value == "none", instead: OMIT },
    Neutral { name: "verbosity", is_neutral: |value| value == "medium", instead: OMIT },
    Neutral { name: "web_search_options", is_neutral: |_| false, instead: OMIT },
    Neutral { name: "moderation", is_neutral: |_| false, instead: OMIT },
];

/// Refuses what `kind`'s endpoint does not know or cannot do.
pub(super) fn check(kind: Kind, map: &Map<String, Value>) -> Result<(), Refusal> {
    let own = if kind == Kind::Chat { CHAT } else { COMPLETION };
    for (name, value) in map {
        let read = [COMMON, own, LABELS].iter().any(|list| list.contains(&name.as_str()));
        if read || (value.is_null() && NEUTRAL.iter().any(|parameter| parameter.name == name)) {
            continue;
        }
        match NEUTRAL.iter().find(|parameter| parameter.name == name) {
            None => return Err(Refusal::unrecognized(name)),
            Some(parameter) if !(parameter.is_neutral)(value) => {
                return Err(Refusal::unsupported(name, parameter.instead));
            }
            Some(_) => {}
        }
    }
    Ok(())
}

fn is_empty(value: &Value) -> bool {
    value.as_array().is_some_and(Vec::is_empty) || value.as_object().is_some_and(Map::is_empty)
}

fn is_text_format(value: &Value) -> bool {
    value.get("type").is_some_and(|kind| kind == "text")
}
