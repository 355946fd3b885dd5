//! Checks of records beside the network's task: registration is a read of the node's state, which may go to the disk, and
//! an sr25519 signature costs some 50 µs. The swarm waits for neither.

use std::collections::HashMap;

use acumen_protocol::Hash;
use acumen_protocol::miner_record::{RecordError, SignedMinerRecord};
use libp2p::{PeerId, kad};
use tokio::sync::oneshot;
use tokio::task::{Id, JoinSet};

use super::wall_ms;
use crate::net::handle::FindError;
use crate::net::registry::Registry;

/// Records checked at the same time: two bursts of a peer's.
const MAX_CHECKS: usize = 256;

/// Where a record came from.
#[derive(Debug)]
pub(super) enum Source {
    /// Handed in here by its miner, who waits for the answer.
    Miner(oneshot::Sender<Result<(), FindError>>),
    /// A peer wants it stored.
    Peer(PeerId),
    /// Found at a peer, or here if at none.
    Search { query: kad::QueryId, peer: Option<PeerId> },
}

/// A record with what its check says: `None` if the check broke, which is nobody's fault but this node's.
#[derive(Debug)]
pub(in crate::net) struct Checked {
    pub(super) source: Source,
    pub(super) record: SignedMinerRecord,
    pub(super) verdict: Option<Result<(), RecordError>>,
}

/// Checks that run.
#[derive(Debug, Default)]
pub(super) struct Checks {
    running: JoinSet<Result<(), RecordError>>,
    waiting: HashMap<Id, (Source, SignedMinerRecord)>,
}

impl Checks {
    /// Begins a check; hands the source back if too many run.
    pub(super) fn begin(
        &mut self,
        (genesis, registry): (Hash, &Registry),
        source: Source,
        record: SignedMinerRecord,
    ) -> Result<(), Source> {
        if self.waiting.len() >= MAX_CHECKS {
            return Err(source);
        }
        let (registry, checked) = (registry.clone(), record.clone());
        let task = self.running.spawn_blocking(move || {
            let hotkey = checked.record.hotkey;
            if !registry.knows(&hotkey) {
                return Err(RecordError::Unregistered { hotkey });
            }
            checked.check(&genesis, wall_ms())
        });
        self.waiting.insert(task.id(), (source, record));
        Ok(())
    }

    /// True if the very same record is being checked.
    pub(super) fn has(&self, record: &SignedMinerRecord) -> bool {
        self.waiting.values().any(|(_, waiting)| waiting == record)
    }

    /// The next check that is done; waits for ever while none runs.
    pub(super) async fn next(&mut self) -> Checked {
        loop {
            let Some(done) = self.running.join_next_with_id().await else {
                return std::future::pending().await;
            };
            let (id, verdict) = match done {
                Ok((id, verdict)) => (id, Some(verdict)),
                Err(error) => {
                    tracing::error!(%error, "the check of a miner's record broke");
                    (error.id(), None)
                }
            };
            if let Some((source, record)) = self.waiting.remove(&id) {
                return Checked { source, record, verdict };
            }
        }
    }
}
