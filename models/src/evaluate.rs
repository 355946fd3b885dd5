//! Held-out loss in bits per byte, on text and on every task family.
//!
//! The loss is prequential: each byte is predicted from those before it within the model's window, from the start of
//! its document. Units: bits per byte, the mean over bytes of a kind; `mix` weighs text and tasks half and half, and
//! the task families equally, as validators do.

use std::collections::BTreeMap;

use acumen_scoring_tasks::{Family, text};
use serde::{Deserialize, Serialize};

use crate::model::byte_tokens;
use crate::{LanguageModel, ModelError, Token};

/// Seed of the task documents of evaluations: public, so that figures can be checked, and never trained on.
pub const TASK_SEED: [u8; 32] = *b"acumen held-out task documents 1";
/// Task documents per family, and their length in bytes.
const TASK_DOCUMENTS: usize = 16;
const TASK_BYTES: usize = 1024;

/// Losses in bits per byte.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Losses {
    /// On held-out text.
    pub text: f64,
    /// On generated lexicon documents.
    pub lexicon: f64,
    /// On generated grammar documents.
    pub grammar: f64,
    /// On generated arithmetic documents.
    pub arithmetic: f64,
    /// Half `text`, half the mean of the families.
    pub mix: f64,
}

/// A model's losses on the held-out documents and on the public task documents.
///
/// # Errors
/// A failure of the model.
pub fn evaluate(model: &dyn LanguageModel, heldout: &[Vec<u8>]) -> Result<Losses, ModelError> {
    bits_per_byte(&|documents| model.score(documents), heldout, usize::MAX, usize::MAX)
}

/// The generators' own loss on the same task documents, in bits per byte by family name: no model does better on average.
#[must_use]
pub fn floors() -> BTreeMap<&'static str, f64> {
    Family::ALL
        .into_iter()
        .map(|family| {
            let bits: f64 = (0..TASK_DOCUMENTS as u64)
                .map(|index| acumen_scoring_tasks::generate(family, &TASK_SEED, index, TASK_BYTES))
                .filter_map(|document| document.floor_bits_per_byte())
                .sum();
            (family.name(), bits / TASK_DOCUMENTS as f64)
        })
        .collect()
}

type Score<'a> = dyn Fn(&[Vec<Token>]) -> Result<Vec<Vec<f32>>, ModelError> + 'a;

/// Losses on at most `documents` documents of each kind and `bytes` bytes of each.
pub(crate) fn bits_per_byte(
    score: &Score<'_>,
    heldout: &[Vec<u8>],
    documents: usize,
    bytes: usize,
) -> Result<Losses, ModelError> {
    let every = heldout.len().div_ceil(documents.min(heldout.len()).max(1)).max(1);
    let text_loss = loss(score, heldout.iter().step_by(every).map(|text| cut(text, bytes)))?;
    let family = |family| {
        let texts = (0..TASK_DOCUMENTS.min(documents) as u64)
            .map(|index| text(family, &TASK_SEED, index, TASK_BYTES.min(bytes)));
        loss(score, texts.map(|text| byte_tokens(&text)))
    };
    let (lexicon, grammar, arithmetic) =
        (family(Family::Lexicon)?, family(Family::Grammar)?, family(Family::Arithmetic)?);
    let tasks = (lexicon + grammar + arithmetic) / 3.0;
    Ok(Losses { text: text_loss, lexicon, grammar, arithmetic, mix: (text_loss + tasks) / 2.0 })
}

fn cut(text: &[u8], bytes: usize) -> Vec<Token> {
    byte_tokens(&text[..text.len().min(bytes)])
}

/// Mean bits per byte over all bytes of the documents.
fn loss(score: &Score<'_>, texts: impl Iterator<Item = Vec<Token>>) -> Result<f64, ModelError> {
    let texts: Vec<Vec<Token>> = texts.collect();
    let nats = score(&texts)?;
    let count = nats.iter().map(Vec::len).sum::<usize>().max(1);
    let sum: f64 = nats.iter().flatten().map(|nat| f64::from(*nat)).sum();
    Ok(sum / std::f64::consts::LN_2 / count as f64)
}
