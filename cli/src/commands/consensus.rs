//! `acumen validators | proposals | transaction`: who decides, what is voted on, what became of a transaction.

use acumen_chain_client::Verified;
use acumen_chain_client::ledger::{Event, Proposal, ProposalStatus};
use acumen_protocol::call::Action;
use acumen_protocol::{ConsensusPublic, Hash};
use anyhow::Result;
use clap::Args;
use serde_json::{Value, json};

use super::amounts::nacu;
use super::chain::{ChainOptions, ReadOptions, proof_line, verified};
use crate::output;

/// Shows who decides blocks. Example: acumen validators --json
#[derive(Args, Debug)]
pub(crate) struct ValidatorsArgs {
    #[command(flatten)]
    chain: ReadOptions,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

/// Shows what is voted on, and what was decided lately. Example: acumen proposals
#[derive(Args, Debug)]
pub(crate) struct ProposalsArgs {
    #[command(flatten)]
    chain: ReadOptions,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

/// Shows what a transaction did. Example: acumen transaction 0x…
#[derive(Args, Debug)]
pub(crate) struct TransactionArgs {
    /// The transaction's id
    id: Hash,
    #[command(flatten)]
    chain: ChainOptions,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

/// Prints the set that decides the next block.
pub(crate) async fn validators(args: ValidatorsArgs) -> Result<()> {
    let client = args.chain.connect().await?;
    let Verified { value: set, at } = client.validator_set().await?;
    let keys: Vec<ConsensusPublic> = set.validators().iter().map(|voter| voter.key).collect();
    let records = client.at(at.height).consensus_keys(&keys).await?.value;
    let hotkeys: Vec<Option<String>> = records
        .iter()
        .map(|record| record.and_then(|record| record.hotkey).map(|key| key.to_string()))
        .collect();
    let rows = set.validators().iter().zip(&hotkeys);
    let total: u64 = set.validators().iter().map(|voter| voter.power).sum();
    if args.json {
        let rows: Vec<Value> = rows
            .map(|(voter, hotkey)| {
                json!({ "key": voter.key.to_string(), "power": voter.power.to_string(), "hotkey": hotkey })
            })
            .collect();
        let hash = set.hash().to_string();
        return output::json_line(
            &json!({ "validators": rows, "power": total.to_string(), "hash": hash, "verified": verified(&at) }),
        );
    }
    for (voter, hotkey) in rows {
        let part = voter.power as f64 / total.max(1) as f64 * 100.0;
        let hotkey = hotkey.as_deref().unwrap_or("of genesis");
        output::line(format_args!("{}  {part:5.1} %  {hotkey}", voter.key))?;
    }
    proof_line(&at)
}

/// Prints proposals.
pub(crate) async fn proposals(args: ProposalsArgs) -> Result<()> {
    let client = args.chain.connect().await?;
    let Verified { value: proposals, at } = client.proposals().await?;
    if args.json {
        let proposals: Vec<Value> = proposals.iter().map(proposal_json).collect();
        return output::json_line(&json!({ "proposals": proposals, "verified": verified(&at) }));
    }
    if proposals.is_empty() {
        output::line("there are no proposals")?;
    }
    for proposal in &proposals {
        let then = match proposal.status {
            ProposalStatus::Open => format!("votes count up to epoch {}", proposal.closes),
            ProposalStatus::Adopted => format!("adopted, in force after epoch {}", proposal.enacts),
            status => status_name(status).to_owned(),
        };
        output::line(format_args!("{}  {}  ({then})", proposal.id, action_text(&proposal.action)))?;
    }
    proof_line(&at)
}

const fn status_name(status: ProposalStatus) -> &'static str {
    match status {
        ProposalStatus::Open => "open",
        ProposalStatus::Adopted => "adopted",
        ProposalStatus::Refused => "refused",
        ProposalStatus::Enacted => "enacted",
        ProposalStatus::Void => "void",
        _ => "unknown",
    }
}

fn action_text(action: &Action) -> String {
    match action {
        Action::SetParameter { name, value } => format!("{name} = {value}"),
        Action::CreateTrack { name, owner, emission_share } => {
            format!("track {name:?} of {owner} with share {emission_share}")
        }
        Action::SetTrackShare { track, emission_share } => format!("track {track}: share {emission_share}"),
        _ => "an action of a newer version".to_owned(),
    }
}

fn proposal_json(proposal: &Proposal) -> Value {
    let tally = proposal.tally.map(|tally| {
        json!({ "approve": nacu(tally.approve), "refuse": nacu(tally.refuse), "total": nacu(tally.total) })
    });
    json!({
        "id": proposal.id,
        "proposer": proposal.proposer.to_string(),
        "action": action_text(&proposal.action),
        "status": status_name(proposal.status),
        "closes": proposal.closes.get(),
        "enacts": proposal.enacts.get(),
        "tally": tally,
    })
}

/// Prints a transaction's events, each proven to be of its block.
pub(crate) async fn transaction(args: TransactionArgs) -> Result<()> {
    let client = args.chain.connect().await?;
    let Verified { value: events, at } = client.transaction_events(args.id).await?;
    let failure = events.iter().find_map(|event| match event {
        Event::Failed { reason, .. } => Some(reason.to_string()),
        _ => None,
    });
    let texts: Vec<String> = events.iter().map(ToString::to_string).collect();
    if args.json {
        return output::json_line(&json!({
            "id": args.id.to_string(),
            "applied": failure.is_none(),
            "failure": failure,
            "events": texts,
            "verified": verified(&at),
        }));
    }
    output::line(match &failure {
        None => format!("applied in block {}", at.height),
        Some(reason) => format!("failed in block {}: {reason}", at.height),
    })?;
    for text in texts {
        output::line(format_args!("  {text}"))?;
    }
    proof_line(&at)
}
