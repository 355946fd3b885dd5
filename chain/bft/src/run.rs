//! Starting the engine, and ending it.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use acumen_protocol::ConsensusPublic;
#[cfg(test)]
use arc_malachitebft_app_channel::NetworkMsg;
use arc_malachitebft_app_channel::app::config::NodeConfig as _;
use arc_malachitebft_app_channel::app::engine::network::NetworkRef;
use arc_malachitebft_app_channel::app::metrics::SharedRegistry;
use arc_malachitebft_app_channel::app::types::codec::Codec as _;
use arc_malachitebft_app_channel::spawn::spawn_network_actor;
use arc_malachitebft_app_channel::{
    Channels, ConsensusContext, EngineBuilder, EngineHandle, NetworkIdentity, RequestContext, SyncContext,
};
use arc_malachitebft_signing::Signer as _;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;

use crate::application::Application;
use crate::config::{Config, EngineConfig, Network};
use crate::driver::{Driver, Outcome};
use crate::error::Error;
use crate::faithful::{self, FOLLOWER_LOG};
use crate::journal::{self, Fault};
use crate::log::Log;
use crate::null;
use crate::parts::{Now, Parts};
use crate::peers;
use crate::send::Streams;
use crate::signing::{Checker, Hand};
use crate::types::{At, Chain, Members, Voter};
use crate::wire::Scale;

/// Name of the log in its folder.
const LOG: &str = "votes.wal";

/// Questions to the engine that may wait.
const REQUESTS: usize = 16;

/// How long the engine may take to end, in all. Who runs it waits longer than this.
pub const MAX_END: Duration = Duration::from_secs(3);

/// Who else is there.
pub(crate) enum Link {
    /// Nobody.
    Alone,
    /// Peers on a real network.
    Peers(Network),
    /// Something that a test has built.
    #[cfg(test)]
    Custom(NetworkRef<Chain>, mpsc::Sender<NetworkMsg<Chain>>),
}

/// Decides blocks until `shutdown`, or until something breaks. The chain must not be committed to by anybody else
/// meanwhile.
pub async fn run<A: Application>(
    mut config: Config,
    application: Arc<A>,
    shutdown: CancellationToken,
) -> Result<(), Error<A::Error>> {
    let network = config.network.take();
    // What is known of a key's votes stays as it is while the node runs without the key.
    let name = if config.key.is_some() { LOG } else { FOLLOWER_LOG };
    let log = open(config.dir.join(name)).await?;
    let link = || std::future::ready(network.clone().map_or(Link::Alone, Link::Peers));
    faithful::run(config, application, log, link, shutdown).await
}

pub(crate) async fn open<E: std::error::Error + 'static>(path: PathBuf) -> Result<Arc<Mutex<Log>>, Error<E>> {
    let opened = {
        let path = path.clone();
        tokio::task::spawn_blocking(move || Log::open(&path)).await
    };
    let opened = opened.map_err(|error| Error::Ended { reason: error.to_string() })?;
    let log = opened.map_err(|error| Error::Log { path, reason: error.to_string() })?;
    Ok(Arc::new(Mutex::new(log)))
}

/// Runs over a link; with `until`, ends as soon as the block of that height is committed.
pub(crate) async fn over<A: Application>(
    config: Config,
    app: Arc<A>,
    link: Link,
    log: Arc<Mutex<Log>>,
    shutdown: CancellationToken,
    until: Option<At>,
) -> Outcome<(), A> {
    let genesis = app.genesis();
    let set = Members::from(&app.validators().map_err(Error::Application)?);
    let hand = config.key.clone().map(|key| Hand { genesis, key });
    let own = hand.as_ref().map(|hand| hand.key.public());
    let others = set.len() - usize::from(own.is_some_and(|key| set.contains(&key)));
    if matches!(link, Link::Alone) && others > 0 {
        return Err(Error::Alone { others });
    }
    let warm_up = match &link {
        Link::Peers(network) => network.warm_up,
        _ => Duration::ZERO,
    };
    let alone = matches!(link, Link::Alone);
    let (faults, mut broken) = mpsc::channel(1);
    let Engine { mut channels, handle, network } =
        build(hand.as_ref(), link, log.clone(), faults, genesis).await?;
    let watch = peers::watch(app.clone(), channels.net_requests.clone(), network);
    let _watching = (!alone).then(|| AbortOnDropHandle::new(tokio::spawn(watch)));
    let mut driver = Driver {
        app,
        hand,
        parts: Parts::new(Checker { genesis }),
        streams: Streams::new(nanoseconds()),
        publish: (!alone).then(|| channels.network.clone()),
        timeouts: config.patience.into(),
        block_time: config.block_time,
        warm_up,
        set,
        now: Now { tip: At::default(), round: 0 },
        told: At::default(),
    };
    let ended = converse(&mut driver, &mut channels, &mut broken, &shutdown, until).await;
    drop(channels);
    end(handle).await;
    log.lock().unwrap_or_else(PoisonError::into_inner).close();
    ended
}

/// Answers the engine until it must end.
async fn converse<A: Application>(
    driver: &mut Driver<A>,
    channels: &mut Channels<Chain>,
    broken: &mut mpsc::Receiver<Fault>,
    shutdown: &CancellationToken,
    until: Option<At>,
) -> Outcome<(), A> {
    loop {
        tokio::select! {
            biased;
            () = shutdown.cancelled() => return Ok(()),
            Some(Fault { path, error }) = broken.recv() => {
                return Err(Error::Log { path, reason: error.to_string() });
            }
            message = channels.consensus.recv() => match message {
                Some(message) => driver.handle(message).await?,
                None => return Err(Error::Ended { reason: "see the log for its last words".to_owned() }),
            },
        }
        if until.is_some_and(|height| driver.now.tip >= height) {
            return Ok(());
        }
    }
}

async fn end(handle: EngineHandle) {
    let node = handle.actor.get_cell();
    node.stop_children_and_wait(None, Some(MAX_END * 2 / 3)).await;
    node.stop(None);
    if tokio::time::timeout(MAX_END / 3, handle.handle).await.is_err() {
        tracing::warn!("the consensus engine did not end in time");
    }
}

fn nanoseconds() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_nanos()).unwrap_or(u64::MAX)
}

fn start<E: std::error::Error + 'static>(reason: impl ToString) -> Error<E> {
    Error::Start { reason: reason.to_string() }
}

/// What runs.
struct Engine {
    channels: Channels<Chain>,
    handle: EngineHandle,
    /// The engine's own network, if it is that.
    network: Option<NetworkRef<Chain>>,
}

async fn build<E: std::error::Error + 'static>(
    hand: Option<&Hand>,
    link: Link,
    log: Arc<Mutex<Log>>,
    faults: mpsc::Sender<Fault>,
    genesis: acumen_protocol::Hash,
) -> Result<Engine, Error<E>> {
    let checker = Box::new(Checker { genesis });
    let name = hand.map_or(ConsensusPublic([0; 32]), |hand| hand.key.public());
    let consensus = match hand {
        Some(hand) => ConsensusContext::new_validator(Voter(name), checker, Box::new(hand.clone())),
        None => ConsensusContext::new_full_node(Voter(name), checker),
    };
    let journal = journal::spawn(log, faults).await.map_err(start)?;
    let network = match &link {
        Link::Peers(network) => Some(network),
        _ => None,
    };
    let config = EngineConfig::new(&name, network, matches!(link, Link::Alone))?;
    let builder = EngineBuilder::new(Chain, config.clone())
        .with_custom_wal(journal)
        .with_default_consensus(consensus)
        .with_default_request(RequestContext::new(REQUESTS));
    let mut own = None;
    let built = match link {
        Link::Alone => {
            let (network, sender) = null::spawn().await.map_err(start)?;
            builder.with_custom_network(network, sender).with_no_sync().build().await
        }
        Link::Peers(network) => {
            let (identity, registry) = (identity(&network, hand).await?, SharedRegistry::global());
            let registry = registry.with_moniker(config.moniker());
            let (consensus, sync) = (config.consensus(), config.value_sync());
            let spawned = spawn_network_actor(identity, consensus, sync, &registry, Scale).await;
            let (network, sender) = spawned.map_err(|error| start(format!("{error:#}")))?;
            own = Some(network.clone());
            let builder = builder.with_custom_network(network, sender);
            builder.with_default_sync(SyncContext::new(Scale)).build().await
        }
        #[cfg(test)]
        Link::Custom(network, sender) => {
            builder
                .with_custom_network(network, sender)
                .with_default_sync(SyncContext::new(Scale))
                .build()
                .await
        }
    };
    let (channels, handle) = built.map_err(|error| start(format!("{error:#}")))?;
    Ok(Engine { channels, handle, network: own })
}

/// This node's name among its peers, with the proof that it belongs to a validator, if it does.
async fn identity<E: std::error::Error + 'static>(
    network: &Network,
    hand: Option<&Hand>,
) -> Result<NetworkIdentity, Error<E>> {
    let keypair = network.keypair()?;
    let Some(hand) = hand else {
        return Ok(NetworkIdentity::new("follower".to_owned(), keypair, None));
    };
    let (key, peer) = (hand.key.public(), keypair.public().to_peer_id().to_bytes());
    let proof = hand.sign_validator_proof(key.0.to_vec(), peer).await.map_err(start)?;
    let proof = Scale.encode(&proof).map_err(start)?;
    let name: String = key.to_string().chars().take(10).collect();
    Ok(NetworkIdentity::new_validator(name, keypair, key.to_string(), proof))
}
