//! The chain through its nodes: verified reads and signed transactions of `acumen-chain-client`.
//!
//! The connection is made when it is first needed and made again after a failure, so that a miner starts while its
//! nodes are down.

use std::time::Duration;

use acumen_chain_client::{ChainClient, ClientError};
use acumen_protocol::call::{Call, Endpoint};
use acumen_protocol::miner_record::MinerRecord;
use acumen_protocol::{AccountId, Hash, Keypair, Nacu, TrackId};
use tokio::sync::OnceCell;

use super::{ChainError, ChainView, Neuron};

/// How long one read may take.
const READ_TIMEOUT: Duration = Duration::from_secs(10);

/// How long all nodes together may take for a record: each has its own limit, which is shorter.
const RECORD_TIMEOUT: Duration = Duration::from_secs(15);

/// How long a transaction may wait for its block before the miner looks at the chain again.
const INCLUSION_TIMEOUT: Duration = Duration::from_secs(120);

/// The chain as its nodes show it, verified.
#[derive(Debug)]
pub struct NodeView {
    nodes: Vec<String>,
    genesis: Option<Hash>,
    track: TrackId,
    hotkey: Keypair,
    client: OnceCell<ChainClient>,
}

impl NodeView {
    /// A view of `track` through `nodes`; `hotkey` signs. Nothing is asked yet.
    #[must_use]
    pub fn new(nodes: Vec<String>, genesis: Option<Hash>, track: TrackId, hotkey: Keypair) -> Self {
        Self { nodes, genesis, track, hotkey, client: OnceCell::new() }
    }

    async fn client(&self) -> Result<&ChainClient, ClientError> {
        self.client.get_or_try_init(|| ChainClient::connect(&self.nodes, self.genesis)).await
    }
}

async fn within<T>(
    limit: Duration,
    work: impl Future<Output = Result<T, ClientError>> + Send,
) -> Result<T, ChainError> {
    let result = tokio::time::timeout(limit, work).await;
    let result = result.map_err(|_| ChainError(format!("the chain did not answer within {limit:?}")))?;
    result.map_err(|error| ChainError(error.to_string()))
}

impl ChainView for NodeView {
    async fn neurons(&self) -> Result<Vec<Neuron>, ChainError> {
        let read = async { self.client().await?.metagraph(self.track).await };
        let neurons = within(READ_TIMEOUT, read).await?.value.neurons.into_iter();
        Ok(neurons
            .map(|neuron| Neuron { hotkey: neuron.hotkey, stake: neuron.stake, endpoint: neuron.endpoint })
            .collect())
    }

    async fn stake_of(&self, hotkey: AccountId) -> Result<Nacu, ChainError> {
        let read = async { self.client().await?.stake_of(hotkey).await };
        Ok(within(READ_TIMEOUT, read).await?.value)
    }

    async fn publish(&self, endpoint: Endpoint) -> Result<(), ChainError> {
        let call = Call::Serve { track: self.track, endpoint };
        let sent = async { self.client().await?.submit_and_wait(call, &self.hotkey).await };
        within(INCLUSION_TIMEOUT, sent).await.map(drop)
    }

    async fn publish_record(&self, record: MinerRecord) -> Result<(), ChainError> {
        let sent = async {
            let client = self.client().await?;
            client.publish_record(&record.sign(&client.genesis_hash(), &self.hotkey)).await
        };
        within(RECORD_TIMEOUT, sent).await
    }
}
