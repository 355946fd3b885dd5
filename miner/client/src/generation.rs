//! One generation, from the asking side.
//!
//! Invariant: tokens come in order of their positions, each proven by the miner's receipt over the whole conversation;
//! after the last one, or any error, there are no more.

use std::time::Duration;

use acumen_proto::inference::{Distribution, Finish, Generate};
use acumen_proto::{GENERATE_PATH, RequestId, WireError, inference_v1 as wire};
use acumen_protocol::AccountId;
use acumen_protocol::session::Transcript;
use tonic::Streaming;

use crate::call::{Call, verify};
use crate::{ClientError, MinerClient};

/// A generated token.
#[derive(Clone, Debug, PartialEq)]
pub struct GeneratedToken {
    /// Counts from 0.
    pub position: u32,
    /// Its id.
    pub id: u32,
    /// ln p under the model, before temperature and `top_p`.
    pub logprob: f32,
    /// The model's distribution, if `top_k` was asked for.
    pub distribution: Option<Distribution>,
    /// Its bytes.
    pub text: Vec<u8>,
    /// Set in the last one.
    pub end: Option<End>,
}

/// How a generation ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct End {
    /// Why.
    pub finish: Finish,
    /// Tokens of the prompt.
    pub prompt_tokens: u32,
    /// Generated tokens.
    pub completion_tokens: u32,
}

/// A running generation. Dropping it cancels what the miner still does for it.
#[derive(Debug)]
pub struct Generation {
    call: Call,
    incoming: Streaming<wire::GenerateResponse>,
    transcript: Transcript,
    miner: AccountId,
    vocabulary: u32,
    answer_timeout: Duration,
    position: u32,
    closed: bool,
}

impl MinerClient {
    /// Starts a generation; the first token is there or on its way when this returns.
    ///
    /// # Errors
    /// See [`ClientError`].
    pub async fn generate(&self, wanted: Generate) -> Result<Generation, ClientError> {
        let (call, mut inner) = (self.call(GENERATE_PATH), self.inner.clone());
        let (request, transcript) = self.signed(&call, wire::GenerateRequest::from(wanted));
        let incoming = self.first(&call, async { Ok(inner.generate(request).await?.into_inner()) }).await?;
        Ok(Generation {
            call,
            incoming,
            transcript,
            miner: self.miner,
            vocabulary: self.options.vocabulary,
            answer_timeout: self.options.answer_timeout,
            position: 0,
            closed: false,
        })
    }
}

impl Generation {
    /// What the logs of both sides call this generation.
    #[must_use]
    pub const fn request_id(&self) -> &RequestId {
        self.call.id()
    }

    /// The next token; `None` after the last.
    ///
    /// # Errors
    /// See [`ClientError`]; [`ClientError::Closed`] if the miner ends the stream without a last token.
    pub async fn next(&mut self) -> Result<Option<GeneratedToken>, ClientError> {
        if std::mem::replace(&mut self.closed, true) {
            return Ok(None);
        }
        let call = self.call.clone();
        let token = call.run(self.receive()).await?;
        self.position += 1;
        self.closed = token.end.is_some();
        Ok(Some(token))
    }

    async fn receive(&mut self) -> Result<GeneratedToken, ClientError> {
        let limit = self.answer_timeout;
        let message = tokio::time::timeout(limit, self.incoming.message()).await;
        let mut message = message.map_err(|_| ClientError::Late { limit })??.ok_or(ClientError::Closed)?;
        verify(self.miner, &mut self.transcript, &mut message).await?;
        self.read(message)
    }

    fn read(&self, message: wire::GenerateResponse) -> Result<GeneratedToken, ClientError> {
        if message.position != self.position {
            let reason = format!("is {}, the next one is {}", message.position, self.position);
            return Err(WireError { field: "response.position", reason }.into());
        }
        if message.token >= self.vocabulary {
            let reason = format!("is {}, the vocabulary has {}", message.token, self.vocabulary);
            return Err(WireError { field: "response.token", reason }.into());
        }
        let finish = Finish::from_wire(message.finish_reason());
        let end = match (finish, message.usage) {
            (None, None) => None,
            (Some(finish), Some(wire::Usage { prompt_tokens, completion_tokens })) => {
                Some(End { finish, prompt_tokens, completion_tokens })
            }
            _ => {
                let reason = "comes with `finish_reason`, in the last message".to_owned();
                return Err(WireError { field: "response.usage", reason }.into());
            }
        };
        let distribution =
            message.distribution.map(|claim| Distribution::from_wire(claim, self.vocabulary)).transpose()?;
        Ok(GeneratedToken {
            position: message.position,
            id: message.token,
            logprob: message.logprob,
            distribution,
            text: message.text,
            end,
        })
    }
}
