//! Finding peers, keeping enough of them, and parting from those of other chains.

use std::collections::HashSet;

use libp2p::core::ConnectedPoint;
use libp2p::swarm::dial_opts::{DialOpts, PeerCondition};
use libp2p::swarm::{ConnectionId, DialError};
use libp2p::{PeerId, identify, kad, relay};

use super::{Task, wall_seconds};
use crate::core::address::{is_acceptable, relay_of, without_peer};
use crate::core::book::MAX_ADDRESSES;
use crate::core::links::Link;
use crate::names::PROBE_NAME;
use crate::net::explain::explain;
use crate::net::handle::Stats;

/// Peers dialled in one tick: a new node finds its place within seconds and does not flood anybody.
const DIALS_PER_TICK: usize = 4;

/// A peer of another chain is left alone for so long, in seconds.
const OTHER_CHAIN_SECONDS: u64 = 600;

/// Peers are looked for so often while there are fewer than are wanted, in milliseconds: each time around another place of
/// the table, so that a small network is known as a whole within a minute.
const LOOK_MS: u64 = 15_000;

impl Task {
    /// Dials while fewer than half of the places are taken: the rest is for those who dial us.
    pub(super) fn dial_more(&mut self) {
        let missing = self.missing().min(DIALS_PER_TICK);
        let own = *self.swarm.local_peer_id();
        let peers = &self.peers;
        let due = self.book.to_dial(missing, wall_seconds(), |peer| *peer == own || peers.is_connected(peer));
        for (peer, addresses) in due {
            let options = DialOpts::peer_id(peer)
                .condition(PeerCondition::DisconnectedAndNotDialing)
                .addresses(addresses)
                .build();
            if let Err(error) = self.swarm.dial(options) {
                tracing::debug!(%peer, %error, "not dialled");
            }
        }
    }

    /// Peers that this node still wants to dial.
    fn missing(&self) -> usize {
        let wanted = usize::try_from(self.config.max_peers).unwrap_or(usize::MAX).div_ceil(2);
        wanted.saturating_sub(self.peers.count())
    }

    /// Asks who else is there, if that was not done just now.
    pub(super) fn look_for_more(&mut self) {
        let now = self.now_ms();
        let due = self.looked_at.is_none_or(|at| now >= at.saturating_add(LOOK_MS));
        if due && self.missing() > 0 && !self.peers.lists().0.is_empty() {
            self.look_around();
        }
    }

    /// Asks for peers near to a random place; what is found comes to [`Self::on_kademlia`].
    pub(super) fn look_around(&mut self) {
        self.looked_at = Some(self.now_ms());
        self.swarm.behaviour_mut().kademlia.get_closest_peers(PeerId::random());
    }

    pub(super) fn on_connected(&mut self, peer: PeerId, connection: ConnectionId, endpoint: &ConnectedPoint) {
        let now = self.now_ms();
        self.peers.connected(peer, now);
        let dialled = match endpoint {
            ConnectedPoint::Dialer { address, .. } => Some(without_peer(address)),
            ConnectedPoint::Listener { .. } => None,
        };
        let relayed = endpoint.is_relayed();
        tracing::debug!(%peer, ?dialled, relayed, "connected");
        self.book.connected(&peer, dialled.as_ref(), wall_seconds());
        self.links.opened(peer, connection, Link { relayed, dialled, since: now });
        self.show();
    }

    pub(super) fn on_failed_dial(&mut self, peer: PeerId, error: &DialError) {
        if matches!(error, DialError::DialPeerConditionFalse(_)) {
            return;
        }
        Stats::add(&self.stats.failed_dials);
        let address = self.book.get(&peer).and_then(|entry| entry.addresses.first()).cloned();
        let reason = explain(&address.unwrap_or_else(libp2p::Multiaddr::empty), error);
        tracing::debug!(%peer, %reason, "a dial failed");
        self.book.failed(&peer, wall_seconds());
        self.swarm.behaviour_mut().kademlia.remove_peer(&peer);
    }

    pub(super) fn on_identify(&mut self, event: identify::Event) {
        // Pushed: something has changed, like where a peer behind NAT is relayed.
        let (identify::Event::Received { peer_id: peer, info, .. }
        | identify::Event::Pushed { peer_id: peer, info, .. }) = event
        else {
            return;
        };
        if info.protocol_version == PROBE_NAME {
            return;
        }
        if info.protocol_version != self.names.identify {
            tracing::warn!(%peer, theirs = %info.protocol_version.escape_debug(), "a peer of another chain; parting");
            Stats::add(&self.stats.wrong_chain);
            self.ban(peer, OTHER_CHAIN_SECONDS);
            return;
        }
        self.learn_addresses(peer, &info);
        if !info.listen_addrs.is_empty() {
            self.book.connected(&peer, None, wall_seconds());
        }
        let first = self.peers.lists().0.is_empty();
        let gossips = info.protocols.iter().any(|protocol| protocol.as_ref().starts_with(&self.names.gossip));
        let now = self.now_ms();
        self.peers.identified(peer, gossips, now);
        self.show();
        if first {
            // Asks for peers near to this one; an empty table has nobody to ask, and the next peer will do.
            let _ = self.swarm.behaviour_mut().kademlia.bootstrap();
        }
        if info.protocols.contains(&relay::HOP_PROTOCOL_NAME) {
            self.on_relay_offered(peer);
        }
    }

    /// Where a peer says that it is: into the book, and into the table that others are told from.
    fn learn_addresses(&mut self, peer: PeerId, info: &identify::Info) {
        let (own, private) = (*self.swarm.local_peer_id(), self.config.private_addresses);
        let serves = info.protocols.contains(&self.names.kademlia);
        let acceptable = info.listen_addrs.iter().filter(|address| is_acceptable(address, private));
        let addresses: Vec<_> = acceptable.take(MAX_ADDRESSES).cloned().collect();
        if serves {
            for address in &addresses {
                self.swarm.behaviour_mut().kademlia.add_address(&peer, address.clone());
            }
        }
        // A circuit through this node is of use to others only.
        let elsewhere: Vec<_> =
            addresses.into_iter().filter(|address| relay_of(address) != Some(own)).collect();
        self.book.announced(peer, &elsewhere);
    }

    /// Peers that others told of: into the book, to be dialled when there is room. Records: see [`super::records`].
    pub(super) fn on_kademlia(&mut self, event: kad::Event) {
        let (id, result, last) = match event {
            kad::Event::OutboundQueryProgressed { id, result, step, .. } => (id, result, step.last),
            kad::Event::InboundRequest {
                request: kad::InboundRequest::PutRecord { source, record: Some(record), .. },
            } => return self.on_inbound_record(source, &record),
            _ => return,
        };
        let found = match result {
            kad::QueryResult::GetRecord(result) => return self.on_found(id, result, last),
            kad::QueryResult::GetClosestPeers(Ok(found)) => found.peers,
            kad::QueryResult::GetClosestPeers(Err(kad::GetClosestPeersError::Timeout { peers, .. })) => peers,
            _ => return,
        };
        let own = *self.swarm.local_peer_id();
        for kad::PeerInfo { peer_id, addrs } in found.into_iter().filter(|found| found.peer_id != own) {
            let elsewhere = addrs.into_iter().filter(|address| relay_of(address) != Some(own));
            for address in elsewhere.take(MAX_ADDRESSES) {
                self.book.add(peer_id, address);
            }
        }
        self.dial_more();
    }

    /// Parts from peers that speak our gossip and have not said that they want transactions. Gossip says that once, with
    /// the first connection; a node that was frozen may have missed it, or take our new connection for a second one. The
    /// next connection, which either of us makes, is a first one again.
    pub(super) fn part_from_silent(&mut self) {
        let patience_ms = u64::from(self.config.silent_peer_seconds).saturating_mul(1_000);
        for peer in self.peers.silent(self.now_ms(), patience_ms) {
            tracing::info!(%peer, seconds = self.config.silent_peer_seconds, "a peer never said that it wants \
                transactions: parting, to meet again");
            Stats::add(&self.stats.silent);
            // An error means that it has gone already.
            let _ = self.swarm.disconnect_peer_id(peer);
        }
    }

    /// Hangs up on `peer` and lets nobody of that name in for `seconds`.
    pub(super) fn ban(&mut self, peer: PeerId, seconds: u64) {
        self.book.ban(peer, wall_seconds().saturating_add(seconds));
        self.enforce_bans();
        // An error means that it has gone already.
        let _ = self.swarm.disconnect_peer_id(peer);
        self.swarm.behaviour_mut().kademlia.remove_peer(&peer);
    }

    /// Tells the gate who is banned now: the book's bound is the gate's.
    pub(super) fn enforce_bans(&mut self) {
        let banned: HashSet<PeerId> = self.book.banned(wall_seconds()).copied().collect();
        self.swarm.behaviour_mut().gate.set_banned(banned);
    }
}
