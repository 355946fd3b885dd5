//! A request id through every hop: taken from `x-request-id` or made here, in every log line of the request, and sent
//! back.

use std::pin::Pin;
use std::task::{Context, Poll};

use acumen_proto::RequestId;
use acumen_proto::request_id::X_REQUEST_ID;
use tonic::codegen::http::{HeaderValue, Request, Response};
use tower::{Layer, Service};
use tracing::Instrument as _;

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
        let id = RequestId::parse_or_fresh(request.headers().get(X_REQUEST_ID).map(HeaderValue::as_bytes));
        let span = tracing::info_span!("request", id = id.as_str(), method = request.uri().path());
        let answer = span.in_scope(|| self.0.call(request));
        let named = async move {
            let mut response = answer.await?;
            tracing::debug!(status = %response.status(), "answered, or begins to");
            // Visible ASCII: always a header's value.
            if let Ok(id) = HeaderValue::from_str(id.as_str()) {
                response.headers_mut().insert(X_REQUEST_ID, id);
            }
            Ok(response)
        };
        Box::pin(named.instrument(span))
    }
}
