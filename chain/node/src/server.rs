//! The node's servers: gRPC with health and reflection, and the pages for whoever scrapes or routes.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use acumen_proto::chain_v1::chain_server::ChainServer;
use acumen_proto::chain_v1::miners_server::MinersServer;
use acumen_serving::connections::{Incoming, Limits};
use acumen_serving::{Pages, reflection};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tonic::server::NamedService;

use crate::config::Config;
use crate::executor::Executor;
use crate::metrics::Metrics;
use crate::service::{MAX_REQUEST_BYTES, MAX_RESPONSE_BYTES, Service};

/// Calls of one connection that are answered at the same time; more wait in the connection. Streams of blocks do not count.
const CALLS_PER_CONNECTION: usize = 64;

/// How long a call may take to be answered, waiting included. A stream of blocks has been answered when it begins.
const ANSWER: Duration = Duration::from_secs(30);

/// A client is asked for a sign of life this often, and disconnected if it gives none within 20 s.
const KEEPALIVE: Duration = Duration::from_secs(20);

/// How long a connection that does not speak HTTP/2 yet may say nothing.
const SILENCE: Duration = Duration::from_secs(60);

/// A node whose newest block is older than so many block times, and than [`OLD`], has lost the chain.
const OLD_BLOCKS: u32 = 20;
const OLD: Duration = Duration::from_secs(30);

/// Connections of clients, as many as `config` allows.
pub(crate) fn incoming(listener: TcpListener, config: &Config, metrics: Metrics) -> Incoming {
    let (total, per_address) = (config.max_connections, config.max_connections_per_address);
    Incoming::new(listener, Limits { total, per_address, silence: SILENCE }, move |address| {
        metrics.refused_connection();
        tracing::debug!(%address, "no place for a client: see `max_connections` and `max_connections_per_address`");
    })
}

/// Answers clients until `stop`.
///
/// # Errors
/// The server's words, if it cannot go on.
pub(crate) async fn serve(
    service: Service,
    incoming: Incoming,
    stop: CancellationToken,
) -> Result<(), String> {
    let reflection = reflection(&[
        <ChainServer<Service> as NamedService>::NAME,
        <MinersServer<Service> as NamedService>::NAME,
    ])?;
    let (reporter, health) = tonic_health::server::health_reporter();
    reporter.set_serving::<ChainServer<Service>>().await;
    // Whoever spreads calls over nodes stops sending before the last ones are answered.
    let ending = async move {
        stop.cancelled_owned().await;
        reporter.set_not_serving::<ChainServer<Service>>().await;
    };
    let miners = MinersServer::new(service.clone()).max_decoding_message_size(MAX_REQUEST_BYTES);
    let chain = ChainServer::new(service)
        .max_decoding_message_size(MAX_REQUEST_BYTES)
        .max_encoding_message_size(MAX_RESPONSE_BYTES);
    tonic::transport::Server::builder()
        .http2_keepalive_interval(Some(KEEPALIVE))
        .concurrency_limit_per_connection(CALLS_PER_CONNECTION)
        .timeout(ANSWER)
        .add_service(chain)
        .add_service(miners)
        .add_service(health)
        .add_service(reflection.v1)
        .add_service(reflection.v1alpha)
        .serve_with_incoming_shutdown(incoming, ending)
        .await
        .map_err(|error| error.to_string())
}

/// What the node says of itself.
#[derive(Debug)]
struct Face {
    metrics: Metrics,
    executor: Executor,
    /// Age of the newest block from which on this node is of no use to those who want the present.
    old: Duration,
}

impl Pages for Face {
    fn metrics(&self) -> Result<String, fmt::Error> {
        self.metrics.text()
    }

    fn ready(&self) -> Result<(), &'static str> {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let block = Duration::from_millis(self.executor.store().tip().time.get());
        let current = now.saturating_sub(block) < self.old;
        if current {
            Ok(())
        } else {
            Err("the newest block is old: it catches up, or the chain stands still")
        }
    }
}

/// Serves `/metrics`, `/livez` and `/readyz` until `stop`.
///
/// # Errors
/// The server's words, if it cannot go on.
pub(crate) async fn serve_pages(
    metrics: Metrics,
    executor: Executor,
    block_time: Duration,
    listener: Option<TcpListener>,
    stop: CancellationToken,
) -> Result<(), String> {
    let old = block_time.saturating_mul(OLD_BLOCKS).max(OLD);
    acumen_serving::serve_pages(listener, Arc::new(Face { metrics, executor, old }), stop).await
}
