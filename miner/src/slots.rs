//! Room for streams: how many run at once and how many positions their sessions hold, of all senders and of each.
//!
//! One sender alone may use all that its own limits allow. When somebody else comes and there is no room, sessions of
//! whoever uses most for their weight give way ([`share`]): between two steps, with a status that says so, those first
//! that wait for their client. So neither many idle streams nor a full cache lock anybody out.
//!
//! Invariant: what is booked (all that was not told to leave) never exceeds the limits; nobody begins before what was told to
//! leave has gone, so what is held does not either; a slot gives everything back when it is dropped.

mod share;

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use acumen_protocol::{AccountId, Nacu};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use crate::admission::weight;
use crate::config::Limits;
use crate::refusal::Refusal;
use share::{Asks, Held, Size, booked, sum, victims};

#[derive(Debug, Default)]
struct State {
    held: BTreeMap<u64, Held>,
    next: u64,
    /// Counts what happens, to know who has been idle for longest.
    clock: u64,
}

#[derive(Debug)]
struct Inner {
    state: Mutex<State>,
    /// Told whenever something has been given back.
    changed: Notify,
    all: Size,
    each: Size,
    retry_after: Duration,
    longest_wait: Duration,
}

/// The room.
#[derive(Clone, Debug)]
pub(crate) struct Slots(Arc<Inner>);

/// One running stream; given back when dropped.
#[derive(Debug)]
pub(crate) struct Slot {
    room: Arc<Inner>,
    id: u64,
    sender: AccountId,
    weight: u128,
    leave: CancellationToken,
}

impl Slots {
    pub(crate) fn new(limits: &Limits) -> Self {
        Self(Arc::new(Inner {
            state: Mutex::default(),
            changed: Notify::new(),
            all: Size { streams: limits.max_streams, positions: limits.session_tokens },
            each: Size {
                streams: limits.max_streams_per_hotkey,
                positions: limits.session_tokens_per_hotkey.min(limits.session_tokens),
            },
            retry_after: Duration::from_millis(limits.retry_after_ms),
            longest_wait: Duration::from_millis(limits.max_wait_ms),
        }))
    }

    /// Takes a place for one stream of `sender`, who has `stake`; waits while others leave it.
    pub(crate) async fn take(
        &self,
        sender: AccountId,
        stake: Nacu,
        deadline: Option<Instant>,
    ) -> Result<Slot, Refusal> {
        let (room, leave) = (Arc::clone(&self.0), CancellationToken::new());
        let weight = weight(stake);
        let id = room.book(None, Asks { sender, weight, size: Size { streams: 1, positions: 0 } }, &leave)?;
        let slot = Slot { room, id, sender, weight, leave };
        slot.settle(deadline).await?;
        Ok(slot)
    }

    /// Streams that run.
    pub(crate) fn running(&self) -> usize {
        self.0.lock().held.len()
    }
}

impl Slot {
    /// Adds positions of the cache to what the stream holds; waits while others leave them.
    pub(crate) async fn reserve(&self, positions: usize, deadline: Option<Instant>) -> Result<(), Refusal> {
        let most = self.room.each.positions;
        if positions > most {
            return Err(Refusal::Limit {
                what: "the number of positions that the session needs",
                limit: "session_tokens_per_hotkey",
                found: positions as u64,
                allowed: most as u64,
            });
        }
        let size = Size { streams: 0, positions };
        let asks = Asks { sender: self.sender, weight: self.weight, size };
        self.room.book(Some(self.id), asks, &self.leave)?;
        self.settle(deadline).await
    }

    /// Waits until there is room for what has been booked. One that has to give way itself meanwhile does: others wait for it.
    async fn settle(&self, deadline: Option<Instant>) -> Result<(), Refusal> {
        let latest = Instant::now() + self.room.longest_wait;
        let until = deadline.map_or(latest, |deadline| deadline.min(latest));
        tokio::select! {
            biased;
            () = self.room.settle() => Ok(()),
            refusal = self.has_to_leave() => Err(refusal),
            () = tokio::time::sleep_until(until.into()) => {
                Err(self.room.full("max_streams", self.room.all.streams))
            }
        }
    }

    /// Waits until the stream has to give way.
    pub(crate) async fn has_to_leave(&self) -> Refusal {
        self.leave.cancelled().await;
        Refusal::GaveWay { retry_after: self.room.retry_after }
    }

    /// Whether the stream has to give way.
    pub(crate) fn must_leave(&self) -> Option<Refusal> {
        self.leave.is_cancelled().then(|| Refusal::GaveWay { retry_after: self.room.retry_after })
    }

    /// The stream waits for its client, or has gone on.
    pub(crate) fn set_idle(&self, idle: bool) {
        let mut state = self.room.lock();
        state.clock += 1;
        let clock = state.clock;
        if let Some(held) = state.held.get_mut(&self.id) {
            (held.idle, held.touched) = (idle, clock);
        }
    }
}

impl Inner {
    /// Every change is made of single statements: the state is whole if some code panics.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Books what is asked for, on a stream that has a place or on a new one, and tells to leave who has to.
    fn book(&self, id: Option<u64>, asks: Asks, leave: &CancellationToken) -> Result<u64, Refusal> {
        let mut state = self.lock();
        let mine = booked(&state.held, Some(asks.sender)).plus(asks.size);
        if mine.streams > self.each.streams {
            return Err(self.full("max_streams_per_hotkey", self.each.streams));
        }
        if mine.positions > self.each.positions {
            return Err(self.full("session_tokens_per_hotkey", self.each.positions));
        }
        let all = booked(&state.held, None).plus(asks.size);
        let Some(leaving) = victims(&state.held, &asks, self.all) else {
            let streams = all.streams > self.all.streams;
            let (limit, allowed) = if streams {
                ("max_streams", self.all.streams)
            } else {
                ("session_tokens", self.all.positions)
            };
            return Err(self.full(limit, allowed));
        };
        for victim in leaving {
            if let Some(held) = state.held.get_mut(&victim) {
                held.leave.cancel();
            }
        }
        state.clock += 1;
        let touched = state.clock;
        if let Some(id) = id {
            if let Some(held) = state.held.get_mut(&id) {
                (held.size, held.touched) = (held.size.plus(asks.size), touched);
            }
            return Ok(id);
        }
        let id = state.next;
        state.next += 1;
        let Asks { sender, weight, size } = asks;
        state.held.insert(id, Held { sender, weight, size, idle: false, touched, leave: leave.clone() });
        Ok(id)
    }

    /// Waits until those that were told to leave have gone, as far as there would be too much with them.
    async fn settle(&self) {
        loop {
            let changed = self.changed.notified();
            if sum(self.lock().held.values()).fits(self.all) {
                return;
            }
            changed.await;
        }
    }

    const fn full(&self, limit: &'static str, allowed: usize) -> Refusal {
        Refusal::Slots { limit, allowed, retry_after: self.retry_after }
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        self.room.lock().held.remove(&self.id);
        self.room.changed.notify_waiters();
    }
}
