//! Training sequences: random stretches of the corpus, and generated task documents.
//!
//! Task documents come from seeds that begin with the word `train`; evaluation uses others, so no document is in both.

use std::path::PathBuf;

use acumen_scoring_tasks::{Family, text};
use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::{RngCore, SeedableRng};
use tch::Tensor;

use super::TrainConfig;
use crate::files::{self, Digest};
use crate::gpt::BEGIN;
use crate::torch::ids;
use crate::{ModelError, Token};

/// Most bytes of one corpus file.
const MAX_CORPUS_BYTES: u64 = 1 << 30;
/// One corpus sequence in so many begins where a paragraph does, as a document would.
const AT_PARAGRAPH: u64 = 4;

pub(super) struct Source {
    texts: Vec<(PathBuf, Vec<u8>, String)>,
    total: usize,
    rng: ChaCha20Rng,
    task_seed: [u8; 32],
    next_task: u64,
    task_share: f64,
    batch: usize,
    context: usize,
}

impl Source {
    pub(super) fn open(config: &TrainConfig) -> Result<Self, ModelError> {
        let mut texts = Vec::new();
        for path in &config.corpus {
            let bytes = files::read(path, MAX_CORPUS_BYTES)?;
            if bytes.len() <= config.model.context + 1 {
                return Err(files::corrupt(path, "it is shorter than one training sequence"));
            }
            let digest = format!("0x{}", hex::encode(Digest::of(&bytes)));
            texts.push((path.clone(), bytes, digest));
        }
        if texts.is_empty() && config.task_share < 1.0 {
            let reason = "name at least one text, or set `task_share` to 1".to_owned();
            return Err(ModelError::Config { field: "corpus", reason });
        }
        let mut task_seed = [0; 32];
        task_seed[..5].copy_from_slice(b"train");
        task_seed[24..].copy_from_slice(&config.seed.to_le_bytes());
        Ok(Self {
            total: texts.iter().map(|(_, bytes, _)| bytes.len()).sum(),
            texts,
            rng: ChaCha20Rng::seed_from_u64(config.seed),
            task_seed,
            next_task: 0,
            task_share: config.task_share,
            batch: config.batch,
            context: config.model.context,
        })
    }

    /// The corpus files with their digests, for the card.
    pub(super) fn digests(&self) -> Vec<(String, String)> {
        self.texts
            .iter()
            .map(|(path, _, digest)| {
                let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
                (name, digest.clone())
            })
            .collect()
    }

    /// Inputs and targets, `[batch, context]` each.
    pub(super) fn batch(&mut self) -> Result<(Tensor, Tensor), ModelError> {
        let rows: Vec<Vec<Token>> = (0..self.batch).map(|_| self.sequence()).collect();
        let part = |from: usize| -> Vec<&[Token]> {
            rows.iter().map(|row| &row[from..from + self.context]).collect()
        };
        Ok((ids(&part(0), self.context)?, ids(&part(1), self.context)?))
    }

    /// `context + 1` tokens.
    fn sequence(&mut self) -> Vec<Token> {
        let share = f64::from(self.rng.next_u32()) / (f64::from(u32::MAX) + 1.0);
        if share < self.task_share { self.task() } else { self.stretch() }
    }

    /// A task document, from its start or (every other one) from somewhere inside.
    fn task(&mut self) -> Vec<Token> {
        let index = self.next_task;
        self.next_task += 1;
        let family = Family::ALL[(index % Family::ALL.len() as u64) as usize];
        let skip = if self.below(2) == 0 { 0 } else { self.below(self.context as u64) as usize };
        let mut document = vec![b'\n'];
        document.extend(text(family, &self.task_seed, index, skip + self.context));
        document[skip..].iter().map(|byte| Token::from(*byte)).collect()
    }

    /// A stretch of the corpus; every byte is as likely a start as any other.
    fn stretch(&mut self) -> Vec<Token> {
        let mut at = self.below(self.total as u64) as usize;
        let from_paragraph = self.below(AT_PARAGRAPH) == 0;
        let mut place = 0;
        while at >= self.texts[place].1.len() {
            at -= self.texts[place].1.len();
            place += 1;
        }
        let text = &self.texts[place].1;
        let last = text.len() - self.context - 1;
        let mut start = at.min(last);
        if from_paragraph {
            let newline = text[start..last].iter().position(|byte| Token::from(*byte) == BEGIN);
            start += newline.unwrap_or(0);
        }
        text[start..=start + self.context].iter().map(|byte| Token::from(*byte)).collect()
    }

    fn below(&mut self, bound: u64) -> u64 {
        self.rng.next_u64() % bound
    }
}
