//! A gateway's life: check, listen, refresh, serve, drain.

use std::sync::Arc;
use std::time::Duration;

use acumen_chain_client::RecordFinder;
use acumen_protocol::Keypair;
use axum::serve::ListenerExt as _;
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
    let refreshing = tokio::spawn(refresh(directory, interval, roster, metrics, shutdown.clone()));

    let listener = listener.tap_io(|stream| {
        // Tokens are small packets that must not wait for each other.
        if let Err(error) = stream.set_nodelay(true) {
            tracing::debug!(%error, "TCP_NODELAY");
        }
    });
    let server = axum::serve(listener, http::router(Arc::new(app)))
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
