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
    #[command(after_long_help = VALUE_HELP)]
    Value(ValueArgs),
}

const VALUE_HELP: &str = r#"A game is one JSON object. Three miners, four tokens; every list is optional but the first two:

  {"probs":      [[0.7, 0.7, 0.1, 0.2], [0.1, 0.2, 0.7, 0.7], [0.4, 0.4, 0.4, 0.4]],
   "reference":  [0.25, 0.25, 0.25, 0.25],
   "documents":  [0, 0, 1, 1],
   "weights":    [1, 1, 1],
   "clusters":   ["a", "b", "c"],
   "seniority":  [12, 40, 7],
   "alpha":      0.5}

probs[i][t] is the probability that miner i gave to token t, the one that came; reference[t] that of a model that
knows nothing special. Results are in nats per token, stacking and reward are shares. docs/scoring.md works through
this game, and through what each column means."#;

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
    /// A game: {"probs":[[…] per miner],"reference":[…], …} (`--help` shows one)
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
            let result = result.with_context(|| args.game.display().to_string())?;
            if args.json { output::json_line(&result) } else { print_values(&result) }
        }
    }
}

/// One line per miner, then the numbers of the whole.
fn print_values(result: &Value) -> Result<()> {
    const COLUMNS: [&str; 7] = ["own_gain", "loo", "shapley", "banzhaf", "owen", "stacking", "reward"];
    let heads = COLUMNS.map(|column| format!("{column:>9}")).join(" ");
    output::line(format_args!("miner {heads}"))?;
    let miners = result["reward"].as_array().map_or(0, Vec::len);
    for miner in 0..miners {
        // `+ 0.0` turns −0 into 0.
        let cell =
            |column: &str| format!("{:>9.4}", result[column][miner].as_f64().unwrap_or(f64::NAN) + 0.0);
        output::line(format_args!("{miner:>5} {}", COLUMNS.map(cell).join(" ")))?;
    }
    let exact =
        if result["method"]["shapley"] == "exact" { "exact" } else { "sampled, see --json for intervals" };
    if let Some(ignored) = result.get("ignored") {
        output::line(format_args!("not used: {ignored}"))?;
    }
    let loss = result["pool_loss"].as_f64().unwrap_or(f64::NAN);
    output::line(format_args!(
        "pool loss {loss:.4} nats per token; values in nats per token, {exact}; stacking and reward are shares"
    ))
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

#[cfg(test)]
mod tests;
