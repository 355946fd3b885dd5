//! Reports: one JSON file per epoch, the recent ones in memory, served as `acumen.validation.v1`.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, PoisonError, RwLock};

use acumen_proto::validation_v1 as wire;
use acumen_proto::validation_v1::validation_server::Validation;
use tonic::{Request, Response, Status};

use super::store::replace;
use crate::Error;
use crate::core::report::{EpochReport, MinerReport};

/// Reports kept in memory; older ones stay on disk.
const RECENT: usize = 64;

/// The reports of one validator. Clones share them.
#[derive(Debug, Clone)]
pub(crate) struct Reports {
    folder: PathBuf,
    recent: Arc<RwLock<BTreeMap<u64, Arc<EpochReport>>>>,
}

impl Reports {
    /// Reads the newest reports of `folder`; one that cannot be read is skipped with a warning.
    pub(crate) fn open(folder: PathBuf) -> Self {
        let files = std::fs::read_dir(&folder).into_iter().flatten().flatten().map(|entry| entry.path());
        let mut files: Vec<PathBuf> =
            files.filter(|path| path.extension().is_some_and(|extension| extension == "json")).collect();
        files.sort();
        let mut recent = BTreeMap::new();
        for path in files.iter().rev().take(RECENT) {
            let read = std::fs::read(path).map_err(|error| error.to_string());
            let report = read.and_then(|bytes| {
                serde_json::from_slice::<EpochReport>(&bytes).map_err(|error| error.to_string())
            });
            match report {
                Ok(report) => _ = recent.insert(report.epoch, Arc::new(report)),
                Err(error) => tracing::warn!(file = %path.display(), error, "a report cannot be read"),
            }
        }
        Self { folder, recent: Arc::new(RwLock::new(recent)) }
    }

    /// Writes a report and shows it from now on.
    pub(crate) fn publish(&self, report: EpochReport) -> Result<(), Error> {
        let path = self.folder.join(format!("epoch-{:06}.json", report.epoch));
        let bytes = serde_json::to_vec_pretty(&report).map_err(|error| Error::Damaged {
            path: path.clone(),
            reason: error.to_string(),
            advice: "this is a defect of the program",
        })?;
        let mut recent = self.recent.write().unwrap_or_else(PoisonError::into_inner);
        recent.insert(report.epoch, Arc::new(report));
        while recent.len() > RECENT {
            recent.pop_first();
        }
        drop(recent);
        replace(&path, &bytes, 0o644)
    }

    /// The report of an epoch, or the newest for `None`.
    pub(crate) fn get(&self, epoch: Option<u64>) -> Option<Arc<EpochReport>> {
        let recent = self.recent.read().unwrap_or_else(PoisonError::into_inner);
        match epoch {
            Some(epoch) => recent.get(&epoch).cloned(),
            None => recent.last_key_value().map(|(_, report)| Arc::clone(report)),
        }
    }
}

#[tonic::async_trait]
impl Validation for Reports {
    async fn get_report(
        &self,
        request: Request<wire::GetReportRequest>,
    ) -> Result<Response<wire::GetReportResponse>, Status> {
        let epoch = Some(request.into_inner().epoch).filter(|epoch| *epoch > 0);
        match self.get(epoch) {
            Some(report) => Ok(Response::new(to_wire(&report))),
            None => Err(Status::not_found(match epoch {
                Some(epoch) => {
                    format!("no report of epoch {epoch}: it was not evaluated, or is no longer kept")
                }
                None => "no epoch was evaluated yet".to_owned(),
            })),
        }
    }
}

fn to_wire(report: &EpochReport) -> wire::GetReportResponse {
    wire::GetReportResponse {
        epoch: report.epoch,
        track: u32::from(report.track),
        validator: report.validator.to_string(),
        miners: report.miners.iter().map(miner).collect(),
        collective_bits_per_byte: report.collective_bits_per_byte,
        held_out_bytes: report.held_out_bytes,
        generator_entropy: report.generator_entropy,
    }
}

fn miner(miner: &MinerReport) -> wire::MinerScore {
    wire::MinerScore {
        uid: u32::from(miner.uid),
        hotkey: miner.hotkey.to_string(),
        model: miner.model.clone(),
        nats_per_byte: miner.nats_per_byte,
        own_gain: miner.own_gain,
        own_gain_low: miner.own_gain_low,
        own_gain_high: miner.own_gain_high,
        marginal: miner.marginal,
        reward: miner.reward,
        availability: miner.availability,
        pool_weight: miner.pool_weight,
        cluster: u32::from(miner.cluster),
        held_out_bits_per_byte: miner.held_out_bits_per_byte,
        weight: u32::from(miner.weight),
        fault: miner.fault.clone().unwrap_or_default(),
    }
}
