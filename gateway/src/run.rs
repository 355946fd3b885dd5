//! A gateway's life: check, listen, refresh, serve, drain.

use std::sync::Arc;
use std::time::Duration;

use acumen_chain_client::RecordFinder;
use acumen_protocol::Keypair;
use acumen_serving::connections::{Incoming, Limits};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::collective::Collective;
use crate::collective::directory::{Directory, Roster};
use crate::collective::refresh::refresh;
use crate::collective::subnet::Subnet;
use crate::http::{self, App};
use crate::metrics::Metrics;
use crate::{Config, Error};

/// After the drain's time is over, answers in flight get this long to tell their clients.
const FAREWELL: Duration = Duration::from_secs(1);

/// How long a connection may stay open between two requests, besides the time that an answer may take.
const IDLE: Duration = Duration::from_secs(60);

/// Runs a gateway over the chain and the validators that `config` names, until `shutdown`. The chain need not be there
/// yet: `/ready` says when miners are known.
///
/// # Errors
/// See [`Error`].
pub async fn run(config: Config, hotkey: Keypair, shutdown: CancellationToken) -> Result<(), Error> {
    config.check()?;
    let subnet = Subnet::new(&config)?;
    let address = config.listen;
    let listener = TcpListener::bind(address).await.map_err(|source| Error::Listen { address, source })?;
    run_with(config, hotkey, subnet, listener, shutdown).await
}

/// Serves `config` over the miners of `directory` on a listener that is bound already, until `shutdown`.
///
/// # Errors
/// See [`Error`].
pub async fn run_with(
    config: Config,
    hotkey: Keypair,
    directory: impl Directory,
    listener: TcpListener,
    shutdown: CancellationToken,
) -> Result<(), Error> {
    let account = hotkey.account();
    let (roster, latest) = watch::channel(Arc::new(Roster::default()));
    let metrics = Arc::new(Metrics::default());
    let finder = (!config.nodes.is_empty())
        .then(|| Ok::<_, Error>(Arc::new(RecordFinder::lazy(config.nodes.clone(), config.genesis()?))))
        .transpose()?;
    let collective = Collective::new(config.settings(), hotkey, latest, finder, Arc::clone(&metrics));
    let collective = Arc::new(collective);
    let stop = CancellationToken::new();
    let app = App::new(&config, collective, Arc::clone(&metrics), shutdown.clone(), stop.clone())?;
    let address = listener.local_addr().map_err(Error::Serve)?;
    tracing::info!(%address, hotkey = %account, model = config.model, "gateway listens");
    let interval = Duration::from_millis(config.refresh_interval_ms);
    let counted = Arc::clone(&metrics);
    let refreshing = tokio::spawn(refresh(directory, interval, roster, metrics, shutdown.clone()));

    let incoming = Incoming::new(listener, limits(&config), move |address| {
        counted.refused_connections.inc();
        tracing::debug!(%address, "no place for a connection: see `max_connections` and `max_connections_per_address`");
    });
    let server = axum::serve(incoming, http::router(Arc::new(app)))
        .with_graceful_shutdown(shutdown.clone().cancelled_owned());
    let mut server = tokio::spawn(server.into_future());
    let drained = async {
        shutdown.cancelled().await;
        tokio::time::sleep(Duration::from_millis(config.drain_timeout_ms)).await;
    };
    let served = tokio::select! {
        served = &mut server => served,
        () = drained => {
            tracing::warn!("requests still in flight after the drain's time are cut");
            stop.cancel();
            match tokio::time::timeout(FAREWELL, &mut server).await {
                Ok(served) => served,
                Err(_) => { server.abort(); Ok(Ok(())) }
            }
        }
    };
    refreshing.abort();
    served.map_err(std::io::Error::other).and_then(std::convert::identity).map_err(Error::Serve)
}

/// A client that waits for an answer says nothing meanwhile.
const fn limits(config: &Config) -> Limits {
    let (total, per_address) = (config.max_connections, config.max_connections_per_address);
    let silence = Duration::from_millis(config.request_timeout_ms).saturating_add(IDLE);
    Limits { total, per_address, silence }
}
