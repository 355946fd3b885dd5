//! Ordering by one node alone.
//!
//! The node is the whole validator set, so its own precommit is a certificate. It proposes durably before it signs, and
//! after a restart proposes the same block again: no height is ever signed twice with different content.

use std::time::Duration;

use acumen_protocol::{Certificate, ConsensusKeypair, TimestampMs};
use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;

use crate::engine::Engine;
use crate::error::NodeError;
use crate::executor::Executor;

/// The engine of a chain with one validator.
#[derive(Debug)]
pub struct Solo {
    key: ConsensusKeypair,
    block_time: Duration,
}

impl Solo {
    /// Decides with `key`, a block every `block_time`. Refuses a chain that has other validators.
    pub fn new(executor: &Executor, key: ConsensusKeypair, block_time: Duration) -> Result<Self, NodeError> {
        let set = executor.validators()?;
        match set.validators() {
            [only] if only.key == key.public() => Ok(Self { key, block_time }),
            [only] => Err(NodeError::NotValidator {
                found: key.public().to_string(),
                expected: only.key.to_string(),
            }),
            several => Err(NodeError::Replication { count: several.len() }),
        }
    }

    /// Proposes, signs and commits the next block.
    fn decide(&self, executor: &Executor) -> Result<(), NodeError> {
        let block = executor.propose(&self.key.public(), now())?;
        let (height, id) = (block.header.height, block.header.id());
        executor.store().record_proposal(&block)?;
        let signature = Certificate::vote(&self.key, &executor.genesis(), height, 0, &id);
        let signatures = vec![(self.key.public(), signature)];
        executor.commit(block, Certificate { height, round: 0, block: id, signatures })
    }
}

/// The proposer's clock. A clock before 1970 counts as 1970: the executor keeps block times rising anyway.
fn now() -> TimestampMs {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    TimestampMs::new(u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
}

impl Engine for Solo {
    async fn run(self, executor: Executor, shutdown: CancellationToken) -> Result<(), NodeError> {
        let mut ticks = tokio::time::interval(self.block_time);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let engine = std::sync::Arc::new(self);
        loop {
            tokio::select! {
                () = shutdown.cancelled() => return Ok(()),
                _ = ticks.tick() => {}
            }
            let (engine, executor) = (engine.clone(), executor.clone());
            let decided = tokio::task::spawn_blocking(move || engine.decide(&executor)).await;
            decided.map_err(|error| NodeError::Task { reason: error.to_string() })??;
        }
    }
}
