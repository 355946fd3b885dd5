//! Who may ask: hotkeys with enough stake, and those on the operator's list.
//!
//! Stakes are a copy of the chain's, refreshed in the background ([`crate::watch`]). While no node answers, the last copy
//! stays in force without limit of time: a validator must not lose its miners because a node is down. A sender that the
//! copy lacks is looked up once per refresh; before the first copy, and when too many such look-ups wait, it is told to
//! try again.

use std::collections::{HashMap, HashSet};
use std::sync::{PoisonError, RwLock};
use std::time::Duration;

use acumen_protocol::{AccountId, Nacu};
use tokio::sync::{mpsc, oneshot};

use crate::refusal::Refusal;

/// Look-ups that may wait: strangers cannot make the miner flood its node.
const LOOKUPS: usize = 64;

/// Most hotkeys beside the track's neurons whose stake is kept between two refreshes.
const MAX_OTHERS: usize = 4_096;

/// How long a sender waits for the look-up of its stake.
const LOOKUP_TIMEOUT: Duration = Duration::from_secs(2);

/// A question to the watcher: the stake of a hotkey.
pub(crate) type Lookup = (AccountId, oneshot::Sender<Nacu>);

#[derive(Debug, Default)]
struct Stakes {
    neurons: HashMap<AccountId, Nacu>,
    others: HashMap<AccountId, Nacu>,
}

impl Stakes {
    fn get(&self, hotkey: &AccountId) -> Option<Nacu> {
        self.neurons.get(hotkey).or_else(|| self.others.get(hotkey)).copied()
    }
}

/// The door.
#[derive(Debug)]
pub(crate) struct Access {
    allow: HashSet<AccountId>,
    least: Nacu,
    stakes: RwLock<Stakes>,
    lookups: mpsc::Sender<Lookup>,
}

impl Access {
    /// The door, and the look-ups that the watcher answers.
    pub(crate) fn new(
        allow: impl IntoIterator<Item = AccountId>,
        least: Nacu,
    ) -> (Self, mpsc::Receiver<Lookup>) {
        let (lookups, receiver) = mpsc::channel(LOOKUPS);
        let allow = allow.into_iter().collect();
        (Self { allow, least, stakes: RwLock::default(), lookups }, receiver)
    }

    /// Lets `sender` in and returns the stake that counts for its rate.
    pub(crate) async fn admit(&self, sender: AccountId) -> Result<Nacu, Refusal> {
        let known = self.stakes.read().unwrap_or_else(PoisonError::into_inner).get(&sender);
        if self.allow.contains(&sender) || self.least == Nacu::ZERO {
            return Ok(known.unwrap_or(Nacu::ZERO));
        }
        let stake = match known {
            Some(stake) => stake,
            None => self.look_up(sender).await?,
        };
        let least = self.least;
        if stake >= least { Ok(stake) } else { Err(Refusal::Stake { sender, stake, least }) }
    }

    async fn look_up(&self, sender: AccountId) -> Result<Nacu, Refusal> {
        let (reply, answer) = oneshot::channel();
        self.lookups.try_send((sender, reply)).map_err(|_| Refusal::StakeUnknown { sender })?;
        let answer = tokio::time::timeout(LOOKUP_TIMEOUT, answer).await;
        answer.ok().and_then(Result::ok).ok_or(Refusal::StakeUnknown { sender })
    }

    /// Replaces the copy.
    pub(crate) fn replace(&self, neurons: impl IntoIterator<Item = (AccountId, Nacu)>) {
        let mut stakes = self.stakes.write().unwrap_or_else(PoisonError::into_inner);
        *stakes = Stakes { neurons: neurons.into_iter().collect(), others: HashMap::new() };
    }

    /// The stake of a hotkey in the copy.
    pub(crate) fn known(&self, hotkey: &AccountId) -> Option<Nacu> {
        self.stakes.read().unwrap_or_else(PoisonError::into_inner).get(hotkey)
    }

    /// Adds what a look-up found.
    pub(crate) fn remember(&self, hotkey: AccountId, stake: Nacu) {
        let mut stakes = self.stakes.write().unwrap_or_else(PoisonError::into_inner);
        if stakes.others.len() < MAX_OTHERS {
            stakes.others.insert(hotkey, stake);
        }
    }
}
