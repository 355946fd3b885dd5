//! The model's thread: takes requests from the queue, runs them together, survives the model's panics.
//!
//! Whatever waits is begun before each step of the model, so that requests of different sessions share a step; a model
//! that cannot share does its work where it begins. Requests whose callers have gone are dropped before each step.

use std::collections::HashMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::SyncSender;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::oneshot;

use super::queue::{Advanced, Opened, Queue, Request, Reservation, Work};
use super::{ReplicaError, SessionHandle};
use crate::{LanguageModel, ModelError, ModelInfo, Session, Token};

type Model = Box<dyn LanguageModel>;

/// Loads the model, also for the thread that takes over from one that hangs.
pub(super) type Loader = Arc<Mutex<dyn FnMut() -> Result<Model, ModelError> + Send>>;

/// Runs until the queue is stopped, the model cannot be loaded again, or another thread has taken over. `term` is the
/// number of this thread among those that have run the replica.
pub(super) fn run(
    queue: &Arc<Queue>,
    loader: &Loader,
    term: u64,
    started: Option<&SyncSender<Result<ModelInfo, ModelError>>>,
) {
    let _stop = StopOnExit { queue, term };
    let model = match load(loader) {
        Ok(model) => model,
        Err(error) => {
            tracing::error!(%error, "the model cannot be loaded");
            // The caller waits in `spawn`; if it has gone there is nobody to tell.
            started.into_iter().for_each(|started| drop(started.send(Err(error.clone()))));
            return;
        }
    };
    queue.set_ready(term, true);
    let info = model.info().clone();
    let queue = Arc::clone(queue);
    // Numbers of sessions never meet those of another term.
    let mut worker =
        Worker { queue, term, model, sessions: HashMap::new(), running: Vec::new(), next: term << 48 };
    if started.is_some_and(|started| started.send(Ok(info)).is_err()) {
        return;
    }
    while worker.turn(loader) {}
}

/// However the thread ends, nobody may go on waiting for it.
struct StopOnExit<'a> {
    queue: &'a Queue,
    term: u64,
}

impl Drop for StopOnExit<'_> {
    fn drop(&mut self) {
        self.queue.stop(Some(self.term));
    }
}

/// The model panicked.
struct Poisoned;

/// A request that has begun.
enum Running {
    Open { session: Box<dyn Session>, reservation: Reservation, reply: oneshot::Sender<Opened> },
    Advance { id: u64, reply: oneshot::Sender<Advanced> },
}

impl Running {
    fn is_cancelled(&self) -> bool {
        match self {
            Self::Open { reply, .. } => reply.is_closed(),
            Self::Advance { reply, .. } => reply.is_closed(),
        }
    }
}

struct Worker {
    queue: Arc<Queue>,
    term: u64,
    model: Model,
    /// Sessions that need no steps share only immutable weights: one that outlives a panic of another is whole.
    sessions: HashMap<u64, Box<dyn Session>>,
    running: Vec<Running>,
    next: u64,
}

impl Worker {
    /// Does the next thing; false at the end.
    fn turn(&mut self, loader: &Loader) -> bool {
        let result = match self.queue.next(self.term, self.running.len()) {
            Work::Stop => return false,
            Work::Close(ids) => {
                ids.iter().for_each(|id| drop(self.sessions.remove(id)));
                Ok(())
            }
            Work::Run(request) if request.is_cancelled() => Ok(()),
            Work::Run(request) => self.begin(request),
            Work::Nothing => self.step(),
        };
        self.queue.rest(self.term);
        result.is_ok() || self.reload(loader)
    }

    fn begin(&mut self, request: Request) -> Result<(), Poisoned> {
        match request {
            Request::Open { contexts, reservation, reply, .. } => {
                match guarded(|| self.model.begin(&contexts)) {
                    Ok(session) => {
                        self.running.push(Running::Open { session, reservation, reply });
                        self.settle()
                    }
                    Err(error) => self.answer(reply, Err(error.into())),
                }
            }
            Request::Advance { id, tokens, reply, .. } => match self.begin_advance(id, &tokens) {
                Ok(()) => {
                    self.running.push(Running::Advance { id, reply });
                    self.settle()
                }
                Err(error) => self.answer(reply, Err(error.into())),
            },
        }
    }

    fn begin_advance(&mut self, id: u64, tokens: &[Token]) -> Result<(), ModelError> {
        let session = self.sessions.get_mut(&id).ok_or(ModelError::SessionLost)?;
        let begun = guarded(|| session.begin(tokens));
        if matches!(begun, Err(ModelError::Engine(_) | ModelError::Panicked(_))) {
            self.sessions.remove(&id);
        }
        begun
    }

    /// One step for all that runs.
    fn step(&mut self) -> Result<(), Poisoned> {
        self.running.retain(|running| !running.is_cancelled());
        if self.running.is_empty() {
            return Ok(());
        }
        if let Err(error) = guarded(|| self.model.step()) {
            self.queue.set_ready(self.term, false);
            self.lose(&error);
            return Err(Poisoned);
        }
        self.settle()
    }

    /// Answers what is done.
    fn settle(&mut self) -> Result<(), Poisoned> {
        let mut result = Ok(());
        for running in std::mem::take(&mut self.running) {
            if self.finish(running).is_err() {
                result = Err(Poisoned);
            }
        }
        result
    }

    /// Answers a request if it is done, else lets it run on.
    fn finish(&mut self, running: Running) -> Result<(), Poisoned> {
        match running {
            Running::Open { mut session, reservation, reply } => match guarded(|| session.poll()) {
                Ok(false) => self.running.push(Running::Open { session, reservation, reply }),
                Ok(true) => {
                    let predictions = session.take();
                    let handle = self.keep(session, predictions.len(), reservation);
                    // A caller that has gone drops its handle, and that closes the session.
                    return self.answer(reply, Ok((handle, predictions)));
                }
                Err(error) => return self.answer(reply, Err(error.into())),
            },
            Running::Advance { id, reply } => {
                let polled = match self.sessions.get_mut(&id) {
                    Some(session) => guarded(|| session.poll()).map(|done| done.then(|| session.take())),
                    None => Err(ModelError::SessionLost),
                };
                match polled {
                    Ok(None) => self.running.push(Running::Advance { id, reply }),
                    Ok(Some(predictions)) => return self.answer(reply, Ok(predictions)),
                    Err(error) => {
                        self.sessions.remove(&id);
                        return self.answer(reply, Err(error.into()));
                    }
                }
            }
        }
        Ok(())
    }

    fn keep(
        &mut self,
        session: Box<dyn Session>,
        documents: usize,
        reservation: Reservation,
    ) -> SessionHandle {
        let id = self.next;
        self.next += 1;
        self.sessions.insert(id, session);
        SessionHandle { queue: Arc::clone(&self.queue), id, documents, _reservation: reservation }
    }

    /// Readiness falls before the answer goes out, so that a caller who saw the failure cannot see `ready`.
    fn answer<T>(
        &self,
        reply: oneshot::Sender<Result<T, ReplicaError>>,
        answer: Result<T, ReplicaError>,
    ) -> Result<(), Poisoned> {
        let panicked = matches!(answer, Err(ReplicaError::Model(ModelError::Panicked(_))));
        if panicked {
            self.queue.set_ready(self.term, false);
        }
        // Nobody is left to be told where the caller has gone.
        let _ = reply.send(answer);
        if panicked { Err(Poisoned) } else { Ok(()) }
    }

    /// Answers everything that runs with an error.
    fn lose(&mut self, error: &ModelError) {
        for running in std::mem::take(&mut self.running) {
            match running {
                Running::Open { reply, .. } => drop(reply.send(Err(error.clone().into()))),
                Running::Advance { id, reply } => {
                    self.sessions.remove(&id);
                    drop(reply.send(Err(error.clone().into())));
                }
            }
        }
    }

    /// Loads the model afresh after a panic; without one the replica ends.
    fn reload(&mut self, loader: &Loader) -> bool {
        tracing::error!(model = self.model.info().name, "the model panicked; loading it again");
        self.lose(&ModelError::SessionLost);
        self.sessions.retain(|_, session| !session.needs_steps());
        match load(loader) {
            Ok(model) => {
                self.model = model;
                self.queue.set_ready(self.term, true);
                true
            }
            Err(error) => {
                tracing::error!(%error, "the model cannot be loaded again; its thread ends");
                false
            }
        }
    }
}

fn load(loader: &Loader) -> Result<Model, ModelError> {
    // A loader that panicked is asked again: what it left behind is its own to put right.
    guarded(|| (loader.lock().unwrap_or_else(PoisonError::into_inner))())
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
