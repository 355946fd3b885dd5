//! Binds, connects, serves reports and runs the cycle until told to stop.
//!
//! Both addresses are bound and the held-out texts read before anything else, so that a busy port or an empty folder is
//! found at once. Stopping at any point is safe: what matters is on disk before it is sent (see [`super::store`]).

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use acumen_proto::validation_v1::validation_server::ValidationServer;
use acumen_protocol::Keypair;
use acumen_serving::connections::{Incoming, Limits};
use acumen_serving::{ended, reflection, serve_pages};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;
use tonic::server::NamedService;

use super::chain::{Chain, Nodes};
use super::cycle::Cycle;
use super::evaluate::Manner;
use super::held_out;
use super::metrics::Metrics;
use super::reports::Reports;
use super::store::Store;
use crate::core::hotkey::Hotkey;
use crate::core::reference::Reference;
use crate::core::windows::Text;
use crate::{Config, Error};

/// How long connections may take to close.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(1);

/// Calls at once on one connection of the report service.
const MAX_STREAMS: u32 = 64;

/// A reader of reports is asked for a sign of life this often, and disconnected if it gives none within 20 s.
const KEEPALIVE: Duration = Duration::from_secs(20);

/// Readers of reports, and how long one that does not speak HTTP/2 yet may say nothing.
const CONNECTIONS: Limits = Limits { total: 256, per_address: 64, silence: Duration::from_secs(60) };

/// A validator that listens and does not evaluate yet.
#[derive(Debug)]
pub struct Validator {
    config: Config,
    hotkey: Keypair,
    listener: TcpListener,
    metrics_listener: Option<TcpListener>,
    texts: Vec<Text>,
    store: Arc<Store>,
}

impl Validator {
    /// Checks the configuration, reads the held-out texts, binds the addresses and locks the data folder.
    ///
    /// # Errors
    /// Whatever of these does not work: see [`Error`].
    pub async fn bind(config: Config, hotkey: Keypair) -> Result<Self, Error> {
        config.check()?;
        let texts = held_out::load(&config.held_out, config.context_bytes + config.scored_bytes)?;
        let listener = bind(config.listen, "listen").await?;
        let metrics_listener = match config.metrics_listen {
            Some(address) => Some(bind(address, "metrics_listen").await?),
            None => None,
        };
        let store = Arc::new(Store::open(&config.data_dir)?);
        Ok(Self { config, hotkey, listener, metrics_listener, texts, store })
    }

    /// The bound address of the reports: with port 0 configured, the one that the system chose.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.listener.local_addr().unwrap_or(self.config.listen)
    }

    /// The bound address of `/metrics`.
    #[must_use]
    pub fn metrics_address(&self) -> Option<SocketAddr> {
        self.metrics_listener.as_ref().and_then(|listener| listener.local_addr().ok())
    }

    /// Evaluates the miners of `chain` and serves reports until `shutdown`.
    ///
    /// # Errors
    /// What ends a validator: see [`Error`].
    pub async fn serve<C: Chain>(self, chain: C, shutdown: CancellationToken) -> Result<(), Error> {
        let hotkey = Hotkey(self.hotkey.account());
        let state = self.store.load(hotkey, chain.genesis())?;
        let (address, metrics_address) = (self.address(), self.metrics_address());
        let reports = Reports::open(self.store.reports());
        let metrics = Arc::new(Metrics::new());
        let all: Vec<u8> = self.texts.iter().flat_map(|text| text.bytes.iter().copied()).collect();
        let cycle = Cycle {
            chain: Arc::new(chain),
            store: Arc::clone(&self.store),
            state,
            reports: reports.clone(),
            metrics: Arc::clone(&metrics),
            texts: self.texts,
            reference: Arc::new(Reference::of(&all)),
            manner: Manner {
                key: Arc::new(self.hotkey),
                answer_timeout: self.config.answer_timeout(),
                concurrency: self.config.concurrency,
                max_miners: self.config.max_miners,
            },
            size: self.config.size(),
            rules: self.config.rules(),
            config: self.config,
            failed_at: None,
            warned: false,
        };
        let stop = CancellationToken::new();
        let mut grpc = AbortOnDropHandle::new(tokio::spawn(serve_grpc(self.listener, reports, stop.clone())));
        let pages = serve_pages(self.metrics_listener, metrics, stop.clone());
        let mut pages = AbortOnDropHandle::new(tokio::spawn(pages));
        let result = tokio::select! {
            result = Box::pin(cycle.run()) => result,
            () = shutdown.cancelled() => Ok(()),
            result = &mut grpc => Err(Error::Serve { address, reason: ended(result) }),
            result = &mut pages => {
                Err(Error::Serve { address: metrics_address.unwrap_or(address), reason: ended(result) })
            }
        };
        stop.cancel();
        if !grpc.is_finished() {
            // A reader that keeps its connection open is not waited for.
            let _ = tokio::time::timeout(CLOSE_TIMEOUT, &mut grpc).await;
        }
        result
    }
}

async fn serve_grpc(listener: TcpListener, reports: Reports, stop: CancellationToken) -> Result<(), String> {
    let reflection = reflection(&[<ValidationServer<Reports> as NamedService>::NAME])?;
    let (reporter, health) = tonic_health::server::health_reporter();
    reporter.set_serving::<ValidationServer<Reports>>().await;
    let incoming = Incoming::new(listener, CONNECTIONS, |address| {
        tracing::debug!(%address, "no place for another reader of reports");
    });
    tonic::transport::Server::builder()
        .max_concurrent_streams(Some(MAX_STREAMS))
        .http2_keepalive_interval(Some(KEEPALIVE))
        .add_service(ValidationServer::new(reports))
        .add_service(health)
        .add_service(reflection.v1)
        .add_service(reflection.v1alpha)
        .serve_with_incoming_shutdown(incoming, stop.cancelled_owned())
        .await
        .map_err(|error| error.to_string())
}

async fn bind(address: SocketAddr, field: &'static str) -> Result<TcpListener, Error> {
    TcpListener::bind(address).await.map_err(|source| Error::Bind { field, address, source })
}

/// Runs a validator as configured, with `hotkey`, until `shutdown`. Waits for a chain that cannot be reached yet.
///
/// # Errors
/// What ends a validator: see [`Error`].
pub async fn run(config: Config, hotkey: Keypair, shutdown: CancellationToken) -> Result<(), Error> {
    let validator = Validator::bind(config, hotkey).await?;
    tracing::info!(address = %validator.address(), hotkey = %validator.hotkey.account(), "validator listens");
    let config = &validator.config;
    let chain = Nodes::connect(&config.nodes, config.genesis()?, config.track(), &shutdown).await?;
    match chain {
        Some(chain) => validator.serve(chain, shutdown).await,
        None => Ok(()),
    }
}
