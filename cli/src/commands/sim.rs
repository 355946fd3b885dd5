//! `acumen sim`: run, list and plot simulations.

use std::path::PathBuf;

use acumen_simulations::Scenario;
use anyhow::{Context as _, Result};
use clap::{Args, Subcommand};
use serde_json::json;

use crate::output;

/// Simulation commands.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Run a scenario. Example: acumen sim run simulations/scenarios/thousand-epochs.toml --out results
    Run(RunArgs),
    /// List the shipped scenarios. Example: acumen sim list
    List {
        /// Print one JSON object per scenario
        #[arg(long)]
        json: bool,
    },
    /// Draw the plots of a run again. Example: acumen sim plot results
    Plot {
        /// Folder of a run
        dir: PathBuf,
    },
}

#[derive(Args, Debug)]
pub(crate) struct RunArgs {
    /// A scenario file, or the name of a shipped one
    scenario: PathBuf,
    /// Folder for the results; created if it is not there
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// Print one JSON object at the end
    #[arg(long)]
    json: bool,
}

/// Runs a simulation command.
pub(crate) fn run(command: &Command) -> Result<()> {
    match command {
        Command::Run(args) => run_scenario(args),
        Command::List { json } => list(*json),
        Command::Plot { dir } => {
            acumen_simulations::plot(dir)?;
            output::line(format_args!("plots are in {}", dir.display()))
        }
    }
}

fn run_scenario(args: &RunArgs) -> Result<()> {
    let shipped = acumen_simulations::list()
        .into_iter()
        .find(|shipped| args.scenario == std::path::Path::new(shipped.name));
    let scenario = match shipped {
        Some(shipped) => Scenario::from_toml(shipped.toml)?,
        None => Scenario::load(&args.scenario).with_context(|| args.scenario.display().to_string())?,
    };
    let started = std::time::Instant::now();
    let result = acumen_simulations::run(&scenario, &mut |_| {})?;
    let seconds = started.elapsed().as_secs_f64();
    acumen_simulations::write(&result, &args.out)?;
    let epochs = scenario.epochs;
    if args.json {
        return output::json_line(&json!({ "epochs": epochs, "seconds": seconds, "out": args.out }));
    }
    output::line(format_args!(
        "{epochs} epochs in {seconds:.2} s; results and plots are in {}",
        args.out.display()
    ))
}

fn list(as_json: bool) -> Result<()> {
    for shipped in acumen_simulations::list() {
        if as_json {
            output::json_line(&json!({ "name": shipped.name, "description": shipped.description }))?;
        } else {
            output::line(format_args!("{:24} {}", shipped.name, shipped.description))?;
        }
    }
    Ok(())
}
