//! What a validator needs of the chain, as a trait: the evaluation and its tests do not depend on a node.
//!
//! An implementation returns verified reads only; a view that cannot be verified is an error.

use std::sync::Arc;
use std::time::Duration;

use acumen_chain_client::ledger::Rejection;
use acumen_chain_client::{ChainClient, ClientError, RecordFinder};
use acumen_protocol::call::{Call, Endpoint};
use acumen_protocol::{AccountId, Hash, Height, Keypair, TrackId, Uid};
use futures::StreamExt as _;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;

use crate::Error;

/// First and longest wait before an unreachable chain is tried again.
const WAITS: (Duration, Duration) = (Duration::from_millis(250), Duration::from_secs(10));

/// How long one transaction is waited for; after that the rhythm decides anew.
const INCLUSION_TIMEOUT: Duration = Duration::from_secs(60);

/// A miner of the track.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Miner {
    /// Its slot.
    pub uid: Uid,
    /// Its hotkey.
    pub hotkey: AccountId,
    /// Block of its registration.
    pub registered_at: Height,
    /// Where it serves.
    pub endpoint: Endpoint,
}

/// The track at one block.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct View {
    /// Whether this validator's hotkey has a slot.
    pub registered: bool,
    /// Whether its weights count in the next epoch.
    pub permit: bool,
    /// Neurons that publish an endpoint, without this validator.
    pub miners: Vec<Miner>,
}

/// Why the chain could not be read or written.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ChainError {
    /// It may work at the next block.
    #[error("{0}")]
    Retry(String),
    /// It failed in a block, or can never succeed: trying again helps nobody.
    #[error("{0}")]
    Failed(String),
}

/// The chain, seen by one validator.
pub trait Chain: Send + Sync + 'static {
    /// Hash of the genesis header.
    fn genesis(&self) -> Hash;

    /// Height of the newest block, as it grows.
    fn tips(&self) -> watch::Receiver<Height>;

    /// Blocks per epoch.
    fn tempo(&self) -> impl Future<Output = Result<u64, ChainError>> + Send;

    /// The track, for the validator `me`.
    fn view(&self, me: AccountId) -> impl Future<Output = Result<View, ChainError>> + Send;

    /// Where `hotkey` says that it serves, in a record of its own whose signature was verified: for a miner whom the chain's
    /// endpoint does not lead to. A hint, which may be asked for rarely; `None` if there is none.
    fn record_of(&self, hotkey: AccountId) -> impl Future<Output = Option<Endpoint>> + Send;

    /// Submits a call signed by `key` and waits until a block holds it.
    fn submit(&self, call: Call, key: &Keypair) -> impl Future<Output = Result<(), ChainError>> + Send;
}

/// A real chain, over verifying clients.
#[derive(Debug)]
pub struct Nodes {
    client: ChainClient,
    records: RecordFinder,
    track: TrackId,
    tips: watch::Receiver<Height>,
    _follow: Arc<AbortOnDropHandle<()>>,
}

impl Nodes {
    /// Connects, trying again with growing pauses until a node answers. `None` if `shutdown` came first.
    ///
    /// # Errors
    /// [`Error::Chain`] for what waiting does not mend: addresses that are none, or another chain.
    pub async fn connect(
        urls: &[String],
        genesis: Option<Hash>,
        track: TrackId,
        shutdown: &CancellationToken,
    ) -> Result<Option<Self>, Error> {
        let mut wait = WAITS.0;
        loop {
            match ChainClient::connect(urls, genesis).await {
                Ok(client) => return Ok(Some(Self::follow(client, track))),
                Err(
                    error @ (ClientError::NoNodes
                    | ClientError::BadUrl { .. }
                    | ClientError::WrongChain { .. }),
                ) => return Err(Error::Chain(error.to_string())),
                Err(error) => tracing::warn!(%error, retry_in = ?wait, "waiting for the chain"),
            }
            tokio::select! {
                () = shutdown.cancelled() => return Ok(None),
                () = tokio::time::sleep(wait) => wait = (wait * 2).min(WAITS.1),
            }
        }
    }

    fn follow(client: ChainClient, track: TrackId) -> Self {
        let (sender, tips) = watch::channel(client.tip().height);
        let mut blocks = client.subscribe(None);
        let reader = client.clone();
        let follow = tokio::spawn(async move {
            // The stream begins with the next new block: where the chain stands now is asked for.
            if let Ok(status) = reader.status().await {
                sender.send_replace(status.tip.height);
            }
            while let Some(block) = blocks.next().await {
                match block {
                    Ok(block) => _ = sender.send_replace(block.header.height),
                    Err(error) => tracing::warn!(%error, "the chain is not followed for a moment"),
                }
            }
        });
        let records = RecordFinder::new(client.clone());
        Self { client, records, track, tips, _follow: Arc::new(AbortOnDropHandle::new(follow)) }
    }
}

impl Chain for Nodes {
    fn genesis(&self) -> Hash {
        self.client.genesis_hash()
    }

    fn tips(&self) -> watch::Receiver<Height> {
        self.tips.clone()
    }

    async fn tempo(&self) -> Result<u64, ChainError> {
        let params = self.client.params().await.map_err(|error| ChainError::Retry(error.to_string()))?;
        Ok(params.value.tempo_blocks)
    }

    async fn view(&self, me: AccountId) -> Result<View, ChainError> {
        let graph = self.client.metagraph(self.track).await;
        let graph = graph.map_err(|error| ChainError::Retry(error.to_string()))?.value;
        let own = graph.by_hotkey(&me);
        let (registered, permit) = (own.is_some(), own.is_some_and(|neuron| neuron.permit));
        let others = graph.neurons.into_iter().filter(|neuron| neuron.hotkey != me);
        let miners = others.filter_map(|neuron| {
            Some(Miner {
                uid: neuron.uid,
                hotkey: neuron.hotkey,
                registered_at: neuron.registered_at,
                endpoint: neuron.endpoint?,
            })
        });
        Ok(View { registered, permit, miners: miners.collect() })
    }

    async fn record_of(&self, hotkey: AccountId) -> Option<Endpoint> {
        Some(self.records.find(hotkey).await?.record.endpoint)
    }

    async fn submit(&self, call: Call, key: &Keypair) -> Result<(), ChainError> {
        let name = call.name();
        match tokio::time::timeout(INCLUSION_TIMEOUT, self.client.submit_and_wait(call, key)).await {
            Ok(Ok(_)) => Ok(()),
            Ok(Err(
                error @ (ClientError::Failed { .. }
                | ClientError::Rejected(
                    Rejection::NoCommitment { .. } | Rejection::CommitmentMismatch { .. },
                )),
            )) => Err(ChainError::Failed(error.to_string())),
            Ok(Err(error)) => Err(ChainError::Retry(error.to_string())),
            Err(_) => Err(ChainError::Retry(format!("{name} is in no block after {INCLUSION_TIMEOUT:?}"))),
        }
    }
}
