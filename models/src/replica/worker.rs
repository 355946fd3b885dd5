//! The model's thread: takes requests from the queue, runs them, survives the model's panics.

use std::collections::HashMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::mpsc::SyncSender;

use super::queue::{Queue, Request, Reservation, Work};
use super::{ReplicaError, SessionHandle};
use crate::{LanguageModel, LogProbs, ModelError, ModelInfo, Session, Token};

type Model = Box<dyn LanguageModel>;

/// Runs until the queue is stopped or the model cannot be loaded again.
pub(super) fn run(
    queue: &Arc<Queue>,
    mut loader: impl FnMut() -> Result<Model, ModelError>,
    started: &SyncSender<Result<ModelInfo, ModelError>>,
) {
    let _stop = StopOnExit(queue);
    let model = match guarded(&mut loader) {
        Ok(model) => model,
        Err(error) => {
            // The caller waits in `spawn`; if it has gone there is nobody to tell.
            let _ = started.send(Err(error));
            return;
        }
    };
    queue.set_ready(true);
    let info = model.info().clone();
    let mut worker = Worker { queue: Arc::clone(queue), model, sessions: HashMap::new(), next: 0 };
    if started.send(Ok(info)).is_err() {
        return;
    }
    loop {
        match queue.next() {
            Work::Stop => return,
            Work::Close(ids) => ids.iter().for_each(|id| drop(worker.sessions.remove(id))),
            Work::Run(request) if request.is_cancelled() => {}
            Work::Run(request) => {
                if worker.serve(request).is_err() && !worker.reload(&mut loader) {
                    return;
                }
            }
        }
    }
}

/// However the thread ends, nobody may go on waiting for it.
struct StopOnExit<'a>(&'a Queue);

impl Drop for StopOnExit<'_> {
    fn drop(&mut self) {
        self.0.stop();
    }
}

/// The model panicked.
struct Poisoned;

struct Worker {
    queue: Arc<Queue>,
    model: Model,
    /// Sessions share only immutable weights, so one that outlives a panic of another is whole.
    sessions: HashMap<u64, Box<dyn Session>>,
    next: u64,
}

impl Worker {
    fn serve(&mut self, request: Request) -> Result<(), Poisoned> {
        match request {
            Request::Open { contexts, reservation, reply } => {
                let answer = self.open(&contexts, reservation);
                let verdict = self.verdict(&answer);
                // A caller that has gone drops its handle, and that closes the session.
                let _ = reply.send(answer);
                verdict
            }
            Request::Advance { id, tokens, reply } => {
                let answer = self.advance(id, &tokens);
                let verdict = self.verdict(&answer);
                let _ = reply.send(answer);
                verdict
            }
        }
    }

    /// Readiness falls before the answer goes out, so that a caller who saw the failure cannot see `ready`.
    fn verdict<T>(&self, answer: &Result<T, ReplicaError>) -> Result<(), Poisoned> {
        if !matches!(answer, Err(ReplicaError::Model(ModelError::Panicked(_)))) {
            return Ok(());
        }
        self.queue.set_ready(false);
        Err(Poisoned)
    }

    fn open(
        &mut self,
        contexts: &[Vec<Token>],
        reservation: Reservation,
    ) -> Result<(SessionHandle, Vec<LogProbs>), ReplicaError> {
        let session = guarded(|| self.model.open(contexts))?;
        let predictions = session.predict().to_vec();
        let id = self.next;
        self.next += 1;
        self.sessions.insert(id, session);
        let handle = SessionHandle {
            queue: Arc::clone(&self.queue),
            id,
            documents: contexts.len(),
            _reservation: reservation,
        };
        Ok((handle, predictions))
    }

    fn advance(&mut self, id: u64, tokens: &[Token]) -> Result<Vec<LogProbs>, ReplicaError> {
        let session = self.sessions.get_mut(&id).ok_or(ModelError::SessionLost)?;
        match guarded(|| session.advance(tokens)) {
            Ok(()) => Ok(session.predict().to_vec()),
            Err(error) => {
                if matches!(error, ModelError::Engine(_) | ModelError::Panicked(_)) {
                    self.sessions.remove(&id);
                }
                Err(error.into())
            }
        }
    }

    /// Loads the model afresh after a panic; without one the replica ends.
    fn reload(&mut self, loader: &mut impl FnMut() -> Result<Model, ModelError>) -> bool {
        tracing::error!(model = self.model.info().name, "the model panicked; loading it again");
        match guarded(loader) {
            Ok(model) => {
                self.model = model;
                self.queue.set_ready(true);
                true
            }
            Err(error) => {
                tracing::error!(%error, "the model cannot be loaded again; its thread ends");
                false
            }
        }
    }
}

/// Runs the model's code and turns a panic into an error.
fn guarded<T>(run: impl FnOnce() -> Result<T, ModelError>) -> Result<T, ModelError> {
    catch_unwind(AssertUnwindSafe(run)).unwrap_or_else(|panic| {
        let message = panic
            .downcast_ref::<&str>()
            .map(ToString::to_string)
            .or_else(|| panic.downcast_ref::<String>().cloned())
            .unwrap_or_else(|| "no message".into());
        Err(ModelError::Panicked(message))
    })
}
