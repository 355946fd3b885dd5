//! Questions whose answers are known: seeded generators of text with computable entropy.
//!
//! A validator draws documents from a secret seed, so no miner can have seen them, and every byte's probability under
//! the generator itself is computed exactly. Each document has parameters of its own (a lexicon, a grammar's words, a
//! step) that a predictor learns while it reads: this measures in-context learning, and the generator's own loss is a
//! floor that no predictor can beat on average.
//!
//! Invariants: everything here is a function of (family, seed, index, length); the text is drawn with integers only, so
//! it is the same on every machine; a shorter document is a prefix of a longer one. `nats` are natural logarithms.

#![forbid(unsafe_code)]

mod automaton;
mod draw;
mod families;

use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::SeedableRng;

use automaton::Automaton;

/// Most bytes that one document may have: a bound on what a caller's mistake can cost.
pub const MAX_LENGTH: usize = 1 << 20;

/// Words of ChaCha's stream that belong to one family; 2^48 words are far more than [`MAX_LENGTH`] bytes consume.
const WORDS_PER_FAMILY: u128 = 1 << 48;

/// A kind of generated text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Family {
    /// Invented words that follow one another by a secret first-order Markov chain.
    Lexicon,
    /// English sentences of a fixed grammar, with few words of each class chosen for the document.
    Grammar,
    /// Lines that count upwards by a secret step.
    Arithmetic,
}

impl Family {
    /// Every family, in the order of their numbers.
    pub const ALL: [Self; 3] = [Self::Lexicon, Self::Grammar, Self::Arithmetic];

    /// The name used in configuration and reports.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Lexicon => "lexicon",
            Self::Grammar => "grammar",
            Self::Arithmetic => "arithmetic",
        }
    }

    /// The family of that name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|family| family.name() == name)
    }

    const fn number(self) -> u128 {
        match self {
            Self::Lexicon => 0,
            Self::Grammar => 1,
            Self::Arithmetic => 2,
        }
    }

    fn automaton(self, rng: &mut ChaCha20Rng) -> Automaton {
        match self {
            Self::Lexicon => families::lexicon(rng),
            Self::Grammar => families::grammar(rng),
            Self::Arithmetic => families::arithmetic(rng),
        }
    }
}

impl std::fmt::Display for Family {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}

/// A generated document.
#[derive(Debug, Clone, PartialEq)]
pub struct Document {
    /// The generator's family.
    pub family: Family,
    /// The text: ASCII.
    pub text: Vec<u8>,
    /// For each byte, minus the natural log of its probability given the earlier bytes and the document's parameters.
    /// Every family of today has them.
    pub nats: Option<Vec<f64>>,
}

impl Document {
    /// The generator's own loss in bits per byte: no predictor does better on average.
    #[must_use]
    pub fn floor_bits_per_byte(&self) -> Option<f64> {
        let nats = self.nats.as_ref().filter(|nats| !nats.is_empty())?;
        Some(nats.iter().sum::<f64>() / std::f64::consts::LN_2 / nats.len() as f64)
    }
}

/// The document of that index under the seed, cut to `length` bytes (at most [`MAX_LENGTH`]).
#[must_use]
pub fn generate(family: Family, seed: &[u8; 32], index: u64, length: usize) -> Document {
    let (automaton, text) = draw(family, seed, index, length);
    let nats = automaton.nats(&text);
    Document { family, text, nats: Some(nats) }
}

/// The text of [`generate`] alone, which is much cheaper than its probabilities.
#[must_use]
pub fn text(family: Family, seed: &[u8; 32], index: u64, length: usize) -> Vec<u8> {
    draw(family, seed, index, length).1
}

fn draw(family: Family, seed: &[u8; 32], index: u64, length: usize) -> (Automaton, Vec<u8>) {
    let mut rng = ChaCha20Rng::from_seed(*seed);
    rng.set_stream(index);
    rng.set_word_pos(family.number() * WORDS_PER_FAMILY);
    let automaton = family.automaton(&mut rng);
    let text = automaton.sample(&mut rng, length.min(MAX_LENGTH));
    (automaton, text)
}
