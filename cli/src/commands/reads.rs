//! `acumen metagraph | emission | block`: reads that no node has to be believed for.

use acumen_chain_client::ledger::EpochRecord;
use acumen_chain_client::{ChainClient, MetagraphNeuron, Verified};
use acumen_protocol::{AccountId, Epoch, Height, TrackId};
use anyhow::{Context as _, Result};
use clap::Args;
use serde_json::{Value, json};

use super::amounts::{column, nacu, share};
use super::chain::{ChainOptions, ReadOptions, proof_line, verified};
use super::when::utc;
use crate::output;

/// Shows the neurons of a track. Example: acumen metagraph --track 0 --json
#[derive(Args, Debug)]
pub(crate) struct MetagraphArgs {
    /// The track
    #[arg(long, default_value_t = 0)]
    track: u16,
    #[command(flatten)]
    chain: ReadOptions,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

/// Shows what an epoch paid. Example: acumen emission --epoch 3 --json
#[derive(Args, Debug)]
pub(crate) struct EmissionArgs {
    /// The epoch [default: the last one that ended]
    #[arg(long)]
    epoch: Option<u64>,
    /// The track
    #[arg(long, default_value_t = 0)]
    track: u16,
    #[command(flatten)]
    chain: ChainOptions,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

/// Shows a block. Example: acumen block 20 --json
#[derive(Args, Debug)]
pub(crate) struct BlockArgs {
    /// The height [default: the newest]
    height: Option<u64>,
    #[command(flatten)]
    chain: ChainOptions,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

/// Prints a track's neurons.
pub(crate) async fn metagraph(args: MetagraphArgs) -> Result<()> {
    let client = args.chain.connect().await?;
    let Verified { value: graph, at } = client.metagraph(TrackId::new(args.track)).await?;
    if args.json {
        let neurons: Vec<Value> = graph.neurons.iter().map(neuron_json).collect();
        return output::json_line(&json!({
            "track": args.track,
            "name": graph.info.name,
            "epoch": graph.epoch.get(),
            "neurons": neurons,
            "verified": verified(&at),
        }));
    }
    output::line(format_args!("track {} ({}), epoch {}", args.track, graph.info.name, graph.epoch))?;
    output::line(
        "  uid  hotkey                                                     stake ACU  incentive  dividend  consensus  permit  serves",
    )?;
    for neuron in &graph.neurons {
        output::line(format_args!(
            "{:>5}  {}  {:>18}  {:>9.4}  {:>8.4}  {:>9.4}  {:>6}  {}",
            neuron.uid,
            neuron.hotkey,
            column(neuron.stake),
            share(neuron.incentive),
            share(neuron.dividend),
            share(neuron.consensus),
            if neuron.permit { "yes" } else { "no" },
            neuron.endpoint.as_ref().map_or("-", |endpoint| endpoint.url()),
        ))?;
    }
    proof_line(&at)
}

fn neuron_json(neuron: &MetagraphNeuron) -> Value {
    json!({
        "uid": neuron.uid.get(),
        "hotkey": neuron.hotkey.to_string(),
        "coldkey": neuron.coldkey.to_string(),
        "stake": nacu(neuron.stake),
        "take": share(neuron.take),
        "endpoint": neuron.endpoint.as_ref().map(|endpoint| endpoint.url()),
        "model": neuron.endpoint.as_ref().map(|endpoint| endpoint.model.to_string()),
        "validator_permit": neuron.permit,
        "registered_at": neuron.registered_at.get(),
        "last_update": neuron.last_update.get(),
        "consensus": share(neuron.consensus),
        "incentive": share(neuron.incentive),
        "dividend": share(neuron.dividend),
        "validator_trust": share(neuron.validator_trust),
        "emission": nacu(neuron.emission),
    })
}

/// Prints what an epoch decided and paid.
pub(crate) async fn emission(args: EmissionArgs) -> Result<()> {
    let client = args.chain.connect().await?;
    let track = TrackId::new(args.track);
    let epoch = match args.epoch {
        Some(epoch) => Epoch::new(epoch),
        None => last_epoch(&client, track).await?,
    };
    let Verified { value: record, at } = client.epoch_record(track, epoch).await?;
    if args.json {
        let mut line = record_json(&record);
        line["verified"] = verified(&at);
        return output::json_line(&line);
    }
    output::line(format_args!(
        "epoch {} of track {}, ended by block {}",
        record.epoch, record.track, record.height
    ))?;
    output::line(
        "  uid  hotkey                                            consensus  incentive  dividend     emission ACU",
    )?;
    for row in rows(&record) {
        output::line(format_args!(
            "{:>5}  {}  {:>9.4}  {:>9.4}  {:>8.4}  {:>15}",
            row.uid,
            row.hotkey,
            share(row.consensus),
            share(row.incentive),
            share(row.dividend),
            column(row.emission),
        ))?;
    }
    output::line(format_args!(
        "minted {}, burned {}, issuance {}",
        record.minted.to_acu_string(),
        record.burned.to_acu_string(),
        record.issuance.to_acu_string()
    ))?;
    proof_line(&at)
}

async fn last_epoch(client: &ChainClient, track: TrackId) -> Result<Epoch> {
    let params = client.params().await?.value;
    let ended = client.track(track).await?.value.last_epoch;
    Ok(params.epoch_of(ended.context("no epoch has ended yet: wait for the first one")?))
}

/// One neuron's part of an epoch.
pub(crate) struct Row {
    pub(crate) uid: usize,
    pub(crate) hotkey: AccountId,
    pub(crate) stake: acumen_protocol::Nacu,
    pub(crate) consensus: u16,
    pub(crate) incentive: u16,
    pub(crate) dividend: u16,
    /// What it was paid: as a miner and as a validator, delegators' part included.
    pub(crate) emission: acumen_protocol::Nacu,
}

/// The rows of a record, by uid.
pub(crate) fn rows(record: &EpochRecord) -> Vec<Row> {
    let at = |list: &[u16], uid: usize| list.get(uid).copied().unwrap_or(0);
    let amount = |list: &[acumen_protocol::Nacu], uid: usize| list.get(uid).copied().unwrap_or_default();
    let row = |(uid, hotkey): (usize, &AccountId)| Row {
        uid,
        hotkey: *hotkey,
        stake: amount(&record.stake, uid),
        consensus: at(&record.consensus, uid),
        incentive: at(&record.incentive, uid),
        dividend: at(&record.dividends, uid),
        emission: amount(&record.server_emission, uid)
            .checked_add(amount(&record.validator_emission, uid))
            .unwrap_or_default(),
    };
    record.hotkeys.iter().enumerate().map(row).collect()
}

fn record_json(record: &EpochRecord) -> Value {
    let neurons: Vec<Value> = rows(record)
        .iter()
        .map(|row| {
            json!({
                "uid": row.uid,
                "hotkey": row.hotkey.to_string(),
                "stake": nacu(row.stake),
                "consensus": share(row.consensus),
                "incentive": share(row.incentive),
                "dividend": share(row.dividend),
                "emission": nacu(row.emission),
            })
        })
        .collect();
    json!({
        "epoch": record.epoch.get(),
        "track": record.track.get(),
        "height": record.height.get(),
        "neurons": neurons,
        "owner_emission": nacu(record.owner_emission),
        "minted": nacu(record.minted),
        "burned": nacu(record.burned),
        "issuance": nacu(record.issuance),
    })
}

/// Prints a block whose certificate, transactions and events were checked.
pub(crate) async fn block(args: BlockArgs) -> Result<()> {
    let client = args.chain.connect().await?;
    let height = match args.height {
        Some(height) => Height::new(height),
        None => client.status().await?.tip.height,
    };
    let block = client.block(height).await?;
    let header = &block.header;
    let transactions: Vec<Value> = block
        .transactions
        .iter()
        .map(|signed| {
            let transaction = signed.unverified();
            json!({
                "id": signed.id().to_string(),
                "sender": transaction.sender.to_string(),
                "nonce": transaction.nonce.get(),
                "call": transaction.call.name(),
            })
        })
        .collect();
    if args.json {
        return output::json_line(&json!({
            "height": header.height.get(),
            "block": block.id.to_string(),
            "parent": header.parent.to_string(),
            "time_ms": header.time.get(),
            "proposer": header.proposer.to_string(),
            "state_root": header.state_root.to_string(),
            "transactions": transactions,
            "events": block.events.len(),
            "verified": verified(&block.at()),
        }));
    }
    output::line(format_args!("block {}  {}", header.height, block.id))?;
    output::line(format_args!("parent {}\nstate  {}", header.parent, header.state_root))?;
    output::line(format_args!("time   {}", utc(header.time)))?;
    output::line(format_args!("{} transactions, {} events", transactions.len(), block.events.len()))?;
    for signed in &block.transactions {
        let (id, transaction) = (signed.id(), signed.unverified());
        output::line(format_args!("  {id}  {:16} by {}", transaction.call.name(), transaction.sender))?;
    }
    output::line("its certificate, transactions and events are good")?;
    proof_line(&block.at())
}
