//! HTTP to the engine: so many requests at once, each with a deadline, answers of a bounded size.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use futures::StreamExt as _;
use serde_json::{Value, json};
use tokio::sync::Semaphore;

use super::UpstreamError;
use super::answer::{self, Listed};
use super::config::{Tokens, UpstreamConfig};

/// Largest answer that is read: a list of a hundred thousand tokens.
const MAX_ANSWER_BYTES: usize = 16 << 20;

/// Most of the engine's words in an error.
const MAX_WORDS: usize = 200;

/// How often an engine that was lost is looked for.
const PROBE_EVERY: Duration = Duration::from_secs(1);

/// How long a connection to the engine may take, and an answer to whether it is there.
const PROBE_TIMEOUT: Duration = Duration::from_secs(5);

/// The engine's API.
#[derive(Debug)]
pub(super) struct Client {
    http: reqwest::Client,
    root: String,
    model: String,
    top: u32,
    ids: bool,
    key: Option<String>,
    turns: Semaphore,
    concurrency: usize,
    waiting: AtomicUsize,
    ready: AtomicBool,
    probing: AtomicBool,
}

impl Client {
    pub(super) fn new(config: &UpstreamConfig) -> Result<Self, UpstreamError> {
        let unreachable = |error: &dyn std::fmt::Display| UpstreamError::Unreachable(error.to_string());
        let timeout = Duration::from_millis(config.timeout_ms);
        let http = reqwest::Client::builder().timeout(timeout).connect_timeout(PROBE_TIMEOUT).build();
        let http = http.map_err(|error| unreachable(&error))?;
        let key = match &config.api_key_file {
            Some(path) => {
                let key = std::fs::read_to_string(path);
                let key = key.map_err(|error| unreachable(&format!("{}: {error}", path.display())))?;
                Some(key.trim().to_owned())
            }
            None => None,
        };
        Ok(Self {
            http,
            root: config.url.trim_end_matches('/').to_owned(),
            model: config.model.clone(),
            top: config.top,
            ids: config.tokens == Tokens::Ids,
            key,
            turns: Semaphore::new(config.concurrency),
            concurrency: config.concurrency,
            waiting: AtomicUsize::new(0),
            ready: AtomicBool::new(true),
            probing: AtomicBool::new(false),
        })
    }

    pub(super) fn is_ready(&self) -> bool {
        self.ready.load(Ordering::Acquire)
    }

    /// Requests at the engine, and requests that wait for their turn.
    pub(super) fn load(&self) -> (usize, usize) {
        let running = self.concurrency.saturating_sub(self.turns.available_permits());
        (running, self.waiting.load(Ordering::Relaxed))
    }

    /// Whether the engine answers at all.
    pub(super) async fn probe(&self) -> Result<(), UpstreamError> {
        let asked = self.http.get(format!("{}/models", self.root)).timeout(PROBE_TIMEOUT);
        let response = self.authorised(asked).send().await;
        let response = response.map_err(|error| UpstreamError::Unreachable(words(&error)))?;
        let status = response.status();
        if status.is_success() {
            return Ok(());
        }
        Err(UpstreamError::Status { status: status.as_u16(), words: "to GET /models".to_owned() })
    }

    /// The likeliest tokens after `prompt`.
    pub(super) async fn complete(self: &Arc<Self>, prompt: Value) -> Result<Vec<Listed>, UpstreamError> {
        self.waiting.fetch_add(1, Ordering::Relaxed);
        let turn = Waits(&self.waiting).turn(&self.turns).await?;
        let mut body = json!({
            "model": self.model, "prompt": prompt, "max_tokens": 1, "temperature": 0.0, "logprobs": self.top,
            "echo": false, "stream": false,
        });
        if self.ids {
            body["return_tokens_as_token_ids"] = Value::Bool(true);
        }
        let result = self.send(&body).await;
        drop(turn);
        result.map_err(|failure| match failure {
            Failure::Told(error) => error,
            Failure::Sent(error) if error.is_connect() => {
                self.lost();
                UpstreamError::Unreachable(words(&error))
            }
            // One that takes long may be at work: whether it is there is asked in another way.
            Failure::Sent(error) => {
                self.look();
                if error.is_timeout() {
                    UpstreamError::Busy
                } else {
                    UpstreamError::Unreachable(words(&error))
                }
            }
        })
    }

    async fn send(&self, body: &Value) -> Result<Vec<Listed>, Failure> {
        let request = self.authorised(self.http.post(format!("{}/completions", self.root))).json(body);
        let response = request.send().await?;
        let status = response.status();
        let mut bytes = Vec::new();
        let mut parts = response.bytes_stream();
        while let Some(part) = parts.next().await {
            bytes.extend_from_slice(&part?);
            if bytes.len() > MAX_ANSWER_BYTES {
                return Err(UpstreamError::Malformed(format!("more than {MAX_ANSWER_BYTES} bytes")).into());
            }
        }
        match status.as_u16() {
            200 => {}
            429 | 503 => return Err(UpstreamError::Busy.into()),
            status => {
                let words = String::from_utf8_lossy(&bytes).chars().take(MAX_WORDS).collect();
                return Err(UpstreamError::Status { status, words }.into());
            }
        }
        let answer: Value =
            serde_json::from_slice(&bytes).map_err(|error| UpstreamError::Malformed(error.to_string()))?;
        Ok(answer::read(&answer).map_err(UpstreamError::Malformed)?)
    }

    fn authorised(&self, request: reqwest::RequestBuilder) -> reqwest::RequestBuilder {
        match &self.key {
            Some(key) => request.bearer_auth(key),
            None => request,
        }
    }

    /// Not ready until the engine answers again. One task looks for it.
    fn lost(self: &Arc<Self>) {
        if self.ready.swap(false, Ordering::AcqRel) {
            tracing::warn!(url = self.root, "the engine does not answer; not ready until it does");
        }
        self.look();
    }

    /// Looks whether the engine is there, in one task until it is.
    fn look(self: &Arc<Self>) {
        if self.probing.swap(true, Ordering::AcqRel) {
            return;
        }
        let client = Arc::downgrade(self);
        tokio::spawn(async move {
            loop {
                // Nobody needs the engine any more.
                let Some(client) = client.upgrade() else { return };
                let found = client.probe().await;
                if found.is_ok() {
                    client.probing.store(false, Ordering::Release);
                }
                if client.ready.swap(found.is_ok(), Ordering::AcqRel) && found.is_err() {
                    tracing::warn!(url = client.root, "the engine does not answer; not ready until it does");
                }
                if found.is_ok() {
                    return;
                }
                drop(client);
                tokio::time::sleep(PROBE_EVERY).await;
            }
        });
    }
}

/// Why a request has no answer.
enum Failure {
    /// The answer says why, or is none.
    Told(UpstreamError),
    /// The way there or back failed.
    Sent(reqwest::Error),
}

impl From<UpstreamError> for Failure {
    fn from(error: UpstreamError) -> Self {
        Self::Told(error)
    }
}

impl From<reqwest::Error> for Failure {
    fn from(error: reqwest::Error) -> Self {
        Self::Sent(error)
    }
}

/// One that waits for its turn, or has gone.
struct Waits<'a>(&'a AtomicUsize);

impl Waits<'_> {
    async fn turn<'b>(self, turns: &'b Semaphore) -> Result<tokio::sync::SemaphorePermit<'b>, UpstreamError> {
        // The semaphore is never closed.
        turns.acquire().await.map_err(|error| UpstreamError::Unreachable(error.to_string()))
    }
}

impl Drop for Waits<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// An error with its cause: reqwest's own words leave it out.
fn words(error: &reqwest::Error) -> String {
    let mut text = error.to_string();
    let mut cause = std::error::Error::source(error);
    while let Some(next) = cause {
        text = next.to_string();
        cause = next.source();
    }
    text.chars().take(MAX_WORDS).collect()
}
