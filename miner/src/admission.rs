//! The waiting queue in front of the model: counted in tokens, ordered by stake.
//!
//! A request enters with its cost in tokens and gets a [`Ticket`], which it holds while the model reads its contexts. As
//! many tokens as `prefill_tokens` are with the model at once, and always at least one request; the others wait in the
//! order of [`fair`]. Steps of running streams do not wait here: they would only hold their caches for longer.
//!
//! Invariants: `waiting_tokens` and `by_sender` are the sums over `waiting`; `inside` is the sum over living tickets;
//! whoever waits leaves the queue when its future is dropped, when its deadline has come, or when a request with more
//! right to the place needs it in a full queue.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use acumen_protocol::{AccountId, Nacu};
use tokio::sync::oneshot;

use crate::config::Limits;
use crate::refusal::Refusal;

mod fair;
mod pace;

pub(crate) use fair::weight;
use fair::{Fair, Key};
use pace::Pace;

#[cfg(test)]
mod tests;

/// What a request costs.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Cost {
    /// Tokens that the model reads: what it takes of the room.
    pub(crate) tokens: usize,
    /// What moves its sender's share on: the positions that its session holds afterwards count too, so that empty documents
    /// are not free.
    pub(crate) charge: usize,
}

impl From<usize> for Cost {
    fn from(tokens: usize) -> Self {
        Self { tokens, charge: tokens }
    }
}

#[derive(Debug)]
struct Waiter {
    sender: AccountId,
    cost: u64,
    reply: oneshot::Sender<Result<Ticket, Refusal>>,
}

#[derive(Debug, Default)]
struct State {
    fair: Fair,
    pace: Pace,
    waiting: BTreeMap<Key, Waiter>,
    waiting_tokens: u64,
    by_sender: HashMap<AccountId, usize>,
    inside: u64,
}

/// How busy the queue is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Waiting {
    pub(crate) requests: usize,
    pub(crate) tokens: u64,
    /// What a request that came now would wait.
    pub(crate) estimate: Duration,
}

/// The queue.
#[derive(Clone, Debug)]
pub(crate) struct Admission {
    state: Arc<Mutex<State>>,
    limits: Arc<Limits>,
}

/// The right to use the model for so many tokens; given back when dropped.
#[derive(Debug)]
pub(crate) struct Ticket {
    admission: Admission,
    cost: u64,
}

/// Leaves the queue when dropped.
struct Place<'a> {
    admission: &'a Admission,
    key: Key,
}

impl Admission {
    pub(crate) fn new(limits: &Limits) -> Self {
        Self { state: Arc::default(), limits: Arc::new(limits.clone()) }
    }

    /// No code below panics with the lock held; if some did, the sums are still whole.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until the model has room for what `sender` asks, who has `stake`.
    pub(crate) async fn enter(
        &self,
        sender: AccountId,
        stake: Nacu,
        cost: impl Into<Cost>,
        deadline: Option<Instant>,
    ) -> Result<Ticket, Refusal> {
        let cost = cost.into();
        let (place, answer) = match self.ask(sender, stake, cost, deadline)? {
            Asked::Entered(ticket) => return Ok(ticket),
            Asked::Waits(key, answer) => (Place { admission: self, key }, answer),
        };
        let answer = match deadline {
            None => answer.await,
            Some(deadline) => {
                let waited = tokio::time::timeout_at(deadline.into(), answer).await;
                waited.map_err(|_| Refusal::Deadline)?
            }
        };
        drop(place);
        answer.unwrap_or(Err(Refusal::Draining))
    }

    fn ask(
        &self,
        sender: AccountId,
        stake: Nacu,
        cost: Cost,
        deadline: Option<Instant>,
    ) -> Result<Asked, Refusal> {
        let (cost, charge) = ((cost.tokens as u64).max(1), (cost.charge as u64).max(1));
        let mut state = self.lock();
        if state.waiting.is_empty() && self.has_room(&state, cost) {
            state.fair.pass(sender, stake, charge);
            return Ok(Asked::Entered(self.let_in(&mut state, cost)));
        }
        let mine = state.by_sender.get(&sender).copied().unwrap_or(0);
        if mine >= self.limits.queue_requests_per_hotkey {
            let limit = "queue_requests_per_hotkey";
            return Err(self.full(&state, limit, self.limits.queue_requests_per_hotkey as u64, cost));
        }
        let key = state.fair.key(sender, stake, charge);
        let wait = state.wait_of(key);
        self.in_time(&state, wait, deadline)?;
        let evicted = self.make_room(&mut state, key, cost)?;
        state.fair.take(sender, key);
        let (reply, answer) = oneshot::channel();
        state.push(key, Waiter { sender, cost, reply });
        drop(state);
        // Told without the lock: a waker must not come back into it.
        for (waiter, refusal) in evicted {
            let _ = waiter.reply.send(Err(refusal));
        }
        Ok(Asked::Waits(key, answer))
    }

    /// Refuses at once who could not be answered in time.
    fn in_time(&self, state: &State, wait: Duration, deadline: Option<Instant>) -> Result<(), Refusal> {
        let longest = Duration::from_millis(self.limits.max_wait_ms);
        let allowed = deadline
            .map_or(longest, |deadline| longest.min(deadline.saturating_duration_since(Instant::now())));
        if wait <= allowed || !state.pace.is_known() {
            return Ok(());
        }
        Err(Refusal::Wait { wait, allowed, retry_after: self.pause(wait.saturating_sub(allowed)) })
    }

    /// Takes those out of a full queue who have less right to their place than `key`.
    fn make_room(&self, state: &mut State, key: Key, cost: u64) -> Result<Vec<(Waiter, Refusal)>, Refusal> {
        let (requests, tokens) = (self.limits.queue_requests, self.limits.queue_tokens as u64);
        let mut evicted = Vec::new();
        let mut victims: Vec<Key> = Vec::new();
        let (mut count, mut sum) = (state.waiting.len(), state.waiting_tokens);
        for (other, waiter) in state.waiting.iter().rev() {
            if count < requests && sum.saturating_add(cost) <= tokens {
                break;
            }
            if *other < key {
                break;
            }
            victims.push(*other);
            (count, sum) = (count - 1, sum - waiter.cost);
        }
        if count >= requests {
            return Err(self.full(state, "queue_requests", requests as u64, cost));
        }
        if sum.saturating_add(cost) > tokens {
            return Err(self.full(state, "queue_tokens", tokens, cost));
        }
        for victim in victims {
            let refusal = self.full(state, "queue_tokens", tokens, cost);
            evicted.extend(state.remove(victim).map(|waiter| (waiter, refusal)));
        }
        Ok(evicted)
    }

    fn full(&self, state: &State, limit: &'static str, allowed: u64, cost: u64) -> Refusal {
        // Room comes as the tokens before this request are read; half of them is a fair guess of when.
        let before = state.inside.saturating_add(state.waiting_tokens);
        let wait = state.pace.time_of(before.saturating_add(cost)) / 2;
        Refusal::Queue { limit, allowed, retry_after: self.pause(wait) }
    }

    fn pause(&self, wait: Duration) -> Duration {
        wait.max(Duration::from_millis(self.limits.retry_after_ms))
    }

    fn has_room(&self, state: &State, cost: u64) -> bool {
        state.inside == 0 || state.inside.saturating_add(cost) <= self.limits.prefill_tokens as u64
    }

    fn let_in(&self, state: &mut State, cost: u64) -> Ticket {
        state.pace.begin(state.inside == 0, Instant::now());
        state.inside += cost;
        Ticket { admission: self.clone(), cost }
    }

    /// Lets in who comes next, as long as there is room.
    fn admit(&self, state: &mut State) -> Vec<(Waiter, Ticket)> {
        let mut admitted = Vec::new();
        while let Some((key, cost)) = state.waiting.first_key_value().map(|(key, waiter)| (*key, waiter.cost))
        {
            if !self.has_room(state, cost) {
                break;
            }
            let Some(waiter) = state.remove(key) else { break };
            state.fair.serve(key);
            let ticket = self.let_in(state, cost);
            admitted.push((waiter, ticket));
        }
        admitted
    }

    fn release(&self, cost: u64) {
        let mut state = self.lock();
        state.inside = state.inside.saturating_sub(cost);
        state.pace.done(cost, Instant::now());
        self.tell(state);
    }

    fn leave(&self, key: Key) {
        let mut state = self.lock();
        let left = state.remove(key);
        self.tell(state);
        drop(left);
    }

    /// Lets in whoever has room now, and tells them without the lock.
    fn tell(&self, mut state: MutexGuard<'_, State>) {
        let admitted = self.admit(&mut state);
        drop(state);
        for (waiter, ticket) in admitted {
            // Who has gone drops its ticket here, and the next one is let in.
            let _ = waiter.reply.send(Ok(ticket));
        }
    }

    /// How busy the queue is now.
    pub(crate) fn waiting(&self) -> Waiting {
        let state = self.lock();
        let before = state.inside.saturating_add(state.waiting_tokens);
        Waiting {
            requests: state.waiting.len(),
            tokens: state.waiting_tokens,
            estimate: state.pace.time_of(before),
        }
    }
}

enum Asked {
    Entered(Ticket),
    Waits(Key, oneshot::Receiver<Result<Ticket, Refusal>>),
}

impl State {
    fn push(&mut self, key: Key, waiter: Waiter) {
        self.waiting_tokens += waiter.cost;
        *self.by_sender.entry(waiter.sender).or_default() += 1;
        self.waiting.insert(key, waiter);
    }

    fn remove(&mut self, key: Key) -> Option<Waiter> {
        let waiter = self.waiting.remove(&key)?;
        self.waiting_tokens = self.waiting_tokens.saturating_sub(waiter.cost);
        if let Some(mine) = self.by_sender.get_mut(&waiter.sender) {
            *mine -= 1;
            if *mine == 0 {
                self.by_sender.remove(&waiter.sender);
            }
        }
        Some(waiter)
    }

    /// What a request at this place would wait.
    fn wait_of(&self, key: Key) -> Duration {
        let before: u64 = self.waiting.range(..key).map(|(_, waiter)| waiter.cost).sum();
        self.pace.time_of(self.inside.saturating_add(before))
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        self.admission.release(self.cost);
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        // Who waited behind a request that did not fit may fit now.
        self.admission.leave(self.key);
    }
}
