//! From the node's configuration to consensus, and running it.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use acumen_chain_bft::{Network, Patience};
use acumen_protocol::ConsensusKeypair;
use rand::TryRngCore as _;
use tokio_util::sync::CancellationToken;

use crate::config::Config;
use crate::error::NodeError;
use crate::executor::Executor;

/// File with the seed of a follower's name among its peers, in the data directory.
const PEER_KEY: &str = "consensus-peer.key";

/// What consensus is told.
pub(crate) fn settings(
    config: &Config,
    key: Option<ConsensusKeypair>,
) -> Result<acumen_chain_bft::Config, NodeError> {
    let mut patience = Patience::default();
    let mut network = None;
    if let Some(consensus) = &config.consensus {
        consensus.check()?;
        patience.propose = Duration::from_millis(consensus.propose_timeout_ms);
        patience.vote = Duration::from_millis(consensus.vote_timeout_ms);
        let identity = match &key {
            Some(key) => Network::identity_of(key),
            None => follower_identity(&config.data_dir.join(PEER_KEY))?,
        };
        let (listen, peers) = (consensus.listen.clone(), consensus.peers.clone());
        network = Some(Network { listen, peers, identity, ..Network::default() });
    }
    let block_time = Duration::from_millis(config.block_time_ms.max(1));
    Ok(acumen_chain_bft::Config {
        dir: config.data_dir.join("consensus"),
        key,
        network,
        block_time,
        patience,
    })
}

/// A follower has no key to derive its name from: it draws one, once.
fn follower_identity(path: &Path) -> Result<[u8; 32], NodeError> {
    let failed = |reason: String| NodeError::File {
        what: "name among consensus peers",
        path: path.to_owned(),
        reason,
    };
    let mut seed = [0; 32];
    match std::fs::read_to_string(path) {
        Ok(text) => {
            hex::decode_to_slice(text.trim(), &mut seed).map_err(|error| failed(error.to_string()))?;
        }
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            rand::rngs::OsRng.try_fill_bytes(&mut seed).map_err(|error| failed(error.to_string()))?;
            std::fs::write(path, hex::encode(seed)).map_err(|error| failed(error.to_string()))?;
        }
        Err(error) => return Err(failed(error.to_string())),
    }
    Ok(seed)
}

/// Decides, or follows, until `shutdown`.
pub(crate) async fn run(
    settings: acumen_chain_bft::Config,
    executor: Executor,
    shutdown: CancellationToken,
) -> Result<(), NodeError> {
    let ended = acumen_chain_bft::run(settings, Arc::new(executor), shutdown).await;
    ended.map_err(|error| match error {
        acumen_chain_bft::Error::Application(error) => error,
        acumen_chain_bft::Error::Alone { others } => NodeError::Alone { others },
        other => NodeError::Consensus { reason: other.to_string() },
    })
}
