//! Transactions that are submitted one by one, checked together: whatever comes while a set is checked is the next set, so
//! that nobody waits for company and a busy node checks many at once.

use acumen_protocol::{Hash, SignedTransaction};
use tokio::sync::{mpsc, oneshot};

use crate::executor::Executor;
use crate::mempool::PoolError;

/// Transactions that may wait for the set before them; more wait in their own connections.
const WAITING: usize = 1_024;

/// Most transactions of one set: about ten milliseconds of signatures on one core.
const SET: usize = 512;

type Brought = (SignedTransaction, oneshot::Sender<Result<Hash, PoolError>>);

/// Takes transactions. Cheap to clone; ends with its last clone.
#[derive(Clone, Debug)]
pub(super) struct Intake(mpsc::Sender<Brought>);

impl Intake {
    /// Begins to take transactions for `executor`'s pool.
    pub(super) fn new(executor: Executor) -> Self {
        let (sender, mut waiting) = mpsc::channel::<Brought>(WAITING);
        tokio::spawn(async move {
            let mut set = Vec::with_capacity(SET);
            while waiting.recv_many(&mut set, SET).await > 0 {
                let (signed, replies): (Vec<_>, Vec<_>) = set.drain(..).unzip();
                let executor = executor.clone();
                let answers = tokio::task::spawn_blocking(move || executor.submit_all(signed)).await;
                for (reply, answer) in replies.into_iter().zip(answers.unwrap_or_default()) {
                    // Who has gone away needs no answer.
                    let _ = reply.send(answer);
                }
            }
        });
        Self(sender)
    }

    /// Checks, queues and publishes a transaction.
    pub(super) async fn submit(&self, signed: SignedTransaction) -> Result<Hash, PoolError> {
        let broken = || PoolError::Internal { reason: "the node is stopping".to_owned() };
        let (reply, answer) = oneshot::channel();
        self.0.send((signed, reply)).await.map_err(|_| broken())?;
        answer.await.map_err(|_| broken())?
    }
}
