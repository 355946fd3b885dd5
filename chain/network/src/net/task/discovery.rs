//! Finding peers, keeping enough of them, and parting from those of other chains.

use std::collections::HashSet;

use libp2p::core::ConnectedPoint;
use libp2p::multiaddr::Protocol;
use libp2p::swarm::DialError;
use libp2p::swarm::dial_opts::{DialOpts, PeerCondition};
use libp2p::{PeerId, autonat, identify, kad, relay};

use super::{Task, wall_seconds};
use crate::core::address::{is_acceptable, without_peer};
use crate::core::book::MAX_ADDRESSES;
use crate::names::PROBE_NAME;
use crate::net::explain::explain;
use crate::net::handle::Stats;

/// Peers dialled in one tick: a new node finds its place within seconds and does not flood anybody.
const DIALS_PER_TICK: usize = 4;

/// A peer of another chain is left alone for so long, in seconds.
const OTHER_CHAIN_SECONDS: u64 = 600;

/// Relays asked for a circuit when this node cannot be reached directly.
const MAX_RELAYS: usize = 2;

impl Task {
    /// Dials while fewer than half of the places are taken: the rest is for those who dial us.
    pub(super) fn dial_more(&mut self) {
        let wanted = usize::try_from(self.config.max_peers).unwrap_or(usize::MAX).div_ceil(2);
        let missing = wanted.saturating_sub(self.peers.count()).min(DIALS_PER_TICK);
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

    pub(super) fn on_connected(&mut self, peer: PeerId, endpoint: &ConnectedPoint) {
        let now = self.now_ms();
        self.peers.connected(peer, now);
        let dialled = match endpoint {
            ConnectedPoint::Dialer { address, .. } => Some(without_peer(address)),
            ConnectedPoint::Listener { .. } => None,
        };
        tracing::debug!(%peer, ?dialled, "connected");
        self.book.connected(&peer, dialled.as_ref(), wall_seconds());
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
        let identify::Event::Received { peer_id: peer, info, .. } = event else { return };
        if info.protocol_version == PROBE_NAME {
            return;
        }
        if info.protocol_version != self.names.identify {
            tracing::warn!(%peer, theirs = %info.protocol_version.escape_debug(), "a peer of another chain; parting");
            Stats::add(&self.stats.wrong_chain);
            self.ban(peer, OTHER_CHAIN_SECONDS);
            return;
        }
        let serves = info.protocols.contains(&self.names.kademlia);
        let private = self.config.private_addresses;
        for address in
            info.listen_addrs.iter().filter(|address| is_acceptable(address, private)).take(MAX_ADDRESSES)
        {
            self.book.add(peer, address.clone());
            if serves {
                self.swarm.behaviour_mut().kademlia.add_address(&peer, address.clone());
            }
        }
        if !info.listen_addrs.is_empty() {
            self.book.connected(&peer, None, wall_seconds());
        }
        let first = self.peers.lists().0.is_empty();
        self.peers.identified(peer);
        self.show();
        if first {
            // Asks for peers near to this one; an empty table has nobody to ask, and the next peer will do.
            let _ = self.swarm.behaviour_mut().kademlia.bootstrap();
        }
        if info.protocols.contains(&relay::HOP_PROTOCOL_NAME) {
            self.maybe_use_relay(peer, &info.listen_addrs);
            self.relay_peers.insert(peer, info.listen_addrs);
        }
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
            for address in addrs.into_iter().take(MAX_ADDRESSES) {
                self.book.add(peer_id, without_peer(&address));
            }
        }
        self.dial_more();
    }

    pub(super) fn on_autonat(&mut self, event: &autonat::Event) {
        let autonat::Event::StatusChanged { old, new } = event else { return };
        tracing::info!(?old, ?new, "whether others can reach this node");
        // Peers said what they are long before that was known.
        for (relay, addresses) in std::mem::take(&mut self.relay_peers) {
            self.maybe_use_relay(relay, &addresses);
            self.relay_peers.insert(relay, addresses);
        }
    }

    /// A node that others cannot reach listens at up to two relays; dcutr then tries for direct connections.
    fn maybe_use_relay(&mut self, relay: PeerId, addresses: &[libp2p::Multiaddr]) {
        let behind = self.swarm.behaviour().autonat.nat_status() == autonat::NatStatus::Private;
        if !behind || self.relays.len() >= MAX_RELAYS || self.relays.contains(&relay) {
            return;
        }
        let Some(address) =
            addresses.iter().find(|address| is_acceptable(address, self.config.private_addresses))
        else {
            return;
        };
        let circuit = address.clone().with(Protocol::P2p(relay)).with(Protocol::P2pCircuit);
        match self.swarm.listen_on(circuit) {
            Ok(_) => self.relays.push(relay),
            Err(error) => tracing::debug!(%relay, %error, "no circuit through this relay"),
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
