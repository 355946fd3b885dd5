//! The loss of a network on whole documents, many windows in one forward pass.
//!
//! The result is the loss of a session that steps through each document (see `window`), a few hundred times faster.

use std::ops::ControlFlow;

use tch::{Kind, TchError, Tensor};

use crate::torch::{dim, ids, size};
use crate::window::{Stretch, stretches};
use crate::{ModelError, Positions, Token};

/// Tokens in one forward pass: bounds its memory (logits and activations) to some tens of megabytes.
const TOKENS_PER_PASS: usize = 8192;

/// Minus the log-probability of every token of every document, in nats. `begin` comes before each document.
pub(crate) fn documents(
    forward: &dyn Fn(&Tensor) -> Result<Tensor, TchError>,
    begin: Token,
    context: usize,
    documents: &[Vec<Token>],
) -> Result<Vec<Vec<f32>>, ModelError> {
    let _guard = tch::no_grad_guard();
    let whole: Vec<Vec<Token>> = documents
        .iter()
        .map(|document| std::iter::once(begin).chain(document.iter().copied()).collect())
        .collect();
    let mut work: Vec<(usize, Stretch)> = Vec::new();
    for (index, document) in documents.iter().enumerate() {
        work.extend(stretches(document.len(), context).into_iter().map(|part| (index, part)));
    }
    let mut nats: Vec<Vec<f32>> = documents.iter().map(|text| vec![0.0; text.len()]).collect();
    // Stretches of one length share a pass without padding.
    work.sort_by_key(|(_, part)| part.end - part.start);
    for group in work.chunks((TOKENS_PER_PASS / context).max(1)) {
        score_group(forward, &whole, group, &mut nats)?;
    }
    Ok(nats)
}

/// The network's own scores after each token (or the last), each given those before it within the window. As
/// [`crate::LanguageModel::logits`]; `begin` comes before the tokens.
pub(crate) fn raw(
    forward: &dyn Fn(&Tensor) -> Result<Tensor, TchError>,
    (begin, context): (Token, usize),
    tokens: &[Token],
    positions: Positions,
    each: &mut dyn FnMut(usize, &[f32]) -> ControlFlow<()>,
) -> Result<(), ModelError> {
    if tokens.is_empty() {
        return Err(ModelError::Config { field: "tokens", reason: "there is no token to read".into() });
    }
    let _guard = tch::no_grad_guard();
    let whole: Vec<Token> = std::iter::once(begin).chain(tokens.iter().copied()).collect();
    // What follows the begin token alone is not asked for.
    let first = if positions == Positions::Last { tokens.len() } else { 1 };
    for part in stretches(whole.len(), context).into_iter().filter(|part| part.end > first) {
        let logits =
            forward(&ids(&[&whole[part.start..part.end]], part.end - part.start)?)?.f_squeeze_dim(0)?;
        let mut row = vec![0f32; size(logits.size2()?.1)];
        for input in part.scored.max(first)..part.end {
            let scores =
                logits.f_select(0, dim(input - part.start))?.f_to_kind(Kind::Float)?.f_contiguous()?;
            let count = row.len();
            scores.f_copy_data(&mut row, count)?;
            if each(input - 1, &row).is_break() {
                return Ok(());
            }
        }
    }
    Ok(())
}

fn score_group(
    forward: &dyn Fn(&Tensor) -> Result<Tensor, TchError>,
    whole: &[Vec<Token>],
    group: &[(usize, Stretch)],
    nats: &mut [Vec<f32>],
) -> Result<(), ModelError> {
    let length = group.iter().map(|(_, part)| part.end - part.start).max().unwrap_or(0);
    let rows = |shift: usize| -> Vec<&[Token]> {
        group.iter().map(|(index, part)| &whole[*index][part.start + shift..part.end + shift]).collect()
    };
    let targets = ids(&rows(1), length)?;
    let loss = forward(&ids(&rows(0), length)?)?
        .f_log_softmax(-1, Kind::Float)?
        .f_gather(2, &targets.f_unsqueeze(2)?, false)?
        .f_neg()?
        .f_contiguous()?;
    let mut flat = vec![0f32; group.len() * length];
    let count = flat.len();
    loss.f_view([dim(count)])?.f_copy_data(&mut flat, count)?;
    for ((index, part), row) in group.iter().zip(flat.chunks(length.max(1))) {
        let from = part.scored - part.start;
        let scored = &row[from..part.end - part.start];
        nats[*index][part.scored..part.end].copy_from_slice(scored);
    }
    Ok(())
}
