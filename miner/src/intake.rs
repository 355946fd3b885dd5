//! What strangers may send before anybody knows who they are: how many connections, how large a message, how slowly.
//!
//! Connections are counted in all and by address (`acumen_serving::connections`). Every request passes [`Intake`], which looks at the
//! lengths that gRPC puts before its messages (`frames`) before anything is buffered: a message that is larger than its method
//! allows is refused, one of more than [`FREE_BYTES`] waits for its share of `limits.unread_bytes`, and a request with one
//! message must be whole within `limits.opening_timeout_ms`. Bytes that wait are held back by HTTP/2's own flow control.
//!
//! Invariant: messages being read take at most `unread_bytes`, and those of one address an eighth of it (or the largest
//! message, if that is more); the small ones, at most [`FREE_BYTES`] each, are bounded by connections and streams.

mod frames;
mod reading;

#[cfg(test)]
mod tests;

use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use acumen_serving::connections::{Incoming, Limits, Origin};
use tokio::net::TcpListener;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tonic::Status;
use tonic::body::Body;
use tonic::codegen::http::Request;
use tower::{Layer, Service};

use crate::refusal::Refusal;
use reading::Reading;

/// Messages up to this size need no share: a usual question of a validator does not wait for anybody's large one.
pub(crate) const FREE_BYTES: usize = 4 << 10;

/// One address holds at most this part of the bytes.
const SHARES: usize = 8;

/// Unit of the shares: one wait takes at most 2^32 of a semaphore, which in bytes would be too few for some.
const UNIT: usize = 1 << 10;

/// Most units: a quarter of a TiB, and within what a semaphore counts on every machine.
const MAX_UNITS: u32 = 1 << 28;

/// What the requests of one method may be.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rule {
    /// Bytes of a message.
    pub(crate) most: usize,
    /// The limit's name.
    pub(crate) limit: &'static str,
    /// There is one message, and the request ends with it: it must do so in time. Streams have their own times.
    pub(crate) whole: bool,
}

impl Rule {
    /// For methods whose requests say next to nothing.
    pub(crate) const SMALL: Self = Self { most: FREE_BYTES, limit: "bytes of a small request", whole: true };
}

type Rules = dyn Fn(&str) -> Rule + Send + Sync;
type Refuse = dyn Fn(&Refusal) -> Status + Send + Sync;

/// What all requests to a server share.
struct Gate {
    deadline: Duration,
    unread: Arc<Semaphore>,
    rules: Box<Rules>,
    /// Counts a refusal and makes its status.
    refuse: Box<Refuse>,
}

/// The layer.
#[derive(Clone)]
pub(crate) struct Intake(Arc<Gate>);

impl fmt::Debug for Intake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let gate = &self.0;
        f.debug_struct("Intake").field("deadline", &gate.deadline).field("unread", &gate.unread).finish()
    }
}

impl Intake {
    pub(crate) fn new(
        deadline: Duration,
        unread_bytes: usize,
        rules: impl Fn(&str) -> Rule + Send + Sync + 'static,
        refuse: impl Fn(&Refusal) -> Status + Send + Sync + 'static,
    ) -> Self {
        let unread = Arc::new(Semaphore::new(units(unread_bytes) as usize));
        Self(Arc::new(Gate { deadline, unread, rules: Box::new(rules), refuse: Box::new(refuse) }))
    }
}

/// The bytes that the connections of one address may have unread, in units.
type Share = Arc<Semaphore>;

fn share(bytes: usize) -> Share {
    Arc::new(Semaphore::new(units(bytes) as usize))
}

/// Connections of which those of one address share room for so many bytes (see [`share_of`]).
pub(crate) fn incoming(
    listener: TcpListener,
    limits: Limits,
    bytes: usize,
    refused: impl Fn(SocketAddr) + Send + 'static,
) -> Incoming<Share> {
    Incoming::sharing(listener, limits, move || share(bytes), refused)
}

/// The part of so many bytes that one address may hold, where a message has at most `largest`.
pub(crate) const fn share_of(unread_bytes: usize, largest: usize) -> usize {
    let part = unread_bytes / SHARES;
    if part > largest { part } else { largest }
}

/// As the semaphores count.
fn units(bytes: usize) -> u32 {
    u32::try_from(bytes.div_ceil(UNIT)).map_or(MAX_UNITS, |units| units.min(MAX_UNITS))
}

/// Room for one message; given back when dropped.
#[derive(Debug)]
struct Claim {
    _share: OwnedSemaphorePermit,
    _unread: OwnedSemaphorePermit,
}

/// Waits for room for so many bytes: first within the address, so that one address never holds up the others.
async fn claim(share: Share, unread: Arc<Semaphore>, bytes: usize) -> Option<Claim> {
    let units = units(bytes);
    // Neither semaphore is ever closed.
    let share = share.acquire_many_owned(units).await.ok()?;
    let unread = unread.acquire_many_owned(units).await.ok()?;
    Some(Claim { _share: share, _unread: unread })
}

/// See [`Intake`].
#[derive(Clone, Debug)]
pub(crate) struct Guarded<S> {
    inner: S,
    intake: Intake,
}

impl<S> Layer<S> for Intake {
    type Service = Guarded<S>;

    fn layer(&self, inner: S) -> Guarded<S> {
        Guarded { inner, intake: self.clone() }
    }
}

impl<S: Service<Request<Body>>> Service<Request<Body>> for Guarded<S> {
    type Response = S::Response;
    type Error = S::Error;
    type Future = S::Future;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: Request<Body>) -> S::Future {
        let rule = (self.intake.0.rules)(request.uri().path());
        // Without an origin, which only a listener of another kind would bring about, there is no room but the free one.
        let origin = request.extensions().get::<Origin<Share>>();
        let room = origin.map_or_else(|| share(0), |origin| Arc::clone(&origin.share));
        let gate = Arc::clone(&self.intake.0);
        self.inner.call(request.map(|body| Body::new(Reading::new(body, rule, room, gate))))
    }
}
