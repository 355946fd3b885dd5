//! Who may ask: hotkeys with enough stake, and those on the operator's list.
//!
//! Stakes are a copy of the chain's, refreshed in the background ([`crate::watch`]). While no node answers, the last copy
//! stays in force without limit of time: a validator must not lose its miners because a node is down. Senders beside the
//! track's neurons are looked up one by one ([`crate::lookups`]); what was found is used until something newer is: once it is
//! older than a refresh, a sender with enough stake is answered by it while it is looked up again. A sender that was never
//! found, when too many look-ups wait, is told to try again.

use std::collections::{HashMap, HashSet};
use std::sync::{PoisonError, RwLock, RwLockReadGuard};
use std::time::{Duration, Instant};

use acumen_protocol::{AccountId, Nacu};

use crate::lookups::{Asked, Lookups};
use crate::refusal::Refusal;

/// Most hotkeys beside the track's neurons whose stake is kept.
const MAX_OTHERS: usize = 4_096;

/// How long a sender waits for the look-up of its stake.
const LOOKUP_TIMEOUT: Duration = Duration::from_secs(2);

/// What a look-up found.
#[derive(Clone, Copy, Debug)]
struct Found {
    stake: Nacu,
    at: Instant,
}

#[derive(Debug, Default)]
struct Stakes {
    neurons: HashMap<AccountId, Nacu>,
    others: HashMap<AccountId, Found>,
}

/// The door.
#[derive(Debug)]
pub(crate) struct Access {
    allow: HashSet<AccountId>,
    least: Nacu,
    /// How long what a look-up found is not looked up again.
    fresh_for: Duration,
    stakes: RwLock<Stakes>,
    lookups: Lookups,
}

/// What is known of a sender.
enum Known {
    Fresh(Nacu),
    Old(Nacu),
    Nothing,
}

impl Access {
    /// The door, and the look-ups that somebody has to answer.
    pub(crate) fn new(
        allow: impl IntoIterator<Item = AccountId>,
        least: Nacu,
        fresh_for: Duration,
    ) -> (Self, Asked) {
        let (lookups, asked) = Lookups::new();
        let allow = allow.into_iter().collect();
        (Self { allow, least, fresh_for, stakes: RwLock::default(), lookups }, asked)
    }

    fn read(&self) -> RwLockReadGuard<'_, Stakes> {
        self.stakes.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn known(&self, hotkey: &AccountId) -> Known {
        let stakes = self.read();
        match (stakes.neurons.get(hotkey), stakes.others.get(hotkey)) {
            (Some(stake), _) => Known::Fresh(*stake),
            (None, Some(found)) if found.at.elapsed() < self.fresh_for => Known::Fresh(found.stake),
            (None, Some(found)) => Known::Old(found.stake),
            (None, None) => Known::Nothing,
        }
    }

    /// Lets `sender` in and returns the stake that counts for its rate.
    pub(crate) async fn admit(&self, sender: AccountId) -> Result<Nacu, Refusal> {
        let (known, least) = (self.known(&sender), self.least);
        if self.allow.contains(&sender) || least == Nacu::ZERO {
            return Ok(match known {
                Known::Fresh(stake) | Known::Old(stake) => stake,
                Known::Nothing => Nacu::ZERO,
            });
        }
        let stake = match known {
            Known::Fresh(stake) => stake,
            Known::Old(stake) if stake >= least => {
                // Nobody waits for it: if it fails, what is known goes on counting.
                self.lookups.again(sender);
                stake
            }
            // It may have been given stake meanwhile, and is no worse off if that cannot be told.
            Known::Old(stake) => self.look_up(sender).await.unwrap_or(stake),
            Known::Nothing => self.look_up(sender).await?,
        };
        if stake >= least { Ok(stake) } else { Err(Refusal::Stake { sender, stake, least }) }
    }

    async fn look_up(&self, sender: AccountId) -> Result<Nacu, Refusal> {
        let found = tokio::time::timeout(LOOKUP_TIMEOUT, self.lookups.ask(sender)).await;
        found.ok().flatten().ok_or(Refusal::StakeUnknown { sender })
    }

    /// Replaces the copy of the neurons' stakes.
    pub(crate) fn replace(&self, neurons: impl IntoIterator<Item = (AccountId, Nacu)>) {
        let neurons: HashMap<AccountId, Nacu> = neurons.into_iter().collect();
        let mut stakes = self.stakes.write().unwrap_or_else(PoisonError::into_inner);
        // Who leaves the track keeps its stake: it is asked for when it comes again.
        let left: Vec<(AccountId, Nacu)> = stakes.neurons.drain().collect();
        let at = Instant::now().checked_sub(self.fresh_for).unwrap_or_else(Instant::now);
        for (hotkey, stake) in left.into_iter().filter(|(hotkey, _)| !neurons.contains_key(hotkey)) {
            stakes.others.insert(hotkey, Found { stake, at });
        }
        stakes.neurons = neurons;
        self.forget(&mut stakes);
    }

    /// Adds what a look-up found.
    pub(crate) fn remember(&self, hotkey: AccountId, stake: Nacu) {
        let mut stakes = self.stakes.write().unwrap_or_else(PoisonError::into_inner);
        stakes.others.insert(hotkey, Found { stake, at: Instant::now() });
        self.forget(&mut stakes);
    }

    /// Keeps the number of others bounded: those without enough stake go first, and the oldest of them.
    fn forget(&self, stakes: &mut Stakes) {
        while stakes.others.len() > MAX_OTHERS {
            let least = self.least;
            let worst = stakes.others.iter().min_by_key(|(_, found)| (found.stake >= least, found.at));
            let Some(worst) = worst.map(|(hotkey, _)| *hotkey) else { return };
            stakes.others.remove(&worst);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hotkey(n: usize) -> AccountId {
        AccountId(std::array::from_fn(|i| n.to_le_bytes()[i % 8]))
    }

    #[tokio::test]
    async fn free_keys_push_nobody_with_stake_out() {
        let acu = |n| Nacu::from_acu(n).unwrap();
        let (access, _asked) = Access::new([], acu(1), Duration::from_secs(3_600));
        access.remember(hotkey(0), acu(7));
        for n in 1..=MAX_OTHERS + 10 {
            access.remember(hotkey(n), Nacu::ZERO);
        }
        access.replace([(hotkey(1), acu(2))]);
        assert_eq!(access.admit(hotkey(0)).await.unwrap(), acu(7));
        assert_eq!(access.read().others.len(), MAX_OTHERS);
        access.replace([]);
        assert_eq!(access.admit(hotkey(1)).await.unwrap(), acu(2), "who has left the track is not unknown");
    }
}
