//! Follows the chain from epoch to epoch and gathers what there is to say about each.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use acumen_chain_client::{BlockStream, ChainClient, VerifiedBlock};
use acumen_proto::validation_v1::validation_client::ValidationClient;
use acumen_proto::validation_v1::{GetReportRequest, GetReportResponse};
use acumen_protocol::{Epoch, Height, TrackId};
use anyhow::{Context as _, Result};
use futures::StreamExt as _;
use tokio::time::{Instant, sleep, timeout};
use tonic::transport::Endpoint;

use super::plan::{Plan, Role};
use super::report::EpochReport;

/// How long a validator may take to hand out its report. One that is down is left out.
const REPORT_TIMEOUT: Duration = Duration::from_secs(2);

/// How long the node may be away when an epoch is to be read: longer than the supervisor's longest wait.
const PATIENCE: Duration = Duration::from_secs(60);
/// Pause between two attempts.
const RETRY: Duration = Duration::from_millis(200);

/// Yields a report at the end of each epoch.
pub(crate) struct Watch {
    client: ChainClient,
    blocks: BlockStream,
    /// Blocks from before are not news: a node that is asked at once after a start may be behind the others.
    since: SystemTime,
    tempo: u64,
    validators: Vec<String>,
}

impl Watch {
    /// Watches from `from` on, for blocks that were made after `since`.
    pub(crate) fn new(client: &ChainClient, plan: &Plan, from: Height, since: SystemTime) -> Self {
        Self {
            client: client.clone(),
            blocks: client.subscribe(Some(from)),
            since,
            tempo: plan.tempo,
            validators: plan.of(Role::Validator).map(super::plan::Process::url).collect(),
        }
    }

    /// Waits for the end of the next epoch. Survives a node that restarts: the stream reconnects by itself.
    pub(crate) async fn next_epoch(&mut self) -> Result<EpochReport> {
        loop {
            match self.blocks.next().await.context("the stream of blocks ended")? {
                Ok(block) if self.is_news(&block) => {
                    return self.patient_report(&block).await;
                }
                Ok(_) => {}
                Err(error) => tracing::warn!(%error, "waiting for the node"),
            }
        }
    }

    fn is_news(&self, block: &VerifiedBlock) -> bool {
        let made = UNIX_EPOCH + Duration::from_millis(block.header.time.get());
        block.header.height.get().is_multiple_of(self.tempo) && made >= self.since
    }

    /// The node may be restarting at this very moment: what it has finalised, it will tell again.
    async fn patient_report(&self, block: &VerifiedBlock) -> Result<EpochReport> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            match self.report(block).await {
                Err(error) if Instant::now() < deadline => {
                    tracing::warn!(%error, "waiting for the node");
                    sleep(RETRY).await;
                }
                outcome => return outcome,
            }
        }
    }

    async fn report(&self, block: &VerifiedBlock) -> Result<EpochReport> {
        let epoch = Epoch::new(block.header.height.get() / self.tempo);
        let record = self.client.epoch_record(TrackId::ZERO, epoch).await?.value;
        let supply = self.client.supply_at(block.header.height).await?;
        let mut scores = Vec::new();
        for url in &self.validators {
            if let Some(report) = fetch(url, epoch).await {
                scores.push(report);
            }
        }
        Ok(EpochReport {
            record,
            block: block.id,
            state_root: block.header.state_root,
            balances_total: supply.balances_total,
            scores,
        })
    }
}

/// The report of the epoch, or the newest one if that was not measured.
async fn fetch(url: &str, epoch: Epoch) -> Option<GetReportResponse> {
    let attempt = async {
        let channel = Endpoint::from_shared(url.to_owned()).ok()?.connect().await.ok()?;
        let mut client = ValidationClient::new(channel);
        match client.get_report(GetReportRequest { epoch: epoch.get() }).await {
            Ok(report) => Some(report.into_inner()),
            Err(_) => Some(client.get_report(GetReportRequest { epoch: 0 }).await.ok()?.into_inner()),
        }
    };
    timeout(REPORT_TIMEOUT, attempt).await.ok().flatten()
}
