//! `acumen eval`: run one case of consensus, or of the value game.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use clap::{Args, Subcommand};
use serde_json::Value;

use crate::output;

/// What to evaluate.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Run Yuma consensus on a case. Example: acumen eval yuma --case scoring/consensus/vectors/epoch_02_ten_nodes_self_weights.json --json
    Yuma(YumaArgs),
    /// Compute the value of each miner in a game. Example: acumen eval value --game game.json --json
    Value(ValueArgs),
}

#[derive(Args, Debug)]
pub(crate) struct YumaArgs {
    /// A case in the format of scoring/consensus/vectors
    #[arg(long, value_name = "FILE")]
    case: PathBuf,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

#[derive(Args, Debug)]
pub(crate) struct ValueArgs {
    /// A game: {"probs":[[…] per miner],"reference":[…], …} (docs/scoring.md)
    #[arg(long, value_name = "FILE")]
    game: PathBuf,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

/// Runs an evaluation.
pub(crate) fn run(command: &Command) -> Result<()> {
    match command {
        Command::Yuma(args) => {
            let result = acumen_scoring_consensus::case::run_case(&read(&args.case)?);
            print(&result.with_context(|| args.case.display().to_string())?, args.json)
        }
        Command::Value(args) => {
            let result = acumen_scoring_value::eval::eval_value(&read(&args.game)?);
            print(&result.with_context(|| args.game.display().to_string())?, args.json)
        }
    }
}

fn read(path: &Path) -> Result<String> {
    std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))
}

/// People get one name and its values per line.
fn print(result: &Value, json: bool) -> Result<()> {
    if json {
        return output::json_line(result);
    }
    match result.get("steps").and_then(Value::as_array) {
        Some(steps) => steps.iter().try_for_each(print_fields),
        None => print_fields(result),
    }
}

fn print_fields(object: &Value) -> Result<()> {
    let fields = object.as_object().into_iter().flatten();
    for (name, value) in fields {
        output::line(format_args!("{name:22} {value}"))?;
    }
    output::line("")
}
