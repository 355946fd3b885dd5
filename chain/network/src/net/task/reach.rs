//! Being reached: whether others can dial this node, the relays that it listens at while they cannot, and the change from
//! relayed connections to direct ones.

use libp2p::core::transport::ListenerId;
use libp2p::multiaddr::Protocol;
use libp2p::{Multiaddr, PeerId, autonat, dcutr, relay};

use super::Task;
use crate::core::address::{is_acceptable, without_peer};
use crate::net::handle::{Reachability, Stats};

impl Task {
    pub(super) fn on_autonat(&mut self, event: &autonat::Event) {
        let autonat::Event::StatusChanged { new, .. } = event else { return };
        match new {
            autonat::NatStatus::Public(address) => {
                self.reachability = Reachability::Reachable;
                tracing::info!(%address, "others can reach this node");
            }
            autonat::NatStatus::Private => {
                self.reachability = Reachability::Unreachable;
                if let Some(address) = self.config.external.first() {
                    tracing::warn!(%address, "others cannot reach this node, although `external` says where: is \
                        the port forwarded and open?");
                } else {
                    tracing::info!("others cannot reach this node: it listens at relays");
                }
            }
            autonat::NatStatus::Unknown => self.reachability = Reachability::Unknown,
        }
        self.use_relays();
        self.show();
    }

    /// A peer that relays. What this node has dialled can be reached; of others that is not known, and those behind NAT
    /// offer it too.
    pub(super) fn on_relay_offered(&mut self, relay: PeerId) {
        let Some(address) = self.links.dialled(&relay).map(without_peer) else { return };
        if is_acceptable(&address, self.config.private_addresses) || self.book.is_fixed(&relay) {
            self.relays.offer(relay, address);
            self.use_relays();
        }
    }

    /// A node that others cannot reach listens at a few relays; dcutr then tries for direct connections.
    pub(super) fn use_relays(&mut self) {
        if self.reachability != Reachability::Unreachable {
            return;
        }
        let now = self.now_ms();
        for (relay, address) in self.relays.to_ask(now) {
            let circuit = address.with(Protocol::P2p(relay)).with(Protocol::P2pCircuit);
            match self.swarm.listen_on(circuit) {
                Ok(listener) => {
                    self.circuits.insert(listener, relay);
                }
                Err(error) => {
                    tracing::debug!(%relay, %error, "no circuit through this relay");
                    self.relays.ended(&relay, now);
                }
            }
        }
    }

    /// A relay refused, or has gone with what it had reserved.
    pub(super) fn on_listener_closed(
        &mut self,
        listener: ListenerId,
        addresses: &[Multiaddr],
        reason: &Result<(), std::io::Error>,
    ) {
        self.set_listening(|listening| listening.retain(|known| !addresses.contains(known)));
        let Some(relay) = self.circuits.remove(&listener) else { return };
        if let Err(reason) = reason {
            tracing::debug!(%relay, reason = reason as &dyn std::error::Error, "a relay refused");
        } else {
            tracing::info!(%relay, "no longer relayed by this peer");
        }
        let now = self.now_ms();
        self.relays.ended(&relay, now);
        self.show();
    }

    pub(super) fn on_relay_client(&mut self, event: &relay::client::Event) {
        match event {
            relay::client::Event::ReservationReqAccepted { relay_peer_id: relay, renewal, .. } => {
                if !renewal {
                    tracing::info!(%relay, "relayed by this peer");
                }
                self.relays.accepted(relay);
                self.show();
                // Others are told where this node is now; it asks who else is there.
                self.look_around();
            }
            relay::client::Event::InboundCircuitEstablished { src_peer_id: peer, .. } => {
                tracing::debug!(%peer, "a relayed connection comes in");
            }
            relay::client::Event::OutboundCircuitEstablished { .. } => {}
        }
    }

    pub(super) fn on_relay_server(&mut self, event: &relay::Event) {
        match event {
            relay::Event::ReservationReqAccepted { src_peer_id: peer, renewed: false } => {
                tracing::debug!(%peer, "relaying for a peer");
                Stats::add(&self.stats.reservations);
            }
            relay::Event::CircuitReqAccepted { .. } => Stats::add(&self.stats.circuits),
            relay::Event::ReservationReqDenied { src_peer_id: peer, status } => {
                tracing::debug!(%peer, ?status, "not relaying for a peer");
                Stats::add(&self.stats.refused_circuits);
            }
            relay::Event::CircuitReqDenied { src_peer_id: peer, status, .. } => {
                tracing::debug!(%peer, ?status, "not relaying a connection");
                Stats::add(&self.stats.refused_circuits);
            }
            _ => {}
        }
    }

    pub(super) fn on_dcutr(&mut self, event: &dcutr::Event) {
        let peer = event.remote_peer_id;
        match &event.result {
            Ok(_) => {
                tracing::info!(%peer, "a relayed connection became direct");
                Stats::add(&self.stats.punched);
            }
            Err(error) => {
                tracing::debug!(%peer, error = error as &dyn std::error::Error, "a relayed connection stays relayed");
                Stats::add(&self.stats.not_punched);
            }
        }
    }

    /// Ends relayed connections that are no longer needed.
    pub(super) fn tend_links(&mut self) {
        let (own, now) = (*self.swarm.local_peer_id(), self.now_ms());
        for connection in self.links.superfluous(&own, now) {
            self.swarm.close_connection(connection);
        }
    }
}
