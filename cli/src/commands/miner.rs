//! `acumen miner`: the role, and what a miner's own record says (docs/spec/network.md, N-40).

use std::process::ExitCode;
use std::time::{SystemTime, UNIX_EPOCH};

use acumen_protocol::miner_record::SignedMinerRecord;
use acumen_protocol::{AccountId, Hash, TimestampMs};
use anyhow::{Result, bail};
use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::chain::{ChainOptions, age};
use super::roles;
use super::when::utc;
use crate::output;
use crate::runtime::block_on;

/// Commands of the miner.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    #[command(flatten)]
    Role(roles::Command),
    /// Show where a miner says that it serves now, its signature verified.
    /// Example: acumen miner record 5GrwvaEF5zXb26Fz9rcQpDWS57CtERHpNehXCPcNoHGKutQY --json
    Record(RecordArgs),
}

/// Arguments of `record`.
#[derive(Args, Debug)]
pub(crate) struct RecordArgs {
    /// The miner's hotkey
    hotkey: AccountId,
    #[command(flatten)]
    chain: ChainOptions,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

/// Runs the command.
pub(crate) fn run(command: Command) -> Result<ExitCode> {
    match command {
        Command::Role(command) => roles::miner(&command)?,
        Command::Record(args) => block_on(record(args))?,
    }
    Ok(ExitCode::SUCCESS)
}

async fn record(RecordArgs { hotkey, chain, json }: RecordArgs) -> Result<()> {
    let client = chain.connect().await?;
    let now_ms = now_ms();
    let Some(found) = client.find_record(hotkey, now_ms).await? else {
        bail!(
            "no node that was asked knows a record of {hotkey}: the miner does not run or publishes none, its hotkey has no \
             slot, or it has been gone for half an hour; `acumen metagraph` shows the endpoint on the chain"
        );
    };
    let genesis = client.genesis_hash();
    if json { output::json_line(&to_json(&found, &genesis)) } else { print(&found, &genesis, now_ms) }
}

fn to_json(found: &SignedMinerRecord, genesis: &Hash) -> Value {
    let record = &found.record;
    json!({
        "hotkey": record.hotkey.to_string(),
        "endpoint": record.endpoint.url(),
        "model": record.endpoint.model.to_string(),
        "tls_certificate": record.endpoint.certificate.map(|hash| hash.to_string()),
        "issued_ms": record.issued_ms,
        "expires_ms": record.expires_ms,
        "genesis": genesis.to_string(),
        "signature": format!("0x{}", hex::encode(found.signature.0)),
        "signature_verified": true,
    })
}

fn print(found: &SignedMinerRecord, genesis: &Hash, now_ms: u64) -> Result<()> {
    let record = &found.record;
    let certificate = record.endpoint.certificate.map(|hash| hash.to_string());
    let (issued, expires) = (TimestampMs::new(record.issued_ms), TimestampMs::new(record.expires_ms));
    output::line(format_args!("hotkey    {}", record.hotkey))?;
    output::line(format_args!("endpoint  {}", record.endpoint.url()))?;
    output::line(format_args!("model     {}", record.endpoint.model))?;
    output::line(format_args!("tls       {}", certificate.as_deref().unwrap_or("none: plain gRPC")))?;
    output::line(format_args!(
        "issued    {}, {} ago",
        utc(issued),
        age(now_ms.saturating_sub(record.issued_ms))
    ))?;
    output::line(format_args!(
        "expires   {}, in {}",
        utc(expires),
        age(record.expires_ms.saturating_sub(now_ms))
    ))?;
    output::line(format_args!("signed by the hotkey for the chain {genesis}: verified"))?;
    output::line("a hint, tried where the endpoint on the chain leads nowhere; nothing is proven by it")
}

fn now_ms() -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(now.as_millis()).unwrap_or(u64::MAX)
}
