//! `acumen model logits`: next-token scores.

use std::ops::ControlFlow;

use acumen_models::Positions;
use anyhow::{Result, bail};
use clap::{Args, ValueEnum};
use serde_json::json;

use super::input::Input;
use crate::output;

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Which {
    /// What follows the whole input
    Last,
    /// What follows each token of it
    All,
}

#[derive(Args, Debug)]
pub(crate) struct LogitsArgs {
    #[command(flatten)]
    input: Input,
    /// Which positions to print
    #[arg(long, value_enum, default_value = "last")]
    positions: Which,
    /// How many ids per position, best first [default: all]
    #[arg(long)]
    top: Option<usize>,
    /// Accepted for symmetry: the output is JSON lines anyway
    #[arg(long)]
    json: bool,
}

pub(super) fn run(args: &LogitsArgs) -> Result<()> {
    let loaded = args.input.load(None)?;
    if loaded.prompt.is_empty() {
        bail!("the prompt is empty: there is no position to print");
    }
    let positions = if args.positions == Which::Last { Positions::Last } else { Positions::All };
    let mut printed = Ok(());
    loaded.model.logits(&loaded.prompt, positions, &mut |position, row| {
        printed = print_position(position, row, args.top);
        if printed.is_ok() { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
    })?;
    printed
}

/// Best first; equal ones by id.
fn print_position(position: usize, row: &[f32], top: Option<usize>) -> Result<()> {
    let mut ranked: Vec<(usize, f32)> = row.iter().copied().enumerate().collect();
    ranked.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
    ranked.truncate(top.unwrap_or(usize::MAX));
    output::json_line(&json!({ "pos": position, "logits": ranked }))
}
