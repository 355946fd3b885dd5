//! The door for an ordering engine.
//!
//! An engine drives heights: it asks the [`Executor`] to propose or to validate a block, gets it decided, and hands the
//! block with its certificate back. No type of an engine appears in any wire or disk format.

use std::future::Future;

use tokio_util::sync::CancellationToken;

use crate::error::NodeError;
use crate::executor::Executor;

/// Decides blocks until it is told to stop. An error ends the node.
pub trait Engine: Send + 'static {
    /// Runs from the executor's tip on.
    fn run(
        self,
        executor: Executor,
        shutdown: CancellationToken,
    ) -> impl Future<Output = Result<(), NodeError>> + Send;
}
