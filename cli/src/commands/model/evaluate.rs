//! `acumen model evaluate`: held-out loss.

use std::path::PathBuf;

use acumen_models::{LoadOptions, evaluate, load};
use anyhow::Result;
use clap::Args;
use serde_json::json;

use crate::output;

#[derive(Args, Debug)]
pub(crate) struct EvaluateArgs {
    /// The model file
    #[arg(long, value_name = "PATH")]
    model: PathBuf,
    /// Folder of documents that the model has not seen
    #[arg(long, value_name = "DIR")]
    heldout: PathBuf,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

pub(super) fn run(args: &EvaluateArgs) -> Result<()> {
    let model = load(&args.model, &LoadOptions::default())?;
    let documents = acumen_models::corpus::documents(&args.heldout)?;
    print_losses(&json!(evaluate::evaluate(model.as_ref(), &documents)?), args.json)
}

pub(super) fn print_losses(losses: &serde_json::Value, as_json: bool) -> Result<()> {
    if as_json {
        return output::json_line(losses);
    }
    for (kind, value) in losses.as_object().into_iter().flatten() {
        output::line(format_args!("{kind:12} {:.4} bits per byte", value.as_f64().unwrap_or(f64::NAN)))?;
    }
    Ok(())
}
