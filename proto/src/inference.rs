//! `acumen.inference.v1` and the stream's message bytes.
//!
//! A [`Distribution`] here is shape-checked only (lengths, ids in range, numbers finite); whether it is a probability
//! distribution is for `scoring/value` to judge, because a wrong one must be counted, not dropped on the wire.

use acumen_protocol::{ConsensusPublic, ConsensusSignature, Signature};
use prost::Message as _;

use crate::error::bytes;
use crate::{WireError, inference_v1 as wire};

mod answer;
mod generate;

pub use answer::{Answer, Finish};
pub use generate::{Generate, MAX_STOP_IDS, Prompt};

/// Most documents in one stream: bounds one forward pass.
pub const MAX_DOCUMENTS: usize = 256;

/// Largest message of a stream: 256 full distributions over 256 bytes are 262 kB; a top-4096 of 32 documents is 1 MB.
pub const MAX_MESSAGE_BYTES: usize = 16 << 20;

/// The opening of a Predict stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Open {
    /// Key that signs the rest of the stream.
    pub session_key: ConsensusPublic,
    /// Token ids of each document so far.
    pub contexts: Vec<Vec<u32>>,
    /// Ids wanted per distribution; `None` for the whole vocabulary.
    pub top_k: Option<u32>,
}

impl TryFrom<wire::Open> for Open {
    type Error = WireError;

    fn try_from(open: wire::Open) -> Result<Self, WireError> {
        let documents = open.contexts.len();
        if documents == 0 || documents > MAX_DOCUMENTS {
            let reason = format!("has {documents} documents, between 1 and {MAX_DOCUMENTS} are possible");
            return Err(WireError::new("open.contexts", reason));
        }
        Ok(Self {
            session_key: ConsensusPublic(bytes("open.session_key", &open.session_key)?),
            contexts: open.contexts.into_iter().map(|tokens| tokens.ids).collect(),
            top_k: (open.top_k > 0).then_some(open.top_k),
        })
    }
}

impl From<Open> for wire::Open {
    fn from(open: Open) -> Self {
        Self {
            session_key: open.session_key.0.to_vec(),
            contexts: open.contexts.into_iter().map(|ids| wire::Tokens { ids }).collect(),
            top_k: open.top_k.unwrap_or(0),
        }
    }
}

/// A message of the client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ClientMessage {
    /// First.
    Open(Open),
    /// Then: the realised token of each document, signed by the session key.
    Step {
        /// One token per document.
        tokens: Vec<u32>,
        /// Over the transcript.
        signature: ConsensusSignature,
    },
}

impl TryFrom<wire::PredictRequest> for ClientMessage {
    type Error = WireError;

    fn try_from(request: wire::PredictRequest) -> Result<Self, WireError> {
        match request.message {
            Some(wire::predict_request::Message::Open(open)) if request.signature.is_empty() => {
                Ok(Self::Open(open.try_into()?))
            }
            Some(wire::predict_request::Message::Open(_)) => {
                Err(WireError::new("signature", "must be empty in `open`, which the metadata authenticate"))
            }
            Some(wire::predict_request::Message::Step(step)) => Ok(Self::Step {
                tokens: step.tokens,
                signature: ConsensusSignature(bytes("signature", &request.signature)?),
            }),
            None => Err(WireError::missing("message")),
        }
    }
}

/// The opening as a message.
#[must_use]
pub fn open_message(open: Open) -> wire::PredictRequest {
    wire::PredictRequest {
        message: Some(wire::predict_request::Message::Open(open.into())),
        signature: Vec::new(),
    }
}

/// A step as a message, still without its signature.
#[must_use]
pub fn step_message(tokens: Vec<u32>) -> wire::PredictRequest {
    wire::PredictRequest {
        message: Some(wire::predict_request::Message::Step(wire::Step { tokens })),
        signature: Vec::new(),
    }
}

/// The bytes of a client's message that are hashed: the message without its signature.
#[must_use]
pub fn request_bytes(request: &wire::PredictRequest) -> Vec<u8> {
    wire::PredictRequest { message: request.message.clone(), signature: Vec::new() }.encode_to_vec()
}

/// The bytes of an answer that are hashed: the answer without its receipt.
#[must_use]
pub fn response_bytes(response: &wire::PredictResponse) -> Vec<u8> {
    wire::PredictResponse { distributions: response.distributions.clone(), receipt: Vec::new() }
        .encode_to_vec()
}

/// The receipt of an answer.
pub fn receipt(response: &wire::PredictResponse) -> Result<Signature, WireError> {
    Ok(Signature(bytes("receipt", &response.receipt)?))
}

/// A next-token distribution as claimed by a miner: ids, natural-log probabilities, tail mass.
#[derive(Clone, Debug, PartialEq)]
pub struct Distribution {
    /// Token ids; all of the vocabulary in order if the miner sent none.
    pub ids: Vec<u32>,
    /// ln p of each id.
    pub logprobs: Vec<f32>,
    /// Mass of all other ids together.
    pub tail: f32,
}

impl Distribution {
    /// Checks lengths against each other and against the vocabulary; fills in the implied ids.
    pub fn from_wire(claim: wire::Distribution, vocabulary: u32) -> Result<Self, WireError> {
        let count = claim.logprobs.len();
        let full = claim.ids.is_empty();
        if full && count != vocabulary as usize {
            let reason = format!("has {count} values without ids, the vocabulary has {vocabulary}");
            return Err(WireError::new("distribution.logprobs", reason));
        }
        if !full && count != claim.ids.len() {
            let reason = format!("has {count} values for {} ids", claim.ids.len());
            return Err(WireError::new("distribution.logprobs", reason));
        }
        let ids = if full { (0..vocabulary).collect() } else { claim.ids };
        Ok(Self { ids, logprobs: claim.logprobs, tail: claim.tail })
    }

    /// All of the vocabulary: ids are implied.
    #[must_use]
    pub fn full_to_wire(logprobs: Vec<f32>) -> wire::Distribution {
        wire::Distribution { ids: Vec::new(), logprobs, tail: 0.0 }
    }
}

#[cfg(test)]
mod tests;
