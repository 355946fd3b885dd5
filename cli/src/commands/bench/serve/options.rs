//! The arguments.

use std::path::PathBuf;

use acumen_models::Dtype;
use acumen_protocol::{AccountId, Hash};
use anyhow::{Result, bail};
use clap::ValueEnum;
use serde::Serialize;

/// Loads a miner and reports: time to the first token, between tokens and in all (p50, p95, p99), tokens and requests
/// per second, goodput under a service-level objective, and how fast refusals come.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    #[command(flatten)]
    pub(crate) target: Target,
    #[command(flatten)]
    pub(crate) load: Load,
    /// Report instead what the server adds to a step: the same documents through the miner and through its bare model, in
    /// turn. With --model and --call predict
    #[arg(long)]
    pub(crate) overhead: bool,
    #[command(flatten)]
    pub(crate) wallet: crate::wallet::WalletOptions,
    /// Print one JSON object
    #[arg(long)]
    pub(crate) json: bool,
}

const EXAMPLES: &str = "\
Examples:
  acumen bench serve --model models/checkpoints/bytes.ngram --call tokenize --concurrency 32 --requests 20000
  acumen bench serve --model models/checkpoints/bytes.ngram --call fan-out --miners 256 --requests 20
  acumen bench serve --url http://203.0.113.7:8091 --miner 5… --call generate --rate 4 --slo-first-ms 500
  acumen bench serve --model models/checkpoints/gpt-small.safetensors --call predict --concurrency 256 --requests 512
  acumen bench serve --model models/checkpoints/gpt-small.safetensors --call predict --overhead --requests 20";

/// Whom to ask: a miner that runs (`--url`), or some in this process (`--model`).
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct Target {
    /// Where the miner serves: http://HOST:PORT, or https with --certificate
    #[arg(
        long,
        value_name = "URL",
        requires = "miner",
        conflicts_with = "model",
        required_unless_present = "model"
    )]
    pub(crate) url: Option<String>,
    /// Its hotkey
    #[arg(long, value_name = "ADDRESS")]
    pub(crate) miner: Option<AccountId>,
    /// blake2b-256 of its TLS certificate, as the chain has it
    #[arg(long, value_name = "HASH")]
    pub(crate) certificate: Option<Hash>,
    /// Process whose resident memory is reported [default: this one, with --model]
    #[arg(long, value_name = "PID")]
    pub(crate) pid: Option<u32>,
    /// Start miners with this model in this process, and ask them
    #[arg(long, value_name = "FILE")]
    pub(crate) model: Option<PathBuf>,
    /// How many of them
    #[arg(long, default_value_t = 1, value_name = "N")]
    pub(crate) miners: usize,
    /// Threads inside one operation of libtorch, with --model
    #[arg(long, default_value_t = 1, value_name = "N")]
    pub(crate) threads: usize,
    /// How the weights are held, with --model: auto, f32, bf16, int8 or int4
    #[arg(long, default_value = "auto", value_name = "TYPE")]
    pub(crate) dtype: Dtype,
    /// Streams at once of the miners that --model starts
    #[arg(long, default_value_t = 1_024, value_name = "N")]
    pub(crate) max_streams: usize,
}

/// What a request is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Call {
    /// A signed unary call with a signed answer: text to tokens
    Tokenize,
    /// One prompt, a token per message
    Generate,
    /// Documents in lock-step: the most likely token is revealed, the next distribution awaited
    Predict,
    /// Opens a Predict stream at every miner at once and waits for the last first answer
    FanOut,
}

/// What to ask, and how often.
#[derive(Debug, Clone, clap::Args, Serialize)]
pub(crate) struct Load {
    /// What a request is
    #[arg(long, value_enum, default_value_t = Call::Generate)]
    pub(crate) call: Call,
    /// How many, after the warm-up
    #[arg(long, default_value_t = 200, value_name = "N")]
    pub(crate) requests: usize,
    /// Requests before the measured ones
    #[arg(long, default_value_t = 16, value_name = "N")]
    pub(crate) warm_up: usize,
    /// Closed loop: requests in flight
    #[arg(long, default_value_t = 8, value_name = "N")]
    pub(crate) concurrency: usize,
    /// Open loop: requests per second, at random (Poisson) times
    #[arg(long, value_name = "PER_SECOND", conflicts_with = "concurrency")]
    pub(crate) rate: Option<f64>,
    /// Tokens of each prompt; of byte models, bytes
    #[arg(long, default_value_t = 128, value_name = "N")]
    pub(crate) prompt_tokens: usize,
    /// Tokens generated, or steps of a prediction
    #[arg(long, default_value_t = 32, value_name = "N")]
    pub(crate) output_tokens: u32,
    /// Documents of a prediction
    #[arg(long, default_value_t = 1, value_name = "N")]
    pub(crate) documents: usize,
    /// Ids of each distribution; 0: all of them, and for generate none
    #[arg(long, default_value_t = 0, value_name = "K")]
    pub(crate) top_k: u32,
    /// HTTP/2 connections per miner
    #[arg(long, default_value_t = 1, value_name = "N")]
    pub(crate) connections: usize,
    /// Seed of prompts, sampling and times
    #[arg(long, default_value_t = 1, value_name = "N")]
    pub(crate) seed: u64,
    /// Objective: the longest time to the first token, in milliseconds
    #[arg(long, value_name = "MS")]
    pub(crate) slo_first_ms: Option<f64>,
    /// Objective: the longest mean time between tokens, in milliseconds
    #[arg(long, value_name = "MS")]
    pub(crate) slo_next_ms: Option<f64>,
    /// How long a request may take, in milliseconds
    #[arg(long, default_value_t = 60_000, value_name = "MS")]
    pub(crate) timeout_ms: u64,
}

impl Load {
    /// Refuses what cannot be run.
    pub(crate) fn check(&self) -> Result<()> {
        if self.requests == 0 || self.concurrency == 0 || self.connections == 0 || self.documents == 0 {
            bail!("--requests, --concurrency, --connections and --documents must be at least 1");
        }
        if self.rate.is_some_and(|rate| !(rate.is_finite() && rate > 0.0)) {
            bail!("--rate must be a number above 0");
        }
        if self.output_tokens == 0 {
            bail!("--output-tokens must be at least 1");
        }
        Ok(())
    }
}
