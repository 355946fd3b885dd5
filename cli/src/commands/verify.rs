//! `acumen verify`: follow finality as a light client, from genesis or a checkpoint, and hold the nodes to each other.

use std::path::{Path, PathBuf};

use acumen_chain_client::ledger::Genesis;
use acumen_chain_client::light::{Fork, LightClient};
use acumen_chain_client::{ChainClient, Testimony, VerifiedAt, Witness};
use acumen_protocol::Height;
use acumen_protocol::codec::Encode as _;
use anyhow::{Context as _, Result, bail};
use futures::StreamExt as _;
use serde_json::json;

use super::chain::{ChainOptions, proof_line, verified};
use crate::output;

/// Follows finality. Example: acumen verify --from-genesis localnet/genesis.json
#[derive(clap::Args, Debug)]
pub(crate) struct Args {
    /// The genesis document that you trust [default: the node's, then only its own consistency is shown]
    #[arg(long, value_name = "FILE")]
    from_genesis: Option<PathBuf>,
    #[command(flatten)]
    chain: ChainOptions,
    /// Only follow the validator sets to the tip, one header of each epoch, and skip the blocks between
    #[arg(long, conflicts_with = "follow")]
    fast: bool,
    /// Write the tip as a checkpoint that others can begin from
    #[arg(long, value_name = "FILE")]
    write_checkpoint: Option<PathBuf>,
    /// Where to write evidence if the chain has forked, one file for each validator
    #[arg(long, value_name = "DIR", default_value = ".")]
    evidence_dir: PathBuf,
    /// Go on with new blocks until Ctrl-C, one line per block
    #[arg(long)]
    follow: bool,
    /// Print JSON lines
    #[arg(long)]
    json: bool,
}

/// Checks every block from where trust begins to the tip (link, certificate, transactions, events), then what each node
/// says about the tip.
pub(crate) async fn run(args: Args) -> Result<()> {
    let client = args.chain.connect().await?;
    if let Some(path) = &args.from_genesis {
        check_genesis(&client, path)?;
    }
    let tip = client.status().await?.tip;
    let Checked { blocks: checked, skipped } =
        if args.fast { Checked::default() } else { follow(&client, &tip, &args).await? };
    let witnesses = client.witnesses(tip.height).await;
    if let Some(path) = &args.write_checkpoint {
        let text = format!("{}:{}\n", tip.height, tip.block);
        std::fs::write(path, text).with_context(|| format!("cannot write {}", path.display()))?;
    }
    let told: Vec<(String, String)> =
        witnesses.iter().map(|witness| (witness.node.clone(), testimony(witness))).collect();
    let genesis = client.genesis_hash().to_string();
    if args.json {
        let nodes: Vec<_> = told.iter().map(|(node, says)| json!({ "node": node, "says": says })).collect();
        output::json_line(&json!({
            "genesis": genesis,
            "from": client.anchor().get(),
            "blocks": checked,
            "skipped": skipped.map(|(first, last)| json!({ "first": first.get(), "last": last.get() })),
            "nodes": nodes,
            "verified": verified(&tip),
        }))?;
        return judge(&witnesses, &args.evidence_dir);
    }
    output::line(format_args!("genesis {genesis}"))?;
    if args.from_genesis.is_none() && args.chain.checkpoint.is_none() {
        output::line("the node itself named this genesis: give the one that you trust with --from-genesis")?;
    }
    if let Some((first, last)) = skipped {
        output::line(format_args!(
            "blocks {first} to {last} are kept by no node that was asked: of them only the last header of each epoch was \
             checked"
        ))?;
    }
    match checked {
        0 => output::line("the validator sets lead to the tip, one header of each epoch checked")?,
        blocks => output::line(format_args!(
            "{blocks} blocks checked: links, certificates, transactions and events are good"
        ))?,
    }
    output::line(format_args!("tip     {} at height {}", tip.block, tip.height))?;
    for (node, says) in &told {
        output::line(format_args!("node    {node} {says}"))?;
    }
    proof_line(&tip)?;
    judge(&witnesses, &args.evidence_dir)
}

fn testimony(witness: &Witness) -> String {
    match &witness.testimony {
        Testimony::Agrees(_) => "agrees".to_owned(),
        Testimony::Forked(_) => "shows another certified block: the chain has forked".to_owned(),
        Testimony::Lies(error) => format!("lies: {error}"),
        Testimony::Silent(error) => format!("has no answer: {error}"),
    }
}

/// A lie or a fork is a failure of the command; evidence of a fork is written down.
fn judge(witnesses: &[Witness], dir: &Path) -> Result<()> {
    for witness in witnesses {
        match &witness.testimony {
            Testimony::Forked(fork) => return Err(forked(fork, dir)?),
            Testimony::Lies(error) => bail!("{error}"),
            Testimony::Agrees(_) | Testimony::Silent(_) => {}
        }
    }
    Ok(())
}

fn forked(fork: &Fork, dir: &Path) -> Result<anyhow::Error> {
    let mut files = Vec::new();
    for evidence in fork.evidence() {
        let path = dir.join(format!("equivocation-{}-{}.hex", evidence.height(), evidence.offender()));
        std::fs::write(&path, format!("0x{}\n", hex::encode(evidence.encode())))
            .with_context(|| format!("cannot write {}", path.display()))?;
        files.push(path.display().to_string());
    }
    let what = if files.is_empty() {
        "the rounds differ, so no two signatures alone show who broke the rules".to_owned()
    } else {
        format!("submit with `acumen tx report-equivocation --evidence FILE`: {}", files.join(", "))
    };
    Ok(anyhow::anyhow!("{fork}; {what}"))
}

/// What block after block has shown.
#[derive(Default)]
struct Checked {
    /// Blocks that were checked.
    blocks: u64,
    /// The first and the last of those before them that no node keeps.
    skipped: Option<(Height, Height)>,
}

/// Checks block after block up to the tip, or for ever. What no node keeps is left out, if all of them began with a
/// state.
async fn follow(client: &ChainClient, tip: &VerifiedAt, args: &Args) -> Result<Checked> {
    let mut height = client.anchor();
    let mut blocks = client.subscribe(height.next());
    let mut checked = Checked::default();
    while args.follow || height < tip.height {
        let block = match blocks.next().await.context("the node ended the stream")? {
            Err(error) if error.is_denial() && checked.blocks == 0 && checked.skipped.is_none() => {
                let kept = client.status().await?.first_block.and_then(Height::previous);
                let (Some(first), Some(last)) = (height.next(), kept.filter(|last| *last > height)) else {
                    return Err(error.into());
                };
                checked.skipped = Some((first, last));
                height = last;
                blocks = client.subscribe(last.next());
                continue;
            }
            block => block?,
        };
        height = block.header.height;
        checked.blocks += 1;
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
