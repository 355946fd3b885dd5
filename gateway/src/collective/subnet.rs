//! The directory of a real subnet: the chain's metagraph, verified, and the validators' reports.
//!
//! Who the miners are and where they serve comes from the chain, with proofs. What their word weighs comes from the
//! validators that the operator trusts: the median of their pool weights. If none answers, incentive weighs.

use std::time::Duration;

use acumen_chain_client::{ChainClient, Metagraph, MetagraphNeuron, Verified};
use acumen_proto::validation_v1::validation_client::ValidationClient;
use acumen_proto::validation_v1::{GetReportRequest, GetReportResponse, MinerScore};
use acumen_protocol::{AccountId, Hash, TrackId};
use futures::FutureExt as _;
use futures::future::{BoxFuture, join_all};
use tonic::transport::{Channel, Endpoint};

use super::directory::{Directory, DirectoryError, Miner, Roster, WeightSource};
use crate::core::weights::median_shares;
use crate::{Config, ConfigError};

/// A validator that takes longer is left out this time.
const REPORT_TIMEOUT: Duration = Duration::from_secs(2);

/// Longest text of a validator's report that is kept, in characters.
const MAX_TEXT_CHARS: usize = 100;

/// Chain and validators.
#[derive(Debug)]
pub struct Subnet {
    nodes: Vec<String>,
    genesis: Option<Hash>,
    track: TrackId,
    validators: Vec<ValidationClient<Channel>>,
    chain: Option<ChainClient>,
}

impl Subnet {
    /// Prepares connections; nobody is asked yet. Must be called inside a Tokio runtime.
    ///
    /// # Errors
    /// An address or hash that is none.
    pub fn new(config: &Config) -> Result<Self, ConfigError> {
        let genesis = config.genesis()?;
        let validator = |url: &String| {
            let endpoint = Endpoint::from_shared(url.clone()).map_err(|error| ConfigError {
                field: "validators",
                reason: format!("`{url}` is no address, write http://HOST:PORT: {error}"),
            })?;
            Ok(ValidationClient::new(endpoint.connect_timeout(REPORT_TIMEOUT).connect_lazy()))
        };
        let validators = config.validators.iter().map(validator).collect::<Result<_, _>>()?;
        let (nodes, track) = (config.nodes.clone(), TrackId::new(config.track));
        Ok(Self { nodes, genesis, track, validators, chain: None })
    }

    async fn roster(&mut self) -> Result<Roster, DirectoryError> {
        let chain = match &self.chain {
            Some(chain) => chain,
            None => {
                let connected = ChainClient::connect(&self.nodes, self.genesis).await.map_err(unread)?;
                self.chain.insert(connected)
            }
        };
        let (metagraph, reports) =
            tokio::join!(chain.metagraph(self.track), reports(&self.validators, self.track));
        Ok(combine(&metagraph.map_err(unread)?, &reports))
    }
}

impl Directory for Subnet {
    fn read(&mut self) -> BoxFuture<'_, Result<Roster, DirectoryError>> {
        self.roster().boxed()
    }
}

fn unread(error: acumen_chain_client::ClientError) -> DirectoryError {
    DirectoryError { reason: error.to_string() }
}

async fn reports(validators: &[ValidationClient<Channel>], track: TrackId) -> Vec<GetReportResponse> {
    let ask = |validator: &ValidationClient<Channel>| {
        let mut validator = validator.clone();
        async move {
            let report = validator.get_report(GetReportRequest { epoch: 0 });
            let answer = tokio::time::timeout(REPORT_TIMEOUT, report).await.ok()?;
            answer.inspect_err(|error| tracing::debug!(%error, "a validator gave no report")).ok()
        }
    };
    let answers = join_all(validators.iter().map(ask)).await;
    let reports = answers.into_iter().flatten().map(tonic::Response::into_inner);
    reports.filter(|report| report.track == u32::from(track.get())).collect()
}

/// Chain and reports as one list.
fn combine(metagraph: &Verified<Metagraph>, reports: &[GetReportResponse]) -> Roster {
    let weights: Vec<Vec<(AccountId, f64)>> = reports.iter().map(weights_of).collect();
    let shares = median_shares(&weights);
    let serving: Vec<&MetagraphNeuron> =
        metagraph.value.neurons.iter().filter(|neuron| neuron.endpoint.is_some()).collect();
    let reported = |neuron: &MetagraphNeuron| shares.get(&neuron.hotkey).copied().unwrap_or(0.0);
    let source = if serving.iter().any(|neuron| reported(neuron) > 0.0) {
        WeightSource::Validators
    } else if serving.iter().any(|neuron| neuron.incentive > 0) {
        WeightSource::Incentive
    } else {
        WeightSource::Equal
    };
    let weight = |neuron: &MetagraphNeuron| match source {
        WeightSource::Validators => reported(neuron),
        WeightSource::Incentive => f64::from(neuron.incentive) / f64::from(u16::MAX),
        WeightSource::Equal | WeightSource::None => 1.0,
    };
    let miners = serving.iter().filter_map(|neuron| miner(neuron, weight(neuron), reports)).collect();
    Roster {
        height: metagraph.at.height,
        block: metagraph.at.block,
        source,
        validators: reports.len(),
        collective_bits_per_byte: median(reports.iter().map(|report| report.collective_bits_per_byte)),
        miners,
    }
    .ordered()
}

fn weights_of(report: &GetReportResponse) -> Vec<(AccountId, f64)> {
    let of = |score: &MinerScore| Some((score.hotkey.parse().ok()?, score.pool_weight));
    report.miners.iter().filter_map(of).collect()
}

fn miner(neuron: &MetagraphNeuron, weight: f64, reports: &[GetReportResponse]) -> Option<Miner> {
    let hotkey = neuron.hotkey.to_string();
    let scores: Vec<&MinerScore> =
        reports.iter().flat_map(|report| &report.miners).filter(|score| score.hotkey == hotkey).collect();
    let model = scores.iter().map(|score| score.model.as_str()).find(|model| !model.is_empty());
    Some(Miner {
        uid: neuron.uid,
        hotkey: neuron.hotkey,
        endpoint: neuron.endpoint.clone()?,
        model: model.unwrap_or_default().chars().take(MAX_TEXT_CHARS).collect(),
        weight,
        incentive: neuron.incentive,
        bits_per_byte: median(scores.iter().map(|score| score.held_out_bits_per_byte)),
    })
}

/// Of what was measured: a loss of 0 means that nothing was.
fn median(values: impl Iterator<Item = f64>) -> Option<f64> {
    let mut measured: Vec<f64> = values.filter(|value| value.is_finite() && *value > 0.0).collect();
    measured.sort_by(f64::total_cmp);
    measured.get(measured.len() / 2).copied()
}

#[cfg(test)]
mod tests;
