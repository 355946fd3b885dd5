//! A request id through every hop: taken from `x-request-id` or made here, in every log line of the request, and sent
//! back.

use std::hash::{BuildHasher as _, Hasher as _, RandomState};
use std::pin::Pin;
use std::sync::LazyLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};

use tonic::codegen::http::{HeaderValue, Request, Response};
use tower::{Layer, Service};
use tracing::Instrument as _;

/// The metadata field.
const X_REQUEST_ID: &str = "x-request-id";

/// Longest id that is taken over: it goes into the logs.
const MAX_ID: usize = 128;

/// Puts a request id on every request.
#[derive(Clone, Copy, Debug)]
pub(crate) struct RequestIds;

/// See [`RequestIds`].
#[derive(Clone, Debug)]
pub(crate) struct WithRequestId<S>(S);

impl<S> Layer<S> for RequestIds {
    type Service = WithRequestId<S>;

    fn layer(&self, inner: S) -> WithRequestId<S> {
        WithRequestId(inner)
    }
}

type Answer<T, E> = Pin<Box<dyn Future<Output = Result<T, E>> + Send>>;

impl<S, B, R> Service<Request<B>> for WithRequestId<S>
where
    S: Service<Request<B>, Response = Response<R>>,
    S::Future: Send + 'static,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = Answer<S::Response, S::Error>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.0.poll_ready(context)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let id = request.headers().get(X_REQUEST_ID).filter(|id| is_sound(id)).cloned().unwrap_or_else(fresh);
        let span = tracing::info_span!(
            "request",
            id = id.to_str().unwrap_or_default(),
            method = request.uri().path()
        );
        let answer = span.in_scope(|| self.0.call(request));
        let named = async move {
            let mut response = answer.await?;
            response.headers_mut().insert(X_REQUEST_ID, id);
            Ok(response)
        };
        Box::pin(named.instrument(span))
    }
}

/// Visible ASCII of a bounded length.
fn is_sound(id: &HeaderValue) -> bool {
    !id.is_empty() && id.len() <= MAX_ID && id.as_bytes().iter().all(u8::is_ascii_graphic)
}

/// An id that no other process and no other request has, to all appearances.
fn fresh() -> HeaderValue {
    static PROCESS: LazyLock<u64> = LazyLock::new(|| RandomState::new().build_hasher().finish());
    static NEXT: AtomicU64 = AtomicU64::new(0);
    let id = format!("{:016x}-{:x}", *PROCESS, NEXT.fetch_add(1, Ordering::Relaxed));
    HeaderValue::from_str(&id).unwrap_or_else(|_| HeaderValue::from_static("none"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_that_would_spoil_a_log_are_replaced() {
        let sound = |text: &[u8]| is_sound(&HeaderValue::from_bytes(text).unwrap());
        assert!(sound(b"a-1") && sound(&[b'x'; MAX_ID]));
        for bad in [&b""[..], b"a b", b"\xff", &[b'x'; MAX_ID + 1]] {
            assert!(!sound(bad), "{bad:?}");
        }
        assert_ne!(fresh(), fresh());
    }
}
