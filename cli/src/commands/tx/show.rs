//! What a transaction did or would do, as JSON or for people.

use acumen_chain_client::ledger::{Event, Simulation};
use acumen_chain_client::{Included, TxId, VerifiedAt};
use acumen_protocol::SignedTransaction;
use anyhow::Result;
use serde_json::json;

use crate::commands::amounts::nacu;
use crate::commands::chain::{proof_line, verified};
use crate::output;

/// A transaction that stands in a block. `events` may be missing; the last of them only repeats fee and id.
pub(super) fn sent(name: &str, id: &TxId, included: &Included, events: &[Event], json: bool) -> Result<()> {
    let effects = effects(events);
    if json {
        return output::json_line(&json!({
            "call": name,
            "id": id.to_string(),
            "fee": nacu(included.fee),
            "events": effects,
            "verified": verified(&included.at),
        }));
    }
    output::line(format_args!("{name} is final in block {}", included.at.height))?;
    for effect in effects {
        output::line(format_args!("  {effect}"))?;
    }
    output::line(format_args!("fee          {}", included.fee.to_acu_string()))?;
    output::line(format_args!("transaction  {id}"))?;
    proof_line(&included.at)
}

/// A transaction that was tried and not sent.
pub(super) fn tried(
    signed: &SignedTransaction,
    would: &Simulation,
    at: &VerifiedAt,
    json: bool,
) -> Result<()> {
    let transaction = signed.unverified();
    let name = transaction.call.name();
    let effects = effects(&would.events);
    if json {
        return output::json_line(&json!({
            "call": name,
            "sender": transaction.sender.to_string(),
            "nonce": transaction.nonce.get(),
            "valid_until": transaction.valid_until.get(),
            "fee": nacu(would.fee),
            "payer": would.payer.to_string(),
            "free_before": nacu(would.before),
            "free_after": nacu(would.after),
            "events": effects,
            "transaction": format!("0x{}", hex::encode(signed.to_bytes())),
            "sent": false,
            "verified": verified(at),
        }));
    }
    output::line(format_args!("{name} would do this; nothing was sent"))?;
    for effect in effects {
        output::line(format_args!("  {effect}"))?;
    }
    output::line(format_args!("fee      {}, paid by {}", would.fee.to_acu_string(), would.payer))?;
    output::line(format_args!(
        "balance  {}, then {}",
        would.before.to_acu_string(),
        would.after.to_acu_string()
    ))?;
    proof_line(at)
}

fn effects(events: &[Event]) -> Vec<String> {
    let told = events.iter().filter(|event| !matches!(event, Event::Applied { .. }));
    told.map(ToString::to_string).collect()
}
