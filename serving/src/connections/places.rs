//! The places for connections. Invariant: an address's entry lives as long as it has a connection.

use std::collections::HashMap;
use std::fmt;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

#[derive(Debug)]
struct Entry<S> {
    connections: usize,
    share: S,
}

#[derive(Debug)]
struct State<S> {
    total: usize,
    by_network: HashMap<IpAddr, Entry<S>>,
}

struct Shelf<S> {
    state: Mutex<State<S>>,
    total: usize,
    per_address: usize,
    /// Makes what the connections of an address have in common.
    share: Box<dyn Fn() -> S + Send + Sync>,
}

/// Cheap to clone.
pub(super) struct Places<S>(Arc<Shelf<S>>);

/// Gives a connection's place back when dropped.
#[derive(Debug)]
pub(super) struct Place<S> {
    places: Places<S>,
    network: IpAddr,
}

impl<S> Clone for Places<S> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<S> fmt::Debug for Places<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Places").field("taken", &self.lock().total).finish_non_exhaustive()
    }
}

impl<S> Places<S> {
    pub(super) fn new(
        total: usize,
        per_address: usize,
        share: impl Fn() -> S + Send + Sync + 'static,
    ) -> Self {
        let state = Mutex::new(State { total: 0, by_network: HashMap::new() });
        Self(Arc::new(Shelf { state, total, per_address, share: Box::new(share) }))
    }

    /// Every change is made of single statements: the state is whole if some code panics.
    fn lock(&self) -> MutexGuard<'_, State<S>> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<S: Clone> Places<S> {
    /// A place for a connection from this address, if there is one, and what it shares with its neighbours.
    pub(super) fn take(&self, address: IpAddr) -> Option<(Place<S>, S)> {
        let network = network(address);
        let mut state = self.lock();
        let mine = state.by_network.get(&network).map_or(0, |entry| entry.connections);
        if state.total >= self.0.total || mine >= self.0.per_address {
            return None;
        }
        state.total += 1;
        let entry = || Entry { connections: 0, share: (self.0.share)() };
        let entry = state.by_network.entry(network).or_insert_with(entry);
        entry.connections += 1;
        Some((Place { places: self.clone(), network }, entry.share.clone()))
    }
}

impl<S> Drop for Place<S> {
    fn drop(&mut self) {
        let mut state = self.places.lock();
        state.total = state.total.saturating_sub(1);
        if let Some(entry) = state.by_network.get_mut(&self.network) {
            entry.connections = entry.connections.saturating_sub(1);
            if entry.connections == 0 {
                state.by_network.remove(&self.network);
            }
        }
    }
}

/// Of an IPv6 address the first 64 bits, which is what one host is given.
fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => {
            let [a, b, c, d, ..] = address.segments();
            IpAddr::from([a, b, c, d, 0, 0, 0, 0])
        }
        address => address,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_address_has_its_share_of_the_places_and_leaves_nothing_behind() {
        let places = Places::new(3, 2, || Arc::new(()));
        let from = |text: &str| places.take(text.parse().unwrap());
        let held = [from("10.0.0.1").unwrap(), from("::ffff:10.0.0.1").unwrap()];
        assert!(from("10.0.0.1").is_none(), "the same address in both spellings");
        assert!(Arc::ptr_eq(&held[0].1, &held[1].1), "connections of an address have one share");
        let other = from("2001:db8::1").unwrap();
        assert!(from("10.0.0.9").is_none(), "three in all");
        drop(held);
        let same = from("2001:db8::2").unwrap();
        assert!(from("2001:db8:0:0:9::3").is_none(), "one host has 64 bits of addresses");
        drop((other, same));
        let state = places.lock();
        assert!(state.total == 0 && state.by_network.is_empty());
    }
}
