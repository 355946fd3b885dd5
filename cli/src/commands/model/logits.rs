//! `acumen model logits`: next-token scores.

use anyhow::{Result, bail};
use clap::{Args, ValueEnum};
use serde_json::json;

use super::input::Input;
use crate::output;

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Positions {
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
    positions: Positions,
    /// How many ids per position, best first [default: all]
    #[arg(long)]
    top: Option<usize>,
    /// Accepted for symmetry: the output is JSON lines anyway
    #[arg(long)]
    json: bool,
}

pub(super) fn run(args: &LogitsArgs) -> Result<()> {
    let (model, tokens) = args.input.load()?;
    if tokens.is_empty() {
        bail!("the prompt is empty: there is no position to print");
    }
    let first = if args.positions == Positions::Last { tokens.len() } else { 1 };
    let (context, rest) = tokens.split_at(first);
    let mut session = model.open(&[context.to_vec()])?;
    print_position(first - 1, session.predict(), args.top)?;
    for (index, token) in rest.iter().enumerate() {
        session.advance(&[*token])?;
        print_position(first + index, session.predict(), args.top)?;
    }
    Ok(())
}

/// Logits are given normalised, as natural-log probabilities: they differ from the network's own by one constant.
fn print_position(position: usize, rows: &[Vec<f32>], top: Option<usize>) -> Result<()> {
    let mut ranked: Vec<(usize, f32)> = rows.iter().flatten().copied().enumerate().collect();
    ranked.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
    ranked.truncate(top.unwrap_or(usize::MAX));
    output::json_line(&json!({ "pos": position, "logits": ranked }))
}
