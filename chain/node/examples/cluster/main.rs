//! Nodes as processes of their own on this machine, and signed transfers over gRPC: how many become final, how soon, and what
//! it costs in processor time, memory and disk.
//!
//! ```text
//! cargo run --release -p acumen-chain-node --example cluster -- NODES SECONDS BLOCK_TIME_MS RATE [BATCH] [PROGRAM]
//! ```
//!
//! RATE transfers a second are offered at fixed times, whatever the nodes do (open loop), to the nodes in turn; a latency runs
//! from the time at which a transfer was due until the first node has sent the final block with it. RATE 0 measures idle
//! nodes. BATCH transfers go in one `SubmitMany` (64); with 1, each in a `Submit` of its own. PROGRAM is an `acumen` binary
//! for the nodes; without it this program is the nodes, too. Transfers are signed before the clock starts. Times are
//! milliseconds, sizes bytes.

mod load;
mod nodes;

use std::path::Path;
use std::time::{Duration, Instant};

use nodes::Nodes;

pub(crate) type Outcome<T> = Result<T, Box<dyn std::error::Error + Send + Sync>>;

/// What is to be measured.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    pub(crate) nodes: usize,
    pub(crate) seconds: u64,
    pub(crate) block_time_ms: u64,
    pub(crate) rate: u64,
    pub(crate) batch: usize,
    pub(crate) program: Option<String>,
}

fn main() -> Outcome<()> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    if let [word, dir] = words.as_slice()
        && word == "node"
    {
        return nodes::run(Path::new(dir));
    }
    let number = |place: usize, default: u64| -> Outcome<u64> {
        Ok(words.get(place).map(|word| word.parse()).transpose()?.unwrap_or(default))
    };
    let plan = Plan {
        nodes: usize::try_from(number(0, 4)?)?,
        seconds: number(1, 25)?,
        block_time_ms: number(2, 250)?,
        rate: number(3, 2_000)?,
        batch: usize::try_from(number(4, 64)?)?.clamp(1, 1_024),
        program: words.get(5).cloned(),
    };
    let root = tempfile::tempdir()?;
    let nodes = Nodes::start(root.path(), &plan)?;
    tokio::runtime::Runtime::new()?.block_on(measure(&plan, &nodes))
}

async fn measure(plan: &Plan, nodes: &Nodes) -> Outcome<()> {
    let genesis = nodes.ready().await?;
    let signed = load::sign(genesis, usize::try_from(plan.rate * plan.seconds)?);
    let (before, disk, begun) = (nodes.usage(), nodes.disk(), Instant::now());
    let own = nodes::processor_seconds(std::process::id());
    let result = load::run(plan, nodes.urls(), signed).await?;
    let elapsed = begun.elapsed();
    result.print(elapsed);
    let after = nodes.usage();
    for (index, (before, after)) in before.iter().zip(&after).enumerate() {
        println!(
            "node {index}: {:.1} % of a core, resident {} MB, peak {} MB",
            (after.processor - before.processor) / elapsed.as_secs_f64() * 100.0,
            after.resident / 1_000_000,
            after.peak / 1_000_000,
        );
    }
    let client = nodes::processor_seconds(std::process::id()) - own;
    println!("client: {:.1} % of a core", client / elapsed.as_secs_f64() * 100.0);
    let grown = nodes.disk().saturating_sub(disk);
    println!(
        "disk of node 0: {grown} bytes more, {} a transfer, {:.0} a block",
        grown / result.included().max(1),
        grown as f64 / result.blocks().max(1) as f64
    );
    Ok(())
}

/// Longest wait for nodes to start.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);
