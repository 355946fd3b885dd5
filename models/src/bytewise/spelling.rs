//! The ways in which the bytes so far may have been spelled, each with the probability that a token model gives it.
//!
//! A way is a path of whole tokens and the beginning of one more. The probability of the next byte is the sum over the
//! ways, and within a way over the tokens that go on with that byte. Where a beginning is itself a token, the way forks:
//! the token may end here, and then the model must be asked what follows it. [`Spellings::advance`] says which questions
//! are open, [`Spellings::answer`] takes the answers; between them nothing else is allowed.
//!
//! Exact, the ways of a text grow exponentially. Ways that hold less than [`NEGLIGIBLE`] of the probability are dropped,
//! at most [`MOST_WAYS`] are kept, and ways that reach the same byte with the same token become the likelier one of them
//! with the weight of both: what a model says next hardly depends on how the words before were cut, but the weights of
//! such ways would stay in proportion for ever. With none of the three the result is the model's own distribution over
//! byte strings, which the tests check by enumeration. The construction is that of Phan et al. 2024 (arXiv 2410.09303)
//! and Vieira et al. 2024 (arXiv 2412.03719).

use std::sync::Arc;

use super::vocabulary::{Beginning, Vocabulary};
use crate::{LogProbs, Token};

/// A fork that holds less than this share of the probability is not followed, because each costs a question to the model.
/// A tenth of it changes the loss of SmolLM2-135M on prose by less than 0.001 bits per byte (`examples/bytewise.rs`).
pub(crate) const NEGLIGIBLE: f64 = 1e-2;
/// Ways kept: twice as many change that loss as little.
pub(crate) const MOST_WAYS: usize = 4;
/// Share of the uniform distribution in every answer, so that no byte is impossible.
const FLOOR: f64 = 1e-6;

/// What may be dropped.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Pruning {
    pub(crate) negligible: f64,
    pub(crate) ways: usize,
    pub(crate) join: bool,
}

impl Default for Pruning {
    fn default() -> Self {
        Self { negligible: NEGLIGIBLE, ways: MOST_WAYS, join: true }
    }
}

/// One way: `path`, then a token that begins as `open` says.
#[derive(Debug, Clone)]
struct Way {
    path: Vec<Token>,
    /// Probability of the path, in units that are the same for all ways.
    weight: f64,
    /// Probability of each token after the path, control tokens left out and the rest not rescaled.
    next: Arc<[f64]>,
    open: Beginning,
}

impl Way {
    fn mass(&self, vocabulary: &Vocabulary) -> f64 {
        let sum: f64 = vocabulary.next_bytes(self.open).map(|(_, token)| self.next[token as usize]).sum();
        self.weight * sum
    }
}

/// A path of which the model must say what follows it.
#[derive(Debug, Clone, PartialEq)]
struct Question {
    path: Vec<Token>,
    weight: f64,
}

/// See the module.
#[derive(Debug)]
pub(crate) struct Spellings {
    vocabulary: Arc<Vocabulary>,
    pruning: Pruning,
    ways: Vec<Way>,
    questions: Vec<Question>,
    /// Bytes since the beginning of the paths.
    bytes: Vec<u8>,
}

impl Spellings {
    /// Begins with a text of whole tokens and one question: what follows them.
    pub(crate) fn new(vocabulary: Arc<Vocabulary>, pruning: Pruning) -> Self {
        let questions = vec![Question { path: Vec::new(), weight: 1.0 }];
        Self { vocabulary, pruning, ways: Vec::new(), questions, bytes: Vec::new() }
    }

    /// The paths after which the model must be asked.
    pub(crate) fn questions(&self) -> impl Iterator<Item = &[Token]> {
        self.questions.iter().map(|question| question.path.as_slice())
    }

    /// Takes the model's distributions after the paths of [`Self::questions`], in their order.
    pub(crate) fn answer<'a>(&mut self, distributions: impl Iterator<Item = &'a LogProbs>) {
        let open = self.vocabulary.all();
        for (question, logprobs) in self.questions.drain(..).zip(distributions) {
            let next = logprobs.iter().map(|logprob| f64::from(*logprob).exp()).collect();
            self.ways.push(Way { path: question.path, weight: question.weight, next, open });
        }
        self.prune();
    }

    /// Natural-log probabilities of the 256 next bytes. They sum to one.
    pub(crate) fn predict(&self) -> LogProbs {
        let mut mass = [0.0_f64; 256];
        for way in &self.ways {
            for (byte, token) in self.vocabulary.next_bytes(way.open) {
                mass[usize::from(byte)] += way.weight * way.next[token as usize];
            }
        }
        let total: f64 = mass.iter().sum();
        let share = |mass: f64| if total > 0.0 { mass / total } else { 0.0 };
        let floor = if total > 0.0 { FLOOR } else { 1.0 };
        mass.iter().map(|mass| ((1.0 - floor) * share(*mass) + floor / 256.0).ln() as f32).collect()
    }

    /// The next byte is `byte`. Ways that cannot go on with it end; where a token may end here, a question opens.
    pub(crate) fn advance(&mut self, byte: u8) {
        self.bytes.push(byte);
        let mut forks = Vec::new();
        for way in &mut self.ways {
            let (whole, rest) = self.vocabulary.split(self.vocabulary.narrow(way.open, byte));
            for (_, token) in whole {
                let path = way.path.iter().copied().chain([*token]).collect();
                forks.push(Question { path, weight: way.weight * way.next[*token as usize] });
            }
            way.open = rest;
        }
        self.ways.retain(|way| way.open.start < way.open.end);
        let staying: f64 = self.ways.iter().map(|way| way.mass(&self.vocabulary)).sum();
        let all = staying + forks.iter().map(|fork| fork.weight).sum::<f64>();
        forks.sort_by(|a, b| b.weight.total_cmp(&a.weight));
        if self.pruning.join {
            forks = joined(forks);
        }
        forks.retain(|fork| fork.weight > all * self.pruning.negligible);
        forks.truncate(self.pruning.ways);
        self.questions = forks;
        // A text that the model holds for impossible: spell it anyhow and go on from there.
        if self.questions.is_empty() && staying <= 0.0 {
            self.ways.clear();
            self.questions = vec![Question { path: self.vocabulary.spell(&self.bytes), weight: 1.0 }];
        }
        self.rescale();
    }

    /// Tokens that all ways begin with: the caller appends them to the text, and the paths get shorter by them.
    pub(crate) fn settle(&mut self) -> Vec<Token> {
        let paths = self.ways.iter().map(|way| &way.path).chain(self.questions.iter().map(|open| &open.path));
        let common = paths.clone().min_by_key(|path| path.len()).map_or(0, |shortest| {
            (0..shortest.len()).take_while(|at| paths.clone().all(|path| path[*at] == shortest[*at])).count()
        });
        let first = paths.clone().next();
        let settled: Vec<Token> = first.map(|path| path[..common].to_vec()).unwrap_or_default();
        for path in self.ways.iter_mut().map(|way| &mut way.path) {
            path.drain(..common);
        }
        for path in self.questions.iter_mut().map(|open| &mut open.path) {
            path.drain(..common);
        }
        let gone: usize = settled.iter().map(|token| self.vocabulary.length(*token)).sum();
        self.bytes.drain(..gone.min(self.bytes.len()));
        settled
    }

    fn prune(&mut self) {
        let vocabulary = &self.vocabulary;
        let mut weighed: Vec<(f64, Way)> =
            self.ways.drain(..).map(|way| (way.mass(vocabulary), way)).collect();
        weighed.sort_by(|(a, _), (b, _)| b.total_cmp(a));
        let all: f64 = weighed.iter().map(|(mass, _)| mass).sum();
        let kept = weighed.into_iter().take(self.pruning.ways);
        self.ways =
            kept.filter(|(mass, _)| *mass > all * self.pruning.negligible).map(|(_, way)| way).collect();
    }

    /// Keeps the weights away from the end of the floating-point range.
    fn rescale(&mut self) {
        let weights = self.ways.iter().map(|way| way.weight).chain(self.questions.iter().map(|q| q.weight));
        let largest = weights.fold(0.0, f64::max);
        if largest > 0.0 {
            self.ways.iter_mut().for_each(|way| way.weight /= largest);
            self.questions.iter_mut().for_each(|question| question.weight /= largest);
        }
    }
}

/// Those that end with the same token become the first of them, which is the likeliest. They end at the same byte.
fn joined(forks: Vec<Question>) -> Vec<Question> {
    let mut kept: Vec<Question> = Vec::with_capacity(forks.len());
    for fork in forks {
        match kept.iter_mut().find(|other| other.path.last() == fork.path.last()) {
            Some(other) => other.weight += fork.weight,
            None => kept.push(fork),
        }
    }
    kept
}
