//! Publishes the miner's record at its nodes: what it serves and where, signed, for readers whom the chain's endpoint does
//! not lead here (docs/spec/network.md, N-40). The plan says when; this carries it out.
//!
//! Nothing here ends the miner. A failure is logged when it is new, and tried again after a pause that grows.

mod plan;

use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use acumen_protocol::AccountId;
use acumen_protocol::call::Endpoint;
use tokio::sync::watch;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::chain::{ChainError, ChainView};
use crate::service::Shared;
use plan::Plan;

/// What the publisher works on.
pub(crate) struct Publisher<C> {
    pub(crate) chain: Arc<C>,
    pub(crate) shared: Arc<Shared>,
    pub(crate) hotkey: AccountId,
    /// What to publish; it changes with the model.
    pub(crate) endpoint: watch::Receiver<Endpoint>,
    /// Whether the hotkey has a slot: nodes keep nobody else's record.
    pub(crate) registered: watch::Receiver<bool>,
}

impl<C: ChainView> Publisher<C> {
    /// Runs until `stop`.
    pub(crate) async fn run(self, stop: CancellationToken) {
        tokio::select! {
            () = stop.cancelled() => {}
            () = self.publish() => {}
        }
    }

    async fn publish(mut self) {
        let started = Instant::now();
        let now = || millis(started.elapsed());
        let mut plan = Plan::new(self.hotkey, self.endpoint.borrow_and_update().clone());
        let mut said = Said::default();
        // Ends with the watcher, which is with the miner.
        while self.registered.wait_for(|registered| *registered).await.is_ok() {
            tokio::select! {
                () = tokio::time::sleep_until(started + Duration::from_millis(plan.due_ms())) => {}
                Ok(()) = self.endpoint.changed() => {
                    plan.change(self.endpoint.borrow_and_update().clone(), now());
                    continue;
                }
            }
            let result = self.chain.publish_record(plan.issue(wall_ms())).await;
            self.shared.metrics.record_published(if result.is_ok() { "ok" } else { "error" });
            match &result {
                Ok(()) => plan.published(now()),
                Err(_) => plan.failed(now()),
            }
            said.about(result);
        }
    }
}

/// Says a thing when it is new.
#[derive(Default)]
struct Said(Option<Result<(), ChainError>>);

impl Said {
    fn about(&mut self, result: Result<(), ChainError>) {
        match &result {
            _ if self.0.as_ref() == Some(&result) => {
                tracing::debug!(?result, "record published, or not, again");
            }
            Ok(()) => {
                tracing::info!("record published: readers find this miner while the chain's endpoint is old");
            }
            Err(error) => tracing::warn!(%error, "the record is not published; trying again"),
        }
        self.0 = Some(result);
    }
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

fn wall_ms() -> u64 {
    millis(SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default())
}
