//! Training of the byte GPT: AdamW, warm-up and cosine decay, seeded, with held-out loss along the way.
//!
//! What a run does is a function of its configuration and the files it names; on another machine or with another number
//! of threads floating-point sums may differ in their last bits, and with them the weights. The checkpoint carries a
//! card with everything needed to run it again.

mod data;

use std::path::PathBuf;
use std::time::Instant;

use acumen_scoring_tasks::Family;
use serde::{Deserialize, Serialize};
use tch::nn::{self, OptimizerConfig};
use tch::{Device, Kind, Reduction, Tensor};

use crate::evaluate::{Losses, bits_per_byte};
use crate::gpt::{self, BEGIN, Gpt, GptConfig, GptModel, VOCAB};
use crate::torch::{self, dim};
use crate::{ModelError, Token, files, score, torchscript};

/// What to train, on what, for how long. Paths are relative to the working directory.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TrainConfig {
    /// Name in the file and in reports.
    pub name: String,
    /// Where the checkpoint goes: `.safetensors`, or `.pt` for a traced TorchScript module.
    pub output: PathBuf,
    /// Shape of the network.
    pub model: GptConfig,
    /// Texts to train on.
    pub corpus: Vec<PathBuf>,
    /// Folder of documents that are never trained on.
    pub heldout: PathBuf,
    /// Share of training sequences that are generated task documents, 0 to 1.
    pub task_share: f64,
    /// Optimiser steps.
    pub steps: u64,
    /// Sequences per step, each as long as the context.
    pub batch: usize,
    /// Learning rate at its peak.
    pub learning_rate: f64,
    /// Steps over which it rises to the peak; it then falls to a twentieth by half a cosine.
    pub warmup_steps: u64,
    /// Decay of matrices (norms have none).
    pub weight_decay: f64,
    /// Seed of the initial weights and of the order of the data.
    pub seed: u64,
    /// Steps between looks at the held-out loss.
    pub evaluate_every: u64,
    /// Threads inside one operation.
    pub threads: usize,
}

/// How a run stands.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct Progress {
    /// Steps done.
    pub step: u64,
    /// Steps in all.
    pub steps: u64,
    /// Mean training loss since the last report, in bits per byte.
    pub train_bits_per_byte: f64,
    /// Held-out loss of a fixed sample, in bits per byte.
    pub heldout: Losses,
    /// Bytes trained on per second.
    pub bytes_per_second: f64,
}

const LARGEST_GRADIENT: f64 = 1.0;
const LAST_LEARNING_RATE: f64 = 0.05;
/// Held-out documents of each kind looked at along the way, and how much of each.
const SAMPLE_DOCUMENTS: usize = 8;
const SAMPLE_BYTES: usize = 1024;

/// Trains a model and writes its checkpoint; returns the final held-out loss.
///
/// # Errors
/// A configuration that cannot be used, a file that cannot be read or written, a failure of the engine, or a loss that
/// is no longer a number.
pub fn run(config: &TrainConfig, progress: &mut dyn FnMut(&Progress)) -> Result<Losses, ModelError> {
    check(config)?;
    torch::prepare(Some(config.threads));
    let mut data = data::Source::open(config)?;
    let heldout = crate::corpus::documents(&config.heldout)?;
    tch::manual_seed(i64::try_from(config.seed % (1 << 62)).unwrap_or_default());
    let store = nn::VarStore::new(Device::Cpu);
    let gpt = initialise(config.model, &store)?;
    optimise(config, &store, &gpt, &mut data, &heldout, progress)?;

    let score = |documents: &[Vec<Token>]| {
        score::documents(&|ids| gpt.logits(ids), BEGIN, config.model.context, documents)
    };
    let losses = bits_per_byte(&score, &heldout, usize::MAX, usize::MAX)?;
    save(config, &store, card(config, &data, losses))?;
    Ok(losses)
}

/// A traced module is made from the native file, so that both have the same rounded weights.
fn save(config: &TrainConfig, store: &nn::VarStore, card: serde_json::Value) -> Result<(), ModelError> {
    let variables: Vec<(String, Tensor)> = store.variables().into_iter().collect();
    if config.output.extension().is_none_or(|extension| extension != "pt") {
        return gpt::write(&config.output, &config.name, config.model, card, &variables);
    }
    let native = config.output.with_extension("safetensors");
    gpt::write(&native, &config.name, config.model, card, &variables)?;
    let model = GptModel::read(&native, u64::MAX)?;
    torchscript::export(&model, &config.name, &config.output)?;
    std::fs::remove_file(&native).map_err(|error| files::io(&native, &error))
}

fn check(config: &TrainConfig) -> Result<(), ModelError> {
    config.model.check()?;
    let refuse = |field, reason: &str| Err(ModelError::Config { field, reason: reason.into() });
    if !(0.0..=1.0).contains(&config.task_share) {
        return refuse("task_share", "must be between 0 and 1");
    }
    if config.batch == 0 || config.batch > 4096 {
        return refuse("batch", "must be between 1 and 4096");
    }
    if !(config.learning_rate > 0.0 && config.learning_rate < 1.0) {
        return refuse("learning_rate", "must be between 0 and 1");
    }
    if config.warmup_steps >= config.steps {
        return refuse("warmup_steps", "must be less than `steps`");
    }
    if config.evaluate_every == 0 {
        return refuse("evaluate_every", "must be at least 1");
    }
    Ok(())
}

/// Fresh weights, registered in the store under the names of the file.
fn initialise(config: GptConfig, store: &nn::VarStore) -> Result<Gpt, ModelError> {
    let shapes = config.tensors();
    // Writes into the residual stream start smaller, so that its variance does not grow with depth.
    let residual = (2.0 * config.layers as f64).sqrt().recip();
    Gpt::new(config, &mut |name| {
        let shape = shapes.iter().find(|(known, _)| known == name).map_or(&[][..], |(_, s)| s);
        let dims: Vec<i64> = shape.iter().map(|size| dim(*size)).collect();
        let spread = match shape {
            [_, inputs] if name == "embedding" => 0.6 / (*inputs as f64).sqrt(),
            [_, inputs] => 0.8 / (*inputs as f64).sqrt(),
            _ => 0.0,
        };
        let narrower = name.ends_with("attention_out") || name.ends_with("down");
        let init = match shape.len() {
            1 => nn::Init::Const(1.0),
            _ => nn::Init::Randn { mean: 0.0, stdev: spread * if narrower { residual } else { 1.0 } },
        };
        let mut path = store.root().set_group(usize::from(shape.len() == 1));
        let (folders, leaf) = name.rsplit_once('.').unwrap_or(("", name));
        for folder in folders.split('.').filter(|folder| !folder.is_empty()) {
            path = path.sub(folder);
        }
        Ok(path.f_var(leaf, &dims, init)?)
    })
}

fn optimise(
    config: &TrainConfig,
    store: &nn::VarStore,
    gpt: &Gpt,
    data: &mut data::Source,
    heldout: &[Vec<u8>],
    progress: &mut dyn FnMut(&Progress),
) -> Result<(), ModelError> {
    let adam = nn::AdamW { beta1: 0.9, beta2: 0.98, wd: config.weight_decay, eps: 1e-9, amsgrad: false };
    let mut optimiser = adam.build(store, config.learning_rate)?;
    optimiser.set_weight_decay_group(1, 0.0);
    let mut since = (Instant::now(), 0u64, 0.0);
    for step in 0..config.steps {
        optimiser.set_lr(learning_rate(config, step));
        let loss = loss(gpt, data.batch()?)?;
        optimiser.zero_grad();
        loss.f_backward()?;
        optimiser.clip_grad_norm(LARGEST_GRADIENT);
        optimiser.step();
        let value = loss.f_to_kind(Kind::Double)?.f_double_value(&[])?;
        if !value.is_finite() {
            let reason = format!("the loss became {value} at step {step}; lower it");
            return Err(ModelError::Config { field: "learning_rate", reason });
        }
        since = (since.0, since.1 + 1, since.2 + value);
        let done = step + 1;
        if done % config.evaluate_every == 0 || done == config.steps {
            let bytes = since.1 as f64 * (config.batch * config.model.context) as f64;
            let rate = bytes / since.0.elapsed().as_secs_f64();
            let score = |documents: &[Vec<Token>]| {
                score::documents(&|ids| gpt.logits(ids), BEGIN, config.model.context, documents)
            };
            progress(&Progress {
                step: done,
                steps: config.steps,
                train_bits_per_byte: since.2 / since.1 as f64 / std::f64::consts::LN_2,
                heldout: bits_per_byte(&score, heldout, SAMPLE_DOCUMENTS, SAMPLE_BYTES)?,
                bytes_per_second: rate,
            });
            since = (Instant::now(), 0, 0.0);
        }
    }
    Ok(())
}

/// Mean nats that a batch of inputs costs, each of whose tokens has a target.
fn loss(gpt: &Gpt, (inputs, targets): (Tensor, Tensor)) -> Result<Tensor, ModelError> {
    let logits = gpt.logits(&inputs)?.f_view([-1, i64::from(VOCAB)])?;
    let targets = targets.f_view([-1])?;
    Ok(logits.f_cross_entropy_loss::<Tensor>(&targets, None, Reduction::Mean, -100, 0.0)?)
}

fn learning_rate(config: &TrainConfig, step: u64) -> f64 {
    let peak = config.learning_rate;
    if step < config.warmup_steps {
        return peak * (step + 1) as f64 / config.warmup_steps as f64;
    }
    let past = (step - config.warmup_steps) as f64;
    let share = past / (config.steps - config.warmup_steps) as f64;
    let cosine = 0.5 * (1.0 + (std::f64::consts::PI * share).cos());
    peak * (LAST_LEARNING_RATE + (1.0 - LAST_LEARNING_RATE) * cosine)
}

fn card(config: &TrainConfig, data: &data::Source, losses: Losses) -> serde_json::Value {
    let families: Vec<&str> = Family::ALL.iter().map(|family| family.name()).collect();
    serde_json::json!({
        "corpus": data.digests(),
        "task_families": families,
        "task_share": config.task_share,
        "steps": config.steps,
        "batch": config.batch,
        "bytes_seen": config.steps * (config.batch * config.model.context) as u64,
        "learning_rate": config.learning_rate,
        "warmup_steps": config.warmup_steps,
        "weight_decay": config.weight_decay,
        "seed": config.seed,
        "parameters": config.model.parameters(),
        "heldout_bits_per_byte": losses,
    })
}

#[cfg(test)]
mod tests;
