//! Distances between models and between a model and its disguised copies, and what each adds to the other.
//!
//! Reads what `run.sh` in this folder has written: `OUT/texts/*.txt` and, per model, `OUT/logits/NAME.jsonl` with the lines
//! of `acumen model logits --positions all` for all texts in order. A name `MODEL+DISGUISE` is a copy of MODEL. Copies
//! under noise on the logits and at another temperature are made here. Distances are Hellinger, losses and what is added
//! are nats per byte.

use acumen_scoring_value::Report;
use acumen_scoring_value::cluster::Affinity;
use acumen_scoring_value::encompass::{EncompassRule, added};
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{RngCore, SeedableRng};
use serde::Deserialize;
use std::collections::BTreeMap;
use std::error::Error;
use std::path::Path;

/// Resamples, and bytes that stay together in them.
const DRAWS: u32 = 1_000;
const CHUNK: usize = 32;

type Fallible<T> = Result<T, Box<dyn Error>>;

/// One line of `acumen model logits`.
#[derive(Deserialize)]
struct Line {
    logits: Vec<(usize, f64)>,
}

/// A model's answers: a distribution per scored byte.
type Answers = Vec<Vec<f64>>;

struct Texts {
    /// Length of each text.
    lengths: Vec<usize>,
    /// Every byte but the first of each.
    truth: Vec<u8>,
    /// Text of each of those bytes.
    documents: Vec<u64>,
}

fn main() -> Fallible<()> {
    let folder = std::env::args_os().nth(1).ok_or("give the folder that run.sh has written")?;
    let folder = Path::new(&folder);
    let texts = texts(&folder.join("texts"))?;
    let mut models = BTreeMap::new();
    for path in sorted(&folder.join("logits"))? {
        let name = path.file_stem().ok_or("a file without a name")?.to_string_lossy().into_owned();
        models.insert(name, answers(&path, &texts)?);
    }
    let (copies, honest): (Vec<_>, Vec<_>) = models.keys().cloned().partition(|name| name.contains('+'));
    println!("{} bytes of {} texts\n", texts.truth.len(), texts.lengths.len());
    println!(
        "| pair | distance | distance after fitting a temperature | loss of each | the first adds to the second | the second adds to the first | held back, 3,072 / 4,096 bytes |"
    );
    println!("|---|--:|--:|--:|--:|--:|--:|");
    for (at, a) in honest.iter().enumerate() {
        for b in &honest[at + 1..] {
            row(&format!("{a}, {b}"), &models[a], &models[b], &texts)?;
        }
    }
    for copy in &copies {
        let original = copy.split('+').next().unwrap_or(copy);
        row(&copy.replace('+', ": weights "), &models[original], &models[copy], &texts)?;
    }
    for name in ["gpt-large", "gpt-medium"] {
        let original = models.get(name).ok_or("run.sh writes gpt-large and gpt-medium")?;
        for beta in [0.75, 1.3] {
            row(
                &format!("{name}: temperature {:.2}", 1.0 / beta),
                original,
                &tempered(original, beta),
                &texts,
            )?;
        }
        let both = noisy(&tempered(original, 0.75), 0.5);
        row(&format!("{name}: temperature 1.33 and noise of 0.5"), original, &both, &texts)?;
        for sigma in [0.2, 0.5, 0.8, 1.0] {
            row(
                &format!("{name}: noise of {sigma} on the logits"),
                original,
                &noisy(original, sigma),
                &texts,
            )?;
        }
    }
    Ok(())
}

fn sorted(folder: &Path) -> Fallible<Vec<std::path::PathBuf>> {
    let mut paths =
        std::fs::read_dir(folder)?.map(|entry| Ok(entry?.path())).collect::<Fallible<Vec<_>>>()?;
    paths.sort();
    Ok(paths)
}

fn texts(folder: &Path) -> Fallible<Texts> {
    let mut texts = Texts { lengths: Vec::new(), truth: Vec::new(), documents: Vec::new() };
    for path in sorted(folder)? {
        let bytes = std::fs::read(path)?;
        texts.truth.extend(bytes.iter().skip(1));
        texts.documents.extend(bytes.iter().skip(1).map(|_| texts.lengths.len() as u64));
        texts.lengths.push(bytes.len());
    }
    Ok(texts)
}

/// What follows each byte of a text but its last, floored as a report is.
fn answers(path: &Path, texts: &Texts) -> Fallible<Answers> {
    let file = std::fs::read_to_string(path)?;
    let mut lines = file.lines();
    let mut answers = Vec::with_capacity(texts.truth.len());
    for &length in &texts.lengths {
        for at in 0..length {
            let line = lines.next().ok_or_else(|| format!("{} ends early", path.display()))?;
            if at + 1 < length {
                let line: Line = serde_json::from_str(line)?;
                let mut logits = vec![f64::NEG_INFINITY; 256];
                line.logits.iter().for_each(|&(id, logit)| logits[id] = logit);
                answers.push(floored(&logits)?);
            }
        }
    }
    Ok(answers)
}

fn floored(logits: &[f64]) -> Fallible<Vec<f64>> {
    let top = logits.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let raw: Vec<f64> = logits.iter().map(|logit| (logit - top).exp()).collect();
    let total: f64 = raw.iter().sum();
    Ok(Report::from_dense(&raw.iter().map(|x| x / total).collect::<Vec<_>>())?.dense())
}

fn tempered(original: &Answers, beta: f64) -> Answers {
    original
        .iter()
        .filter_map(|dist| floored(&dist.iter().map(|p| beta * p.ln()).collect::<Vec<_>>()).ok())
        .collect()
}

fn noisy(original: &Answers, sigma: f64) -> Answers {
    let mut rng = ChaCha8Rng::seed_from_u64(1);
    let mut unit = move || (rng.next_u64() >> 11) as f64 / (1u64 << 53) as f64;
    let mut normal = move || (-2.0 * (1.0 - unit()).ln()).sqrt() * (std::f64::consts::TAU * unit()).cos();
    let mut blur = |dist: &Vec<f64>| -> Vec<f64> { dist.iter().map(|p| p.ln() + sigma * normal()).collect() };
    original.iter().filter_map(|dist| floored(&blur(dist)).ok()).collect()
}

fn row(name: &str, a: &Answers, b: &Answers, texts: &Texts) -> Fallible<()> {
    let mut affinity = Affinity::new(2)?;
    let mut plain = 0.0;
    for (p, q) in a.iter().zip(b) {
        affinity.observe(&[Some(p), Some(q)])?;
        plain += (0.5 * p.iter().zip(q).map(|(x, y)| (x.sqrt() - y.sqrt()).powi(2)).sum::<f64>()).sqrt();
    }
    let given = |answers: &Answers| -> Vec<f64> {
        answers.iter().zip(&texts.truth).map(|(dist, &byte)| dist[usize::from(byte)]).collect()
    };
    let (p, q) = (given(a), given(b));
    let loss = |given: &[f64]| -given.iter().map(|p| p.ln()).sum::<f64>() / given.len() as f64;
    let (first, second) = (added(&q, &p, Some(&texts.documents)), added(&p, &q, Some(&texts.documents)));
    let (senior, junior) = if loss(&p) <= loss(&q) { (&p, &q) } else { (&q, &p) };
    let [few, many] = [3_072, 4_096].map(|tokens| held_back(senior, junior, tokens));
    println!(
        "| {name} | {:.3} | {:.3} | {:.3}, {:.3} | {:.4} | {:.4} | {few:.1} / {many:.1} % |",
        plain / a.len() as f64,
        affinity.distance(0, 1).unwrap_or(1.0),
        loss(&p),
        loss(&q),
        first.mean.max(0.0),
        second.mean.max(0.0)
    );
    Ok(())
}

/// Share of resamples, in %, in which the worse of two counts as adding nothing: chunks of 32 bytes, as validators ask.
fn held_back(senior: &[f64], junior: &[f64], tokens: usize) -> f64 {
    let mut rng = ChaCha8Rng::seed_from_u64(3);
    let rule = EncompassRule::default();
    let held = (0..DRAWS).filter(|_| {
        let starts: Vec<usize> =
            (0..tokens / CHUNK).map(|_| (rng.next_u64() % (senior.len() - CHUNK) as u64) as usize).collect();
        let pick = |given: &[f64]| -> Vec<f64> {
            starts.iter().flat_map(|&start| given[start..start + CHUNK].to_vec()).collect()
        };
        rule.encompasses(&pick(senior), &pick(junior), None)
    });
    100.0 * held.count() as f64 / f64::from(DRAWS)
}
