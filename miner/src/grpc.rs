//! The gRPC server: transport, and which services are on it.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use acumen_proto::inference::MAX_MESSAGE_BYTES;
use acumen_proto::inference_v1::inference_server::InferenceServer;
use acumen_proto::{DETOKENIZE_PATH, EMBED_PATH, GENERATE_PATH, PREDICT_PATH, TOKENIZE_PATH};
use acumen_serving::connections::Limits as Connections;
use acumen_serving::reflection;
use tokio::net::TcpListener;
use tonic::server::NamedService;
use tonic::transport::ServerTlsConfig;

use crate::config::Limits;
use crate::intake::{self, FREE_BYTES, Intake, Rule, share_of};
use crate::service::{Service, Shared};
use crate::trace::RequestIds;

/// A client is asked for a sign of life this often; without one within 20 s its streams end.
const KEEPALIVE: Duration = Duration::from_secs(20);

/// How long a connection that does not speak HTTP/2 yet may say nothing; TLS's handshake is before that, too.
const SILENCE: Duration = Duration::from_secs(60);

/// Flow-control window per stream, in bytes: a question or an answer rarely needs more.
const STREAM_WINDOW_BYTES: u32 = 1 << 20;

/// Room on a connection for unary calls, health and reflection beside the streams of a hotkey.
const EXTRA_STREAMS: u32 = 96;

/// Most bytes of a request's metadata: the signed ones have some six hundred.
const MAX_METADATA_BYTES: u32 = 8 << 10;

/// Where reflection is asked, in both versions: streams of small messages.
const REFLECTION: &str = "/grpc.reflection.";

/// Serves until the drain begins and the last connection has ended.
pub(crate) async fn serve(
    listener: TcpListener,
    shared: Arc<Shared>,
    health: tonic_health::pb::health_server::HealthServer<impl tonic_health::pb::health_server::Health>,
    tls: Option<ServerTlsConfig>,
) -> Result<(), String> {
    let reflection = reflection(&[<InferenceServer<Service> as NamedService>::NAME])?;
    let draining = shared.draining.clone();
    let limits = shared.limits.clone();
    let streams = u32::try_from(limits.max_streams_per_hotkey).unwrap_or(u32::MAX);
    let inference = InferenceServer::new(Service(Arc::clone(&shared)))
        .max_decoding_message_size(limits.largest_request())
        .max_encoding_message_size(MAX_MESSAGE_BYTES);
    let refused = refused(&shared);
    let share = share_of(limits.unread_bytes, limits.largest_request());
    let incoming = intake::incoming(listener, connections(&limits), share, refused);
    let intake = gate(&shared);
    let mut server = tonic::transport::Server::builder();
    if let Some(tls) = tls {
        server = server.tls_config(tls).map_err(|error| explain(&error))?;
    }
    server
        .max_concurrent_streams(Some(streams.saturating_add(EXTRA_STREAMS)))
        .http2_max_header_list_size(MAX_METADATA_BYTES)
        .initial_stream_window_size(STREAM_WINDOW_BYTES)
        .http2_keepalive_interval(Some(KEEPALIVE))
        .layer(RequestIds)
        .layer(intake)
        .add_service(inference)
        .add_service(health.max_decoding_message_size(FREE_BYTES))
        .add_service(reflection.v1.max_decoding_message_size(FREE_BYTES))
        .add_service(reflection.v1alpha.max_decoding_message_size(FREE_BYTES))
        .serve_with_incoming_shutdown(incoming, draining.cancelled_owned())
        .await
        .map_err(|error| explain(&error))
}

/// An error with its causes: tonic's own words are only "transport error".
fn explain(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(Some(error), |error| error.source());
    causes.map(ToString::to_string).collect::<Vec<_>>().join(": ")
}

const fn connections(limits: &Limits) -> Connections {
    let (total, per_address) = (limits.max_connections, limits.max_connections_per_address);
    Connections { total, per_address, silence: SILENCE }
}

/// Counts the connections that had no place.
fn refused(shared: &Arc<Shared>) -> impl Fn(SocketAddr) + use<> {
    let shared = Arc::clone(shared);
    move |address| {
        shared.metrics.refuse("connections");
        tracing::debug!(%address, "no place for a connection: see `max_connections` and `max_connections_per_address`");
    }
}

/// What each method's requests may be, before anybody knows who sends them.
fn gate(shared: &Arc<Shared>) -> Intake {
    let limits = shared.limits.clone();
    let deadline = Duration::from_millis(limits.opening_timeout_ms);
    let unread = limits.unread_bytes;
    let shared = Arc::clone(shared);
    Intake::new(deadline, unread, move |path| rule(&limits, path), move |refusal| shared.refuse(refusal))
}

fn rule(limits: &Limits, path: &str) -> Rule {
    let whole = |most, limit| Rule { most, limit, whole: true };
    match path {
        PREDICT_PATH => Rule { most: limits.largest_question(), limit: "max_documents", whole: false },
        GENERATE_PATH => whole(limits.largest_prompt(), "max_text_bytes"),
        TOKENIZE_PATH => whole(limits.largest_text(), "max_text_bytes"),
        DETOKENIZE_PATH => whole(limits.largest_prompt(), "max_context_tokens"),
        EMBED_PATH => whole(limits.largest_texts(), "max_text_bytes"),
        path if path.starts_with(REFLECTION) => Rule { whole: false, ..Rule::SMALL },
        _ => Rule::SMALL,
    }
}
