//! Text as a hidden Markov chain of words, and the exact probability of each of its bytes.
//!
//! A document is a walk over states; each state emits one word (separators belong to the word) and chooses the next.
//! Different states, and different words, may begin alike, so the bytes alone do not tell where the walk is: the
//! forward filter keeps the probability of every (state, word, bytes already emitted) that agrees with the text.

use std::collections::BTreeMap;

use rand_chacha::ChaCha20Rng;

use crate::draw::weighted;

/// One state: what it emits and where it goes, with integer weights.
#[derive(Debug, Clone)]
pub(crate) struct State {
    /// Words, never empty, each with its weight.
    pub(crate) words: Vec<(Vec<u8>, u32)>,
    /// Next states with their weights.
    pub(crate) next: Vec<(usize, u32)>,
}

/// The walk begins in state 0.
#[derive(Debug, Clone)]
pub(crate) struct Automaton {
    pub(crate) states: Vec<State>,
}

/// Where the walk may be: a state, one of its words, and how many of the word's bytes are out already.
type Place = (usize, usize, usize);

/// The probability of each place that agrees with the text so far. A map, so that sums run in one order everywhere.
type Belief = BTreeMap<Place, f64>;

impl Automaton {
    /// Draws a text of exactly `length` bytes.
    pub(crate) fn sample(&self, rng: &mut ChaCha20Rng, length: usize) -> Vec<u8> {
        let mut text = Vec::with_capacity(length);
        let mut at = 0;
        while text.len() < length {
            let state = &self.states[at];
            let word = weighted(rng, state.words.iter().map(|(_, weight)| *weight));
            text.extend_from_slice(&state.words[word].0);
            at = state.next[weighted(rng, state.next.iter().map(|(_, weight)| *weight))].0;
        }
        text.truncate(length);
        text
    }

    /// For each byte, minus the natural log of its probability given the bytes before it. Infinite for a text that
    /// this automaton cannot have written.
    pub(crate) fn nats(&self, text: &[u8]) -> Vec<f64> {
        let mut belief = Belief::new();
        self.enter(0, 1.0, &mut belief);
        text.iter()
            .map(|byte| {
                let (probability, after) = self.observe(&belief, *byte);
                belief = after;
                -probability.ln()
            })
            .collect()
    }

    /// Adds the places where the walk may be on arriving in a state with this probability.
    fn enter(&self, state: usize, probability: f64, belief: &mut Belief) {
        let words = &self.states[state].words;
        let total: f64 = words.iter().map(|(_, weight)| f64::from(*weight)).sum();
        for (word, (_, weight)) in words.iter().enumerate() {
            *belief.entry((state, word, 0)).or_insert(0.0) += probability * f64::from(*weight) / total;
        }
    }

    /// The probability of the next byte, and the belief once it has been seen.
    fn observe(&self, belief: &Belief, byte: u8) -> (f64, Belief) {
        let mut seen = Belief::new();
        for (&(state, word, offset), &probability) in belief {
            let bytes = &self.states[state].words[word].0;
            if bytes[offset] != byte {
                continue;
            }
            if offset + 1 < bytes.len() {
                *seen.entry((state, word, offset + 1)).or_insert(0.0) += probability;
                continue;
            }
            let next = &self.states[state].next;
            let total: f64 = next.iter().map(|(_, weight)| f64::from(*weight)).sum();
            for &(to, weight) in next {
                self.enter(to, probability * f64::from(weight) / total, &mut seen);
            }
        }
        let total: f64 = seen.values().sum();
        seen.values_mut().for_each(|probability| *probability /= total);
        (total, seen)
    }
}

#[cfg(test)]
mod tests;
