//! `acumen model perplexity`: the loss on a text in windows of tokens, comparable with other programs' figures.

use std::path::PathBuf;

use acumen_models::perplexity::{Reading, perplexity};
use anyhow::{Context as _, Result};
use clap::Args;
use serde_json::json;

use super::input::Model;
use crate::output;

/// Largest text: what a wrong path may cost in memory.
const MAX_TEXT_BYTES: u64 = 1 << 28;

#[derive(Args, Debug)]
pub(crate) struct PerplexityArgs {
    #[command(flatten)]
    model: Model,
    /// The text, UTF-8
    #[arg(long, value_name = "FILE")]
    text: PathBuf,
    /// Tokens of a window; the second half of each is scored, a rest at the end of the text is left out
    #[arg(long, default_value_t = 512, value_name = "N")]
    window: usize,
    /// Read token after token, as texts are generated, so many windows at once [default: a window at once, as prompts are]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=256))]
    steps: Option<u16>,
    /// Most tokens of the text that are read
    #[arg(long, value_name = "N")]
    max_tokens: Option<usize>,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

pub(super) fn run(args: &PerplexityArgs) -> Result<()> {
    let path = &args.text;
    let size = std::fs::metadata(path).with_context(|| format!("cannot read {}", path.display()))?.len();
    anyhow::ensure!(size <= MAX_TEXT_BYTES, "{}: {size} bytes; at most {MAX_TEXT_BYTES}", path.display());
    let text = std::fs::read(path).with_context(|| format!("cannot read {}", path.display()))?;
    let mut tokens = args.model.tokens(text)?;
    tokens.truncate(args.max_tokens.unwrap_or(usize::MAX));
    let model = args.model.load()?;
    let reading = args.steps.map_or(Reading::Prompt, |together| Reading::Steps(usize::from(together)));
    let found = perplexity(model.as_ref(), &tokens, args.window, reading)?;
    if args.json {
        return output::json_line(&json!(found));
    }
    output::line(format_args!(
        "{:.4} perplexity, {:.5} nats a token over {} tokens in {} windows",
        found.perplexity, found.nats, found.tokens, found.windows
    ))
}
