//! One OS thread that owns a model, behind a queue bounded in tokens.
//!
//! libtorch objects must not be shared between threads and must not run on the threads of an async runtime, so the
//! model is loaded, run and dropped on a thread of its own. Callers `await` answers through one-shot channels.
//!
//! Invariants: at most [`ReplicaLimits::waiting_tokens`] tokens and [`ReplicaLimits::waiting_requests`] requests wait;
//! open sessions reserve at most [`ReplicaLimits::session_tokens`] positions; a request whose caller has gone is never
//! run; a session ends when its handle is dropped, also while it is still queued; a panic in the model fails the one
//! requests that it ran, and [`Replica::is_ready`] is false until the model has been loaded again; a model that does not come
//! back from a step is left behind on its thread, and another is loaded on a new one. What waits in the queue outlives both.

mod queue;
mod worker;

#[cfg(test)]
mod tests;

use std::future::{Future as _, poll_fn};
use std::pin::pin;
use std::sync::mpsc::SyncSender;
use std::sync::{Arc, Mutex};
use std::task::Poll;
use std::thread::JoinHandle;
use std::time::Duration;

use tokio::sync::{oneshot, watch};

use crate::{LanguageModel, LogProbs, ModelError, ModelInfo, Token};
use queue::{Begun, Queue, Request, Reservation};
use worker::Loader;

/// Bounds of a replica. Every one refuses with [`ReplicaError::Overloaded`] when it is reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ReplicaLimits {
    /// Tokens that may wait in the queue (context tokens of an `open`, one per document of an `advance`).
    pub waiting_tokens: usize,
    /// Requests that may wait in the queue.
    pub waiting_requests: usize,
    /// Positions that open sessions may reserve together: for each document its context and [`GROWTH`], at most the
    /// model's window.
    pub session_tokens: usize,
    /// What a refused caller is told to wait, in milliseconds.
    pub retry_after_ms: u64,
    /// How long the model may be busy with one step before it counts as hung, in milliseconds; 0: however long it takes.
    pub hang_after_ms: u64,
    /// Threads that may be left behind hanging, each with its model, before the replica ends instead of loading another.
    pub max_hangs: u64,
}

impl Default for ReplicaLimits {
    /// 256 documents of 4,096 tokens waiting; sessions of 4,096 documents over a 256-token window; two minutes a step.
    fn default() -> Self {
        Self {
            waiting_tokens: 1 << 20,
            waiting_requests: 1024,
            session_tokens: 1 << 20,
            retry_after_ms: 100,
            hang_after_ms: 120_000,
            max_hangs: 3,
        }
    }
}

/// Positions that a document reserves for what will be appended to it.
pub const GROWTH: usize = 256;

/// How busy a replica is, at one moment.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize)]
pub struct Load {
    /// Requests in the model now.
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
    /// Owns the model's thread.
    watchdog: Option<JoinHandle<()>>,
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
        let loader: Loader = Arc::new(Mutex::new(loader));
        let (started, loaded) = std::sync::mpsc::sync_channel(1);
        let thread = start(&queue, &loader, 0, Some(started))?;
        let info =
            loaded.recv().map_err(|_| ModelError::Panicked("the thread ended while loading".into()))??;
        let limit = (limits.hang_after_ms > 0).then(|| Duration::from_millis(limits.hang_after_ms));
        let watched = Arc::clone(&queue);
        let watchdog = std::thread::Builder::new()
            .name("acumen-watchdog".into())
            .spawn(move || watch(&watched, &loader, thread, (limit, limits.max_hangs)))
            .map_err(|error| ModelError::Engine(format!("cannot start a thread: {error}")))?;
        Ok(Self { queue, info, watchdog: Some(watchdog) })
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

    /// Positions that a session over contexts of these lengths reserves.
    #[must_use]
    pub fn positions(&self, lengths: impl Iterator<Item = usize>) -> usize {
        lengths.map(|length| self.info.context.min(length.saturating_add(GROWTH))).sum()
    }

    /// How often the model has hung so far; each time left a thread behind, with its model.
    #[must_use]
    pub fn hangs(&self) -> u64 {
        self.queue.hangs()
    }

    /// Whether the replica has ended by itself: the model could not be loaded again, or has hung too often.
    #[must_use]
    pub fn is_dead(&self) -> bool {
        self.queue.is_stopped()
    }

    /// Opens a session and predicts what follows each context. Dropping the future withdraws the request.
    ///
    /// # Errors
    /// See [`ReplicaError`].
    pub async fn open(
        &self,
        contexts: Vec<Vec<Token>>,
    ) -> Result<(SessionHandle, Vec<LogProbs>), ReplicaError> {
        let positions = self.positions(contexts.iter().map(Vec::len));
        let cost = contexts.iter().map(|context| context.len().max(1)).sum();
        let (reply, answer) = oneshot::channel();
        let reservation = self.queue.reserve(positions)?;
        let (begun, terms) = (Begun::default(), self.queue.terms());
        let request = Request::Open { contexts, reservation, reply, begun: Arc::clone(&begun) };
        self.queue.push(request, cost)?;
        outcome(&self.queue, answer, &begun, terms).await
    }
}

/// Starts the model's thread of a term.
fn start(
    queue: &Arc<Queue>,
    loader: &Loader,
    term: u64,
    started: Option<SyncSender<Result<ModelInfo, ModelError>>>,
) -> Result<JoinHandle<()>, ModelError> {
    let (queue, loader) = (Arc::clone(queue), Arc::clone(loader));
    std::thread::Builder::new()
        .name("acumen-model".into())
        .spawn(move || worker::run(&queue, &loader, term, started.as_ref()))
        .map_err(|error| ModelError::Engine(format!("cannot start a thread: {error}")))
}

/// Replaces the model's thread whenever it hangs. A thread cannot be ended from outside: one that hangs is left behind
/// with its model, and ends by itself if it ever comes back.
fn watch(
    queue: &Arc<Queue>,
    loader: &Loader,
    mut thread: JoinHandle<()>,
    (limit, most): (Option<Duration>, u64),
) {
    while let Some(term) = queue.watch(limit) {
        if term >= most {
            tracing::error!(hangs = term, patience = ?limit, "the model hangs again; the replica ends");
            queue.stop(None);
            // It may never come back: nobody waits for it.
            return;
        }
        tracing::error!(hangs = term, patience = ?limit, "the model hangs; loading it again on another thread");
        match start(queue, loader, term, None) {
            Ok(next) => thread = next,
            Err(error) => {
                tracing::error!(%error, "the replica ends");
                queue.stop(None);
                return;
            }
        }
    }
    // The thread catches panics of the model; one of its own has nobody left to be told.
    let _ = thread.join();
}

/// The answer, or why there is none.
async fn outcome<T>(
    queue: &Queue,
    answer: oneshot::Receiver<Result<T, ReplicaError>>,
    begun: &Begun,
    mut terms: watch::Receiver<u64>,
) -> Result<T, ReplicaError> {
    let mut answer = pin!(answer);
    loop {
        let answered = {
            let mut lost = pin!(terms.changed());
            poll_fn(|context| match answer.as_mut().poll(context) {
                Poll::Ready(answered) => Poll::Ready(Some(answered)),
                Poll::Pending => lost.as_mut().poll(context).map(|_| None),
            })
            .await
        };
        if let Some(answered) = answered {
            return answered.unwrap_or_else(|_| Err(queue.gone()));
        }
        // What the lost thread had not taken is answered by the next.
        let now = *terms.borrow();
        if begun.get().is_some_and(|term| *term < now) {
            return Err(ModelError::Hung.into());
        }
    }
}

impl Drop for Replica {
    fn drop(&mut self) {
        self.queue.stop(None);
        if let Some(watchdog) = self.watchdog.take() {
            // It catches nothing that could panic; if it did nobody is left to be told.
            let _ = watchdog.join();
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
        let (begun, terms) = (Begun::default(), self.queue.terms());
        let request = Request::Advance { id: self.id, tokens, reply, begun: Arc::clone(&begun) };
        self.queue.push(request, cost)?;
        outcome(&self.queue, answer, &begun, terms).await
    }
}

impl Drop for SessionHandle {
    fn drop(&mut self) {
        self.queue.close(self.id);
    }
}
