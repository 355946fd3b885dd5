//! Decoding: pooled distributions in, tokens for the miners and text for the client out.
//!
//! One *choice* is one document of the miners' streams; all choices of a request advance in lock-step. A choice first
//! takes the prompt bytes that it is forced to take (only if their log-probabilities are wanted), then samples.
//!
//! Invariants: `completion_tokens` counts bytes that reach the client; a choice finishes exactly once; what a choice
//! does depends on its own distributions, its index and the seed, never on the other choices.

use super::random;
use super::request::Query;
use super::sampling::{Sampling, descending};
use super::steering::{Counts, Steering};
use super::stop::{Byte, StopMatcher};
use super::utf8::Utf8Cutter;

/// What a finished choice feeds to the miners while others go on: a line feed, whose distribution nobody reads.
const PADDING: u32 = b'\n' as u32;

/// Why a choice ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FinishReason {
    /// A stop string.
    Stop,
    /// `max_tokens`.
    Length,
}

impl FinishReason {
    /// The name that clients know.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Stop => "stop",
            Self::Length => "length",
        }
    }
}

/// One byte with what the collective thought of it.
#[derive(Clone, Debug, PartialEq)]
pub struct ScoredByte {
    /// The byte.
    pub byte: u8,
    /// ln p in the pooled distribution, before temperature; `None` for a prompt byte that was not scored.
    pub logprob: Option<f64>,
    /// The most probable bytes at this position with their ln p.
    pub top: Vec<(u8, f64)>,
}

impl Byte for ScoredByte {
    fn byte(&self) -> u8 {
        self.byte
    }
}

/// Something for the client.
#[derive(Clone, Debug, PartialEq)]
pub struct Piece {
    /// Index of the choice.
    pub choice: usize,
    /// Whole characters.
    pub text: String,
    /// The bytes of `text`.
    pub bytes: Vec<ScoredByte>,
    /// Set once, in the choice's last piece.
    pub finish: Option<FinishReason>,
}

impl Piece {
    const fn is_empty(&self) -> bool {
        self.text.is_empty() && self.finish.is_none()
    }
}

/// Result of one step.
#[derive(Clone, Debug, PartialEq)]
pub struct Turn {
    /// The next token of every document.
    pub tokens: Vec<u32>,
    /// What became visible.
    pub pieces: Vec<Piece>,
}

/// All choices of one request.
#[derive(Debug)]
pub struct Decoding {
    choices: Vec<Choice>,
    sampling: Sampling,
    steering: Steering,
    alternatives: Option<usize>,
    max_tokens: usize,
    seed: u64,
}

#[derive(Debug)]
struct Choice {
    context: Vec<u8>,
    /// Prompt bytes still to be fed and scored, last first.
    forced: Vec<u8>,
    /// Prompt bytes to show without scores.
    shown: Vec<u8>,
    sampled: usize,
    generated: Counts,
    delivered: usize,
    stop: StopMatcher<ScoredByte>,
    text: Utf8Cutter,
    /// Bytes whose character is not complete.
    pending: Vec<ScoredByte>,
    finished: bool,
}

impl Decoding {
    /// Prepares `query.prompts` × `query.n` choices.
    #[must_use]
    pub fn new(query: &Query, seed: u64) -> Self {
        let scored_echo = query.echo && query.logprobs.is_some();
        let choice = |prompt: &Vec<u8>| Choice {
            context: if scored_echo { Vec::new() } else { prompt.clone() },
            forced: if scored_echo { prompt.iter().rev().copied().collect() } else { Vec::new() },
            shown: if query.echo && !scored_echo { prompt.clone() } else { Vec::new() },
            sampled: 0,
            generated: Counts::default(),
            delivered: 0,
            stop: StopMatcher::new(query.stops.clone()),
            text: Utf8Cutter::default(),
            pending: Vec::new(),
            finished: false,
        };
        let choices =
            query.prompts.iter().flat_map(|prompt| (0..query.n).map(move |_| choice(prompt))).collect();
        Self {
            choices,
            sampling: query.sampling,
            steering: query.steering.clone(),
            alternatives: query.logprobs,
            max_tokens: query.max_tokens,
            seed,
        }
    }

    /// The context of every document, as token ids.
    #[must_use]
    pub fn contexts(&self) -> Vec<Vec<u32>> {
        self.choices.iter().map(|choice| choice.context.iter().copied().map(u32::from).collect()).collect()
    }

    /// What is visible before the first distribution: the echoed prompt, and choices that are finished already.
    pub fn start(&mut self) -> Vec<Piece> {
        let max_tokens = self.max_tokens;
        let start = |(index, choice): (usize, &mut Choice)| {
            let mut piece = Piece { choice: index, text: String::new(), bytes: Vec::new(), finish: None };
            for byte in std::mem::take(&mut choice.shown) {
                choice.show(ScoredByte { byte, logprob: None, top: Vec::new() }, &mut piece);
            }
            if max_tokens == 0 && choice.forced.is_empty() {
                choice.finish(FinishReason::Length, &mut piece);
            }
            piece
        };
        self.choices.iter_mut().enumerate().map(start).filter(|piece| !piece.is_empty()).collect()
    }

    /// Takes the pooled distribution of every document one token further.
    pub fn advance(&mut self, pooled: &[Vec<f64>]) -> Turn {
        let mut turn = Turn { tokens: Vec::with_capacity(self.choices.len()), pieces: Vec::new() };
        for (index, (choice, probs)) in self.choices.iter_mut().zip(pooled).enumerate() {
            if choice.finished {
                turn.tokens.push(PADDING);
                continue;
            }
            let mut piece = Piece { choice: index, text: String::new(), bytes: Vec::new(), finish: None };
            let byte = match choice.forced.pop() {
                Some(byte) => {
                    choice.show(scored(byte, probs, self.alternatives), &mut piece);
                    if choice.forced.is_empty() && self.max_tokens == 0 {
                        choice.finish(FinishReason::Length, &mut piece);
                    }
                    byte
                }
                None => {
                    let draw = random::uniform(self.seed, index, choice.sampled as u64);
                    let id = self.sampling.choose(&self.steering.steer(probs, &choice.generated), draw);
                    let byte = u8::try_from(id).unwrap_or(u8::MAX);
                    choice.take(scored(byte, probs, self.alternatives), self.max_tokens, &mut piece);
                    byte
                }
            };
            turn.tokens.push(u32::from(byte));
            turn.pieces.extend(Some(piece).filter(|piece| !piece.is_empty()));
        }
        turn
    }

    /// True when every choice has finished.
    #[must_use]
    pub fn is_done(&self) -> bool {
        self.choices.iter().all(|choice| choice.finished)
    }

    /// Bytes delivered so far over all choices, without echoed prompts and matched stop strings.
    #[must_use]
    pub fn completion_tokens(&self) -> usize {
        self.choices.iter().map(|choice| choice.delivered).sum()
    }
}

impl Choice {
    /// A sampled byte.
    fn take(&mut self, scored: ScoredByte, max_tokens: usize, piece: &mut Piece) {
        self.sampled += 1;
        self.generated.add(scored.byte);
        let released = self.stop.push(scored);
        self.deliver(released.items, piece);
        if released.stopped {
            self.finish(FinishReason::Stop, piece);
        } else if self.sampled >= max_tokens {
            self.finish(FinishReason::Length, piece);
        }
    }

    fn deliver(&mut self, bytes: Vec<ScoredByte>, piece: &mut Piece) {
        self.delivered += bytes.len();
        for byte in bytes {
            self.show(byte, piece);
        }
    }

    /// Adds a byte to the visible text, once its character is complete.
    fn show(&mut self, scored: ScoredByte, piece: &mut Piece) {
        let text = self.text.push(scored.byte);
        self.pending.push(scored);
        if !text.is_empty() {
            piece.text.push_str(&text);
            piece.bytes.append(&mut self.pending);
        }
    }

    fn finish(&mut self, reason: FinishReason, piece: &mut Piece) {
        if reason == FinishReason::Length {
            let held = self.stop.finish();
            self.deliver(held, piece);
        }
        piece.text.push_str(&self.text.finish());
        piece.bytes.append(&mut self.pending);
        piece.finish = Some(reason);
        self.finished = true;
    }
}

/// Scores `byte` if scores are wanted.
fn scored(byte: u8, probs: &[f64], alternatives: Option<usize>) -> ScoredByte {
    let Some(count) = alternatives else { return ScoredByte { byte, logprob: None, top: Vec::new() } };
    let entry = |id: usize| u8::try_from(id).ok().map(|byte| (byte, probs[id].ln()));
    let top = descending(probs).into_iter().take(count).filter_map(entry).collect();
    ScoredByte { byte, logprob: probs.get(usize::from(byte)).map(|prob| prob.ln()), top }
}

#[cfg(test)]
mod tests;
