//! What an address says: whose it is, where it lies, and whether it is worth keeping.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use libp2p::multiaddr::Protocol;
use libp2p::{Multiaddr, PeerId};

/// Longest address kept, in bytes: a DNS name of the largest size with transport and relay's and own peer id.
pub const MAX_ADDRESS_BYTES: usize = 400;

/// The peer that the address leads to: the last `/p2p/…` in it.
#[must_use]
pub fn peer_of(address: &Multiaddr) -> Option<PeerId> {
    match address.iter().last() {
        Some(Protocol::P2p(peer)) => Some(peer),
        _ => None,
    }
}

/// The address without the `/p2p/…` at its end.
#[must_use]
pub fn without_peer(address: &Multiaddr) -> Multiaddr {
    let mut address = address.clone();
    if peer_of(&address).is_some() {
        address.pop();
    }
    address
}

/// The IP address at its beginning.
#[must_use]
pub fn ip_of(address: &Multiaddr) -> Option<IpAddr> {
    match address.iter().next() {
        Some(Protocol::Ip4(ip)) => Some(IpAddr::V4(ip)),
        Some(Protocol::Ip6(ip)) => Some(ip.to_ipv4_mapped().map_or(IpAddr::V6(ip), IpAddr::V4)),
        _ => None,
    }
}

/// Does it lead through a relay?
#[must_use]
pub fn is_relayed(address: &Multiaddr) -> bool {
    address.iter().any(|part| part == Protocol::P2pCircuit)
}

/// The relay that it leads through: the peer before `/p2p-circuit`.
#[must_use]
pub fn relay_of(address: &Multiaddr) -> Option<PeerId> {
    let mut before = None;
    for part in address {
        match part {
            Protocol::P2p(peer) => before = Some(peer),
            Protocol::P2pCircuit => return before,
            _ => before = None,
        }
    }
    None
}

/// Those who share this are counted as one: an IPv4 address, or the /64 of an IPv6 address, which one household has.
#[must_use]
pub fn group_of(ip: IpAddr) -> IpAddr {
    match ip {
        IpAddr::V4(_) => ip,
        IpAddr::V6(ip) => {
            let [a, b, c, d, ..] = ip.segments();
            IpAddr::V6(Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0))
        }
    }
}

/// True for addresses that mean the same everywhere. Others (private, loopback, link-local, shared, reserved) would let a
/// stranger make this node dial into its own network.
#[must_use]
pub const fn is_global(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(ip) => is_global_v4(ip),
        IpAddr::V6(ip) => {
            let first = ip.segments()[0];
            // Global unicast is 2000::/3; 2001:db8::/32 is for documentation, 2002::/16 (6to4) wraps any IPv4 address.
            first & 0xe000 == 0x2000 && !(first == 0x2001 && ip.segments()[1] == 0x0db8) && first != 0x2002
        }
    }
}

const fn is_global_v4(ip: Ipv4Addr) -> bool {
    let [a, b, c, _] = ip.octets();
    let shared = a == 100 && b & 0xc0 == 64;
    let benchmarking = a == 198 && b & 0xfe == 18;
    let protocol = a == 192 && b == 0 && c == 0;
    !(a == 0
        || a >= 240
        || shared
        || benchmarking
        || protocol
        || ip.is_private()
        || ip.is_loopback()
        || ip.is_link_local()
        || ip.is_documentation()
        || ip.is_multicast())
}

/// Is an address from a stranger worth keeping? It must be short, over a transport that we speak, lead to its end directly
/// or through one relay that it names, and be (unless private addresses are allowed) at a global IP address or a DNS name.
#[must_use]
pub fn is_acceptable(address: &Multiaddr, private_allowed: bool) -> bool {
    if address.len() > MAX_ADDRESS_BYTES {
        return false;
    }
    let mut parts = address.iter();
    let placed = match parts.next() {
        Some(Protocol::Ip4(_) | Protocol::Ip6(_)) => private_allowed || ip_of(address).is_some_and(is_global),
        Some(Protocol::Dns(name) | Protocol::Dns4(name) | Protocol::Dns6(name)) => {
            private_allowed
                || (name.contains('.') && !name.ends_with(".local") && !name.ends_with(".internal"))
        }
        _ => false,
    };
    let port = |port: u16| port != 0;
    let carried = match parts.next() {
        Some(Protocol::Tcp(number)) => port(number),
        Some(Protocol::Udp(number)) => port(number) && matches!(parts.next(), Some(Protocol::QuicV1)),
        _ => false,
    };
    placed && carried && is_end(parts)
}

/// What follows the transport: nothing, the peer, or the relay with its circuit and perhaps the peer.
fn is_end<'a>(parts: impl Iterator<Item = Protocol<'a>>) -> bool {
    let rest: Vec<_> = parts.take(4).collect();
    matches!(
        rest.as_slice(),
        [] | [Protocol::P2p(_)]
            | [Protocol::P2p(_), Protocol::P2pCircuit]
            | [Protocol::P2p(_), Protocol::P2pCircuit, Protocol::P2p(_)]
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(text: &str) -> Multiaddr {
        text.parse().unwrap()
    }

    #[test]
    fn strangers_cannot_point_us_into_our_own_network() {
        let refused = [
            "/ip4/127.0.0.1/tcp/1",
            "/ip4/10.0.0.1/tcp/22",
            "/ip4/169.254.169.254/tcp/80",
            "/ip4/100.64.0.1/tcp/1",
            "/ip4/0.0.0.0/tcp/1",
            "/ip4/255.255.255.255/tcp/1",
            "/ip4/198.18.0.1/tcp/1",
            "/ip6/::1/tcp/1",
            "/ip6/fe80::1/tcp/1",
            "/ip6/fd00::1/tcp/1",
            "/ip6/::ffff:127.0.0.1/tcp/1",
            "/ip6/2002:7f00:1::/tcp/1",
            "/dns4/localhost/tcp/1",
            "/dns4/printer.local/tcp/1",
            "/ip4/9.9.9.9/tcp/0",
            "/ip4/9.9.9.9/udp/1",
            "/ip4/9.9.9.9",
            "/memory/1",
            "/unix/%2Frun%2Fx",
            "/ip4/9.9.9.9/tcp/1/ws",
            "/ip4/9.9.9.9/tcp/1/p2p-circuit",
        ];
        for text in refused {
            assert!(!is_acceptable(&address(text), false), "{text}");
        }
        for text in
            ["/ip4/9.9.9.9/tcp/1", "/ip6/2620:fe::fe/udp/1/quic-v1", "/dns4/boot.example.org/tcp/9901"]
        {
            assert!(is_acceptable(&address(text), false), "{text}");
        }
        assert!(is_acceptable(&address("/ip4/127.0.0.1/tcp/1"), true));
    }

    #[test]
    fn one_household_is_one_group() {
        let group = |text: &str| group_of(text.parse().unwrap());
        assert_eq!(group("2620:fe:0:1::1"), group("2620:fe:0:1:ffff::2"));
        assert_ne!(group("2620:fe:0:1::1"), group("2620:fe:0:2::1"));
        assert_ne!(group("9.9.9.9"), group("9.9.9.10"));
    }

    #[test]
    fn the_peer_is_the_last_part() {
        let (relay, peer) = (PeerId::random(), PeerId::random());
        let direct = address(&format!("/ip4/9.9.9.9/tcp/1/p2p/{peer}"));
        assert_eq!(peer_of(&direct), Some(peer));
        assert_eq!(without_peer(&direct), address("/ip4/9.9.9.9/tcp/1"));
        let relayed = address(&format!("/ip4/9.9.9.9/tcp/1/p2p/{relay}/p2p-circuit/p2p/{peer}"));
        assert_eq!(peer_of(&relayed), Some(peer));
        assert_eq!(peer_of(&address("/ip4/9.9.9.9/tcp/1")), None);
        assert_eq!((relay_of(&relayed), relay_of(&direct)), (Some(relay), None));
        assert_eq!(relay_of(&without_peer(&relayed)), Some(relay));
        assert!(is_relayed(&relayed) && !is_relayed(&direct));
        assert!(is_acceptable(&relayed, false) && is_acceptable(&without_peer(&relayed), false));
        let inside = address(&format!("/ip4/10.0.0.1/tcp/1/p2p/{relay}/p2p-circuit"));
        assert!(!is_acceptable(&inside, false), "a relay in our own network");
        let twice = address(&format!("/ip4/9.9.9.9/tcp/1/p2p/{relay}/p2p-circuit/p2p/{peer}/p2p-circuit"));
        assert!(!is_acceptable(&twice, false), "a relay behind a relay");
    }
}
