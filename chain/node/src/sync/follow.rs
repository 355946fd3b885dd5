//! Following the chain block by block over gRPC: for a node that neither votes nor meets those who do. Each block's
//! certificate is checked and the block is executed here, so no node is believed.

use std::time::Duration;

use acumen_chain_client::light::FinalizedBlock;
use acumen_proto::chain_v1 as wire;
use acumen_protocol::Block;
use tokio_util::sync::CancellationToken;

use super::error::{Failure, SyncError};
use super::source::{Source, Sources};
use crate::error::NodeError;
use crate::executor::Executor;

/// Pause before the next node is asked.
const PAUSE: Duration = Duration::from_millis(500);

/// A stream that is silent for so long is given up: blocks come every few seconds at most.
const SILENCE: Duration = Duration::from_secs(60);

/// A follower of the nodes at some addresses.
#[derive(Debug)]
pub(crate) struct Follow {
    urls: Vec<String>,
}

impl Follow {
    /// Checks the addresses.
    pub(crate) fn new(urls: &[String]) -> Result<Self, SyncError> {
        Sources::new(urls)?;
        Ok(Self { urls: urls.to_vec() })
    }

    /// Follows until `shutdown`. Nodes that do not answer are tried again and again; it ends with an error if all of them
    /// have given blocks that are not the chain's.
    pub(crate) async fn run(self, executor: Executor, shutdown: CancellationToken) -> Result<(), NodeError> {
        let mut liars = vec![None; self.urls.len()];
        loop {
            for (url, liar) in self.urls.iter().zip(&mut liars).filter(|(_, liar)| liar.is_none()) {
                let Some(source) = Sources::new(std::slice::from_ref(url))?.usable().pop() else { continue };
                let ended = tokio::select! {
                    () = shutdown.cancelled() => return Ok(()),
                    ended = follow(&source, &executor) => ended?,
                };
                if let Failure::Lying(reason) | Failure::OtherChain(reason) = &ended {
                    tracing::error!(node = url, reason, "this node is not to be used; following it no more");
                    *liar = Some(format!("{url} {ended}"));
                } else {
                    tracing::debug!(node = url, reason = %ended, "following another node");
                }
                tokio::select! {
                    () = shutdown.cancelled() => return Ok(()),
                    () = tokio::time::sleep(PAUSE) => {}
                }
            }
            if liars.iter().all(Option::is_some) {
                return Err(SyncError::Exhausted { failures: liars.into_iter().flatten().collect() }.into());
            }
        }
    }
}

/// Takes the blocks after the tip from `source` until something is wrong with it. `Err`: something is wrong here.
async fn follow(source: &Source, executor: &Executor) -> Result<Failure, NodeError> {
    if let Err(failure) = source.tip(executor.genesis()).await {
        return Ok(failure);
    }
    let from = executor.store().tip().height.get().saturating_add(1);
    let mut blocks = match source.grpc.clone().subscribe(wire::SubscribeRequest { from }).await {
        Ok(stream) => stream.into_inner(),
        Err(status) => return Ok(Failure::Unreachable(status.message().to_owned())),
    };
    loop {
        let message = match tokio::time::timeout(SILENCE, blocks.message()).await {
            Ok(Ok(Some(message))) => message,
            Ok(Ok(None)) => return Ok(Failure::Unreachable("the stream ended".to_owned())),
            Ok(Err(status)) => return Ok(Failure::Unreachable(status.message().to_owned())),
            Err(_) => return Ok(Failure::Unreachable("no block for a minute".to_owned())),
        };
        let block = match FinalizedBlock::try_from(message) {
            Ok(block) => block,
            Err(error) => return Ok(Failure::Lying(error.to_string())),
        };
        let executor = executor.clone();
        let applied = tokio::task::spawn_blocking(move || apply(&executor, block)).await;
        if let Some(failure) = applied.map_err(|error| NodeError::Task { reason: error.to_string() })?? {
            return Ok(failure);
        }
    }
}

/// Checks, executes and commits the next block.
fn apply(executor: &Executor, block: FinalizedBlock) -> Result<Option<Failure>, NodeError> {
    let header = &block.signed.header;
    if header.height <= executor.store().tip().height {
        return Ok(None);
    }
    let Some(certificate) = block.signed.certificate.clone() else {
        return Ok(Some(Failure::Lying(format!("block {} has no certificate", header.height))));
    };
    // The certificate first: executing is the dearer part.
    if let Err(error) = certificate.verify(&executor.genesis(), &executor.validators()?) {
        return Ok(Some(Failure::Lying(error.to_string())));
    }
    let block = Block { header: block.signed.header, transactions: block.transactions };
    match executor.validate(&block).and_then(|()| executor.commit(certificate)) {
        Ok(()) => Ok(None),
        Err(error @ NodeError::InvalidBlock { .. }) => Ok(Some(Failure::Lying(error.to_string()))),
        Err(error) => Err(error),
    }
}
