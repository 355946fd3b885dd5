//! The gRPC server: transport, and which services are on it.

use std::sync::Arc;
use std::time::Duration;

use acumen_proto::inference::MAX_MESSAGE_BYTES;
use acumen_proto::inference_v1::inference_server::InferenceServer;
use acumen_serving::reflection;
use tokio::net::TcpListener;
use tonic::server::NamedService;
use tonic::transport::ServerTlsConfig;
use tonic::transport::server::TcpIncoming;

use crate::config::Limits;
use crate::service::{Service, Shared};
use crate::trace::RequestIds;

/// A client that sends nothing is asked for a sign of life this often; without one its streams end.
const KEEPALIVE: Duration = Duration::from_secs(20);

/// Flow-control window per stream, in bytes: a question or an answer rarely needs more.
const STREAM_WINDOW_BYTES: u32 = 1 << 20;

/// Room on a connection for unary calls, health and reflection beside the streams.
const EXTRA_STREAMS: u32 = 256;

/// Most bytes of a token id (a protobuf varint).
const TOKEN_BYTES: usize = 5;

/// Serves until the drain begins and the last connection has ended.
pub(crate) async fn serve(
    listener: TcpListener,
    shared: Arc<Shared>,
    health: tonic_health::pb::health_server::HealthServer<impl tonic_health::pb::health_server::Health>,
    tls: Option<ServerTlsConfig>,
) -> Result<(), String> {
    let reflection = reflection(&[<InferenceServer<Service> as NamedService>::NAME])?;
    let draining = shared.draining.clone();
    let streams = u32::try_from(shared.limits.max_streams).unwrap_or(u32::MAX);
    let inference = InferenceServer::new(Service(Arc::clone(&shared)))
        .max_decoding_message_size(largest_question(&shared.limits))
        .max_encoding_message_size(MAX_MESSAGE_BYTES);
    let mut server = tonic::transport::Server::builder();
    if let Some(tls) = tls {
        server = server.tls_config(tls).map_err(|error| explain(&error))?;
    }
    server
        .max_concurrent_streams(Some(streams.saturating_add(EXTRA_STREAMS)))
        .initial_stream_window_size(STREAM_WINDOW_BYTES)
        .http2_keepalive_interval(Some(KEEPALIVE))
        .layer(RequestIds)
        .add_service(inference)
        .add_service(health)
        .add_service(reflection.v1)
        .add_service(reflection.v1alpha)
        .serve_with_incoming_shutdown(
            TcpIncoming::from(listener).with_nodelay(Some(true)),
            draining.cancelled_owned(),
        )
        .await
        .map_err(|error| explain(&error))
}

/// An error with its causes: tonic's own words are only "transport error".
fn explain(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(Some(error), |error| error.source());
    causes.map(ToString::to_string).collect::<Vec<_>>().join(": ")
}

/// The largest message that can pass the limits: a stranger cannot make the miner buffer more before it is known.
fn largest_question(limits: &Limits) -> usize {
    let document = limits.max_context_tokens.saturating_mul(TOKEN_BYTES).saturating_add(16);
    let documents = document.saturating_mul(limits.max_documents);
    documents.max(limits.max_text_bytes).saturating_add(4_096).min(MAX_MESSAGE_BYTES)
}
