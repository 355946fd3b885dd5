//! `acumen bench serve`: an open-loop or closed-loop load on a miner, through the signed client that validators use.
//!
//! | module | what it is |
//! |---|---|
//! | `options` | what to ask, how often, of whom |
//! | `target` | the miner: one that runs, or some in this process |
//! | `call` | one request and what was seen of it |
//! | `drive` | the two loops |
//! | `overhead` | the server beside its bare model |
//! | `report` | percentiles, table, JSON |
//!
//! Closed loop: so many requests in flight, the next one starts when one ends. Open loop: requests start when they are
//! due, by a Poisson process of a fixed seed, however the miner copes, and their times count from when they were due.

mod call;
mod drive;
mod options;
mod overhead;
mod report;
mod target;

#[cfg(test)]
mod tests;

use anyhow::Result;

pub(crate) use options::Args;

/// Runs the load and prints the report.
pub(crate) async fn run(args: Args) -> Result<()> {
    let wallet =
        || -> Result<acumen_protocol::Keypair> { args.wallet.open()?.keypair(crate::wallet::Role::Hotkey) };
    if args.overhead {
        let overhead = added(&args.load, &args.target, wallet).await?;
        return if args.json {
            crate::output::json_line(&serde_json::to_value(&overhead)?)
        } else {
            crate::output::line(overhead)
        };
    }
    let report = measure(&args.load, &args.target, wallet).await?;
    if args.json {
        return crate::output::json_line(&serde_json::to_value(&report)?);
    }
    crate::output::line(report)
}

/// Starts a miner and its bare model and compares them.
async fn added(
    load: &options::Load,
    target: &options::Target,
    wallet: impl FnOnce() -> Result<acumen_protocol::Keypair>,
) -> Result<overhead::Overhead> {
    load.check()?;
    overhead::check(target, load)?;
    let opened = target::open(target, load, wallet).await?;
    let result = match opened.clients.first().and_then(|clients| clients.first()) {
        Some(client) => overhead::measure(target, load, client).await,
        None => Err(anyhow::anyhow!("there is no miner to ask")),
    };
    opened.close().await;
    result
}

/// Finds or starts the miners, warms up, measures.
async fn measure(
    load: &options::Load,
    target: &options::Target,
    wallet: impl FnOnce() -> Result<acumen_protocol::Keypair>,
) -> Result<report::Report> {
    load.check()?;
    let target = target::open(target, load, wallet).await?;
    let warm_up = options::Load { requests: load.warm_up, rate: None, ..load.clone() };
    if load.warm_up > 0 {
        drive::drive(&warm_up, &target.clients).await?;
    }
    let before = target.memory();
    let run = drive::drive(load, &target.clients).await?;
    let report = report::Report::new(load, &run, before, target.memory());
    target.close().await;
    Ok(report)
}
