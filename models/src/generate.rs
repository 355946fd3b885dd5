//! Text from a model: sampling that anyone can replay.
//!
//! A token is chosen by the Gumbel-max rule with noise that depends only on the seed, the position and the token's id:
//! the same model, prompt, temperature and seed give the same text. Temperature 0 takes the likeliest token, the
//! smallest id among equals.

use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::{RngCore, SeedableRng};

use crate::{LanguageModel, LogProbs, ModelError, Token};

/// How to choose tokens.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Sampling {
    /// Divides the log-probabilities; 0 is greedy.
    pub temperature: f64,
    /// Seed of the noise.
    pub seed: u64,
}

/// Continues a prompt by `tokens` tokens.
///
/// # Errors
/// A temperature that is negative or not a number, or a failure of the model.
pub fn generate(
    model: &dyn LanguageModel,
    prompt: &[Token],
    tokens: usize,
    sampling: Sampling,
) -> Result<Vec<Token>, ModelError> {
    if !(sampling.temperature >= 0.0 && sampling.temperature.is_finite()) {
        let reason = format!("{} is not a number of at least 0", sampling.temperature);
        return Err(ModelError::Config { field: "temperature", reason });
    }
    let mut session = model.open(&[prompt.to_vec()])?;
    let mut chosen = Vec::new();
    for position in 0..tokens {
        let token = choose(&session.predict()[0], sampling, position as u64);
        chosen.push(token);
        if position + 1 < tokens {
            session.advance(&[token])?;
        }
    }
    Ok(chosen)
}

/// The token that the distribution, the noise and the position determine.
#[must_use]
pub fn choose(distribution: &LogProbs, sampling: Sampling, position: u64) -> Token {
    let mut rng = ChaCha20Rng::seed_from_u64(sampling.seed);
    rng.set_stream(position);
    let mut best = (f64::NEG_INFINITY, 0);
    for (id, log_prob) in distribution.iter().enumerate() {
        let value = if sampling.temperature == 0.0 {
            f64::from(*log_prob)
        } else {
            f64::from(*log_prob) / sampling.temperature + gumbel(&mut rng)
        };
        if value > best.0 {
            best = (value, id);
        }
    }
    Token::try_from(best.1).unwrap_or(Token::MAX)
}

/// Noise with distribution exp(-exp(-x)).
fn gumbel(rng: &mut ChaCha20Rng) -> f64 {
    // 53 random bits, shifted by half a step: strictly between 0 and 1.
    let uniform = ((rng.next_u64() >> 11) as f64 + 0.5) / (1u64 << 53) as f64;
    -(-uniform.ln()).ln()
}

#[cfg(test)]
mod tests;
