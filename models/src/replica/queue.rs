//! The bounded queue between callers and the model's thread.
//!
//! Invariant: `waiting_tokens` is the sum of the costs in `waiting`; a request is in the queue or owned by the thread,
//! never both; nothing is answered or dropped while the lock is held, so a caller's waker cannot come back into it.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::{oneshot, watch};

use super::{Load, ReplicaError, ReplicaLimits, SessionHandle};
use crate::{LogProbs, ModelError, Token};

/// What answers an `open`.
pub(super) type Opened = Result<(SessionHandle, Vec<LogProbs>), ReplicaError>;
/// What answers an `advance`.
pub(super) type Advanced = Result<Vec<LogProbs>, ReplicaError>;

/// Positions of the cache that a session, or the request for one, holds; given back when this is dropped.
#[derive(Debug)]
pub(super) struct Reservation {
    used: Arc<AtomicUsize>,
    positions: usize,
}

impl Drop for Reservation {
    fn drop(&mut self) {
        self.used.fetch_sub(self.positions, Ordering::AcqRel);
    }
}

/// One thing for the model's thread to do.
#[derive(Debug)]
pub(super) enum Request {
    /// Start a session.
    Open { contexts: Vec<Vec<Token>>, reservation: Reservation, reply: oneshot::Sender<Opened>, begun: Begun },
    /// Advance one.
    Advance { id: u64, tokens: Vec<Token>, reply: oneshot::Sender<Advanced>, begun: Begun },
}

/// Term of the thread that has taken a request.
pub(super) type Begun = Arc<OnceLock<u64>>;

impl Request {
    fn begin(&self, term: u64) {
        let (Self::Open { begun, .. } | Self::Advance { begun, .. }) = self;
        // A request is taken once: only its first term could be set.
        let _ = begun.set(term);
    }

    /// Whether nobody waits for the answer any more.
    pub(super) fn is_cancelled(&self) -> bool {
        match self {
            Self::Open { reply, .. } => reply.is_closed(),
            Self::Advance { reply, .. } => reply.is_closed(),
        }
    }
}

/// What the thread takes from the queue.
pub(super) enum Work {
    /// A request to run.
    Run(Request),
    /// Sessions whose handles are gone.
    Close(Vec<u64>),
    /// None now, while others run.
    Nothing,
    /// The replica is dropped, or another thread has taken over.
    Stop,
}

#[derive(Debug, Default)]
struct State {
    waiting: VecDeque<(Request, usize)>,
    waiting_tokens: usize,
    closed: Vec<u64>,
    running: usize,
    ready: bool,
    stopped: bool,
    /// The thread that runs the model: one that hangs is left behind, and the next has the next number.
    term: u64,
    /// Since when the model has been busy with one thing.
    busy: Option<Instant>,
}

/// See the module.
#[derive(Debug)]
pub(super) struct Queue {
    limits: ReplicaLimits,
    reserved: Arc<AtomicUsize>,
    state: Mutex<State>,
    wake: Condvar,
    /// Wakes who watches the thread.
    guard: Condvar,
    lost: watch::Sender<u64>,
}

impl Queue {
    pub(super) fn new(limits: ReplicaLimits) -> Self {
        Self {
            limits,
            reserved: Arc::default(),
            state: Mutex::default(),
            wake: Condvar::new(),
            guard: Condvar::new(),
            lost: watch::Sender::new(0),
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // No code below panics with the lock held; if some did, the state is still whole.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn overloaded(&self) -> ReplicaError {
        ReplicaError::Overloaded { retry_after_ms: self.limits.retry_after_ms }
    }

    /// Sets positions aside for a session.
    pub(super) fn reserve(&self, positions: usize) -> Result<Reservation, ReplicaError> {
        let limit = self.limits.session_tokens;
        too_big("contexts", positions, limit, "positions of the cache")?;
        let take = || {
            self.reserved.fetch_update(Ordering::AcqRel, Ordering::Acquire, |used| {
                used.checked_add(positions).filter(|sum| *sum <= limit)
            })
        };
        if take().is_err() {
            let cancelled = self.lock().take_cancelled();
            drop(cancelled);
            take().map_err(|_| self.overloaded())?;
        }
        Ok(Reservation { used: Arc::clone(&self.reserved), positions })
    }

    /// Queues a request that costs so many tokens.
    pub(super) fn push(&self, request: Request, cost: usize) -> Result<(), ReplicaError> {
        too_big("tokens", cost, self.limits.waiting_tokens, "tokens in the queue")?;
        let mut state = self.lock();
        if state.stopped {
            return Err(ReplicaError::Dead);
        }
        let full = |state: &State| {
            state.waiting.len() >= self.limits.waiting_requests
                || state.waiting_tokens.saturating_add(cost) > self.limits.waiting_tokens
        };
        let cancelled = if full(&state) { state.take_cancelled() } else { Vec::new() };
        let result = if full(&state) {
            Err(self.overloaded())
        } else {
            state.waiting_tokens += cost;
            state.waiting.push_back((request, cost));
            Ok(())
        };
        drop(state);
        drop(cancelled);
        self.wake.notify_one();
        result
    }

    /// The next thing to do for the thread of that term, which runs so many requests; waits for it if there are none.
    pub(super) fn next(&self, term: u64, running: usize) -> Work {
        let mut state = self.lock();
        loop {
            if state.stopped || state.term != term {
                return Work::Stop;
            }
            state.running = running;
            if !state.closed.is_empty() {
                return Work::Close(std::mem::take(&mut state.closed));
            }
            if let Some((request, cost)) = state.waiting.pop_front() {
                state.waiting_tokens -= cost;
                request.begin(term);
                state.running = running + 1;
                state.busy = Some(Instant::now());
                return Work::Run(request);
            }
            if running > 0 {
                state.busy = Some(Instant::now());
                return Work::Nothing;
            }
            state = self.wake.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// The thread of that term has done what it was given.
    pub(super) fn rest(&self, term: u64) {
        let mut state = self.lock();
        if state.term == term {
            state.busy = None;
        }
    }

    /// Waits until the model has been busy with one thing for `limit`, if there is one, and declares its thread lost: the
    /// next term, or none when the replica ends.
    pub(super) fn watch(&self, limit: Option<Duration>) -> Option<u64> {
        let mut state = self.lock();
        loop {
            if state.stopped {
                return None;
            }
            let Some(limit) = limit else {
                state = self.guard.wait(state).unwrap_or_else(PoisonError::into_inner);
                continue;
            };
            let busy = state.busy.map_or(Duration::ZERO, |since| since.elapsed());
            if busy >= limit {
                break;
            }
            let (next, _) =
                self.guard.wait_timeout(state, limit - busy).unwrap_or_else(PoisonError::into_inner);
            state = next;
        }
        state.term += 1;
        state.busy = None;
        state.ready = false;
        state.running = 0;
        let term = state.term;
        drop(state);
        self.lost.send_replace(term);
        self.wake.notify_all();
        Some(term)
    }

    /// Tells from now on when a thread is declared lost, with the term of the next.
    pub(super) fn terms(&self) -> watch::Receiver<u64> {
        self.lost.subscribe()
    }

    /// Ends a session. Costs nothing and is never refused.
    pub(super) fn close(&self, id: u64) {
        self.lock().closed.push(id);
        self.wake.notify_one();
    }

    /// Ends the thread (that of a term, if it is still the one that counts) and drops whatever waits.
    pub(super) fn stop(&self, term: Option<u64>) {
        let mut state = self.lock();
        if term.is_some_and(|term| term != state.term) {
            return;
        }
        state.stopped = true;
        state.ready = false;
        state.waiting_tokens = 0;
        let dropped = std::mem::take(&mut state.waiting);
        drop(state);
        drop(dropped);
        self.wake.notify_all();
        self.guard.notify_all();
    }

    pub(super) fn set_ready(&self, term: u64, ready: bool) {
        let mut state = self.lock();
        if state.term == term {
            state.ready = ready;
        }
    }

    /// Terms that have ended with a hang.
    pub(super) fn hangs(&self) -> u64 {
        self.lock().term
    }

    pub(super) fn is_stopped(&self) -> bool {
        self.lock().stopped
    }

    pub(super) fn is_ready(&self) -> bool {
        self.lock().ready
    }

    /// Why a request was dropped without an answer.
    pub(super) fn gone(&self) -> ReplicaError {
        if self.lock().stopped { ReplicaError::Dead } else { ReplicaError::Cancelled }
    }

    pub(super) fn load(&self) -> Load {
        let state = self.lock();
        Load {
            running: state.running,
            waiting: state.waiting.len(),
            waiting_tokens: state.waiting_tokens,
            kv_used: self.reserved.load(Ordering::Acquire),
            kv_total: self.limits.session_tokens,
        }
    }
}

impl State {
    /// Takes the requests whose callers have gone out of the queue.
    fn take_cancelled(&mut self) -> Vec<Request> {
        let (cancelled, kept): (Vec<_>, Vec<_>) =
            self.waiting.drain(..).partition(|(request, _)| request.is_cancelled());
        self.waiting = kept.into();
        self.waiting_tokens = self.waiting.iter().map(|(_, cost)| cost).sum();
        cancelled.into_iter().map(|(request, _)| request).collect()
    }
}

/// A request that no amount of waiting would let in is refused for good.
fn too_big(field: &'static str, size: usize, limit: usize, what: &str) -> Result<(), ReplicaError> {
    if size <= limit {
        return Ok(());
    }
    let reason = format!("needs {size} {what}, and this replica has {limit}; send fewer documents");
    Err(ModelError::Config { field, reason }.into())
}
