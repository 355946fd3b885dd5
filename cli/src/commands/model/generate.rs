//! `acumen model generate`: continues a text.

use acumen_models::Token;
use acumen_models::generate::{Sampling, choose};
use anyhow::{Context as _, Result, bail};
use clap::Args;
use serde_json::json;

use super::input::Input;
use crate::output;

#[derive(Args, Debug)]
pub(crate) struct GenerateArgs {
    #[command(flatten)]
    input: Input,
    /// How many tokens
    #[arg(long, default_value_t = 64)]
    max_tokens: usize,
    /// 0 takes the likeliest token each time
    #[arg(long, default_value_t = 0.0, allow_negative_numbers = true)]
    temperature: f64,
    /// Seed of the sampling noise: the same seed gives the same text
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// Print one JSON object at the end
    #[arg(long)]
    json: bool,
}

pub(super) fn run(args: &GenerateArgs) -> Result<()> {
    let sampling = Sampling { temperature: args.temperature, seed: args.seed };
    if !(args.temperature >= 0.0 && args.temperature.is_finite()) {
        bail!("--temperature {}: a number of at least 0", args.temperature);
    }
    let (model, prompt) = args.input.load()?;
    let mut session = model.open(std::slice::from_ref(&prompt))?;
    let mut ids: Vec<Token> = Vec::with_capacity(args.max_tokens);
    for position in 0..args.max_tokens {
        let row = session.predict().first().context("the model gave no distribution")?;
        let token = choose(row, sampling, position as u64);
        ids.push(token);
        if position + 1 < args.max_tokens {
            session.advance(&[token])?;
        }
    }
    let bytes: Vec<u8> = ids.iter().filter_map(|id| u8::try_from(*id).ok()).collect();
    let text = String::from_utf8_lossy(&bytes);
    if !args.json {
        return output::line(text);
    }
    let usage = json!({
        "prompt_tokens": prompt.len(),
        "completion_tokens": ids.len(),
        "total_tokens": prompt.len() + ids.len(),
    });
    output::json_line(&json!({ "ids": ids, "text": text, "finish_reason": "length", "usage": usage }))
}
