//! The life of a localnet: open the folder, start the children, register, report, end.

use std::io::Write as _;
use std::process::ExitCode;
use std::time::SystemTime;

use acumen_protocol::Height;
use anyhow::Result;
use tokio::sync::mpsc;

use super::layout::Layout;
use super::plan::Role;
use super::report::EpochReport;
use super::supervisor::{Notice, Policy, Supervisor, log_path};
use super::watch::Watch;
use super::{Args, bootstrap, table};
use crate::{output, runtime};

/// Notices that may wait to be shown; a keeper waits when there are more.
const NOTICES: usize = 64;

/// To stderr, where `eprintln!` would panic once the terminal has gone: the children have to be ended first.
macro_rules! tell {
    ($($text:tt)*) => {{
        let _ = writeln!(std::io::stderr(), $($text)*);
    }};
}

/// Runs a localnet until Ctrl-C, SIGTERM or the last wanted epoch.
pub(crate) async fn run(args: Args) -> Result<ExitCode> {
    args.check()?;
    let layout = Layout::open(&args)?;
    let shutdown = runtime::shutdown_signal()?;
    runtime::cancel_at_hangup(shutdown.clone())?;
    introduce(&layout);
    let (sender, notices) = mpsc::channel(NOTICES);
    let policy = Policy { dir: layout.dir.clone(), restart: !args.no_restart };
    let supervisor = Supervisor::start(&layout.plan, &policy, &sender)?;
    let printer = tokio::spawn(print_notices(notices));
    drop(sender);
    let outcome = tokio::select! {
        outcome = report(&args, &layout) => outcome,
        () = shutdown.cancelled() => Ok(()),
    };
    tell!(
        "ending {} processes; the chain can be resumed in {}",
        layout.plan.processes.len(),
        layout.dir.display()
    );
    supervisor.stop().await;
    // Ends by itself: the keepers were its only senders.
    let _ = printer.await;
    outcome.map(|()| ExitCode::SUCCESS)
}

/// Says on stderr what runs and where: stdout belongs to the epochs.
fn introduce(layout: &Layout) {
    let verb = if layout.resumed { "resuming" } else { "starting" };
    tell!("{verb} the localnet in {}", layout.dir.display());
    for process in &layout.plan.processes {
        let log = log_path(&layout.dir, &process.name);
        tell!("  {:18} {:24} log {}", process.name, process.url(), log.display());
    }
    let funded = layout.plan.of(Role::Validator).next().map(|process| layout.dir.join(&process.name));
    if let Some(folder) = funded {
        let wallets = folder.join("wallets");
        tell!("  ACU to try things with: --wallet.path {} --wallet.name localnet", wallets.display());
    }
}

async fn print_notices(mut notices: mpsc::Receiver<Notice>) {
    while let Some(Notice(text)) = notices.recv().await {
        tell!("! {text}");
    }
}

async fn report(args: &Args, layout: &Layout) -> Result<()> {
    let (plan, since) = (&layout.plan, SystemTime::now());
    let client = bootstrap::connect(plan).await?;
    let from = client.status().await?.tip.height.next().unwrap_or(Height::ZERO);
    let sent = bootstrap::bootstrap(&client, plan).await?;
    tell!("registered and staked with {sent} transactions; an epoch takes about {} s", epoch_seconds(layout));
    let mut watch = Watch::new(&client, plan, from, since);
    let mut seen = 0;
    loop {
        let epoch = watch.next_epoch().await?;
        seen += 1;
        show(args, layout, &epoch)?;
        if args.epochs.is_some_and(|wanted| seen >= wanted) {
            return summarize(args, layout, &epoch, seen);
        }
    }
}

fn epoch_seconds(layout: &Layout) -> u64 {
    (layout.plan.tempo * layout.plan.block_time_ms).div_ceil(1_000)
}

fn show(args: &Args, layout: &Layout, epoch: &EpochReport) -> Result<()> {
    if args.json {
        output::json_line(&epoch.to_json(&layout.plan))
    } else {
        output::line(table::render(epoch, &layout.plan))
    }
}

fn summarize(args: &Args, layout: &Layout, last: &EpochReport, epochs: u64) -> Result<()> {
    if args.json {
        return output::json_line(&last.summary(&layout.plan, epochs));
    }
    let unit = if epochs == 1 { "epoch" } else { "epochs" };
    output::line(format_args!("{epochs} {unit}, issuance {}", last.record.issuance.to_acu_string()))
}
