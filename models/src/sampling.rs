//! The choice of a token that anyone can replay: Gumbel-max with counter-based noise.
//!
//! The noise of a token depends on the seed, the position and the token's id alone: not on the order in which tokens
//! are looked at, on other requests, or on the machine. Who knows seed and distribution knows the choice.
//!
//! 1. `r = Philox4x32-10(counter = [id, position mod 2^32, position / 2^32, 0], key = [seed mod 2^32, seed / 2^32])`
//!    (Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", SC 2011);
//! 2. `u = ((r[1] * 2^32 + r[0]) / 2^11 (integer) + 1/2) / 2^53`: strictly between 0 and 1;
//! 3. `g = -ln(-ln u)`;
//! 4. the token with the largest `logprob / temperature + g` is chosen, the smallest id among equals.
//!
//! Temperature 0 takes the largest log-probability, the smallest id among equals. With `top_p` below 1 only the nucleus
//! takes part: the tokens in order of `logprob / temperature`, best first, equal ones by id, up to and including the
//! first at which the sum of `exp(logprob / temperature - best)` reaches `top_p` of the whole sum. Everything is `f64`
//! from the model's `f32` log-probabilities on. Logarithms differ between machines in the last bit, so that a replay
//! can differ where two candidates lie within 1e-12 of each other, which happens about once in 10^11 tokens.

use std::cmp::Ordering;

use crate::{LogProbs, Token};

mod philox;

#[cfg(test)]
mod tests;

/// How to choose tokens.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Sampler {
    /// Divides the log-probabilities; 0 is greedy.
    pub temperature: f64,
    /// Mass of the likeliest tokens that take part, in (0, 1].
    pub top_p: f64,
    /// Seed of the noise.
    pub seed: u64,
}

/// The noise of a token: distributed as `exp(-exp(-x))`.
#[must_use]
pub fn noise(seed: u64, position: u64, id: Token) -> f64 {
    gumbel(bits(seed, position, id))
}

/// The 53 bits that the noise is made of.
fn bits(seed: u64, position: u64, id: Token) -> u64 {
    let halves = |value: u64| [value as u32, (value >> 32) as u32];
    let [low, high] = halves(position);
    let random = philox::philox4x32([id, low, high, 0], halves(seed));
    ((u64::from(random[1]) << 32) | u64::from(random[0])) >> 11
}

fn gumbel(bits: u64) -> f64 {
    let uniform = (bits as f64 + 0.5) / (1_u64 << 53) as f64;
    -(-uniform.ln()).ln()
}

impl Sampler {
    /// The token that the distribution, the seed and the position determine. An empty distribution gives 0.
    #[must_use]
    pub fn choose(&self, distribution: &LogProbs, position: u64) -> Token {
        let likeliest = argmax(distribution);
        if self.temperature == 0.0 {
            return likeliest;
        }
        if self.top_p < 1.0 {
            let nucleus = self.nucleus(distribution);
            return self.race(
                nucleus.iter().map(|id| (*id, distribution[*id as usize])),
                likeliest,
                position,
            );
        }
        let first = distribution.get(likeliest as usize).copied().unwrap_or(f32::NEG_INFINITY);
        // The likeliest runs first: the higher the mark, the more of the others need no logarithm.
        let all = std::iter::once((likeliest, first)).chain((0..).zip(distribution.iter().copied()));
        self.race(all, likeliest, position)
    }

    fn race(&self, tokens: impl Iterator<Item = (Token, f32)>, likeliest: Token, position: u64) -> Token {
        let mut best = (f64::NEG_INFINITY, likeliest);
        for (id, logprob) in tokens {
            let value = f64::from(logprob) / self.temperature;
            if value == f64::NEG_INFINITY {
                continue;
            }
            let random = bits(self.seed, position, id);
            if cannot_exceed(random, best.0 - value) {
                continue;
            }
            let candidate = (value + gumbel(random), id);
            if candidate.0 > best.0 || (candidate.0 == best.0 && id < best.1) {
                best = candidate;
            }
        }
        best.1
    }

    fn nucleus(&self, distribution: &LogProbs) -> Vec<Token> {
        let mut ranked: Vec<(Token, f64)> =
            (0..).zip(distribution.iter().map(|logprob| f64::from(*logprob) / self.temperature)).collect();
        ranked.sort_unstable_by(better_first);
        let best = ranked.first().map_or(0.0, |(_, value)| *value);
        let mass = |value: f64| (value - best).exp();
        let whole: f64 = ranked.iter().map(|(_, value)| mass(*value)).sum();
        let mut sum = 0.0;
        let mut nucleus = Vec::new();
        for (id, value) in ranked {
            nucleus.push(id);
            sum += mass(value);
            if sum >= self.top_p * whole {
                break;
            }
        }
        nucleus
    }
}

/// The likeliest token, the smallest id among equals.
fn argmax(distribution: &LogProbs) -> Token {
    let mut best = (f32::NEG_INFINITY, 0);
    for (id, logprob) in (0..).zip(distribution) {
        if *logprob > best.0 {
            best = (*logprob, id);
        }
    }
    best.1
}

fn better_first(left: &(Token, f64), right: &(Token, f64)) -> Ordering {
    right.1.total_cmp(&left.1).then(left.0.cmp(&right.0))
}

/// True only if the noise of these bits is certainly below `distance`; saves two logarithms for nearly every token.
///
/// `g >= d` needs `u >= exp(-exp(-d)) >= 1 - exp(-d) >= 1 - 2^-k` for `k = floor(d / ln 2)`: the first `k` bits of `u`
/// must all be one.
fn cannot_exceed(bits: u64, distance: f64) -> bool {
    let k = (distance * std::f64::consts::LOG2_E).floor();
    if k < 1.0 {
        return false;
    }
    // One bit less than the bound, so that no rounding of ours can matter.
    let ones = (k as u64).saturating_sub(1).min(52) as u32;
    (bits >> (53 - ones)) != (1_u64 << ones) - 1
}
