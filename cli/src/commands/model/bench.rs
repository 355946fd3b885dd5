//! `acumen model bench`: tokens per second by number format and batch, beside other engines in the same run.
//!
//! Everything is loaded first; then, round by round, every engine takes its turn at every measurement, so that a busy
//! moment of the machine falls on all alike. Medians over the rounds are printed.

mod engine;
mod others;
mod table;

use std::collections::BTreeMap;
use std::path::PathBuf;

use acumen_models::Dtype;
use anyhow::{Result, bail};
use clap::Args;
use serde_json::json;

use crate::output;
use engine::Engine;
use others::Other;

#[derive(Args, Debug)]
pub(crate) struct BenchArgs {
    /// A Hugging Face folder or a .gguf file
    #[arg(long, value_name = "PATH")]
    model: PathBuf,
    /// Number formats to measure
    #[arg(long, value_delimiter = ',', default_value = "f32,bf16,int8,int4", value_name = "TYPES")]
    dtypes: Vec<Dtype>,
    /// Numbers of sequences that are decoded together
    #[arg(long, value_delimiter = ',', default_value = "1,8,32", value_name = "N,…")]
    batches: Vec<usize>,
    /// Tokens of each prompt
    #[arg(long, default_value_t = 128)]
    prompt: usize,
    /// New tokens of each sequence
    #[arg(long, default_value_t = 32)]
    steps: usize,
    /// Rounds, of which medians are taken
    #[arg(long, default_value_t = 3)]
    rounds: usize,
    /// Threads inside one operation [default: all cores]
    #[arg(long)]
    threads: Option<usize>,
    /// Also measure transformers and llama.cpp with this Python, where it has them (torch and transformers,
    /// llama-cpp-python)
    #[arg(long, value_name = "PATH")]
    python: Option<PathBuf>,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

/// What is measured, the same for every engine.
#[derive(Debug, Clone)]
struct Plan {
    prompt: usize,
    steps: usize,
    threads: usize,
    batches: Vec<usize>,
}

/// One measurement.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum What {
    /// Tokens of a prompt that are read in a second.
    Prefill,
    /// New tokens in a second, over so many sequences together.
    Decode(usize),
}

impl std::fmt::Display for What {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Prefill => formatter.write_str("prefill"),
            Self::Decode(batch) => write!(formatter, "decode_{batch}"),
        }
    }
}

/// Somebody who is measured.
enum Subject {
    Ours(Box<Engine>),
    Other(Other),
}

impl Subject {
    fn name(&self) -> String {
        match self {
            Self::Ours(engine) => format!("acumen {}", engine.dtype()),
            Self::Other(other) => other.name().to_owned(),
        }
    }

    /// Why somebody else could not go on.
    fn fault(&self) -> Option<String> {
        match self {
            Self::Ours(_) => None,
            Self::Other(other) => other.fault().map(|fault| format!("{}: {fault}", other.name())),
        }
    }

    /// Tokens per second; none where it cannot do that.
    fn measure(&mut self, what: What, round: usize) -> Result<Option<f64>> {
        match self {
            Self::Ours(engine) => engine.measure(what, round).map(Some),
            Self::Other(other) => Ok(other.measure(what, round)),
        }
    }
}

/// Figures of one subject: those of every round.
type Figures = BTreeMap<What, Vec<f64>>;

pub(super) fn run(args: &BenchArgs) -> Result<()> {
    if args.rounds == 0 || args.prompt == 0 || args.steps == 0 || args.batches.contains(&0) {
        bail!("--rounds, --prompt, --steps and --batches: numbers of at least 1");
    }
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let plan = Plan {
        prompt: args.prompt,
        steps: args.steps,
        threads: args.threads.unwrap_or(cores).max(1),
        batches: args.batches.clone(),
    };
    let mut subjects = Vec::new();
    for dtype in &args.dtypes {
        output::progress(format_args!("loading {dtype}"));
        subjects.push(Subject::Ours(Box::new(Engine::load(&args.model, *dtype, &plan)?)));
    }
    let mut notes = Vec::new();
    if let Some(python) = &args.python {
        for start in others::starts(&args.model) {
            output::progress(format_args!("starting {}", start.name()));
            match Other::start(python, &args.model, &plan, start) {
                Ok(other) => subjects.push(Subject::Other(other)),
                Err(reason) => notes.push(format!("{}: {reason}", start.name())),
            }
        }
    }
    let figures = rounds(&mut subjects, &plan, args.rounds)?;
    let rows: Vec<(String, Figures)> = subjects.iter().map(Subject::name).zip(figures).collect();
    let bandwidth = engine::bandwidth(plan.threads);
    notes.extend(subjects.iter().filter_map(Subject::fault));
    if !args.json {
        return table::print(&args.model, &plan, args.rounds, &rows, &reads(&subjects), bandwidth, &notes);
    }
    let medians = rows.iter().map(|(name, figures)| {
        let values = figures.iter().map(|(what, values)| (what.to_string(), json!(median(values))));
        let mut row = serde_json::Map::from_iter(values);
        row.insert("engine".into(), json!(name));
        row
    });
    output::json_line(&json!({
        "model": args.model, "threads": plan.threads, "prompt": plan.prompt, "steps": plan.steps,
        "rounds": args.rounds, "unit": "tokens/s, median", "engines": medians.collect::<Vec<_>>(),
        "memory_bytes_per_second": bandwidth, "notes": notes,
    }))
}

/// Bytes of weights that one step of each of ours reads.
fn reads(subjects: &[Subject]) -> Vec<Option<usize>> {
    let reads = subjects.iter().map(|subject| match subject {
        Subject::Ours(engine) => engine.step_bytes(),
        Subject::Other(_) => None,
    });
    reads.collect()
}

fn rounds(subjects: &mut [Subject], plan: &Plan, rounds: usize) -> Result<Vec<Figures>> {
    let mut figures = vec![Figures::new(); subjects.len()];
    let whats: Vec<What> =
        std::iter::once(What::Prefill).chain(plan.batches.iter().map(|batch| What::Decode(*batch))).collect();
    for round in 0..rounds {
        for what in &whats {
            for (subject, figures) in subjects.iter_mut().zip(&mut figures) {
                if let Some(value) = subject.measure(*what, round)? {
                    let name = subject.name();
                    output::progress(format_args!(
                        "round {}: {name}, {what}: {value:.1} tokens/s",
                        round + 1
                    ));
                    figures.entry(*what).or_default().push(value);
                }
            }
        }
    }
    Ok(figures)
}

/// The middle of the values, the upper one of two.
fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted.get(sorted.len() / 2).copied().unwrap_or(f64::NAN)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_is_the_middle() {
        assert_eq!(median(&[3.0, 1.0, 2.0]), 2.0);
        assert_eq!(median(&[1.0, 2.0]), 2.0);
        assert!(median(&[]).is_nan());
    }
}
