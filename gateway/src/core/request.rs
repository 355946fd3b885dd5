//! A request's JSON, checked: either a [`Query`] that can be answered as asked, or a [`Refusal`] that says what to change.
//!
//! Invariant: nothing that changes the answer is ignored silently. A parameter is ours, or has its neutral value, or is
//! only a label, or the request is refused. Sizes are bounded by [`Limits`]. Token = byte throughout.

mod allowed;
mod chat;
mod completion;
mod fields;
mod refusal;

use std::collections::BTreeMap;

use serde_json::Value;

pub use refusal::Refusal;

use super::sampling::Sampling;
use super::steering::Steering;
use fields::Fields;

/// Most stop strings, as OpenAI has it.
pub const MAX_STOPS: usize = 4;

/// Longest stop string in bytes: bounds what is held back and compared at each byte.
pub const MAX_STOP_BYTES: usize = 256;

/// Most alternatives per position, as OpenAI has it for chats.
pub const MAX_TOP_LOGPROBS: u64 = 20;

/// Bounds that the operator sets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// The one model id.
    pub model: String,
    /// Most bytes of all prompts together.
    pub max_prompt_bytes: usize,
    /// Largest `max_tokens`.
    pub max_tokens: usize,
    /// Most choices (prompts × n).
    pub max_choices: usize,
}

/// Which endpoint was asked, hence how to answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// `/v1/completions`.
    Completion,
    /// `/v1/chat/completions`.
    Chat,
}

impl Kind {
    /// `max_tokens` of a request that sets none: enough to see something, little enough for a slow miner.
    const fn default_max_tokens(self) -> usize {
        match self {
            Self::Completion => 64,
            Self::Chat => 256,
        }
    }
}

/// What to generate, and how to present it.
#[derive(Clone, Debug, PartialEq)]
pub struct Query {
    /// The endpoint.
    pub kind: Kind,
    /// Texts to continue.
    pub prompts: Vec<Vec<u8>>,
    /// Choices per prompt.
    pub n: usize,
    /// Most tokens per choice.
    pub max_tokens: usize,
    /// How tokens are chosen.
    pub sampling: Sampling,
    /// Penalties and biases.
    pub steering: Steering,
    /// Of the random draws; one is drawn if there is none.
    pub seed: Option<u64>,
    /// What ends a choice.
    pub stops: Vec<Vec<u8>>,
    /// Alternatives to list per position; `None` for no log-probabilities at all.
    pub logprobs: Option<usize>,
    /// Begin with the prompt.
    pub echo: bool,
    /// Server-sent events.
    pub stream: bool,
    /// One more event with the usage.
    pub include_usage: bool,
}

impl Query {
    /// Checks the body of a request to `kind`'s endpoint.
    ///
    /// # Errors
    /// What to change.
    pub fn parse(kind: Kind, body: &[u8], limits: &Limits) -> Result<Self, Refusal> {
        let value: Value = serde_json::from_slice(body)
            .map_err(|error| Refusal::new(None, "invalid_json", format!("The body is not JSON: {error}.")))?;
        let Value::Object(map) = value else {
            return Err(Refusal::new(None, "invalid_json", "The body must be a JSON object."));
        };
        let fields = Fields::new(&map);
        allowed::check(kind, &map)?;
        check_model(&fields, limits)?;
        let prompts = match kind {
            Kind::Completion => completion::prompts(fields.get("prompt"))?,
            Kind::Chat => vec![chat::prompt(fields.get("messages"))?],
        };
        let query = Self {
            kind,
            prompts,
            n: fields.integer("n", 1, limits.max_choices as u64)?.unwrap_or(1) as usize,
            max_tokens: max_tokens(kind, &fields, limits)?,
            sampling: Sampling {
                temperature: fields.number("temperature", 0.0, 2.0)?.unwrap_or(1.0),
                top_p: fields.number("top_p", 0.0, 1.0)?.unwrap_or(1.0),
            },
            steering: steering(&fields)?,
            seed: fields.signed("seed")?.map(i64::cast_unsigned),
            stops: stops(kind, &fields)?,
            logprobs: match kind {
                Kind::Completion => completion::logprobs(&fields)?,
                Kind::Chat => chat::logprobs(&fields)?,
            },
            echo: fields.boolean("echo")?.unwrap_or(false),
            stream: fields.boolean("stream")?.unwrap_or(false),
            include_usage: include_usage(&fields)?,
        };
        query.check_sizes(limits)?;
        completion::check_best_of(&fields, query.n)?;
        Ok(query)
    }

    /// Bytes of all prompts: each is read once, whatever `n`.
    #[must_use]
    pub fn prompt_tokens(&self) -> usize {
        self.prompts.iter().map(Vec::len).sum()
    }

    fn check_sizes(&self, limits: &Limits) -> Result<(), Refusal> {
        let prompt = if self.kind == Kind::Chat { "messages" } else { "prompt" };
        let (choices, bytes) = (self.prompts.len().saturating_mul(self.n), self.prompt_tokens());
        if choices > limits.max_choices {
            let message = format!(
                "{choices} choices were asked for (prompts × n), at most {} are possible.",
                limits.max_choices
            );
            return Err(Refusal::new(Some("n"), "too_many_choices", message));
        }
        if bytes > limits.max_prompt_bytes {
            let message = format!(
                "The prompt has {bytes} tokens (bytes), at most {} are possible: shorten it.",
                limits.max_prompt_bytes
            );
            return Err(Refusal::new(Some(prompt), "context_length_exceeded", message));
        }
        if self.max_tokens == 0 && !self.echo {
            let message = "'max_tokens' 0 asks for nothing: use at least 1, or set 'echo'.";
            return Err(Refusal::new(Some("max_tokens"), "integer_below_min_value", message));
        }
        Ok(())
    }
}

fn check_model(fields: &Fields<'_>, limits: &Limits) -> Result<(), Refusal> {
    let Some(model) = fields.text("model")? else {
        let message = format!("you must provide a model parameter, for example \"{}\"", limits.model);
        return Err(Refusal::new(Some("model"), "missing_required_parameter", message));
    };
    if model == limits.model { Ok(()) } else { Err(Refusal::no_model(model, &limits.model)) }
}

fn max_tokens(kind: Kind, fields: &Fields<'_>, limits: &Limits) -> Result<usize, Refusal> {
    let (cap, least) = (limits.max_tokens as u64, u64::from(kind == Kind::Chat));
    let old = fields.integer("max_tokens", least, cap)?;
    let new = fields.integer("max_completion_tokens", least, cap)?;
    if old.is_some() && new.is_some() && old != new {
        let message = "'max_tokens' and 'max_completion_tokens' differ: set one of them.";
        return Err(Refusal::new(Some("max_completion_tokens"), "invalid_value", message));
    }
    Ok(new.or(old).map_or_else(|| kind.default_max_tokens().min(limits.max_tokens), |tokens| tokens as usize))
}

/// Penalties within OpenAI's bounds; biases by token id, which is the byte's value.
fn steering(fields: &Fields<'_>) -> Result<Steering, Refusal> {
    let wrong = || {
        let message = "'logit_bias' maps token ids (bytes: \"0\" to \"255\") to numbers from -100 to 100.";
        Refusal::new(Some("logit_bias"), "invalid_value", message)
    };
    let entry = |(id, bias): (&String, &Value)| {
        let bias = bias.as_f64().filter(|bias| bias.abs() <= 100.0);
        Ok((id.parse::<u8>().map_err(|_| wrong())?, bias.ok_or_else(wrong)?))
    };
    let bias = match fields.get("logit_bias") {
        None => BTreeMap::new(),
        Some(Value::Object(map)) => map.iter().map(entry).collect::<Result<_, _>>()?,
        Some(_) => return Err(wrong()),
    };
    Ok(Steering {
        presence: fields.number("presence_penalty", -2.0, 2.0)?.unwrap_or(0.0),
        frequency: fields.number("frequency_penalty", -2.0, 2.0)?.unwrap_or(0.0),
        bias,
    })
}

fn stops(kind: Kind, fields: &Fields<'_>) -> Result<Vec<Vec<u8>>, Refusal> {
    let refuse = |message: String| Refusal::new(Some("stop"), "invalid_value", message);
    let mut stops: Vec<Vec<u8>> = match fields.get("stop") {
        None => Vec::new(),
        Some(Value::String(stop)) => vec![stop.clone().into_bytes()],
        Some(Value::Array(stops)) if stops.len() <= MAX_STOPS => stops
            .iter()
            .map(|stop| stop.as_str().map(|stop| stop.as_bytes().to_vec()))
            .collect::<Option<_>>()
            .ok_or_else(|| refuse("'stop' must hold strings only.".to_owned()))?,
        Some(Value::Array(_)) => return Err(refuse(format!("'stop' holds at most {MAX_STOPS} strings."))),
        Some(_) => return Err(refuse("'stop' must be a string or an array of strings.".to_owned())),
    };
    if stops.iter().any(|stop| stop.is_empty() || stop.len() > MAX_STOP_BYTES) {
        return Err(refuse(format!("a stop string has 1 to {MAX_STOP_BYTES} bytes.")));
    }
    if kind == Kind::Chat {
        stops.push(super::template::STOP.as_bytes().to_vec());
    }
    Ok(stops)
}

fn include_usage(fields: &Fields<'_>) -> Result<bool, Refusal> {
    let Some(options) = fields.get("stream_options") else { return Ok(false) };
    if fields.boolean("stream")? != Some(true) {
        let message = "'stream_options' is only possible with 'stream': true.";
        return Err(Refusal::new(Some("stream_options"), "invalid_value", message));
    }
    let Some(options) = options.as_object() else {
        return Err(Refusal::wrong_type("stream_options", "an object"));
    };
    // `include_obfuscation` asks for padding against traffic analysis; a server may leave it out.
    let unknown =
        options.keys().find(|key| !["include_usage", "include_obfuscation"].contains(&key.as_str()));
    match unknown {
        Some(key) => Err(Refusal::unrecognized(&format!("stream_options.{key}"))),
        None => Ok(Fields::new(options).boolean("include_usage")?.unwrap_or(false)),
    }
}

#[cfg(test)]
mod tests;
