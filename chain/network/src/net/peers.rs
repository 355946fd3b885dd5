//! Connected peers: what each may send, and what we think of it. Reputations outlive a connection, so that hanging up
//! does not wash anybody clean.

use std::collections::{BTreeMap, BTreeSet};

use libp2p::PeerId;

use crate::config::Config;
use crate::core::rate::Bucket;
use crate::core::reputation::{Deed, Reputation};

/// Seconds' worth of messages that a peer may send at once: after a pause there is a burst.
const BURST_SECONDS: u64 = 2;

/// Miners' records that a peer may send in a second, on average: each costs a signature.
const RECORDS_PER_SECOND: u64 = 8;

/// And at once: a node that comes back publishes the records of all its miners.
const RECORDS_BURST: u64 = 128;

/// Reputations kept of peers that are gone.
const MAX_REMEMBERED: usize = 4_096;

#[derive(Debug)]
struct Allowance {
    messages: Bucket,
    bytes: Bucket,
    records: Bucket,
}

/// The table.
#[derive(Debug)]
pub(super) struct Peers {
    messages_per_second: u64,
    bytes_per_second: u64,
    connected: BTreeMap<PeerId, Allowance>,
    identified: BTreeSet<PeerId>,
    subscribed: BTreeSet<PeerId>,
    /// Peers that gossip and have not subscribed, and since when, in milliseconds since the start.
    silent: BTreeMap<PeerId, u64>,
    reputations: BTreeMap<PeerId, Reputation>,
}

impl Peers {
    pub(super) fn new(config: &Config) -> Self {
        Self {
            messages_per_second: u64::from(config.peer_transactions_per_second),
            bytes_per_second: u64::from(config.peer_bytes_per_second),
            connected: BTreeMap::new(),
            identified: BTreeSet::new(),
            subscribed: BTreeSet::new(),
            silent: BTreeMap::new(),
            reputations: BTreeMap::new(),
        }
    }

    pub(super) fn connected(&mut self, peer: PeerId, now_ms: u64) {
        let bucket = |rate: u64| Bucket::new(rate, rate.saturating_mul(BURST_SECONDS), now_ms);
        let (messages, bytes) = (bucket(self.messages_per_second), bucket(self.bytes_per_second));
        let records = Bucket::new(RECORDS_PER_SECOND, RECORDS_BURST, now_ms);
        self.connected.entry(peer).or_insert(Allowance { messages, bytes, records });
    }

    /// The last connection has ended.
    pub(super) fn gone(&mut self, peer: &PeerId) {
        self.connected.remove(peer);
        self.identified.remove(peer);
        self.subscribed.remove(peer);
        self.silent.remove(peer);
        if self.reputations.len() > MAX_REMEMBERED {
            let connected = &self.connected;
            self.reputations.retain(|peer, _| connected.contains_key(peer));
        }
    }

    /// `peer` is of this chain. Who `gossips` should subscribe soon.
    pub(super) fn identified(&mut self, peer: PeerId, gossips: bool, now_ms: u64) {
        self.identified.insert(peer);
        if gossips && !self.subscribed.contains(&peer) {
            self.silent.entry(peer).or_insert(now_ms);
        } else {
            self.silent.remove(&peer);
        }
    }

    /// Those who should have subscribed more than `patience_ms` ago.
    pub(super) fn silent(&self, now_ms: u64, patience_ms: u64) -> Vec<PeerId> {
        let silent = self.silent.iter().filter(|(_, since)| since.saturating_add(patience_ms) < now_ms);
        silent.map(|(peer, _)| *peer).collect()
    }

    pub(super) fn set_subscribed(&mut self, peer: PeerId, subscribed: bool) {
        if subscribed {
            self.subscribed.insert(peer);
            self.silent.remove(&peer);
        } else {
            self.subscribed.remove(&peer);
        }
    }

    pub(super) fn is_connected(&self, peer: &PeerId) -> bool {
        self.connected.contains_key(peer)
    }

    /// Connected peers, of whatever chain.
    pub(super) fn count(&self) -> usize {
        self.connected.len()
    }

    /// Peers of this chain, and those of them that want transactions.
    pub(super) fn lists(&self) -> (Vec<PeerId>, Vec<PeerId>) {
        let subscribed = self.subscribed.intersection(&self.identified).copied().collect();
        (self.identified.iter().copied().collect(), subscribed)
    }

    /// May `peer` send a message of `size` bytes now?
    pub(super) fn may_send(&mut self, peer: &PeerId, size: usize, now_ms: u64) -> bool {
        let size = u64::try_from(size).unwrap_or(u64::MAX);
        self.connected
            .get_mut(peer)
            .is_some_and(|allowed| allowed.messages.take(1, now_ms) && allowed.bytes.take(size, now_ms))
    }

    /// May `peer` have a miner's record stored now?
    pub(super) fn may_store(&mut self, peer: &PeerId, now_ms: u64) -> bool {
        self.connected.get_mut(peer).is_some_and(|allowed| allowed.records.take(1, now_ms))
    }

    /// Notes a deed. True if the peer is to be banned; its record begins anew then.
    pub(super) fn note(&mut self, peer: PeerId, deed: Deed, now_ms: u64) -> bool {
        let reputation = self.reputations.entry(peer).or_default();
        let ban = reputation.note(deed, now_ms);
        if ban {
            self.reputations.remove(&peer);
        }
        ban
    }

    pub(super) fn points(&self, peer: &PeerId, now_ms: u64) -> i64 {
        self.reputations.get(peer).map_or(0, |reputation| reputation.points(now_ms))
    }
}
