//! `acumen model generate`: continues a text.

use acumen_models::Token;
use acumen_models::sampling::Sampler;
use anyhow::{Context as _, Result};
use clap::Args;
use serde_json::json;

use super::input::{Chat, Input, Loaded};
use crate::args::Usage;
use crate::output;

#[derive(Args, Debug)]
pub(crate) struct GenerateArgs {
    #[command(flatten)]
    input: Input,
    /// The prompt is a user's message: write it in the model's chat template, up to where the answer begins
    #[arg(long, conflicts_with = "ids")]
    chat: bool,
    /// The system's message before it
    #[arg(long, requires = "chat", value_name = "TEXT")]
    system: Option<String>,
    /// How many tokens at most
    #[arg(long, default_value_t = 64)]
    max_tokens: usize,
    /// 0 takes the likeliest token each time
    #[arg(long, default_value_t = 0.0, allow_negative_numbers = true)]
    temperature: f64,
    /// Mass of the likeliest tokens that take part
    #[arg(long, default_value_t = 1.0)]
    top_p: f64,
    /// Seed of the sampling noise: the same seed gives the same text
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// Go on after a token that ends the text
    #[arg(long)]
    ignore_eos: bool,
    /// Print the last line alone: one JSON object with ids, text, why it ended, and usage
    #[arg(long)]
    json: bool,
}

pub(super) fn run(args: &GenerateArgs) -> Result<()> {
    if !(args.temperature >= 0.0 && args.temperature.is_finite()) {
        let reason = format!("--temperature {}: a number of at least 0", args.temperature);
        return Err(Usage(reason).into());
    }
    if !(args.top_p > 0.0 && args.top_p <= 1.0) {
        return Err(Usage(format!("--top-p {}: a number above 0, at most 1", args.top_p)).into());
    }
    let loaded = args.input.load(args.chat.then_some(Chat { system: args.system.as_deref() }))?;
    let (ids, finish_reason) = continue_text(args, &loaded)?;
    let stop = usize::from(finish_reason == "stop");
    let text = loaded.tokenizer.as_ref().map(|tokenizer| tokenizer.decode(&ids[..ids.len() - stop], true));
    // An answer that has been computed is not lost for want of its text.
    let text = text.and_then(|text| text.inspect_err(|error| tracing::warn!("{error}")).ok());
    if !args.json {
        let shown = || ids.iter().map(ToString::to_string).collect::<Vec<_>>().join(",");
        output::line(text.clone().unwrap_or_else(shown))?;
    }
    let prompt = loaded.prompt.len();
    let usage = json!({
        "prompt_tokens": prompt,
        "completion_tokens": ids.len(),
        "total_tokens": prompt + ids.len(),
    });
    output::json_line(&json!({ "ids": ids, "text": text, "finish_reason": finish_reason, "usage": usage }))
}

/// The new tokens, the one that ended the text included, and why it ended.
fn continue_text(args: &GenerateArgs, loaded: &Loaded) -> Result<(Vec<Token>, &'static str)> {
    let model = loaded.model.as_ref();
    // What the tokenizer's files call an end is what miners tell their callers; a model without one knows its own.
    let ends = loaded.tokenizer.as_ref().map_or(&[][..], |tokenizer| tokenizer.end_tokens());
    let sampler = Sampler { temperature: args.temperature, top_p: args.top_p, seed: args.seed };
    let mut ids: Vec<Token> = Vec::with_capacity(args.max_tokens.min(1 << 16));
    if args.max_tokens == 0 {
        return Ok((ids, "length"));
    }
    let mut session = model.open(std::slice::from_ref(&loaded.prompt))?;
    for position in 0..args.max_tokens {
        let row = session.predict().first().context("the model gave no distribution")?;
        let token = sampler.choose(row, position as u64);
        ids.push(token);
        if !args.ignore_eos && (ends.contains(&token) || model.stops().contains(&token)) {
            return Ok((ids, "stop"));
        }
        if position + 1 < args.max_tokens {
            session.advance(&[token])?;
        }
    }
    Ok((ids, "length"))
}
