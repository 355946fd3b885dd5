//! A request to generate, checked.

use crate::{WireError, inference_v1 as wire};

/// Most ids that may end a generation: a model has a handful, and each is looked at for each token.
pub const MAX_STOP_IDS: usize = 64;

/// What to continue.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Prompt {
    /// Token ids.
    Tokens(Vec<u32>),
    /// Text, for the model's own tokenizer.
    Text(String),
}

/// A request to generate.
#[derive(Clone, Debug, PartialEq)]
pub struct Generate {
    /// What to continue.
    pub prompt: Prompt,
    /// Most tokens to generate, at least 1.
    pub max_tokens: u32,
    /// Divides the log-probabilities; 0 takes the likeliest token.
    pub temperature: f64,
    /// Mass of the likeliest tokens that take part, in (0, 1].
    pub top_p: f64,
    /// Seed of the noise.
    pub seed: u64,
    /// Ids that end the generation.
    pub stop_ids: Vec<u32>,
    /// Ids wanted in each message's distribution; `None` for no distribution.
    pub top_k: Option<u32>,
}

impl TryFrom<wire::GenerateRequest> for Generate {
    type Error = WireError;

    fn try_from(request: wire::GenerateRequest) -> Result<Self, WireError> {
        let prompt = match request.prompt {
            Some(wire::generate_request::Prompt::Tokens(tokens)) => Prompt::Tokens(tokens.ids),
            Some(wire::generate_request::Prompt::Text(text)) => Prompt::Text(text),
            None => return Err(WireError::missing("prompt")),
        };
        if request.max_tokens == 0 {
            return Err(WireError::new("max_tokens", "must be at least 1"));
        }
        if !(request.temperature >= 0.0 && request.temperature.is_finite()) {
            let reason = format!("{} is not a number from 0 on", request.temperature);
            return Err(WireError::new("temperature", reason));
        }
        let top_p = if request.top_p == 0.0 { 1.0 } else { request.top_p };
        if !(top_p > 0.0 && top_p <= 1.0) {
            return Err(WireError::new("top_p", format!("{top_p} is not above 0 and at most 1")));
        }
        if request.stop_ids.len() > MAX_STOP_IDS {
            let reason = format!("has {} ids, {MAX_STOP_IDS} are possible", request.stop_ids.len());
            return Err(WireError::new("stop_ids", reason));
        }
        Ok(Self {
            prompt,
            max_tokens: request.max_tokens,
            temperature: request.temperature,
            top_p,
            seed: request.seed,
            stop_ids: request.stop_ids,
            top_k: (request.top_k > 0).then_some(request.top_k),
        })
    }
}

impl From<Generate> for wire::GenerateRequest {
    fn from(request: Generate) -> Self {
        let prompt = match request.prompt {
            Prompt::Tokens(ids) => wire::generate_request::Prompt::Tokens(wire::Tokens { ids }),
            Prompt::Text(text) => wire::generate_request::Prompt::Text(text),
        };
        Self {
            prompt: Some(prompt),
            max_tokens: request.max_tokens,
            temperature: request.temperature,
            top_p: request.top_p,
            seed: request.seed,
            stop_ids: request.stop_ids,
            top_k: request.top_k.unwrap_or(0),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn good() -> wire::GenerateRequest {
        Generate {
            prompt: Prompt::Tokens(vec![1, 2]),
            max_tokens: 3,
            temperature: 0.5,
            top_p: 0.9,
            seed: 7,
            stop_ids: vec![0],
            top_k: Some(4),
        }
        .into()
    }

    #[test]
    fn what_can_be_said_comes_back() {
        let request = Generate::try_from(good()).unwrap();
        assert_eq!(wire::GenerateRequest::from(request), good());
        let all = Generate::try_from(wire::GenerateRequest { top_p: 0.0, top_k: 0, ..good() }).unwrap();
        assert_eq!((all.top_p, all.top_k), (1.0, None));
    }

    #[test]
    fn what_makes_no_sense_is_named() {
        for (field, request) in [
            ("prompt", wire::GenerateRequest { prompt: None, ..good() }),
            ("max_tokens", wire::GenerateRequest { max_tokens: 0, ..good() }),
            ("temperature", wire::GenerateRequest { temperature: -0.1, ..good() }),
            ("temperature", wire::GenerateRequest { temperature: f64::NAN, ..good() }),
            ("temperature", wire::GenerateRequest { temperature: f64::INFINITY, ..good() }),
            ("top_p", wire::GenerateRequest { top_p: 1.1, ..good() }),
            ("top_p", wire::GenerateRequest { top_p: -0.1, ..good() }),
            ("top_p", wire::GenerateRequest { top_p: f64::NAN, ..good() }),
            ("stop_ids", wire::GenerateRequest { stop_ids: vec![0; MAX_STOP_IDS + 1], ..good() }),
        ] {
            assert_eq!(Generate::try_from(request).unwrap_err().field, field);
        }
    }
}
