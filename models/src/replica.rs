//! One OS thread that owns a model, behind a queue bounded in tokens.
//!
//! libtorch objects must not be shared between threads and must not run on the threads of an async runtime, so the
//! model is loaded, run and dropped on a thread of its own. Callers `await` answers through one-shot channels.
//!
//! Invariants: at most [`ReplicaLimits::waiting_tokens`] tokens and [`ReplicaLimits::waiting_requests`] requests wait;
//! open sessions reserve at most [`ReplicaLimits::session_tokens`] positions; a request whose caller has gone is never
//! run; a session ends when its handle is dropped, also while it is still queued; a panic in the model fails the one
//! request that met it, and [`Replica::is_ready`] is false until the model has been loaded again.

mod queue;
mod worker;

#[cfg(test)]
mod tests;

use std::sync::Arc;

use tokio::sync::oneshot;

use crate::{LanguageModel, LogProbs, ModelError, ModelInfo, Token};
use queue::{Queue, Request, Reservation};

/// Bounds of a replica. Every one refuses with [`ReplicaError::Overloaded`] when it is reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ReplicaLimits {
    /// Tokens that may wait in the queue (context tokens of an `open`, one per document of an `advance`).
    pub waiting_tokens: usize,
    /// Requests that may wait in the queue.
    pub waiting_requests: usize,
    /// Positions that open sessions may hold together: documents times the model's window.
    pub session_tokens: usize,
    /// What a refused caller is told to wait, in milliseconds.
    pub retry_after_ms: u64,
}

impl Default for ReplicaLimits {
    /// 256 documents of 4,096 tokens waiting; sessions of 4,096 documents over a 256-token window.
    fn default() -> Self {
        Self { waiting_tokens: 1 << 20, waiting_requests: 1024, session_tokens: 1 << 20, retry_after_ms: 100 }
    }
}

/// How busy a replica is, at one moment.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize)]
pub struct Load {
    /// Requests in the model now (0 or 1).
    pub running: usize,
    /// Requests in the queue.
    pub waiting: usize,
    /// Tokens in the queue.
    pub waiting_tokens: usize,
    /// Positions reserved by open sessions.
    pub kv_used: usize,
    /// Positions that sessions may reserve.
    pub kv_total: usize,
}

/// Why a replica did not answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ReplicaError {
    /// A limit is reached.
    #[error("the model is busy; try again in {retry_after_ms} ms")]
    Overloaded {
        /// When to try again.
        retry_after_ms: u64,
    },
    /// The request was dropped before it ran.
    #[error("the request was cancelled")]
    Cancelled,
    /// The model refused or failed the request.
    #[error(transparent)]
    Model(#[from] ModelError),
    /// The replica has ended: it was dropped, or the model could not be loaded again.
    #[error("the model's thread has ended; restart it")]
    Dead,
}

/// A model on a thread of its own. Dropping it ends the thread; open sessions then answer [`ReplicaError::Dead`].
#[derive(Debug)]
pub struct Replica {
    queue: Arc<Queue>,
    info: ModelInfo,
    thread: Option<std::thread::JoinHandle<()>>,
}

impl Replica {
    /// Starts the thread, loads the model on it and waits until it has loaded. `loader` is called again after a panic.
    ///
    /// Blocks while the model loads: call it before serving, or from a blocking thread.
    ///
    /// # Errors
    /// What the loader returned, or [`ModelError::Panicked`] if it panicked.
    pub fn spawn(
        loader: impl FnMut() -> Result<Box<dyn LanguageModel>, ModelError> + Send + 'static,
        limits: ReplicaLimits,
    ) -> Result<Self, ModelError> {
        let queue = Arc::new(Queue::new(limits));
        let (started, loaded) = std::sync::mpsc::sync_channel(1);
        let shared = Arc::clone(&queue);
        let thread = std::thread::Builder::new()
            .name("acumen-model".into())
            .spawn(move || worker::run(&shared, loader, &started))
            .map_err(|error| ModelError::Engine(format!("cannot start a thread: {error}")))?;
        let info =
            loaded.recv().map_err(|_| ModelError::Panicked("the thread ended while loading".into()))??;
        Ok(Self { queue, info, thread: Some(thread) })
    }

    /// What the model is.
    #[must_use]
    pub fn info(&self) -> &ModelInfo {
        &self.info
    }

    /// How busy the replica is.
    #[must_use]
    pub fn load(&self) -> Load {
        self.queue.load()
    }

    /// Whether the model is loaded and the thread alive. False from a panic until the model has been loaded again.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        self.queue.is_ready()
    }

    /// Opens a session and predicts what follows each context. Dropping the future withdraws the request.
    ///
    /// # Errors
    /// See [`ReplicaError`].
    pub async fn open(
        &self,
        contexts: Vec<Vec<Token>>,
    ) -> Result<(SessionHandle, Vec<LogProbs>), ReplicaError> {
        let positions = contexts.len().saturating_mul(self.info.context);
        let cost = contexts.iter().map(|context| context.len().max(1)).sum();
        let (reply, answer) = oneshot::channel();
        let reservation = self.queue.reserve(positions)?;
        self.queue.push(Request::Open { contexts, reservation, reply }, cost)?;
        answer.await.map_err(|_| self.queue.gone())?
    }
}

impl Drop for Replica {
    fn drop(&mut self) {
        self.queue.stop();
        if let Some(thread) = self.thread.take() {
            // The thread catches panics of the model; one of its own has nobody left to be told.
            let _ = thread.join();
        }
    }
}

/// An open session on a replica. Dropping it ends the session and frees what it reserved.
#[derive(Debug)]
pub struct SessionHandle {
    queue: Arc<Queue>,
    id: u64,
    documents: usize,
    /// Held for its drop.
    _reservation: Reservation,
}

impl SessionHandle {
    /// Documents of the session.
    #[must_use]
    pub fn documents(&self) -> usize {
        self.documents
    }

    /// Appends one realised token to each document and predicts again.
    ///
    /// A dropped future withdraws the request if it has not run yet; the caller cannot know whether it has, so a
    /// session with a dropped `advance` should be dropped too.
    ///
    /// # Errors
    /// See [`ReplicaError`]. After [`ModelError::Engine`] or [`ModelError::Panicked`] the session is gone.
    pub async fn advance(&mut self, tokens: Vec<Token>) -> Result<Vec<LogProbs>, ReplicaError> {
        let cost = tokens.len().max(1);
        let (reply, answer) = oneshot::channel();
        self.queue.push(Request::Advance { id: self.id, tokens, reply }, cost)?;
        answer.await.map_err(|_| self.queue.gone())?
    }
}

impl Drop for SessionHandle {
    fn drop(&mut self) {
        self.queue.close(self.id);
    }
}
