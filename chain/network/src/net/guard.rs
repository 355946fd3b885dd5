//! A transport that dials into private networks only where the operator has said so. Peers name addresses in many ways
//! (identify, Kademlia's answers, hole punching, names that resolve to anything): this is the one place that all dials pass,
//! below DNS, so that nobody makes a node knock at the doors of its own network.

use std::collections::BTreeSet;
use std::io;
use std::net::IpAddr;
use std::pin::Pin;
use std::task::{Context, Poll};

use libp2p::core::muxing::StreamMuxerBox;
use libp2p::core::transport::{Boxed, DialOpts, ListenerId, Transport, TransportError, TransportEvent};
use libp2p::{Multiaddr, PeerId};

use crate::config::Config;
use crate::core::address::{ip_of, is_global};

type Inner = Boxed<(PeerId, StreamMuxerBox)>;

/// The transport.
pub(super) struct Guarded {
    inner: Inner,
    anywhere: bool,
    /// Of bootstrap peers.
    named: BTreeSet<IpAddr>,
}

impl Guarded {
    pub(super) fn new(inner: Inner, config: &Config) -> Self {
        let named = config.bootstrap.iter().filter_map(ip_of).collect();
        Self { inner, anywhere: config.private_addresses, named }
    }

    fn check(&self, address: &Multiaddr) -> Result<(), TransportError<io::Error>> {
        match ip_of(address) {
            Some(ip) if !(self.anywhere || is_global(ip) || self.named.contains(&ip)) => {
                let reason = format!("{ip} is in a private network: `private_addresses` allows that");
                Err(TransportError::Other(io::Error::new(io::ErrorKind::PermissionDenied, reason)))
            }
            _ => Ok(()),
        }
    }
}

impl Transport for Guarded {
    type Output = <Inner as Transport>::Output;
    type Error = io::Error;
    type ListenerUpgrade = <Inner as Transport>::ListenerUpgrade;
    type Dial = <Inner as Transport>::Dial;

    fn listen_on(&mut self, id: ListenerId, address: Multiaddr) -> Result<(), TransportError<io::Error>> {
        self.inner.listen_on(id, address)
    }

    fn remove_listener(&mut self, id: ListenerId) -> bool {
        self.inner.remove_listener(id)
    }

    fn dial(
        &mut self,
        address: Multiaddr,
        options: DialOpts,
    ) -> Result<Self::Dial, TransportError<io::Error>> {
        self.check(&address)?;
        self.inner.dial(address, options)
    }

    fn poll(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<TransportEvent<Self::ListenerUpgrade, io::Error>> {
        Pin::new(&mut self.inner).poll(context)
    }
}

#[cfg(test)]
mod tests {
    use libp2p::core::Endpoint;
    use libp2p::core::transport::PortUse;
    use libp2p::core::transport::dummy::DummyTransport;

    use super::*;

    fn refuses(config: &Config, address: &str) -> bool {
        let inner = DummyTransport::<(PeerId, StreamMuxerBox)>::new().boxed();
        let options = DialOpts { role: Endpoint::Dialer, port_use: PortUse::New };
        let dialled = Guarded::new(inner, config).dial(address.parse().unwrap(), options);
        // What is let through reaches a transport that supports nothing.
        matches!(dialled, Err(TransportError::Other(error)) if error.kind() == io::ErrorKind::PermissionDenied)
    }

    #[test]
    fn whoever_names_an_address_private_networks_are_not_dialled() {
        let open = Config::default();
        let id = PeerId::random();
        let named = Config {
            bootstrap: vec![format!("/ip4/10.0.0.1/tcp/1/p2p/{id}").parse().unwrap()],
            ..open.clone()
        };
        for private in ["/ip4/10.0.0.1/tcp/22", "/ip4/127.0.0.1/udp/1/quic-v1", "/ip6/::1/tcp/1"] {
            assert!(refuses(&open, private), "{private}");
            assert!(!refuses(&Config { private_addresses: true, ..open.clone() }, private));
        }
        assert!(!refuses(&open, "/ip4/9.9.9.9/tcp/1"));
        assert!(!refuses(&named, "/ip4/10.0.0.1/tcp/1"), "the operator named it");
        assert!(refuses(&named, "/ip4/10.0.0.2/tcp/1"));
    }
}
