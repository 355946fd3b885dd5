//! What answers: one loaded model behind its replica, and the measure of its progress.
//!
//! Every session holds the engine that it was opened on, so a new checkpoint takes over for new requests while old
//! sessions finish on the old one. Dropping the last holder ends the model's thread without waiting for it: a model that
//! hangs must not take a thread of the server with it.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use acumen_models::{Load, LogProbs, ModelInfo, Replica, ReplicaError, SessionHandle};
use tokio_util::sync::CancellationToken;

mod progress;
mod slot;

pub(crate) use progress::Progress;
pub(crate) use slot::EngineSlot;

/// Counts the models loaded since the process started.
static GENERATION: AtomicUsize = AtomicUsize::new(0);

/// A loaded model.
#[derive(Debug)]
pub(crate) struct Engine {
    /// `None` only while it is dropped.
    replica: Option<Replica>,
    info: ModelInfo,
    generation: u64,
    progress: Progress,
    /// Cancelled when the engine is given up: whoever waits for it is told so.
    lost: CancellationToken,
}

impl Engine {
    pub(crate) fn new(replica: Replica) -> Self {
        let info = replica.info().clone();
        let generation = GENERATION.fetch_add(1, Ordering::Relaxed) as u64 + 1;
        let (progress, lost) = (Progress::default(), CancellationToken::new());
        Self { replica: Some(replica), info, generation, progress, lost }
    }

    pub(crate) const fn info(&self) -> &ModelInfo {
        &self.info
    }

    /// Counts from 1 over the life of the process.
    pub(crate) const fn generation(&self) -> u64 {
        self.generation
    }

    pub(crate) const fn progress(&self) -> &Progress {
        &self.progress
    }

    /// Whether the model is loaded, alive and not given up.
    pub(crate) fn is_ready(&self) -> bool {
        !self.lost.is_cancelled() && self.replica.as_ref().is_some_and(Replica::is_ready)
    }

    /// How busy the replica is.
    pub(crate) fn load(&self) -> Load {
        self.replica.as_ref().map(Replica::load).unwrap_or_default()
    }

    /// Gives the engine up: all who wait for it hear that it has ended.
    pub(crate) fn give_up(&self) {
        self.lost.cancel();
    }

    /// Reads the contexts and predicts what follows each.
    pub(crate) async fn open(
        self: &Arc<Self>,
        contexts: Vec<Vec<u32>>,
    ) -> Result<(EngineSession, Vec<LogProbs>), ReplicaError> {
        let replica = self.replica.as_ref().ok_or(ReplicaError::Dead)?;
        let (handle, rows) = self.watched(replica.open(contexts)).await?;
        Ok((EngineSession { handle, engine: Arc::clone(self) }, rows))
    }

    /// Runs a call into the model; it ends when the engine is given up.
    async fn watched<T>(
        &self,
        call: impl Future<Output = Result<T, ReplicaError>>,
    ) -> Result<T, ReplicaError> {
        let running = self.progress.begin();
        let result = tokio::select! {
            result = call => result,
            () = self.lost.cancelled() => Err(ReplicaError::Dead),
        };
        running.answered();
        result
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        if let Some(replica) = self.replica.take() {
            // Waits for the forward pass that may still run; a thread of the runtime must not.
            let ending = std::thread::Builder::new().name("acumen-model-end".to_owned());
            // Without a thread the model is dropped here, which waits too but loses nothing.
            let _ = ending.spawn(move || drop(replica));
        }
    }
}

/// Documents that advance together on one engine.
#[derive(Debug)]
pub(crate) struct EngineSession {
    /// Dropped before the engine that it belongs to.
    handle: SessionHandle,
    engine: Arc<Engine>,
}

impl EngineSession {
    /// Appends one token to each document and predicts again.
    pub(crate) async fn advance(&mut self, tokens: Vec<u32>) -> Result<Vec<LogProbs>, ReplicaError> {
        let Self { handle, engine } = self;
        engine.watched(handle.advance(tokens)).await
    }
}
