//! What a shorter or coarser list of log-probabilities loses, in nats a token, and what it saves, in bytes of an answer.
//!
//! Reads a text with a model, and for each position asks what the truth would have been given if the miner had sent only the
//! best k and the tail's mass, each log-probability in so many bits. A reader spreads the tail evenly over the ids that are not
//! listed (`scoring/value`), so what a short list loses is what the model knew about the tail.
//!
//! Bytes are those of the message's fields: today's form has ids as varints, best first, and f32; the other columns have
//! the ids in ascending order, each as the varint of its distance to the one before, which costs less and loses the ranks.
//!
//! `cargo run --release -p acumen-models --example packing -- MODEL TEXT-OR-FOLDER [TOKENS]`

use std::ops::ControlFlow;
use std::path::Path;

use acumen_models::{Dtype, LoadOptions, Positions, Token, Tokenizer, byte_tokens, load};

/// Lengths of the list; whatever is not below the vocabulary is all of it.
const LENGTHS: [usize; 10] = [1, 16, 64, 256, 512, 1_024, 2_048, 4_096, 16_384, usize::MAX];

/// Tokens of each text that are read at most: a window of any model.
const MOST_TOKENS: usize = 1_024;

/// Tags and lengths of the message's three fields, and the tail.
const FIELDS: usize = 12;

/// How a log-probability is written.
#[derive(Clone, Copy, Debug)]
enum Packing {
    F32,
    /// IEEE half precision.
    F16,
    /// Sixteenths of a nat, from 0 to -15.9.
    U8,
}

impl Packing {
    const ALL: [Self; 3] = [Self::F32, Self::F16, Self::U8];

    const fn bytes(self) -> usize {
        match self {
            Self::F32 => 4,
            Self::F16 => 2,
            Self::U8 => 1,
        }
    }

    fn round(self, logprob: f64) -> f64 {
        match self {
            Self::F32 => f64::from(logprob as f32),
            // Ten bits behind the leading one; smaller than its smallest normal number no log-probability is.
            Self::F16 if logprob < -6e-5 => {
                let unit = logprob.abs().log2().floor().exp2() / 1_024.0;
                (logprob / unit).round() * unit
            }
            Self::F16 => 0.0,
            Self::U8 => -((-logprob * 16.0).round().min(255.0) / 16.0),
        }
    }
}

/// Sums over positions for one length and packing.
#[derive(Clone, Copy, Debug, Default)]
struct Sums {
    nats: f64,
    outside: f64,
    bytes: f64,
}

/// What was read of all texts.
struct Read {
    vocabulary: usize,
    count: usize,
    /// By length, then packing.
    sums: Vec<Vec<Sums>>,
}

/// Bytes of a protobuf varint.
fn varint(value: u32) -> usize {
    (1..5).find(|bytes| u64::from(value) < 1 << (7 * bytes)).unwrap_or(5)
}

/// Bytes of the ids: none where all are sent, best first in f32's form, ascending differences in the others.
fn id_bytes(ids: &mut [u32], vocabulary: usize, packing: Packing) -> usize {
    if ids.len() == vocabulary {
        return 0;
    }
    if matches!(packing, Packing::F32) {
        return ids.iter().map(|id| varint(*id)).sum();
    }
    ids.sort_unstable();
    let mut before = 0;
    ids.iter().map(|id| varint(id - std::mem::replace(&mut before, *id))).sum()
}

fn add(sums: &mut Sums, ranked: &[(u32, f64)], truth: Token, k: usize, packing: Packing) {
    let vocabulary = ranked.len();
    let (listed, rest) = ranked.split_at(k.min(vocabulary));
    let tail: f64 = rest.iter().map(|(_, logprob)| logprob.exp()).sum();
    let total: f64 = listed.iter().map(|(_, logprob)| packing.round(*logprob).exp()).sum::<f64>() + tail;
    let given = match listed.iter().find(|(id, _)| *id == truth) {
        Some((_, logprob)) => packing.round(*logprob).exp() / total,
        None => tail / total / rest.len() as f64,
    };
    let mut ids: Vec<u32> = listed.iter().map(|(id, _)| *id).collect();
    sums.nats -= given.max(1e-12).ln();
    sums.outside += tail;
    sums.bytes += (id_bytes(&mut ids, vocabulary, packing) + listed.len() * packing.bytes() + FIELDS) as f64;
}

/// Natural-log probabilities, best first.
fn rank(logits: &[f32]) -> Vec<(u32, f64)> {
    let best = f64::from(logits.iter().copied().fold(f32::NEG_INFINITY, f32::max));
    let norm = logits.iter().map(|logit| (f64::from(*logit) - best).exp()).sum::<f64>().ln() + best;
    let mut ranked: Vec<(u32, f64)> =
        (0..).zip(logits).map(|(id, logit)| (id, f64::from(*logit) - norm)).collect();
    ranked.sort_unstable_by(|a, b| b.1.total_cmp(&a.1));
    ranked
}

fn read(path: &Path, texts: &[String], most: usize) -> Result<Read, String> {
    let options = LoadOptions { threads: Some(2), dtype: Dtype::F32, ..LoadOptions::default() };
    let model = load(path, &options).map_err(|error| error.to_string())?;
    let tokenizer = Tokenizer::of_model(path, options.max_file_bytes).map_err(|error| error.to_string())?;
    let mut sums = vec![vec![Sums::default(); Packing::ALL.len()]; LENGTHS.len()];
    let mut count = 0;
    for text in texts {
        let mut tokens = match &tokenizer {
            Some(tokenizer) if model.info().tokenizer != "bytes" => {
                tokenizer.encode(text, true).map_err(|error| error.to_string())?
            }
            _ => byte_tokens(text.as_bytes()),
        };
        tokens.truncate(most.min(model.info().context).min(MOST_TOKENS));
        let mut each = |position: usize, logits: &[f32]| {
            let Some(truth) = tokens.get(position + 1) else { return ControlFlow::Break(()) };
            let ranked = rank(logits);
            for (row, k) in sums.iter_mut().zip(LENGTHS) {
                for (cell, packing) in row.iter_mut().zip(Packing::ALL) {
                    add(cell, &ranked, *truth, k, packing);
                }
            }
            count += 1;
            ControlFlow::Continue(())
        };
        model.logits(&tokens, Positions::All, &mut each).map_err(|error| error.to_string())?;
    }
    Ok(Read { vocabulary: model.info().vocab as usize, count, sums })
}

/// One file, or every file of a folder.
fn texts(path: &Path) -> Result<Vec<String>, String> {
    let told = |error: std::io::Error| format!("{}: {error}", path.display());
    if !path.is_dir() {
        return Ok(vec![std::fs::read_to_string(path).map_err(told)?]);
    }
    let mut paths = Vec::new();
    for entry in std::fs::read_dir(path).map_err(told)? {
        paths.push(entry.map_err(told)?.path());
    }
    paths.sort();
    paths.iter().map(|path| std::fs::read_to_string(path).map_err(told)).collect()
}

fn main() -> Result<(), String> {
    let mut arguments = std::env::args().skip(1);
    let (Some(model), Some(text)) = (arguments.next(), arguments.next()) else {
        return Err("usage: packing MODEL TEXT-OR-FOLDER [TOKENS]".to_owned());
    };
    let most = arguments.next().and_then(|count| count.parse().ok()).unwrap_or(MOST_TOKENS);
    let Read { vocabulary, count, sums } = read(Path::new(&model), &texts(Path::new(&text))?, most)?;
    let mean = |sum: f64| sum / count.max(1) as f64;
    let full = sums.last().and_then(|row| row.first()).map_or(0.0, |sums| mean(sums.nats));
    println!("{model}: {vocabulary} ids, {count} positions, {full:.4} nats a token with all of them in f32");
    println!("{:>8} {:>9} | nats lost, bytes of an answer", "k", "left out");
    println!("{:>8} {:>9} | {:>18} {:>18} {:>18}", "", "", "f32", "f16, ascending", "u8, ascending");
    for (k, row) in LENGTHS.iter().zip(&sums) {
        if *k >= vocabulary && *k != usize::MAX {
            continue;
        }
        let name = if *k == usize::MAX { "all".to_owned() } else { k.to_string() };
        let left = mean(row.first().map_or(0.0, |sums| sums.outside));
        let cells: Vec<String> = row
            .iter()
            .map(|sums| format!("{:9.4} {:8.0}", mean(sums.nats) - full, mean(sums.bytes)))
            .collect();
        println!("{name:>8} {:>8.3}% | {}", left * 100.0, cells.join(" "));
    }
    Ok(())
}
