//! A model that another engine runs: any server with OpenAI's completions API and log-probabilities (vLLM, llama.cpp).
//!
//! Each position is one request for one token with the likeliest tokens' log-probabilities. What the engine does not list
//! is the distribution's tail, never shared out among ids that nobody has named. The engine's own cache of prefixes keeps
//! the next position cheap.
//!
//! | module | what it is |
//! |---|---|
//! | [`config`] | where the engine is, and how its tokens become ours |
//! | `answer` | its JSON to tokens with log-probabilities |
//! | `project` | those to a distribution over our vocabulary |
//! | `client` | HTTP, bounded |

mod answer;
mod client;
pub(crate) mod config;
mod project;

#[cfg(test)]
mod tests;

use std::sync::Arc;

use acumen_models::{Load, ModelInfo};
use acumen_proto::inference_v1 as wire;
use acumen_protocol::Hash;
use futures::future::try_join_all;

use client::Client;
use config::{Tokens, UpstreamConfig};

/// Why the engine gave no answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum UpstreamError {
    /// Not reached, or it broke off.
    #[error("the engine behind this miner cannot be reached: {0}")]
    Unreachable(String),
    /// It says that it is busy.
    #[error("the engine behind this miner is busy")]
    Busy,
    /// It answered with an error.
    #[error("the engine behind this miner answered {status}: {words}")]
    Status {
        /// HTTP's number.
        status: u16,
        /// Its words, cut.
        words: String,
    },
    /// Its answer is not what the API promises.
    #[error("the engine behind this miner answered something else than log-probabilities: {0}")]
    Malformed(String),
}

/// The engine.
#[derive(Debug)]
pub(crate) struct Upstream {
    config: UpstreamConfig,
    client: Arc<Client>,
    info: ModelInfo,
}

/// Documents that advance together.
#[derive(Debug)]
pub(crate) struct UpstreamSession {
    upstream: Arc<Upstream>,
    documents: Vec<Vec<u32>>,
}

impl Upstream {
    /// Looks whether the engine answers.
    pub(crate) async fn connect(config: &UpstreamConfig) -> Result<Arc<Self>, UpstreamError> {
        let client = Client::new(config)?;
        client.probe().await?;
        let identity =
            format!("acumen/upstream/1\n{}\n{:?}\n{}", config.model, config.tokens, config.vocabulary());
        let info = ModelInfo {
            name: config.model.clone(),
            architecture: "upstream".to_owned(),
            format: "openai".to_owned(),
            parameters: 0,
            vocab: config.vocabulary(),
            context: config.context,
            // The files are the engine's: what can be told of them is the name under which it serves them.
            digest: Hash::of(identity.as_bytes()).0,
            tokenizer: match config.tokens {
                Tokens::Bytes => "bytes".to_owned(),
                Tokens::Ids => "upstream".to_owned(),
            },
        };
        Ok(Arc::new(Self { config: config.clone(), client: Arc::new(client), info }))
    }

    pub(crate) const fn info(&self) -> &ModelInfo {
        &self.info
    }

    /// Most ids in one distribution: the engine lists so many tokens.
    pub(crate) fn most_listed(&self) -> u32 {
        self.config.top
    }

    pub(crate) fn is_ready(&self) -> bool {
        self.client.is_ready()
    }

    pub(crate) fn load(&self) -> Load {
        let (running, waiting) = self.client.load();
        Load { running, waiting, ..Load::default() }
    }

    /// The first distributions.
    pub(crate) async fn open(
        self: &Arc<Self>,
        contexts: Vec<Vec<u32>>,
    ) -> Result<(UpstreamSession, Vec<wire::Distribution>), UpstreamError> {
        let session = UpstreamSession { upstream: Arc::clone(self), documents: contexts };
        let rows = session.predict().await?;
        Ok((session, rows))
    }

    async fn ask(&self, document: &[u32]) -> Result<wire::Distribution, UpstreamError> {
        let window = &document[document.len().saturating_sub(self.config.context)..];
        match self.config.tokens {
            Tokens::Bytes => {
                let (prompt, pending) = project::prompt_of(window);
                let tokens = self.client.complete(serde_json::Value::from(prompt)).await?;
                Ok(project::to_bytes(&tokens, &pending))
            }
            Tokens::Ids => {
                let tokens = self.client.complete(serde_json::Value::from(window.to_vec())).await?;
                Ok(project::to_ids(&tokens, self.config.vocabulary()))
            }
        }
    }
}

impl UpstreamSession {
    /// Appends one token to each document and asks again.
    pub(crate) async fn advance(&mut self, tokens: &[u32]) -> Result<Vec<wire::Distribution>, UpstreamError> {
        for (document, token) in self.documents.iter_mut().zip(tokens) {
            document.push(*token);
        }
        self.predict().await
    }

    async fn predict(&self) -> Result<Vec<wire::Distribution>, UpstreamError> {
        try_join_all(self.documents.iter().map(|document| self.upstream.ask(document))).await
    }
}
