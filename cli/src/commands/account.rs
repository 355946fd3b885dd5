//! `acumen account`: everything that belongs to an address, proven against one block.

use acumen_chain_client::ledger::Hotkey;
use acumen_chain_client::{Position, Verified};
use acumen_protocol::AccountId;
use anyhow::Result;
use clap::Args;
use serde_json::{Value, json};

use super::amounts::{nacu, percent, share};
use super::chain::{ReadOptions, proof_line, verified};
use crate::output;

/// Shows an account. Example: acumen account 5GrwvaEF5zXb26Fz9rcQpDWS57CtERHpNehXCPcNoHGKutQY --json
#[derive(Args, Debug)]
pub(crate) struct AccountArgs {
    /// The account's address
    address: AccountId,
    #[command(flatten)]
    chain: ReadOptions,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

/// Prints balance, stakes, what is on its way back, and what is staked on it if it is a hotkey.
pub(crate) async fn account(args: AccountArgs) -> Result<()> {
    let client = args.chain.connect().await?;
    let Verified { value: account, at } = client.account(args.address).await?;
    // Blocks go on: everything else is of the same one.
    let client = client.at(at.height);
    let positions = client.positions(args.address).await?.value;
    let hotkey = client.hotkey(args.address).await?.value;
    let epoch = client.params().await?.value.epoch_of(at.height);
    let take = |hotkey: &Hotkey| hotkey.take_in(epoch);
    if args.json {
        return output::json_line(&json!({
            "address": args.address.to_string(),
            "free": nacu(account.free),
            "nonce": account.nonce.get(),
            "stakes": positions.iter().map(position_json).collect::<Vec<_>>(),
            "hotkey": hotkey.map(|hotkey| hotkey_json(&hotkey, take(&hotkey))),
            "verified": verified(&at),
        }));
    }
    output::line(format_args!("free       {}", account.free.to_acu_string()))?;
    output::line(format_args!("nonce      {}", account.nonce))?;
    for position in &positions {
        output::line(format_args!("staked     {} on {}", position.stake.to_acu_string(), position.hotkey))?;
        for (due, amount) in &position.unbonding {
            let amount = amount.to_acu_string();
            output::line(format_args!("unbonding  {amount} off {}, free with block {due}", position.hotkey))?;
        }
    }
    if let Some(hotkey) = hotkey {
        output::line(format_args!("owner      {} (this is a hotkey)", hotkey.owner))?;
        output::line(format_args!("stake      {} on it", hotkey.total_stake.to_acu_string()))?;
        output::line(format_args!("take       {}", percent(take(&hotkey))))?;
        if let Some(pending) = hotkey.pending_take.filter(|pending| pending.from > epoch) {
            let announced = percent(pending.take);
            output::line(format_args!("take then  {announced}, from epoch {} on", pending.from))?;
        }
    }
    proof_line(&at)
}

fn position_json(position: &Position) -> Value {
    let unbonding: Vec<Value> = position
        .unbonding
        .iter()
        .map(|(due, amount)| json!({ "due": due.get(), "amount": nacu(*amount) }))
        .collect();
    json!({
        "hotkey": position.hotkey.to_string(),
        "stake": nacu(position.stake),
        "unbonding": unbonding,
    })
}

fn hotkey_json(hotkey: &Hotkey, take: u16) -> Value {
    let pending =
        hotkey.pending_take.map(|pending| json!({ "take": share(pending.take), "from": pending.from.get() }));
    json!({
        "owner": hotkey.owner.to_string(),
        "stake": nacu(hotkey.total_stake),
        "unbonding": nacu(hotkey.unbonding_stake),
        "take": share(take),
        "pending_take": pending,
        "consensus_key": hotkey.consensus_key.map(|key| key.to_string()),
        "jailed_until": (hotkey.jailed_until.get() > 0).then(|| hotkey.jailed_until.get()),
    })
}
