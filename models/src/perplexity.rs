//! Perplexity of a text under a model, in the way that other programs compute it, so that figures can be laid side by side.
//!
//! The text's tokens are cut into windows of one length; the rest that fills none is left out. Within a window each token
//! is predicted from those before it, nothing else, and the second half is scored. Units: nats per token.

use std::ops::ControlFlow;

use serde::Serialize;

use crate::{LanguageModel, ModelError, Positions, Token};

/// Shortest window: one token to start from, one to score.
const MIN_WINDOW: usize = 2;

/// How the model reads a window.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reading {
    /// All at once, as a prompt is read.
    Prompt,
    /// Token after token, so many windows in lock-step, as texts are generated. Packed weights may be computed with in
    /// another way than for a prompt.
    Steps(usize),
}

/// What a text costs a model.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Perplexity {
    /// Windows read.
    pub windows: usize,
    /// Tokens scored.
    pub tokens: usize,
    /// Mean loss per scored token, in nats.
    pub nats: f64,
    /// Its exponential.
    pub perplexity: f64,
}

/// The perplexity of `tokens` in windows of `window`.
///
/// # Errors
/// A window below two tokens or longer than the model can read at once, a text that fills no window, or a failure of the model.
pub fn perplexity(
    model: &dyn LanguageModel,
    tokens: &[Token],
    window: usize,
    reading: Reading,
) -> Result<Perplexity, ModelError> {
    if window < MIN_WINDOW {
        let reason = format!("{window}; at least {MIN_WINDOW} are needed, one to read and one to score");
        return Err(ModelError::Config { field: "window", reason });
    }
    let windows: Vec<&[Token]> = tokens.chunks_exact(window).collect();
    if windows.is_empty() {
        let reason = format!("the text has {} tokens, which fill no window of {window}", tokens.len());
        return Err(ModelError::Config { field: "text", reason });
    }
    let mut sum = 0.0;
    match reading {
        Reading::Prompt => {
            for part in &windows {
                sum += read_at_once(model, part)?;
            }
        }
        Reading::Steps(together) => {
            for group in windows.chunks(together.max(1)) {
                sum += step_through(model, group, window)?;
            }
        }
    }
    let scored = windows.len() * (window - window / 2);
    let nats = sum / scored as f64;
    Ok(Perplexity { windows: windows.len(), tokens: scored, nats, perplexity: nats.exp() })
}

fn read_at_once(model: &dyn LanguageModel, window: &[Token]) -> Result<f64, ModelError> {
    let mut sum = 0.0;
    model.logits(window, Positions::All, &mut |index, row| {
        let next = index + 1;
        let Some(truth) = window.get(next) else { return ControlFlow::Break(()) };
        if next >= window.len() / 2 {
            sum += loss(row, *truth);
        }
        ControlFlow::Continue(())
    })?;
    Ok(sum)
}

fn step_through(model: &dyn LanguageModel, group: &[&[Token]], window: usize) -> Result<f64, ModelError> {
    let column = |index: usize| -> Vec<Token> { group.iter().map(|part| part[index]).collect() };
    let first: Vec<Vec<Token>> = column(0).into_iter().map(|token| vec![token]).collect();
    let mut session = model.open(&first)?;
    let mut sum = 0.0;
    for next in 1..window {
        let truths = column(next);
        if next >= window / 2 {
            sum += session.predict().iter().zip(&truths).map(|(row, truth)| loss(row, *truth)).sum::<f64>();
        }
        if next + 1 < window {
            session.advance(&truths)?;
        }
    }
    Ok(sum)
}

/// Minus the log-probability of `truth`; `row` need not be normalised. Infinite where the row gives it nothing.
fn loss(row: &[f32], truth: Token) -> f64 {
    let best = f64::from(row.iter().copied().fold(f32::NEG_INFINITY, f32::max));
    let total: f64 = row.iter().map(|score| (f64::from(*score) - best).exp()).sum();
    let given = row.get(truth as usize).copied().unwrap_or(f32::NEG_INFINITY);
    total.ln() + best - f64::from(given)
}

#[cfg(test)]
mod tests;
