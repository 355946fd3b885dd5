//! The questions of one epoch.
//!
//! Half are drawn from generators with known entropy, half are windows of held-out texts. The seed is derived from the
//! validator's secret, its hotkey, the track, the epoch and the attempt, so that no two validators, epochs or attempts
//! share a question: an attempt that a crash cut short has revealed its truths, and is never asked again.
//! Every miner gets the same questions; that pairs their scores.

use acumen_protocol::{AccountId, Epoch, Hash, TrackId};
use acumen_scoring_tasks::{Family, generate};
use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::SeedableRng;
use serde::{Deserialize, Serialize};

use super::windows::{self, Recent, Text, Window};

/// How much is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Size {
    /// Documents; the first half (rounded down) is generated, the rest held out.
    pub documents: usize,
    /// Bytes of each document that a miner sees before its first answer.
    pub context_bytes: usize,
    /// Bytes of each document that are scored.
    pub scored_bytes: usize,
}

/// Where a question comes from.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Source {
    /// A generator; its own loss in nats per scored byte where it is known.
    Generated {
        /// Name of the family.
        family: String,
        /// Mean of the generator's own loss over the scored bytes.
        entropy: Option<f64>,
    },
    /// A held-out text.
    HeldOut(Window),
}

/// One document: what is shown and what is true.
#[derive(Debug, Clone, PartialEq)]
pub struct Question {
    /// Where it comes from.
    pub source: Source,
    /// Shown before the first answer.
    pub context: Vec<u8>,
    /// Revealed byte by byte, each after its answer.
    pub truth: Vec<u8>,
}

impl Question {
    /// Whether it comes from a held-out text.
    #[must_use]
    pub fn is_held_out(&self) -> bool {
        matches!(self.source, Source::HeldOut(_))
    }

    /// Digest of context and truth, for the evidence.
    #[must_use]
    pub fn digest(&self) -> Hash {
        Hash::of_encoded(&("acumen/question/1", &self.context, &self.truth))
    }
}

/// Who asks, when, with which secret.
#[derive(Debug, Clone, Copy)]
pub struct Asker<'a> {
    /// Known to this validator only.
    pub secret: &'a [u8; 32],
    /// The validator.
    pub hotkey: AccountId,
    /// The track.
    pub track: TrackId,
    /// The epoch.
    pub epoch: Epoch,
    /// Counts the tries of one epoch: above 0 after a crash.
    pub attempt: u32,
}

impl Asker<'_> {
    fn seed(&self, purpose: &str) -> [u8; 32] {
        let Self { secret, hotkey, track, epoch, attempt } = self;
        Hash::of_encoded(&("acumen/questions/1", purpose, secret, hotkey, track, epoch, attempt)).0
    }
}

/// Draws the questions. Without a text long enough for a window, all of them are generated.
#[must_use]
pub fn plan(asker: &Asker<'_>, size: Size, texts: &[Text], recent: &Recent) -> Vec<Question> {
    let length = size.context_bytes + size.scored_bytes;
    let mut rng = ChaCha20Rng::from_seed(asker.seed("windows"));
    let wanted = size.documents - size.documents / 2;
    let drawn = windows::draw(texts, recent, wanted, length, &mut rng);
    let seed = asker.seed("generators");
    let generated = (0..size.documents - drawn.len()).map(|index| {
        // The rotation keeps families even over epochs when the count is no multiple of their number.
        let family = Family::ALL[(index + asker.epoch.get() as usize) % Family::ALL.len()];
        generated_question(family, &seed, index as u64, size)
    });
    let mut questions: Vec<Question> = generated.collect();
    questions.extend(drawn.into_iter().filter_map(|window| held_out_question(window, texts, size)));
    questions
}

fn generated_question(family: Family, seed: &[u8; 32], index: u64, size: Size) -> Question {
    let document = generate(family, seed, index, size.context_bytes + size.scored_bytes);
    let (context, truth) = document.text.split_at(size.context_bytes);
    let scored = document.nats.as_ref().and_then(|nats| nats.get(size.context_bytes..));
    let entropy = scored.map(|nats| nats.iter().sum::<f64>() / nats.len().max(1) as f64);
    let source = Source::Generated { family: family.name().to_owned(), entropy };
    Question { source, context: context.to_vec(), truth: truth.to_vec() }
}

fn held_out_question(window: Window, texts: &[Text], size: Size) -> Option<Question> {
    let text = texts.iter().find(|text| text.name == window.file)?;
    let bytes = text.bytes.get(window.start..window.start + window.length)?;
    let (context, truth) = bytes.split_at(size.context_bytes);
    Some(Question { context: context.to_vec(), truth: truth.to_vec(), source: Source::HeldOut(window) })
}

#[cfg(test)]
mod tests;
