//! Look-ups of stakes of senders beside the track's neurons: a few at a time, those of senders that are known before those
//! of strangers.
//!
//! A key costs nothing, so strangers can ask for as many look-ups as they like. They keep each other waiting: known senders
//! have a queue of their own and one place that strangers do not get. Neither queue, nor the node, is flooded.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};

use acumen_protocol::{AccountId, Nacu};
use futures::StreamExt as _;
use futures::stream::FuturesUnordered;
use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::CancellationToken;

use crate::access::Access;
use crate::chain::ChainView;

/// Look-ups of each kind that may wait.
const WAITING: usize = 64;

/// Look-ups at once.
const AT_ONCE: usize = 4;

/// Of these, strangers'.
const STRANGERS_AT_ONCE: usize = AT_ONCE - 1;

type Stranger = (AccountId, oneshot::Sender<Nacu>);

/// The senders' side.
#[derive(Debug)]
pub(crate) struct Lookups {
    known: mpsc::Sender<AccountId>,
    strangers: mpsc::Sender<Stranger>,
    /// Known senders whose look-up waits or runs: one each.
    pending: Arc<Mutex<HashSet<AccountId>>>,
}

/// The side that answers.
#[derive(Debug)]
pub(crate) struct Asked {
    known: mpsc::Receiver<AccountId>,
    strangers: mpsc::Receiver<Stranger>,
    pending: Arc<Mutex<HashSet<AccountId>>>,
}

impl Lookups {
    pub(crate) fn new() -> (Self, Asked) {
        let (known, known_asked) = mpsc::channel(WAITING);
        let (strangers, strangers_asked) = mpsc::channel(WAITING);
        let pending = Arc::<Mutex<HashSet<AccountId>>>::default();
        let asked = Asked { known: known_asked, strangers: strangers_asked, pending: Arc::clone(&pending) };
        (Self { known, strangers, pending }, asked)
    }

    /// Looks a known sender up again, some time soon.
    pub(crate) fn again(&self, hotkey: AccountId) {
        let mut pending = self.pending.lock().unwrap_or_else(PoisonError::into_inner);
        // In a full queue it is left to the sender's next call.
        if !pending.contains(&hotkey) && self.known.try_send(hotkey).is_ok() {
            pending.insert(hotkey);
        }
    }

    /// The stake of a stranger; none if too many wait, or no node answers.
    pub(crate) async fn ask(&self, hotkey: AccountId) -> Option<Nacu> {
        let (reply, answer) = oneshot::channel();
        self.strangers.try_send((hotkey, reply)).ok()?;
        answer.await.ok()
    }
}

impl Asked {
    /// Answers until `stop`.
    pub(crate) async fn run<C: ChainView>(
        mut self,
        chain: Arc<C>,
        access: Arc<Access>,
        stop: CancellationToken,
    ) {
        let look_up = |hotkey, reply| look_up(&*chain, &access, hotkey, reply);
        let (mut running, mut strangers) = (FuturesUnordered::new(), 0);
        loop {
            let (room, room_for_strangers) = (running.len() < AT_ONCE, strangers < STRANGERS_AT_ONCE);
            tokio::select! {
                biased;
                () = stop.cancelled() => return,
                Some(done) = running.next() => {
                    let (hotkey, stranger): (AccountId, bool) = done;
                    strangers -= usize::from(stranger);
                    if !stranger {
                        self.pending.lock().unwrap_or_else(PoisonError::into_inner).remove(&hotkey);
                    }
                }
                Some(hotkey) = self.known.recv(), if room => running.push(look_up(hotkey, None)),
                Some((hotkey, reply)) = self.strangers.recv(), if room && room_for_strangers => {
                    if !reply.is_closed() {
                        strangers += 1;
                        running.push(look_up(hotkey, Some(reply)));
                    }
                }
            }
        }
    }
}

/// Looks one stake up; says whose, and whether a stranger waited for it.
async fn look_up<C: ChainView>(
    chain: &C,
    access: &Access,
    hotkey: AccountId,
    reply: Option<oneshot::Sender<Nacu>>,
) -> (AccountId, bool) {
    let stranger = reply.is_some();
    match chain.stake_of(hotkey).await {
        Ok(stake) => {
            access.remember(hotkey, stake);
            if let Some(reply) = reply {
                // A sender that has gone needs no answer.
                let _ = reply.send(stake);
            }
        }
        Err(error) => tracing::debug!(%hotkey, %error, "stake look-up failed"),
    }
    (hotkey, stranger)
}
