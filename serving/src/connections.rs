//! Connections of a server: how many at once, how many from one address, and how long one may say nothing.
//!
//! What would be above a limit is closed at once. An error of `accept` never ends a server: one that is of a single connection is
//! passed over, any other (no file descriptor left, say) is waited out. Invariant: a place is taken exactly as long as its
//! connection is open.

mod places;
mod silence;
mod stream;

#[cfg(test)]
mod tests;

use std::fmt;
use std::future::{Future as _, poll_fn};
use std::io::{self, ErrorKind};
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::time::Sleep;
use tokio_stream::Stream;

use places::Places;
pub use stream::{Connection, Origin};

/// How long to wait when nothing can be accepted: until then somebody may have closed a file.
const PAUSE: Duration = Duration::from_millis(500);

/// What a server lets in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Connections at once.
    pub total: usize,
    /// Connections at once from one address: an IPv4 one, or the first 64 bits of an IPv6 one.
    pub per_address: usize,
    /// A connection on which nothing came and nothing could be sent for so long is closed. Must be longer than a client waits for an
    /// answer, or than the time between the server's HTTP/2 pings, which look after a connection once it speaks HTTP/2.
    pub silence: Duration,
}

/// Connections that have a place, as they come. All of one address share an `S`.
pub struct Incoming<S = ()> {
    listener: TcpListener,
    places: Places<S>,
    silence: Duration,
    pause: Option<Pin<Box<Sleep>>>,
    refused: Box<dyn Fn(SocketAddr) + Send>,
}

impl<S> fmt::Debug for Incoming<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Incoming").field("listener", &self.listener).finish_non_exhaustive()
    }
}

impl Incoming {
    /// Nothing is shared by the connections of an address. `refused` is told of each that has no place.
    pub fn new(listener: TcpListener, limits: Limits, refused: impl Fn(SocketAddr) + Send + 'static) -> Self {
        Self::sharing(listener, limits, || (), refused)
    }
}

impl<S: Clone> Incoming<S> {
    /// `share` makes what the connections of an address have in common, `refused` is told of each that has no place.
    pub fn sharing(
        listener: TcpListener,
        limits: Limits,
        share: impl Fn() -> S + Send + Sync + 'static,
        refused: impl Fn(SocketAddr) + Send + 'static,
    ) -> Self {
        let Limits { total, per_address, silence } = limits;
        let places = Places::new(total, per_address, share);
        Self { listener, places, silence, pause: None, refused: Box::new(refused) }
    }

    fn poll_accept(&mut self, context: &mut Context<'_>) -> Poll<Connection<S>> {
        loop {
            if let Some(pause) = &mut self.pause {
                ready!(pause.as_mut().poll(context));
                self.pause = None;
            }
            let (stream, address) = match ready!(self.listener.poll_accept(context)) {
                Ok(accepted) => accepted,
                Err(error) => {
                    self.failed(&error);
                    continue;
                }
            };
            let Some((place, share)) = self.places.take(address.ip()) else {
                (self.refused)(address);
                continue;
            };
            // Answers are small packets that must not wait for each other.
            if let Err(error) = stream.set_nodelay(true) {
                tracing::debug!(%error, %address, "answers on this connection may be late");
            }
            return Poll::Ready(Connection::new(stream, Origin { address, share }, place, self.silence));
        }
    }

    fn failed(&mut self, error: &io::Error) {
        if !of_one_connection(error) {
            tracing::warn!(%error, "no connection can be accepted for now");
            self.pause = Some(Box::pin(tokio::time::sleep(PAUSE)));
        }
    }
}

/// Whether an error of `accept` tells of the connection that it would have accepted, or of its network (accept(2)).
fn of_one_connection(error: &io::Error) -> bool {
    use ErrorKind::{
        ConnectionAborted, ConnectionRefused, ConnectionReset, HostUnreachable, Interrupted, NetworkDown,
        NetworkUnreachable, PermissionDenied, Unsupported,
    };
    const PROTOCOL: i32 = 71;
    error.raw_os_error() == Some(PROTOCOL)
        || matches!(
            error.kind(),
            ConnectionAborted
                | ConnectionRefused
                | ConnectionReset
                | HostUnreachable
                | Interrupted
                | NetworkDown
                | NetworkUnreachable
                | PermissionDenied
                | Unsupported
        )
}

/// For tonic's servers: never ends, never fails.
impl<S: Clone> Stream for Incoming<S> {
    type Item = io::Result<Connection<S>>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.poll_accept(context).map(|connection| Some(Ok(connection)))
    }
}

/// For axum's servers.
impl<S: Clone + Send + Unpin + 'static> axum::serve::Listener for Incoming<S> {
    type Io = Connection<S>;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Connection<S>, SocketAddr) {
        let connection = poll_fn(|context| self.poll_accept(context)).await;
        let address = connection.address();
        (connection, address)
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }
}
