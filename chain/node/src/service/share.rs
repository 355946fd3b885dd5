//! What one client may take of a state in a second, so that those who copy it leave disk and line to others. A client is
//! an address, or the /64 of an IPv6 one. Bounded in the clients that are remembered.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use acumen_chain_network::core::address::group_of;
use acumen_chain_network::core::rate::Bucket;
use tonic::Status;

/// Pieces in a second: 32 MiB of state at most.
const PER_SECOND: u64 = 64;

/// Pieces at once: the whole of a state of a million keys, which one client copies in some seconds.
const AT_ONCE: u64 = 512;

/// Clients remembered. Of those who took nothing for a while there is nothing to remember.
const MAX_CLIENTS: usize = 4_096;

/// Cheap to clone.
#[derive(Clone, Debug)]
pub(super) struct Shares {
    clients: Arc<Mutex<BTreeMap<IpAddr, Bucket>>>,
    started: Instant,
}

impl Shares {
    pub(super) fn new() -> Self {
        Self { clients: Arc::default(), started: Instant::now() }
    }

    /// Takes one piece from the client's share, or says that it must wait.
    pub(super) fn take(&self, client: Option<SocketAddr>) -> Result<(), Status> {
        let now = u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.take_at(client, now)
    }

    fn take_at(&self, client: Option<SocketAddr>, now_ms: u64) -> Result<(), Status> {
        // Without an address it comes from within this process.
        let Some(client) = client.map(|client| group_of(client.ip())) else { return Ok(()) };
        let mut clients = self.clients.lock().unwrap_or_else(PoisonError::into_inner);
        if clients.len() >= MAX_CLIENTS && !clients.contains_key(&client) {
            clients.retain(|_, bucket| !bucket.is_full(now_ms));
            if clients.len() >= MAX_CLIENTS {
                return Err(Status::resource_exhausted(format!(
                    "{MAX_CLIENTS} clients receive the state already: ask again in a minute, or another node"
                )));
            }
        }
        let bucket = clients.entry(client).or_insert_with(|| Bucket::new(PER_SECOND, AT_ONCE, now_ms));
        if bucket.take(1, now_ms) {
            return Ok(());
        }
        Err(Status::resource_exhausted(format!(
            "{client} may have {PER_SECOND} pieces of the state in a second: ask again in a moment, or another node"
        )))
    }
}

#[cfg(test)]
mod tests {
    use tonic::Code;

    use super::*;

    fn client(last: u16) -> Option<SocketAddr> {
        Some(SocketAddr::new([10, 0, last.to_be_bytes()[0], last.to_be_bytes()[1]].into(), 1))
    }

    #[test]
    fn one_client_has_its_share_and_another_has_its_own() {
        let shares = Shares::new();
        let taken = (0..10_000).take_while(|_| shares.take_at(client(1), 0).is_ok()).count();
        assert_eq!(taken, 512);
        let refused = shares.take_at(client(1), 0).unwrap_err();
        assert_eq!(refused.code(), Code::ResourceExhausted);
        assert!(refused.message().contains("10.0.0.1 may have 64"), "{refused}");
        assert!(shares.take_at(client(2), 0).is_ok());
        assert_eq!((0..10_000).take_while(|_| shares.take_at(client(1), 1_000).is_ok()).count(), 64);
    }

    #[test]
    fn the_clients_remembered_are_bounded_and_the_idle_ones_make_room() {
        let shares = Shares::new();
        for number in 0..4_096 {
            shares.take_at(client(number), 0).unwrap();
        }
        assert_eq!(shares.take_at(client(5_000), 0).unwrap_err().code(), Code::ResourceExhausted);
        assert!(shares.take_at(client(7), 0).is_ok(), "who is known goes on");
        assert!(shares.take_at(client(5_000), 60_000).is_ok());
    }
}
