//! `acumen model train`: a model from its recipe.

use std::path::PathBuf;

use acumen_models::recipe::Recipe;
use acumen_models::{ngram, train};
use anyhow::{Context as _, Result};
use clap::Args;
use serde_json::json;

use super::evaluate::print_losses;
use crate::output;

#[derive(Args, Debug)]
pub(crate) struct TrainArgs {
    /// What to train, on what, for how long (JSON; paths in it count from the working directory)
    #[arg(long, value_name = "FILE")]
    recipe: PathBuf,
    /// Print progress as JSON lines
    #[arg(long)]
    json: bool,
}

pub(super) fn run(args: &TrainArgs) -> Result<()> {
    let shown = args.recipe.display();
    let text = std::fs::read_to_string(&args.recipe).with_context(|| format!("cannot read {shown}"))?;
    match serde_json::from_str::<Recipe>(&text).with_context(|| shown.to_string())? {
        Recipe::Gpt(config) => train_gpt(&config, args.json),
        Recipe::Ngram(config) => {
            ngram::train(&config)?;
            let written = config.output.display();
            if args.json {
                output::json_line(&json!({ "written": config.output }))
            } else {
                output::line(written)
            }
        }
    }
}

fn train_gpt(config: &train::TrainConfig, as_json: bool) -> Result<()> {
    let losses = train::run(config, &mut |progress| {
        let result = if as_json {
            output::json_line(&json!(progress))
        } else {
            output::line(format_args!(
                "step {:>6} of {}  training {:.3}  held out {:.3} bits per byte  {:.0} bytes/s",
                progress.step,
                progress.steps,
                progress.train_bits_per_byte,
                progress.heldout.mix,
                progress.bytes_per_second
            ))
        };
        // A reader that has gone must not end hours of training.
        drop(result);
    })?;
    print_losses(&json!(losses), as_json)
}
