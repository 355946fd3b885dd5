//! Tokens per second of a decoder: reading a prompt, one text, many texts through continuous batching.
//!
//! `cargo run --release -p acumen-models --example engine_speed -- FOLDER [f32|bf16|int8|int4] [threads]` prints one JSON
//! line. `tests/parity/compare_speed.py` runs it in turn with transformers. With one thread, time is what the processor
//! spent on it, so that a busy machine does not show.

use std::path::Path;
use std::time::{Duration, Instant};

use acumen_models::{LanguageModel, LoadOptions, ModelError, Session, Token, load};

const PROMPT: usize = 128;
const STEPS: usize = 16;
const TEXTS: usize = 32;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let path = arguments.first().ok_or("which model?")?;
    let dtype = arguments.get(1).map_or("f32", String::as_str);
    let threads = arguments.get(2).map_or(Ok(2), |text| text.parse())?;
    let options = LoadOptions { threads: Some(threads), dtype: dtype.parse()?, ..LoadOptions::default() };
    let model = load(Path::new(path), &options)?;
    // Warm: allocator, kernels, cache pages.
    run(model.as_ref(), 1, 0)?;
    run(model.as_ref(), 4, 2)?;
    let prefill = (0..3).map(|round| prefill(model.as_ref(), 100 + round)).collect::<Result<Vec<_>, _>>()?;
    let one = run(model.as_ref(), 1, 200)?;
    let many = run(model.as_ref(), TEXTS, 300)?;
    let best = prefill.into_iter().fold(0.0, f64::max);
    println!(
        "{{\"dtype\":\"{dtype}\",\"prefill\":{best:.1},\"decode_1\":{one:.2},\"decode_{TEXTS}\":{many:.1}}}"
    );
    Ok(())
}

/// Seconds since the first call: on the wall, or on the processor where one thread does all the work.
struct Watch {
    begun: Instant,
    on_cpu: Option<Duration>,
}

impl Watch {
    fn start() -> Self {
        Self { begun: Instant::now(), on_cpu: on_cpu() }
    }

    fn seconds(&self) -> f64 {
        match (self.on_cpu, on_cpu()) {
            (Some(before), Some(after)) if tch::get_num_threads() == 1 => (after - before).as_secs_f64(),
            _ => self.begun.elapsed().as_secs_f64(),
        }
    }
}

/// What this thread has had of a processor.
fn on_cpu() -> Option<Duration> {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").ok()?;
    text.split(' ').next()?.parse().ok().map(Duration::from_nanos)
}

/// Tokens that no other prompt begins with: the prefix cache must not help.
fn prompt(seed: usize, length: usize) -> Vec<Token> {
    (0..length).map(|index| ((seed * 7919 + index * 104_729 + 13) % 40_000) as Token).collect()
}

/// Prompt tokens per second.
fn prefill(model: &dyn LanguageModel, seed: usize) -> Result<f64, ModelError> {
    let begun = Watch::start();
    drop(model.open(&[prompt(seed, PROMPT)])?);
    Ok(PROMPT as f64 / begun.seconds())
}

/// New tokens per second of `texts` sessions that step together.
fn run(model: &dyn LanguageModel, texts: usize, seed: usize) -> Result<f64, ModelError> {
    let mut sessions = (0..texts)
        .map(|text| model.begin(&[prompt(seed + text, PROMPT)]))
        .collect::<Result<Vec<Box<dyn Session>>, _>>()?;
    settle(model, &mut sessions)?;
    let begun = Watch::start();
    for _ in 0..STEPS {
        for session in &mut sessions {
            let token = likeliest(&session.take()[0]);
            session.begin(&[token])?;
        }
        settle(model, &mut sessions)?;
    }
    Ok((texts * STEPS) as f64 / begun.seconds())
}

/// The first of the largest, sixteen side by side as transformers' argmax looks for it.
fn likeliest(row: &[f32]) -> Token {
    let mut most = [f32::NEG_INFINITY; 16];
    for chunk in row.chunks(most.len()) {
        for (most, value) in most.iter_mut().zip(chunk) {
            *most = if *value > *most { *value } else { *most };
        }
    }
    let most = most.into_iter().fold(f32::NEG_INFINITY, f32::max);
    row.iter().position(|value| *value == most).unwrap_or(0) as Token
}

fn settle(model: &dyn LanguageModel, sessions: &mut [Box<dyn Session>]) -> Result<(), ModelError> {
    loop {
        let mut ready = true;
        for session in sessions.iter_mut() {
            ready &= session.poll()?;
        }
        if ready {
            return Ok(());
        }
        model.step()?;
    }
}
