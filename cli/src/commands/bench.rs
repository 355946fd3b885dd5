//! `acumen bench`: measure what is running.

mod serve;

use anyhow::Result;
use clap::Subcommand;

/// Benchmarks.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Load a miner and report times, rates and refusals.
    /// Example: acumen bench serve --model models/checkpoints/gpt-small.safetensors --call generate --concurrency 8
    Serve(serve::Args),
}

/// Runs a benchmark.
pub(crate) async fn run(command: Command) -> Result<()> {
    match command {
        Command::Serve(args) => serve::run(args).await,
    }
}
