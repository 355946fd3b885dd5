//! `acumen model`: train, inspect, evaluate and run models. One file per command; this one only routes.

mod bench;
mod convert;
mod embed;
mod evaluate;
mod generate;
mod input;
mod inspect;
mod logits;
mod perplexity;
mod train;

use anyhow::Result;
use clap::Subcommand;

/// Model commands.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Train a model from its recipe. Example: acumen model train --recipe models/checkpoints/train/gpt-small.json
    Train(train::TrainArgs),
    /// Show what is in a model file. Example: acumen model inspect models/checkpoints/gpt-small.safetensors
    Inspect(inspect::InspectArgs),
    /// Measure held-out loss in bits per byte. Example: acumen model evaluate --model M.pt --heldout models/corpus/heldout
    Evaluate(evaluate::EvaluateArgs),
    /// Measure perplexity in windows of tokens. Example: acumen model perplexity --model M.gguf --text book.txt --dtype int4
    Perplexity(perplexity::PerplexityArgs),
    /// Print next-token scores. Example: acumen model logits --model M.safetensors --prompt "Call me" --top 5
    Logits(logits::LogitsArgs),
    /// Continue a text. Example: acumen model generate --model M.safetensors --prompt "Call me" --max-tokens 40
    Generate(generate::GenerateArgs),
    /// Print the vector of each text. Example: acumen model embed --model all-MiniLM-L6-v2 --text "a cat" --text "a dog"
    Embed(embed::EmbedArgs),
    /// Write a GGUF file as a Hugging Face folder. Example: acumen model convert --model M.gguf --out folder
    Convert(convert::ConvertArgs),
    /// Measure tokens per second. Example: acumen model bench --model M.gguf --python venv/bin/python
    Bench(bench::BenchArgs),
}

/// Runs a model command.
pub(crate) fn run(command: &Command) -> Result<()> {
    match command {
        Command::Train(args) => train::run(args),
        Command::Inspect(args) => inspect::run(args),
        Command::Evaluate(args) => evaluate::run(args),
        Command::Perplexity(args) => perplexity::run(args),
        Command::Logits(args) => logits::run(args),
        Command::Generate(args) => generate::run(args),
        Command::Embed(args) => embed::run(args),
        Command::Convert(args) => convert::run(args),
        Command::Bench(args) => bench::run(args),
    }
}
