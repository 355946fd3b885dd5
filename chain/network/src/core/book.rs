//! The peer book: who there is, where, and when it makes sense to dial them. Bounded; kept on disk between starts, so that
//! a node finds its way back when every bootstrap peer is down. Time is in seconds since the Unix epoch.

pub mod file;

use std::collections::BTreeMap;

use libp2p::{Multiaddr, PeerId};
use serde::{Deserialize, Serialize};

use super::address::{is_acceptable, is_relayed, without_peer};

/// Most peers in the book: a few thousand bytes each at worst, and far more than a node connects to.
pub const MAX_PEERS: usize = 1_024;

/// Most addresses of a peer: TCP and QUIC over IPv4 and IPv6, by IP and by name.
pub const MAX_ADDRESSES: usize = 8;

/// Pause after the first failed dial, in seconds; it doubles with each further one.
pub const FIRST_PAUSE_SECONDS: u64 = 5;

/// Longest pause between dials, in seconds.
pub const LONGEST_PAUSE_SECONDS: u64 = 3_600;

/// Failed dials in a row after which a peer that was never named by the operator is forgotten.
pub const GIVE_UP_AFTER: u32 = 12;

/// What is known about a peer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Peer {
    /// Where it was reached or says that it listens, the best first.
    pub addresses: Vec<Multiaddr>,
    /// When a connection to it last stood; 0 if never.
    pub seen_at: u64,
    /// Failed dials since.
    pub failures: u32,
    /// No dial before this time.
    pub dial_after: u64,
    /// No connection, either way, before this time.
    pub banned_until: u64,
}

/// The book.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Book {
    peers: BTreeMap<PeerId, Peer>,
    /// Named by the operator: always kept.
    fixed: BTreeMap<PeerId, Vec<Multiaddr>>,
    private_allowed: bool,
    changed: bool,
}

impl Book {
    /// An empty book.
    #[must_use]
    pub fn new(private_allowed: bool) -> Self {
        Self { private_allowed, ..Self::default() }
    }

    /// Peers in it.
    #[must_use]
    pub fn len(&self) -> usize {
        self.peers.len()
    }

    /// True if nobody is in it.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.peers.is_empty()
    }

    /// One peer.
    #[must_use]
    pub fn get(&self, peer: &PeerId) -> Option<&Peer> {
        self.peers.get(peer)
    }

    /// Every peer.
    pub fn iter(&self) -> impl Iterator<Item = (&PeerId, &Peer)> {
        self.peers.iter()
    }

    /// Has it changed since the last call?
    pub fn take_changed(&mut self) -> bool {
        std::mem::take(&mut self.changed)
    }

    /// A peer that the operator named. Its address is taken as it is, and kept.
    pub fn add_fixed(&mut self, peer: PeerId, address: Multiaddr) {
        self.fixed.entry(peer).or_default().push(address.clone());
        self.insert(peer, address, true);
    }

    /// Did the operator name it?
    #[must_use]
    pub fn is_fixed(&self, peer: &PeerId) -> bool {
        self.fixed.contains_key(peer)
    }

    /// An address of `peer` that somebody told. False if it is not worth keeping.
    pub fn add(&mut self, peer: PeerId, address: Multiaddr) -> bool {
        let address = without_peer(&address);
        is_acceptable(&address, self.private_allowed) && self.insert(peer, address, false)
    }

    /// What `peer` itself says about its addresses: of those through relays, only the ones that it still names are kept.
    pub fn announced(&mut self, peer: PeerId, addresses: &[Multiaddr]) {
        let named: Vec<Multiaddr> = addresses.iter().map(without_peer).collect();
        if let Some(entry) = self.peers.get_mut(&peer) {
            entry.addresses.retain(|known| !is_relayed(known) || named.contains(known));
        }
        for address in named {
            self.add(peer, address);
        }
    }

    fn insert(&mut self, peer: PeerId, address: Multiaddr, first: bool) -> bool {
        if !self.peers.contains_key(&peer) && self.peers.len() >= MAX_PEERS && !self.forget_worst() {
            return false;
        }
        let entry = self.peers.entry(peer).or_insert_with(Peer::unknown);
        if entry.addresses.contains(&address) {
            return true;
        }
        if entry.addresses.len() >= MAX_ADDRESSES {
            // Addresses that worked stand at the front: a peer cannot push them out by announcing others.
            if !first {
                return false;
            }
            entry.addresses.pop();
        }
        let place = if first { 0 } else { entry.addresses.len() };
        entry.addresses.insert(place, address);
        self.changed = true;
        true
    }

    /// Makes room: the peer with most failures goes, then the one seen longest ago. False if all are to be kept.
    fn forget_worst(&mut self) -> bool {
        let worst = self
            .peers
            .iter()
            .filter(|(peer, entry)| {
                !self.fixed.contains_key(peer) && (entry.seen_at == 0 || entry.failures > 0)
            })
            .max_by_key(|(_, entry)| (entry.failures, u64::MAX - entry.seen_at))
            .map(|(peer, _)| *peer);
        worst.is_some_and(|peer| self.peers.remove(&peer).is_some())
    }

    /// A connection to `peer` stands; `dialled` is the address that led there, if we dialled.
    pub fn connected(&mut self, peer: &PeerId, dialled: Option<&Multiaddr>, now: u64) {
        let Some(entry) = self.peers.get_mut(peer) else { return };
        (entry.seen_at, entry.failures, entry.dial_after) = (now, 0, 0);
        let place = dialled.and_then(|address| entry.addresses.iter().position(|known| known == address));
        if let Some(place) = place {
            entry.addresses[..=place].rotate_right(1);
        }
        self.changed = true;
    }

    /// A dial failed. A peer that never answers is forgotten in the end, unless the operator named it.
    pub fn failed(&mut self, peer: &PeerId, now: u64) {
        let Some(entry) = self.peers.get_mut(peer) else { return };
        entry.failures = entry.failures.saturating_add(1);
        let pause =
            FIRST_PAUSE_SECONDS.saturating_mul(1 << u64::from(entry.failures.saturating_sub(1).min(20)));
        entry.dial_after = now.saturating_add(pause.min(LONGEST_PAUSE_SECONDS));
        if entry.failures >= GIVE_UP_AFTER && !self.fixed.contains_key(peer) {
            self.peers.remove(peer);
        }
        self.changed = true;
    }

    /// No connection to or from `peer` before `until`.
    pub fn ban(&mut self, peer: PeerId, until: u64) {
        if self.peers.len() >= MAX_PEERS && !self.peers.contains_key(&peer) && !self.forget_worst() {
            return;
        }
        let entry = self.peers.entry(peer).or_insert_with(Peer::unknown);
        entry.banned_until = entry.banned_until.max(until);
        self.changed = true;
    }

    /// Is `peer` banned at `now`?
    #[must_use]
    pub fn is_banned(&self, peer: &PeerId, now: u64) -> bool {
        self.peers.get(peer).is_some_and(|entry| entry.banned_until > now)
    }

    /// Who is banned at `now`.
    pub fn banned(&self, now: u64) -> impl Iterator<Item = &PeerId> {
        self.peers.iter().filter(move |(_, entry)| entry.banned_until > now).map(|(peer, _)| peer)
    }

    /// Up to `count` peers worth dialling now: those seen most recently first, then those that the operator named, then
    /// the rest with the fewest failures.
    #[must_use]
    pub fn to_dial(
        &self,
        count: usize,
        now: u64,
        skip: impl Fn(&PeerId) -> bool,
    ) -> Vec<(PeerId, Vec<Multiaddr>)> {
        let mut due: Vec<_> = self
            .peers
            .iter()
            .filter(|(peer, entry)| {
                entry.dial_after <= now
                    && entry.banned_until <= now
                    && !entry.addresses.is_empty()
                    && !skip(peer)
            })
            .collect();
        due.sort_by_key(|(peer, entry)| {
            (entry.failures, u64::MAX - entry.seen_at, !self.fixed.contains_key(peer), **peer)
        });
        due.into_iter().take(count).map(|(peer, entry)| (*peer, entry.addresses.clone())).collect()
    }

    /// Takes over a stored entry: checked like anything from outside.
    fn restore(&mut self, peer: PeerId, stored: Peer) {
        let acceptable = |address: &Multiaddr| is_acceptable(address, self.private_allowed);
        let addresses = stored.addresses.iter().filter(|address| acceptable(address)).take(MAX_ADDRESSES);
        let entry = Peer { addresses: addresses.cloned().collect(), ..stored };
        if self.peers.len() < MAX_PEERS {
            self.peers.insert(peer, entry);
        }
    }
}

impl Peer {
    const fn unknown() -> Self {
        Self { addresses: Vec::new(), seen_at: 0, failures: 0, dial_after: 0, banned_until: 0 }
    }
}

#[cfg(test)]
mod tests;
