//! The JSON that OpenAI's clients read, for both endpoints, whole and in chunks.
//!
//! Invariant: a chunk and a whole answer show the same text, log-probabilities and finish reason for the same pieces.

mod logprobs;

use serde_json::{Value, json};

use crate::collective::generate::Ending;
use crate::core::decode::{FinishReason, Piece, ScoredByte};
use crate::core::request::{Kind, Query};

/// What all parts of one answer share.
#[derive(Debug)]
pub(super) struct Reply {
    pub(super) kind: Kind,
    pub(super) id: String,
    pub(super) created: u64,
    pub(super) model: String,
    pub(super) fingerprint: String,
    pub(super) prompt_tokens: usize,
    /// Log-probabilities are wanted.
    pub(super) scored: bool,
    /// Streaming with `include_usage`: each chunk says that usage comes later.
    pub(super) include_usage: bool,
    /// Characters shown so far, per choice.
    shown: Vec<usize>,
}

impl Reply {
    pub(super) fn new(query: &Query, id: String, created: u64, model: String, fingerprint: String) -> Self {
        Self {
            kind: query.kind,
            id,
            created,
            model,
            fingerprint,
            prompt_tokens: query.prompt_tokens(),
            scored: query.logprobs.is_some(),
            include_usage: query.include_usage,
            shown: vec![0; query.prompts.len() * query.n],
        }
    }

    /// Choices of the answer.
    pub(super) fn choices(&self) -> usize {
        self.shown.len()
    }

    fn envelope(&self, object: &str, choices: Value) -> Value {
        json!({
            "id": self.id, "object": object, "created": self.created, "model": self.model,
            "system_fingerprint": self.fingerprint, "choices": choices,
        })
    }

    fn chunk(&self, choices: Value) -> Value {
        let object = match self.kind {
            Kind::Completion => "text_completion",
            Kind::Chat => "chat.completion.chunk",
        };
        let mut chunk = self.envelope(object, choices);
        if self.include_usage {
            chunk["usage"] = Value::Null;
        }
        chunk
    }

    /// A chat's first chunk for `choice`: who speaks.
    pub(super) fn role(&self, choice: usize) -> Value {
        let delta = json!({"role": "assistant", "content": ""});
        self.chunk(json!([{"index": choice, "delta": delta, "logprobs": null, "finish_reason": null}]))
    }

    /// The chunk with a piece's text.
    pub(super) fn text(&mut self, piece: &Piece) -> Value {
        let logprobs = self.logprobs(piece.choice, &piece.text, &piece.bytes);
        let choice = match self.kind {
            Kind::Completion => {
                json!({"index": piece.choice, "text": piece.text, "logprobs": logprobs, "finish_reason": null})
            }
            Kind::Chat => {
                let delta = json!({"content": piece.text});
                json!({"index": piece.choice, "delta": delta, "logprobs": logprobs, "finish_reason": null})
            }
        };
        self.chunk(json!([choice]))
    }

    /// A choice's last chunk: no text, the reason, and with the very last one the record of who answered.
    pub(super) fn finish(&self, choice: usize, reason: FinishReason, ending: Option<&Ending>) -> Value {
        let reason = reason.name();
        let last = match self.kind {
            Kind::Completion => {
                json!({"index": choice, "text": "", "logprobs": null, "finish_reason": reason})
            }
            Kind::Chat => json!({"index": choice, "delta": {}, "logprobs": null, "finish_reason": reason}),
        };
        let mut chunk = self.chunk(json!([last]));
        if let Some(ending) = ending {
            chunk["subnet"] = json!(ending.provenance);
        }
        chunk
    }

    /// The chunk after the last one, if usage was asked for.
    pub(super) fn usage_chunk(&self, ending: &Ending) -> Value {
        let mut chunk = self.chunk(json!([]));
        chunk["usage"] = self.usage(ending);
        chunk
    }

    fn usage(&self, ending: &Ending) -> Value {
        let (prompt, completion) = (self.prompt_tokens, ending.completion_tokens);
        json!({
            "prompt_tokens": prompt, "completion_tokens": completion, "total_tokens": prompt + completion,
        })
    }

    /// The whole answer at once.
    pub(super) fn whole(&mut self, pieces: &[Piece], ending: &Ending) -> Value {
        let choices: Vec<Value> = (0..self.choices()).map(|choice| self.choice(choice, pieces)).collect();
        let object = match self.kind {
            Kind::Completion => "text_completion",
            Kind::Chat => "chat.completion",
        };
        let mut answer = self.envelope(object, Value::Array(choices));
        answer["usage"] = self.usage(ending);
        answer["subnet"] = json!(ending.provenance);
        answer
    }

    fn choice(&mut self, choice: usize, pieces: &[Piece]) -> Value {
        let own = || pieces.iter().filter(|piece| piece.choice == choice);
        let text: String = own().map(|piece| piece.text.as_str()).collect();
        let bytes: Vec<ScoredByte> = own().flat_map(|piece| piece.bytes.iter().cloned()).collect();
        let finish = own().find_map(|piece| piece.finish).map(FinishReason::name);
        let logprobs = self.logprobs(choice, &text, &bytes);
        match self.kind {
            Kind::Completion => {
                json!({"index": choice, "text": text, "logprobs": logprobs, "finish_reason": finish})
            }
            Kind::Chat => {
                let message = json!({"role": "assistant", "content": text, "refusal": null});
                json!({"index": choice, "message": message, "logprobs": logprobs, "finish_reason": finish})
            }
        }
    }

    fn logprobs(&mut self, choice: usize, text: &str, bytes: &[ScoredByte]) -> Value {
        let start = self.shown.get(choice).copied().unwrap_or(0);
        if let Some(shown) = self.shown.get_mut(choice) {
            *shown += text.chars().count();
        }
        match (self.scored, self.kind) {
            (false, _) => Value::Null,
            (true, Kind::Completion) => logprobs::of_completion(bytes, start),
            (true, Kind::Chat) => logprobs::of_chat(bytes),
        }
    }
}
