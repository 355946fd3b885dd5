//! One connection: its place, where it comes from, and the time since something came or could be sent.

use std::io::{self, ErrorKind, IoSlice};
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tonic::transport::server::Connected;

use super::places::Place;
use super::silence::Silence;

/// Where a request comes from: in the extensions of each one on a connection.
#[derive(Clone, Debug)]
pub struct Origin<S = ()> {
    /// The other end.
    pub address: SocketAddr,
    /// What the connections of its address have in common.
    pub share: S,
}

/// A connection that has a place.
#[derive(Debug)]
pub struct Connection<S = ()> {
    stream: TcpStream,
    origin: Origin<S>,
    silence: Silence,
    /// Held for its drop.
    _place: Place<S>,
}

impl<S> Connection<S> {
    pub(super) fn new(stream: TcpStream, origin: Origin<S>, place: Place<S>, silence: Duration) -> Self {
        Self { stream, origin, silence: Silence::new(silence), _place: place }
    }

    /// The other end.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.origin.address
    }
}

impl<S: Clone + Send + Sync + 'static> Connected for Connection<S> {
    type ConnectInfo = Origin<S>;

    fn connect_info(&self) -> Origin<S> {
        self.origin.clone()
    }
}

impl<S: Unpin> AsyncRead for Connection<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if let Poll::Ready(read) = Pin::new(&mut self.stream).poll_read(context, buffer) {
            self.silence.broken();
            return Poll::Ready(read);
        }
        ready!(self.silence.poll(context));
        Poll::Ready(Err(ErrorKind::TimedOut.into()))
    }
}

impl<S> Connection<S> {
    /// What became of writing: progress breaks the silence, and who waits for it waits no longer than that.
    fn written<T>(&mut self, context: &mut Context<'_>, polled: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        match polled {
            Poll::Ready(done) => {
                self.silence.broken();
                Poll::Ready(done)
            }
            Poll::Pending => {
                ready!(self.silence.poll(context));
                Poll::Ready(Err(ErrorKind::TimedOut.into()))
            }
        }
    }
}

impl<S: Unpin> AsyncWrite for Connection<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let polled = Pin::new(&mut self.stream).poll_write(context, bytes);
        self.written(context, polled)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        parts: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let polled = Pin::new(&mut self.stream).poll_write_vectored(context, parts);
        self.written(context, polled)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    /// Of a socket this has nothing to wait for.
    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}
