//! Connections, counted in all and by address: what one more would be above is closed at once.
//!
//! An address is that of IPv4, or the first 64 bits of that of IPv6, which is what one host is given. Invariant: an address's
//! entry lives as long as it has a connection.

use std::collections::HashMap;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio_stream::Stream;
use tonic::transport::server::Connected;

use super::units;

/// Where a connection comes from: the bytes that its address may have unread.
#[derive(Clone, Debug)]
pub(crate) struct Origin(Arc<Semaphore>);

impl Origin {
    /// One that may have so many.
    pub(super) fn of(bytes: usize) -> Self {
        Self(Arc::new(Semaphore::new(units(bytes) as usize)))
    }

    pub(super) fn share(&self) -> Arc<Semaphore> {
        Arc::clone(&self.0)
    }
}

impl Default for Origin {
    /// One that may have none.
    fn default() -> Self {
        Self::of(0)
    }
}

#[derive(Debug)]
struct Entry {
    connections: usize,
    origin: Origin,
}

#[derive(Debug, Default)]
struct State {
    total: usize,
    by_network: HashMap<IpAddr, Entry>,
}

/// The places for connections.
#[derive(Clone, Debug)]
pub(crate) struct Places {
    state: Arc<Mutex<State>>,
    total: usize,
    per_address: usize,
    /// Bytes that an address may have unread.
    share: usize,
}

/// One connection's place; given back when dropped.
#[derive(Debug)]
struct Place {
    places: Places,
    network: IpAddr,
}

impl Places {
    pub(crate) fn new(total: usize, per_address: usize, share: usize) -> Self {
        Self { state: Arc::default(), total, per_address, share }
    }

    /// Every change is made of single statements: the state is whole if some code panics.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn take(&self, address: IpAddr) -> Option<(Place, Origin)> {
        let network = network(address);
        let mut state = self.lock();
        let mine = state.by_network.get(&network).map_or(0, |entry| entry.connections);
        if state.total >= self.total || mine >= self.per_address {
            return None;
        }
        state.total += 1;
        let share = || Entry { connections: 0, origin: Origin::of(self.share) };
        let entry = state.by_network.entry(network).or_insert_with(share);
        entry.connections += 1;
        Some((Place { places: self.clone(), network }, entry.origin.clone()))
    }
}

impl Drop for Place {
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

fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => {
            let [a, b, c, d, ..] = address.segments();
            IpAddr::from([a, b, c, d, 0, 0, 0, 0])
        }
        address => address,
    }
}

/// Connections that have a place, as they come.
pub(crate) struct Incoming<F> {
    listener: TcpListener,
    places: Places,
    /// Told of each that has none.
    refused: F,
}

impl<F: Fn(SocketAddr) + Unpin> Incoming<F> {
    pub(crate) const fn new(listener: TcpListener, places: Places, refused: F) -> Self {
        Self { listener, places, refused }
    }
}

impl<F: Fn(SocketAddr) + Unpin> Stream for Incoming<F> {
    type Item = io::Result<Connection>;

    fn poll_next(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        loop {
            let (stream, address) = match ready!(self.listener.poll_accept(context)) {
                Ok(accepted) => accepted,
                Err(error) => return Poll::Ready(Some(Err(error))),
            };
            let Some((place, origin)) = self.places.take(address.ip()) else {
                (self.refused)(address);
                continue;
            };
            if let Err(error) = stream.set_nodelay(true) {
                tracing::debug!(%error, %address, "answers on this connection may be late");
            }
            return Poll::Ready(Some(Ok(Connection { stream, origin, _place: place })));
        }
    }
}

/// A connection with its place.
#[derive(Debug)]
pub(crate) struct Connection {
    stream: TcpStream,
    origin: Origin,
    /// Held for its drop.
    _place: Place,
}

impl Connected for Connection {
    type ConnectInfo = Origin;

    fn connect_info(&self) -> Origin {
        self.origin.clone()
    }
}

impl AsyncRead for Connection {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl AsyncWrite for Connection {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        parts: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(context, parts)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_address_has_its_share_of_the_places_and_leaves_nothing_behind() {
        let places = Places::new(3, 2, 1 << 20);
        let from = |text: &str| places.take(text.parse().unwrap());
        let held = [from("10.0.0.1").unwrap(), from("::ffff:10.0.0.1").unwrap()];
        assert!(from("10.0.0.1").is_none(), "the same address in both spellings");
        assert!(Arc::ptr_eq(&held[0].1.0, &held[1].1.0), "connections of an address have one share");
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
