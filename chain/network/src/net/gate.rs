//! Who may connect at all: so many connections from one IP address or through one relay, and nobody who is banned. Decided
//! before anything is read from the peer (the address) or right after it has proven its identity (the ban).

use std::collections::{BTreeMap, HashMap, HashSet};
use std::convert::Infallible;
use std::net::IpAddr;
use std::task::{Context, Poll};

use libp2p::core::Endpoint;
use libp2p::core::transport::PortUse;
use libp2p::swarm::{
    ConnectionClosed, ConnectionDenied, ConnectionId, FromSwarm, NetworkBehaviour, THandler, THandlerInEvent,
    THandlerOutEvent, ToSwarm, dummy,
};
use libp2p::{Multiaddr, PeerId};

use crate::core::address::{group_of, ip_of, is_relayed, relay_of};

/// Why the gate refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Refused {
    #[error("{origin:?} has {limit} connections already, the limit")]
    Share { origin: Origin, limit: usize },
    #[error("{peer} is banned")]
    Banned { peer: PeerId },
}

/// Where an inbound connection comes from. What comes through a relay has no address of its own: whoever relays answers for
/// it, so that nobody fills a node's places with names behind a relay of his.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Origin {
    Ip(IpAddr),
    Relay(PeerId),
}

impl Origin {
    /// A relayed connection tells the relay in the address that it came in at, any other its own in that of the peer.
    fn of(local: &Multiaddr, remote: &Multiaddr) -> Option<Self> {
        if is_relayed(local) {
            let relay = relay_of(local).map(Self::Relay);
            return relay.or_else(|| ip_of(local).map(|ip| Self::Ip(group_of(ip))));
        }
        ip_of(remote).map(|ip| Self::Ip(group_of(ip)))
    }
}

/// The behaviour. Opens no stream.
#[derive(Debug)]
pub(crate) struct Gate {
    per_ip: usize,
    inbound: HashMap<ConnectionId, Origin>,
    count: BTreeMap<Origin, usize>,
    banned: HashSet<PeerId>,
}

impl Gate {
    pub(crate) fn new(per_ip: usize) -> Self {
        Self { per_ip, inbound: HashMap::new(), count: BTreeMap::new(), banned: HashSet::new() }
    }

    /// The banned peers from now on; the caller bounds them.
    pub(crate) fn set_banned(&mut self, banned: HashSet<PeerId>) {
        self.banned = banned;
    }

    fn check(&self, local: &Multiaddr, remote: &Multiaddr) -> Result<Option<Origin>, ConnectionDenied> {
        let Some(origin) = Origin::of(local, remote) else { return Ok(None) };
        match self.count.get(&origin) {
            Some(count) if *count >= self.per_ip => {
                Err(ConnectionDenied::new(Refused::Share { origin, limit: self.per_ip }))
            }
            _ => Ok(Some(origin)),
        }
    }

    fn check_peer(&self, peer: PeerId) -> Result<(), ConnectionDenied> {
        if self.banned.contains(&peer) {
            return Err(ConnectionDenied::new(Refused::Banned { peer }));
        }
        Ok(())
    }
}

impl NetworkBehaviour for Gate {
    type ConnectionHandler = dummy::ConnectionHandler;
    type ToSwarm = Infallible;

    fn handle_pending_inbound_connection(
        &mut self,
        _: ConnectionId,
        local: &Multiaddr,
        remote: &Multiaddr,
    ) -> Result<(), ConnectionDenied> {
        self.check(local, remote).map(|_| ())
    }

    fn handle_established_inbound_connection(
        &mut self,
        connection: ConnectionId,
        peer: PeerId,
        local: &Multiaddr,
        remote: &Multiaddr,
    ) -> Result<THandler<Self>, ConnectionDenied> {
        self.check_peer(peer)?;
        if let Some(origin) = self.check(local, remote)? {
            self.inbound.insert(connection, origin);
            *self.count.entry(origin).or_default() += 1;
        }
        Ok(dummy::ConnectionHandler)
    }

    fn handle_established_outbound_connection(
        &mut self,
        _: ConnectionId,
        peer: PeerId,
        _: &Multiaddr,
        _: Endpoint,
        _: PortUse,
    ) -> Result<THandler<Self>, ConnectionDenied> {
        self.check_peer(peer)?;
        Ok(dummy::ConnectionHandler)
    }

    fn on_swarm_event(&mut self, event: FromSwarm<'_>) {
        let closed = match event {
            FromSwarm::ConnectionClosed(ConnectionClosed { connection_id, .. }) => connection_id,
            // Another behaviour refused what this one had let in.
            FromSwarm::ListenFailure(failure) => failure.connection_id,
            _ => return,
        };
        let Some(origin) = self.inbound.remove(&closed) else { return };
        if let Some(count) = self.count.get_mut(&origin) {
            *count = count.saturating_sub(1);
            if *count == 0 {
                self.count.remove(&origin);
            }
        }
    }

    fn on_connection_handler_event(&mut self, _: PeerId, _: ConnectionId, event: THandlerOutEvent<Self>) {
        match event {}
    }

    fn poll(&mut self, _: &mut Context<'_>) -> Poll<ToSwarm<Self::ToSwarm, THandlerInEvent<Self>>> {
        Poll::Pending
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_address_has_its_share_and_gets_it_back() {
        let mut gate = Gate::new(2);
        let (local, remote): (Multiaddr, Multiaddr) =
            ("/ip4/1.1.1.1/tcp/1".parse().unwrap(), "/ip4/9.9.9.9/tcp/7".parse().unwrap());
        let open = |gate: &mut Gate, id: usize| {
            let id = ConnectionId::new_unchecked(id);
            gate.handle_established_inbound_connection(id, PeerId::random(), &local, &remote).is_ok()
        };
        assert!(open(&mut gate, 1) && open(&mut gate, 2) && !open(&mut gate, 3));
        let pending = ConnectionId::new_unchecked(4);
        assert!(gate.handle_pending_inbound_connection(pending, &local, &remote).is_err());
        let other = "/ip4/9.9.9.10/tcp/7".parse().unwrap();
        assert!(gate.handle_pending_inbound_connection(pending, &local, &other).is_ok());
        let failure = libp2p::swarm::behaviour::ListenFailure {
            local_addr: &local,
            send_back_addr: &remote,
            error: &libp2p::swarm::ListenError::Aborted,
            connection_id: ConnectionId::new_unchecked(1),
            peer_id: None,
        };
        gate.on_swarm_event(FromSwarm::ListenFailure(failure));
        assert!(open(&mut gate, 5), "a closed connection frees its place");
    }

    #[test]
    fn whoever_relays_answers_for_what_comes_through() {
        let mut gate = Gate::new(2);
        let relay =
            |id: PeerId| -> Multiaddr { format!("/ip4/9.9.9.9/tcp/7/p2p/{id}/p2p-circuit").parse().unwrap() };
        let (one, other) = (relay(PeerId::random()), relay(PeerId::random()));
        let mut ids = 1..;
        let mut open = |gate: &mut Gate, local: &Multiaddr| {
            let (id, peer) = (ConnectionId::new_unchecked(ids.next().unwrap()), PeerId::random());
            let remote = format!("/p2p/{peer}").parse().unwrap();
            gate.handle_established_inbound_connection(id, peer, local, &remote).is_ok()
        };
        assert!(open(&mut gate, &one) && open(&mut gate, &one) && !open(&mut gate, &one));
        assert!(open(&mut gate, &other), "another relay has its own share");
        let direct: Multiaddr = "/ip4/1.1.1.1/tcp/1".parse().unwrap();
        let neighbour = "/ip4/9.9.9.9/tcp/8".parse().unwrap();
        let pending = ConnectionId::new_unchecked(9);
        assert!(gate.handle_pending_inbound_connection(pending, &direct, &neighbour).is_ok());
    }

    #[test]
    fn the_banned_come_in_neither_way() {
        let (mut gate, peer) = (Gate::new(2), PeerId::random());
        gate.set_banned(HashSet::from([peer]));
        assert!(gate.check_peer(peer).is_err());
        assert!(gate.check_peer(PeerId::random()).is_ok());
    }
}
