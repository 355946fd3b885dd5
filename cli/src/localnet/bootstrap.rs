//! Registration and stake of a localnet's neurons, by signed transactions, as anybody does it. What is done already is
//! not done again, so a folder can be resumed at any point.

use std::time::Duration;

use acumen_chain_client::ChainClient;
use acumen_chain_client::ledger::Hotkey;
use acumen_protocol::{AccountId, Call, Nacu, TrackId};
use anyhow::{Context as _, Result};
use tokio::time::{Instant, sleep};

use super::plan::{Plan, Process, Role};
use super::{keys, layout};
use crate::wallet::Role as KeyRole;

/// How long the node may take to answer for the first time.
const NODE_PATIENCE: Duration = Duration::from_secs(60);
/// Pause between two attempts to reach it.
const NODE_RETRY: Duration = Duration::from_millis(100);
/// What each validator stakes: above the ledger's threshold of 1,000 ACU.
const STAKE_ACU: u64 = 10_000;

/// Waits for the node.
pub(crate) async fn connect(plan: &Plan) -> Result<ChainClient> {
    let deadline = Instant::now() + NODE_PATIENCE;
    loop {
        match ChainClient::connect(&plan.node_urls(), None).await {
            Ok(client) => return Ok(client),
            Err(error) if Instant::now() >= deadline => {
                return Err(error)
                    .context("the node does not answer; see node-0/log.txt in the localnet's folder");
            }
            Err(_) => sleep(NODE_RETRY).await,
        }
    }
}

/// Registers every miner and validator that is not registered yet, then stakes for the validators. Returns how many
/// transactions it took.
pub(crate) async fn bootstrap(client: &ChainClient, plan: &Plan) -> Result<usize> {
    let registered = send(client, plan, registration).await?;
    // Stake needs a registered hotkey: a second round.
    Ok(registered + send(client, plan, stake).await?)
}

/// What a process still needs, given what the chain knows of its hotkey.
type Missing = fn(&Process, AccountId, Option<Hotkey>) -> Option<Call>;

fn registration(process: &Process, hotkey: AccountId, known: Option<Hotkey>) -> Option<Call> {
    let wanted = matches!(process.role, Role::Miner | Role::Validator) && known.is_none();
    wanted.then_some(Call::Register { track: TrackId::ZERO, hotkey, max_price: Nacu::new(u64::MAX) })
}

fn stake(process: &Process, hotkey: AccountId, known: Option<Hotkey>) -> Option<Call> {
    let staked = known.is_some_and(|hotkey| hotkey.total_stake > Nacu::ZERO);
    let amount = Nacu::from_acu(STAKE_ACU)?;
    (process.role == Role::Validator && !staked).then_some(Call::Stake { hotkey, amount })
}

/// Submits in the plan's order, so that uids and seniority follow it, then waits for all.
async fn send(client: &ChainClient, plan: &Plan, missing: Missing) -> Result<usize> {
    let mut sent = Vec::new();
    for process in &plan.processes {
        let name = &process.name;
        let hotkey = layout::hotkey(plan, name);
        let known = client.hotkey(hotkey).await?.value;
        let Some(call) = missing(process, hotkey, known) else { continue };
        let key = keys::wallet_key(plan.seed, name, KeyRole::Coldkey);
        let what = call.name();
        let tx = client.submit(call, key.keypair()).await.with_context(|| format!("{what} for {name}"))?;
        sent.push((name, what, tx));
    }
    for (name, what, tx) in &sent {
        client.wait_included(tx).await.with_context(|| format!("{what} for {name}"))?;
    }
    Ok(sent.len())
}
