//! The connections to each peer, direct and through relays, and which of them are not needed: a relay's places are few, so
//! a relayed connection ends when a direct one stands, and of two through relays one is enough. Time is in milliseconds
//! since the start.

use std::collections::BTreeMap;

use libp2p::swarm::ConnectionId;
use libp2p::{Multiaddr, PeerId};

/// A connection counts as settled after this time: what was sent over the one that it makes superfluous has arrived, and
/// both ends know of it.
pub const SETTLED_MS: u64 = 3_000;

/// One connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Link {
    /// Through a relay.
    pub relayed: bool,
    /// Where this node dialled, if it did.
    pub dialled: Option<Multiaddr>,
    /// When it stood.
    pub since: u64,
}

/// All connections; the limits of the swarm bound them.
#[derive(Clone, Debug, Default)]
pub struct Links {
    peers: BTreeMap<PeerId, BTreeMap<ConnectionId, Link>>,
}

impl Links {
    /// A connection stands. A direct one that stands beside a relayed one may have been opened by both ends at once, through
    /// their routers: that this node has dialled it does not show that others could.
    pub fn opened(&mut self, peer: PeerId, connection: ConnectionId, mut link: Link) {
        let links = self.peers.entry(peer).or_default();
        if !link.relayed && links.values().any(|other| other.relayed) {
            link.dialled = None;
        }
        links.insert(connection, link);
    }

    /// One has ended.
    pub fn closed(&mut self, peer: &PeerId, connection: &ConnectionId) {
        let Some(links) = self.peers.get_mut(peer) else { return };
        links.remove(connection);
        if links.is_empty() {
            self.peers.remove(peer);
        }
    }

    /// Is `peer` connected through relays only?
    #[must_use]
    pub fn is_relayed(&self, peer: &PeerId) -> bool {
        self.peers.get(peer).is_some_and(|links| links.values().all(|link| link.relayed))
    }

    /// The address at which this node has reached `peer` directly, without the help of a relay.
    #[must_use]
    pub fn dialled(&self, peer: &PeerId) -> Option<&Multiaddr> {
        let mut direct = self.peers.get(peer)?.values().filter(|link| !link.relayed);
        direct.find_map(|link| link.dialled.as_ref())
    }

    /// Relayed connections that can end now: of peers with a settled direct one, and, of those with two through relays, the
    /// one that was dialled by the greater of the two names, so that both ends keep the same.
    #[must_use]
    pub fn superfluous(&self, own: &PeerId, now: u64) -> Vec<ConnectionId> {
        let settled = |link: &Link| link.since.saturating_add(SETTLED_MS) <= now;
        let mut found = Vec::new();
        for (peer, links) in &self.peers {
            let relayed = || links.iter().filter(|(_, link)| link.relayed);
            if links.values().any(|link| !link.relayed && settled(link)) {
                found.extend(relayed().map(|(id, _)| *id));
                continue;
            }
            let ours_stay = own < peer;
            let stays = |link: &Link| link.dialled.is_some() == ours_stay;
            if relayed().any(|(_, link)| stays(link) && settled(link)) {
                found.extend(relayed().filter(|(_, link)| !stays(link) && settled(link)).map(|(id, _)| *id));
            }
        }
        found
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(number: usize) -> ConnectionId {
        ConnectionId::new_unchecked(number)
    }

    fn link(relayed: bool, ours: bool, since: u64) -> Link {
        let address = "/ip4/9.9.9.9/tcp/1".parse().unwrap();
        Link { relayed, dialled: ours.then_some(address), since }
    }

    fn two_peers() -> (PeerId, PeerId) {
        let (a, b) = (PeerId::random(), PeerId::random());
        (a.min(b), a.max(b))
    }

    #[test]
    fn a_relayed_connection_ends_when_a_direct_one_has_settled() {
        let (own, peer) = two_peers();
        let mut links = Links::default();
        links.opened(peer, id(1), link(true, true, 0));
        assert!(links.is_relayed(&peer) && links.dialled(&peer).is_none());
        links.opened(peer, id(2), link(false, true, 10_000));
        assert!(!links.is_relayed(&peer) && links.dialled(&peer).is_none(), "both ends opened it");
        assert!(links.superfluous(&own, 10_000 + SETTLED_MS - 1).is_empty());
        assert_eq!(links.superfluous(&own, 10_000 + SETTLED_MS), [id(1)]);
        // The direct one ends first: the other is all there is.
        links.closed(&peer, &id(2));
        assert!(links.superfluous(&own, u64::MAX).is_empty() && links.is_relayed(&peer));
        links.closed(&peer, &id(1));
        assert!(!links.is_relayed(&peer));
    }

    #[test]
    fn of_two_relayed_ones_both_ends_keep_the_same() {
        let (small, great) = two_peers();
        // Connection 1 was dialled by the small name, connection 2 by the great one.
        let seen_by = |own: PeerId, peer: PeerId| {
            let mut links = Links::default();
            links.opened(peer, id(1), link(true, own == small, 0));
            links.opened(peer, id(2), link(true, own == great, 0));
            links.superfluous(&own, SETTLED_MS)
        };
        assert_eq!(seen_by(small, great), [id(2)]);
        assert_eq!(seen_by(great, small), [id(2)]);
    }
}
