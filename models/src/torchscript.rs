//! Any traced or scripted module `forward(ids[batch, positions]: int64) -> logits[batch, positions, vocab]`.
//!
//! The module is called through `CModule`, from the thread that loaded it and no other. It has no cache here: each step
//! reads the windows again. Beside `model.pt` a file `model.json` may say what the module itself cannot: its name, its
//! window and the token that begins a document.
//!
//! Loading tries the module out: that it accepts batches of different sizes and lengths up to its window, answers with
//! finite logits of the right shape, and predicts from what came before only (a later token must not change an earlier
//! answer), since everything else here relies on that.

mod export;
pub mod tensors;

#[cfg(test)]
mod tests;

use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use serde::{Deserialize, Serialize};
use tch::{CModule, Kind, TchError, Tensor};

use crate::documents::Documents;
use crate::files::{self, Digest};
use crate::model::{check_advance, check_contexts, check_documents};
use crate::torch::{dim, ids, log_probs, size, words};
use crate::{LanguageModel, LogProbs, ModelError, ModelInfo, Positions, Session, Token, score};

pub use export::export;

/// What `model.json` beside `model.pt` says. Everything has a default.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ScriptConfig {
    /// Name of the model; the file's stem if empty.
    pub name: String,
    /// Most tokens that the module accepts in one sequence.
    pub context: usize,
    /// The token that begins every document.
    pub begin: Token,
    /// Number of learned values, 0 if not known.
    pub parameters: u64,
}

impl Default for ScriptConfig {
    fn default() -> Self {
        Self { name: String::new(), context: 256, begin: u32::from(b'\n'), parameters: 0 }
    }
}

const MAX_CONTEXT: usize = 1 << 16;
const MAX_CONFIG_BYTES: u64 = 1 << 16;
/// How far two answers for the same prefix may differ: floating-point sums of other lengths, nothing more.
const CAUSAL_TOLERANCE: f64 = 1e-3;

struct Script {
    module: CModule,
    config: ScriptConfig,
    vocab: u32,
}

impl Script {
    fn logits(&self, ids: &Tensor) -> Result<Tensor, TchError> {
        self.module.forward_ts(std::slice::from_ref(ids))?.f_to_kind(Kind::Float)
    }
}

/// A TorchScript module read from a file.
pub struct ScriptModel {
    info: ModelInfo,
    script: Rc<Script>,
}

impl std::fmt::Debug for ScriptModel {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ScriptModel").field("info", &self.info).finish_non_exhaustive()
    }
}

impl ScriptModel {
    /// Reads a module of at most `limit` bytes and tries it out.
    ///
    /// # Errors
    /// What is wrong with the file or with the module's answers.
    pub fn read(path: &Path, limit: u64) -> Result<Self, ModelError> {
        let _guard = tch::no_grad_guard();
        // Shapes vary from call to call, and the profiling executor keeps something for each that it has seen.
        tch::jit::f_set_profiling_mode(false)?;
        tch::jit::f_set_graph_executor_optimize(false)?;
        let bytes = files::read(path, limit)?;
        let config = config(path)?;
        let module = CModule::load_data(&mut bytes.as_slice())
            .map_err(|error| files::corrupt(path, format!("not a TorchScript file: {}", words(&error))))?;
        let mut script = Script { module, config, vocab: 0 };
        script.vocab = try_out(path, &script)?;
        let name = match script.config.name.as_str() {
            "" => path.file_stem().unwrap_or_default().to_string_lossy().into_owned(),
            name => name.to_owned(),
        };
        let info = ModelInfo {
            name,
            architecture: "torchscript".into(),
            format: "torchscript".into(),
            parameters: script.config.parameters,
            vocab: script.vocab,
            context: script.config.context,
            digest: Digest::of(&bytes),
            tokenizer: "bytes".into(),
        };
        Ok(Self { info, script: Rc::new(script) })
    }
}

/// Where the description of a module lies.
pub(crate) fn config_path(path: &Path) -> PathBuf {
    path.with_extension("json")
}

fn config(path: &Path) -> Result<ScriptConfig, ModelError> {
    let beside = config_path(path);
    if !beside.exists() {
        return Ok(ScriptConfig::default());
    }
    let text = files::read(&beside, MAX_CONFIG_BYTES)?;
    let config: ScriptConfig =
        serde_json::from_slice(&text).map_err(|error| files::corrupt(&beside, error.to_string()))?;
    if !(2..=MAX_CONTEXT).contains(&config.context) {
        let reason = format!("`context` {} is not between 2 and {MAX_CONTEXT}", config.context);
        return Err(files::corrupt(&beside, reason));
    }
    Ok(config)
}

/// Runs the module on small batches and returns the size of its vocabulary.
fn try_out(path: &Path, script: &Script) -> Result<u32, ModelError> {
    let bad = |reason: String| files::corrupt(path, reason);
    let context = script.config.context;
    let run = |rows: usize, length: usize, last: Token| -> Result<Tensor, ModelError> {
        let mut row = vec![script.config.begin; length];
        row[length - 1] = last;
        let logits = script.logits(&ids(&vec![row.as_slice(); rows], length)?).map_err(|error| {
            bad(format!("`forward` refuses {rows} sequences of {length} tokens: {}", words(&error)))
        })?;
        match logits.size().as_slice() {
            [batch, positions, _] if *batch == dim(rows) && *positions == dim(length) => Ok(logits),
            other => Err(bad(format!(
                "`forward` answers {rows} sequences of {length} tokens with shape {other:?}, \
                 expected [{rows}, {length}, vocabulary]"
            ))),
        }
    };
    let short = run(1, 1, script.config.begin)?;
    let vocab = size(short.size()[2]);
    if vocab < 2 || vocab <= script.config.begin as usize {
        return Err(bad(format!("a vocabulary of {vocab} cannot hold the begin token")));
    }
    let long = run(2, context, script.config.begin)?;
    let other = run(2, context, if script.config.begin == 0 { 1 } else { 0 })?;
    if long.f_isfinite()?.f_all()?.f_int64_value(&[])? == 0 {
        return Err(bad("its logits are not finite".into()));
    }
    let before = dim(context - 1);
    let shift = long.f_narrow(1, 0, before)?.f_sub(&other.f_narrow(1, 0, before)?)?;
    if shift.f_abs()?.f_max()?.f_double_value(&[])? > CAUSAL_TOLERANCE {
        return Err(bad("a later token changes an earlier answer: the module is not causal".into()));
    }
    u32::try_from(vocab).map_err(|_| bad(format!("a vocabulary of {vocab} is too large")))
}

impl LanguageModel for ScriptModel {
    fn info(&self) -> &ModelInfo {
        &self.info
    }

    fn open(&self, contexts: &[Vec<Token>]) -> Result<Box<dyn Session>, ModelError> {
        check_contexts(contexts, self.info.vocab)?;
        let config = &self.script.config;
        let mut session = ScriptSession {
            documents: Documents::open(config.begin, config.context, contexts),
            predictions: vec![Vec::new(); contexts.len()],
            script: Rc::clone(&self.script),
        };
        session.read()?;
        Ok(Box::new(session))
    }

    fn logits(
        &self,
        tokens: &[Token],
        positions: Positions,
        each: &mut dyn FnMut(usize, &[f32]) -> ControlFlow<()>,
    ) -> Result<(), ModelError> {
        check_documents(&[tokens.to_vec()], self.info.vocab)?;
        score::raw(
            &|ids| self.script.logits(ids),
            (self.script.config.begin, self.script.config.context),
            tokens,
            positions,
            each,
        )
    }

    fn score(&self, documents: &[Vec<Token>]) -> Result<Vec<Vec<f32>>, ModelError> {
        check_documents(documents, self.info.vocab)?;
        let config = &self.script.config;
        score::documents(&|ids| self.script.logits(ids), config.begin, config.context, documents)
    }
}

struct ScriptSession {
    script: Rc<Script>,
    documents: Documents,
    predictions: Vec<LogProbs>,
}

impl Session for ScriptSession {
    fn predict(&self) -> &[LogProbs] {
        &self.predictions
    }

    fn advance(&mut self, tokens: &[Token]) -> Result<(), ModelError> {
        check_advance(tokens, self.documents.len(), self.script.vocab)?;
        self.documents.push(tokens);
        self.read()
    }
}

/// Tokens in one forward pass: bounds its activations.
const TOKENS_PER_PASS: usize = 8192;

impl ScriptSession {
    /// Runs every window; documents of one length share a pass, so that nothing is padded.
    fn read(&mut self) -> Result<(), ModelError> {
        let _guard = tch::no_grad_guard();
        let mut rows: Vec<usize> = (0..self.documents.len()).collect();
        rows.sort_by_key(|row| self.documents.window(*row).len());
        let length = |row: usize| self.documents.window(row).len();
        for same in rows.chunk_by(|a, b| length(*a) == length(*b)) {
            let positions = length(same[0]);
            for group in same.chunks((TOKENS_PER_PASS / positions).max(1)) {
                let windows: Vec<&[Token]> = group.iter().map(|row| self.documents.window(*row)).collect();
                let logits = self.script.logits(&ids(&windows, positions)?)?;
                let last = logits.f_select(1, dim(positions - 1))?;
                for (row, distribution) in group.iter().zip(log_probs(&last)?) {
                    self.predictions[*row] = distribution;
                }
            }
        }
        Ok(())
    }
}
