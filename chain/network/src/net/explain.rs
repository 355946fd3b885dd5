//! Why a dial failed, in words that say what to do. The transports wrap the system's error several times; what it was is
//! found at the bottom.

use std::error::Error;
use std::io;

use acumen_protocol::Hash;
use libp2p::multiaddr::Protocol;
use libp2p::swarm::DialError;
use libp2p::{Multiaddr, PeerId, TransportError};

use crate::core::address::{is_relayed, peer_of};

/// Why there is no connection to an address.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DialFailure {
    /// The name leads nowhere.
    #[error("the name in {address} does not resolve: check its spelling and this machine's DNS ({reason})")]
    Dns {
        /// The address.
        address: Multiaddr,
        /// The resolver's words.
        reason: String,
    },
    /// Nothing listens there.
    #[error(
        "{address} refused the connection: no program listens on that port, or a firewall rejects it; is the peer up?"
    )]
    Refused {
        /// The address.
        address: Multiaddr,
    },
    /// No answer.
    #[error(
        "{address} did not answer in time: the machine is down, the port is filtered, or it is behind NAT"
    )]
    Timeout {
        /// The address.
        address: Multiaddr,
    },
    /// No way there.
    #[error("no route to {address}: check this machine's network ({reason})")]
    Unreachable {
        /// The address.
        address: Multiaddr,
        /// The system's words.
        reason: String,
    },
    /// Another peer is there.
    #[error(
        "{address} is peer {found}, not {expected}: its key has changed or the address belongs to another; correct the id"
    )]
    WrongPeer {
        /// The address.
        address: Multiaddr,
        /// Whom the address names.
        expected: String,
        /// Who answered.
        found: PeerId,
    },
    /// A peer of another chain.
    #[error(
        "{address} is on the chain with genesis {found}, expected {expected}: use that chain's bootstrap peers"
    )]
    WrongChain {
        /// The address.
        address: Multiaddr,
        /// This chain.
        expected: Hash,
        /// Its chain, or what it calls itself.
        found: String,
    },
    /// The address is this node's own.
    #[error("{address} is this node itself")]
    Itself {
        /// The address.
        address: Multiaddr,
    },
    /// Something else listens there.
    #[error("{address} answers, but not as a peer: is it another service's port, gRPC perhaps? ({reason})")]
    NotAPeer {
        /// The address.
        address: Multiaddr,
        /// What went wrong.
        reason: String,
    },
    /// The address cannot be dialled by this program.
    #[error(
        "{address} is no address to dial: write /ip4/IP/tcp/PORT, /dns4/NAME/tcp/PORT or /ip4/IP/udp/PORT/quic-v1"
    )]
    Unsupported {
        /// The address.
        address: Multiaddr,
    },
    /// The relay does not lead there.
    #[error(
        "the relay in {address} does not lead to that peer: the peer has no place reserved there, or the relay has none \
         to give ({reason})"
    )]
    NotRelayed {
        /// The address.
        address: Multiaddr,
        /// The relay's words.
        reason: String,
    },
    /// The peer hung up.
    #[error("{address} closed the connection: it may be full, or may have banned this node ({reason})")]
    Closed {
        /// The address.
        address: Multiaddr,
        /// What is known.
        reason: String,
    },
    /// A limit of this node.
    #[error("not dialled: {reason}")]
    Here {
        /// Which.
        reason: String,
    },
}

/// What a failed dial of `address` means; the last transport's error counts.
pub(crate) fn explain(address: &Multiaddr, error: &DialError) -> DialFailure {
    match error {
        DialError::LocalPeerId { address } => DialFailure::Itself { address: address.clone() },
        DialError::WrongPeerId { obtained, address: at } => DialFailure::WrongPeer {
            expected: peer_of(address)
                .or_else(|| peer_of(at))
                .map_or_else(|| "the one named".to_owned(), |id| id.to_string()),
            address: at.clone(),
            found: *obtained,
        },
        DialError::Transport(failures) => match failures.last() {
            Some((address, error)) => transport(address, error),
            None => DialFailure::Unsupported { address: address.clone() },
        },
        DialError::NoAddresses => DialFailure::Unsupported { address: address.clone() },
        DialError::Denied { cause } => {
            let reason = cause.source().map_or_else(|| cause.to_string(), ToString::to_string);
            DialFailure::Here { reason }
        }
        DialError::DialPeerConditionFalse(_) | DialError::Aborted => {
            DialFailure::Here { reason: error.to_string() }
        }
    }
}

fn transport(address: &Multiaddr, error: &TransportError<io::Error>) -> DialFailure {
    let address = address.clone();
    let error = match error {
        TransportError::MultiaddrNotSupported(_) => return DialFailure::Unsupported { address },
        TransportError::Other(error) => error,
    };
    if let Some(kind) = system_error(error) {
        let reason = kind.to_string();
        match kind {
            io::ErrorKind::ConnectionRefused => return DialFailure::Refused { address },
            io::ErrorKind::TimedOut => return DialFailure::Timeout { address },
            io::ErrorKind::HostUnreachable
            | io::ErrorKind::NetworkUnreachable
            | io::ErrorKind::AddrNotAvailable => {
                return DialFailure::Unreachable { address, reason };
            }
            io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe => {
                return DialFailure::Closed { address, reason };
            }
            io::ErrorKind::PermissionDenied => return DialFailure::Here { reason: everything(error) },
            _ => {}
        }
    }
    by_words(address, &everything(error))
}

/// What a relay answers, in the words of libp2p.
const NOT_RELAYED: [&str; 5] = [
    "no reservation",
    "failed to connect to destination",
    "resource limit",
    "denied permission",
    "/circuit/relay/",
];

/// For errors that hide their cause: the words of the transports that are pinned with libp2p.
fn by_words(address: Multiaddr, words: &str) -> DialFailure {
    let reason = words.to_owned();
    let lower = words.to_lowercase();
    let says = |texts: &[&str]| texts.iter().any(|text| lower.contains(text));
    let named =
        matches!(address.iter().next(), Some(Protocol::Dns(_) | Protocol::Dns4(_) | Protocol::Dns6(_)));
    if says(&["unsupported resolved address"]) {
        DialFailure::Unsupported { address }
    } else if is_relayed(&address) && says(&NOT_RELAYED) {
        DialFailure::NotRelayed { address, reason }
    } else if named && says(&["record", "resolve", "lookup", "dns", "no connections available", "domain"]) {
        DialFailure::Dns { address, reason }
    } else if says(&["timeout", "timed out"]) {
        DialFailure::Timeout { address }
    } else if says(&["refused"]) {
        DialFailure::Refused { address }
    } else if says(&["unreachable"]) {
        DialFailure::Unreachable { address, reason }
    } else if says(&[
        "negotiat",
        "noise",
        "handshake",
        "multistream",
        "invalid message",
        "protocol",
        "unexpected end",
    ]) {
        DialFailure::NotAPeer { address, reason }
    } else {
        DialFailure::Closed { address, reason }
    }
}

/// The system's own error, if one of the causes is one.
fn system_error(error: &io::Error) -> Option<io::ErrorKind> {
    let telling = |error: &io::Error| (error.kind() != io::ErrorKind::Other).then(|| error.kind());
    let mut cause: Option<&(dyn Error + 'static)> = Some(error);
    let mut found = None;
    while let Some(error) = cause {
        if let Some(io) = error.downcast_ref::<io::Error>() {
            found = telling(io).or(found);
            // An io::Error hides what it wraps from `source`: it shows the cause of that instead.
            cause = io.get_ref().map(|inner| inner as &(dyn Error + 'static)).or_else(|| error.source());
        } else {
            cause = error.source();
        }
    }
    found
}

fn everything(error: &io::Error) -> String {
    // The transports put each attempt on a line of its own, under a heading.
    let one_line = |text: String| text.split_whitespace().collect::<Vec<_>>().join(" ");
    let mut words = one_line(error.to_string()).replace("Multiple dial errors occurred: - ", "");
    let mut cause = error.source();
    while let Some(error) = cause {
        let more = one_line(error.to_string());
        if !words.contains(&more) {
            words = format!("{words}: {more}");
        }
        cause = error.source();
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    fn failure(error: io::Error) -> DialFailure {
        let address: Multiaddr = "/ip4/127.0.0.1/tcp/1".parse().unwrap();
        let error = DialError::Transport(vec![(address.clone(), TransportError::Other(error))]);
        explain(&address, &error)
    }

    #[test]
    fn the_cause_is_found_under_its_wrappings() {
        let wrapped = io::Error::other(io::Error::other(io::Error::from(io::ErrorKind::ConnectionRefused)));
        assert!(matches!(failure(wrapped), DialFailure::Refused { .. }));
        let unreachable = io::Error::other(io::Error::from(io::ErrorKind::NetworkUnreachable));
        assert!(matches!(failure(unreachable), DialFailure::Unreachable { .. }));
        assert!(matches!(failure(io::Error::other("Timeout has been reached")), DialFailure::Timeout { .. }));
        assert!(matches!(
            failure(io::Error::other("Handshake failed: input error")),
            DialFailure::NotAPeer { .. }
        ));
    }
}
