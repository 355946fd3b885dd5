//! The nonces of the window, in memory. The clock is an argument.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Mutex, MutexGuard, PoisonError};

use acumen_protocol::AccountId;
use acumen_protocol::limits::AUTH_RETENTION_NS;

/// Most nonces of one window: 80,000 requests per second, some 20 MB.
const MAX_NONCES: usize = 1_000_000;

/// How far the floor moves before all senders are looked at again.
const SWEEP_NS: u64 = 1_000_000_000;

/// What the window says about a nonce.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// True if it was fresh; it is used now.
    Known(bool),
    /// The mark has to move first.
    BeyondMark,
}

#[derive(Debug, Default)]
struct State {
    used: HashMap<AccountId, BTreeSet<u64>>,
    count: usize,
    floor: u64,
    swept: u64,
    mark: u64,
    /// The mark that the disk was asked for.
    asked: u64,
    reached: u64,
    closed: bool,
}

/// See the module.
#[derive(Debug)]
pub(super) struct Window(Mutex<State>);

impl Window {
    /// Everything below `mark` counts as used.
    pub(super) fn new(mark: u64) -> Self {
        Self(Mutex::new(State { floor: mark, mark, asked: mark, reached: mark, ..State::default() }))
    }

    /// No code below panics with the lock held; if some did, the state is still whole.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn insert(&self, sender: &AccountId, nonce: u64, now: u64) -> Result<Verdict, String> {
        let mut state = self.lock();
        if state.closed {
            return Err("the store is closed".to_owned());
        }
        state.forget(now.saturating_sub(AUTH_RETENTION_NS));
        if nonce < state.floor {
            return Ok(Verdict::Known(false));
        }
        if nonce >= state.mark {
            return Ok(Verdict::BeyondMark);
        }
        if state.count >= MAX_NONCES {
            return Err(format!("it holds {MAX_NONCES} nonces, the most for one window"));
        }
        let fresh = state.used.entry(*sender).or_default().insert(nonce);
        state.count += usize::from(fresh);
        state.reached = state.reached.max(nonce.saturating_add(1));
        Ok(Verdict::Known(fresh))
    }

    /// True once for each time that the mark should move beyond `target` and nobody has asked the disk yet.
    pub(super) fn wants(&self, target: u64) -> bool {
        let state = self.lock();
        state.asked < target
    }

    /// Notes what the disk is asked for; false if that was asked for before.
    pub(super) fn ask(&self, mark: u64) -> bool {
        let mut state = self.lock();
        let news = state.asked < mark;
        state.asked = state.asked.max(mark);
        news
    }

    /// The disk holds this mark now.
    pub(super) fn marked(&self, mark: u64) {
        let mut state = self.lock();
        state.mark = state.mark.max(mark);
    }

    /// Takes no more; returns the floor for the next start.
    pub(super) fn close(&self) -> u64 {
        let mut state = self.lock();
        state.closed = true;
        state.reached.max(state.floor)
    }

    #[cfg(test)]
    pub(super) fn count(&self) -> usize {
        self.lock().count
    }
}

impl State {
    fn forget(&mut self, floor: u64) {
        self.floor = self.floor.max(floor);
        if self.floor < self.swept.saturating_add(SWEEP_NS) {
            return;
        }
        self.swept = self.floor;
        let floor = self.floor;
        self.used.retain(|_, nonces| {
            while nonces.first().is_some_and(|nonce| *nonce < floor) {
                nonces.pop_first();
            }
            !nonces.is_empty()
        });
        self.count = self.used.values().map(BTreeSet::len).sum();
    }
}
