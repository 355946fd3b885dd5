//! `acumen verify`: follow finality from genesis as a light client.

use std::path::PathBuf;

use acumen_chain_client::ledger::Genesis;
use acumen_chain_client::light::LightClient;
use acumen_chain_client::{ChainClient, VerifiedAt};
use acumen_protocol::Height;
use anyhow::{Context as _, Result, bail};
use futures::StreamExt as _;
use serde_json::json;

use super::chain::{ChainOptions, verified};
use crate::output;

/// Follows finality. Example: acumen verify --from-genesis localnet/genesis.json
#[derive(clap::Args, Debug)]
pub(crate) struct Args {
    /// The genesis document that you trust [default: the node's, then only its own consistency is shown]
    #[arg(long, value_name = "FILE")]
    from_genesis: Option<PathBuf>,
    #[command(flatten)]
    chain: ChainOptions,
    /// Go on with new blocks until Ctrl-C, one line per block
    #[arg(long)]
    follow: bool,
    /// Print JSON lines
    #[arg(long)]
    json: bool,
}

/// Checks every block from genesis to the tip: link, certificate, transactions, events.
pub(crate) async fn run(args: Args) -> Result<()> {
    let client = args.chain.connect().await?;
    if let Some(path) = &args.from_genesis {
        check_genesis(&client, path)?;
    }
    let tip = client.status().await?.tip;
    let checked = follow(&client, &tip, &args).await?;
    let genesis = client.genesis_hash().to_string();
    if args.json {
        return output::json_line(
            &json!({ "genesis": genesis, "blocks": checked, "verified": verified(&tip) }),
        );
    }
    output::line(format_args!("genesis {genesis}"))?;
    if args.from_genesis.is_none() {
        output::line("the node itself named this genesis: give the one that you trust with --from-genesis")?;
    }
    output::line(format_args!(
        "{checked} blocks checked: links, certificates, transactions and events are good"
    ))?;
    output::line(format_args!("tip     {} at height {}", tip.block, tip.height))
}

/// Checks block after block up to the tip, or for ever; returns how many.
async fn follow(client: &ChainClient, tip: &VerifiedAt, args: &Args) -> Result<u64> {
    let mut blocks = client.subscribe(Some(Height::new(1)));
    let mut checked = 0;
    let mut height = Height::ZERO;
    while args.follow || height < tip.height {
        let block = blocks.next().await.context("the node ended the stream")??;
        height = block.header.height;
        checked += 1;
        if height == tip.height && block.id != tip.block {
            bail!("the node told two stories about block {height}: {} and {}", tip.block, block.id);
        }
        if args.follow && args.json {
            output::json_line(&verified(&block.at()))?;
        } else if args.follow {
            output::line(format_args!("block {height} is final"))?;
        }
    }
    Ok(checked)
}

fn check_genesis(client: &ChainClient, path: &PathBuf) -> Result<()> {
    let shown = path.display();
    let text = std::fs::read_to_string(path).with_context(|| format!("cannot read {shown}"))?;
    let genesis = Genesis::from_json(&text).with_context(|| shown.to_string())?;
    let trusted = LightClient::from_genesis(&genesis).with_context(|| shown.to_string())?.genesis();
    let found = client.genesis_hash();
    if trusted != found {
        bail!("the node's chain begins with {found}, {shown} with {trusted}: this is another chain");
    }
    Ok(())
}
