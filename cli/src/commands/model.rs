//! `acumen model`: train, inspect, evaluate and run models.

use std::path::PathBuf;

use acumen_models::generate::{Sampling, choose};
use acumen_models::recipe::Recipe;
use acumen_models::{LanguageModel, LoadOptions, Token, byte_tokens, evaluate, inspect, load, ngram, train};
use anyhow::{Context as _, Result, bail};
use clap::{Args, Subcommand, ValueEnum};
use serde_json::json;

use crate::output;

/// Model commands.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Train a model from its recipe. Example: acumen model train --recipe models/checkpoints/train/gpt-small.json
    Train(TrainArgs),
    /// Show what is in a model file. Example: acumen model inspect models/checkpoints/gpt-small.safetensors
    Inspect(InspectArgs),
    /// Measure held-out loss in bits per byte. Example: acumen model evaluate --model M.pt --heldout models/corpus/heldout
    Evaluate(EvaluateArgs),
    /// Print next-token scores. Example: acumen model logits --model M.safetensors --prompt "Call me" --top 5
    Logits(LogitsArgs),
    /// Continue a text. Example: acumen model generate --model M.safetensors --prompt "Call me" --max-tokens 40
    Generate(GenerateArgs),
}

#[derive(Args, Debug)]
pub(crate) struct TrainArgs {
    /// What to train, on what, for how long (JSON; paths in it count from the working directory)
    #[arg(long, value_name = "FILE")]
    recipe: PathBuf,
    /// Print progress as JSON lines
    #[arg(long)]
    json: bool,
}

#[derive(Args, Debug)]
pub(crate) struct InspectArgs {
    /// The model file
    model: PathBuf,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

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

/// Which model, and what to feed it.
#[derive(Args, Debug)]
pub(crate) struct Input {
    /// The model file
    #[arg(long, value_name = "PATH")]
    model: PathBuf,
    #[command(flatten)]
    prompt: Prompt,
    /// Threads inside one operation
    #[arg(long, default_value_t = 1)]
    threads: usize,
}

#[derive(Args, Debug)]
#[group(required = true, multiple = false)]
pub(crate) struct Prompt {
    /// Text to start from
    #[arg(long)]
    prompt: Option<String>,
    /// File with the text to start from
    #[arg(long, value_name = "FILE")]
    prompt_file: Option<PathBuf>,
    /// Token ids to start from: 1,2,3
    #[arg(long, value_delimiter = ',', value_name = "IDS")]
    ids: Option<Vec<Token>>,
}

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

/// Runs a model command.
pub(crate) fn run(command: &Command) -> Result<()> {
    match command {
        Command::Train(args) => train_model(args),
        Command::Inspect(args) => inspect_model(args),
        Command::Evaluate(args) => evaluate_model(args),
        Command::Logits(args) => logits(args),
        Command::Generate(args) => generate(args),
    }
}

fn train_model(args: &TrainArgs) -> Result<()> {
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

fn evaluate_model(args: &EvaluateArgs) -> Result<()> {
    let model = load(&args.model, &LoadOptions::default())?;
    let documents = acumen_models::corpus::documents(&args.heldout)?;
    print_losses(&json!(evaluate::evaluate(model.as_ref(), &documents)?), args.json)
}

fn print_losses(losses: &serde_json::Value, as_json: bool) -> Result<()> {
    if as_json {
        return output::json_line(losses);
    }
    for (kind, value) in losses.as_object().into_iter().flatten() {
        output::line(format_args!("{kind:12} {:.4} bits per byte", value.as_f64().unwrap_or(f64::NAN)))?;
    }
    Ok(())
}

fn inspect_model(args: &InspectArgs) -> Result<()> {
    let found = inspect::inspect(&args.model, &LoadOptions::default())?;
    if args.json {
        return output::json_line(&json!(found));
    }
    let info = &found.info;
    output::line(format_args!("name          {}", info.name))?;
    output::line(format_args!("architecture  {} ({})", info.architecture, info.format))?;
    output::line(format_args!("parameters    {}", info.parameters))?;
    output::line(format_args!("vocabulary    {} ({})", info.vocab, info.tokenizer))?;
    output::line(format_args!("context       {} tokens", info.context))?;
    output::line(format_args!(
        "file          {} bytes, blake2b-256 0x{}",
        found.file_bytes,
        hex::encode(info.digest)
    ))?;
    for tensor in &found.tensors {
        output::line(format_args!("  {:32} {:?}", tensor.name, tensor.shape))?;
    }
    if !found.card.is_null() {
        output::line(format_args!("card          {}", serde_json::to_string_pretty(&found.card)?))?;
    }
    Ok(())
}

impl Input {
    fn load(&self) -> Result<(Box<dyn LanguageModel>, Vec<Token>)> {
        let options = LoadOptions { threads: Some(self.threads.max(1)), ..LoadOptions::default() };
        Ok((load(&self.model, &options)?, self.prompt.tokens()?))
    }
}

impl Prompt {
    fn tokens(&self) -> Result<Vec<Token>> {
        if let Some(ids) = &self.ids {
            return Ok(ids.clone());
        }
        if let Some(text) = &self.prompt {
            return Ok(byte_tokens(text.as_bytes()));
        }
        let path = self.prompt_file.as_ref().context("no prompt: give --prompt, --prompt-file or --ids")?;
        let text = std::fs::read(path).with_context(|| format!("cannot read {}", path.display()))?;
        Ok(byte_tokens(&text))
    }
}

fn logits(args: &LogitsArgs) -> Result<()> {
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

fn generate(args: &GenerateArgs) -> Result<()> {
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
