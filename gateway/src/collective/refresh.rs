//! Keeps the roster fresh in the background: a request never waits for the chain.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;

use super::directory::{Directory, Roster};
use crate::metrics::Metrics;

/// Reads `directory` every `interval` until `shutdown`. After a failure the last roster stays: miners do not vanish
/// because a node is restarted.
pub async fn refresh(
    mut directory: impl Directory,
    interval: Duration,
    roster: watch::Sender<Arc<Roster>>,
    metrics: Arc<Metrics>,
    shutdown: CancellationToken,
) {
    let mut ticks = tokio::time::interval(interval);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut failing = false;
    loop {
        tokio::select! {
            () = shutdown.cancelled() => return,
            _ = ticks.tick() => {}
        }
        let read = tokio::select! {
            () = shutdown.cancelled() => return,
            read = directory.read() => read,
        };
        match read {
            Ok(read) => {
                let known = read.miners.len();
                if failing || roster.borrow().miners.len() != known {
                    tracing::info!(miners = known, height = %read.height, source = ?read.source, "miners known");
                }
                metrics.miners.set(i64::try_from(known).unwrap_or(i64::MAX));
                roster.send_replace(Arc::new(read));
                failing = false;
            }
            Err(error) => {
                if !failing {
                    tracing::warn!(%error, "keeping the last list of miners");
                }
                metrics.refresh_failures.inc();
                failing = true;
            }
        }
    }
}
