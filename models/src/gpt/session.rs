//! Documents in lock-step over the key-value cache.
//!
//! Documents of different lengths share a batch: a prefill pads on the right, where a causal model does not look, and a
//! step gives each document its own position and hides from it what lies beyond. A document that fills its window is
//! read again from the last half of it (see `window`).

use std::rc::Rc;

use tch::{Device, Kind, Tensor};

use super::cache::Cache;
use super::{BEGIN, Gpt, VOCAB};
use crate::documents::Documents;
use crate::model::{check_advance, check_contexts};
use crate::torch::{dim, ids, log_probs};
use crate::{LogProbs, ModelError, Session, Token};

/// Tokens in one prefill pass: bounds its activations to some tens of megabytes.
const TOKENS_PER_PASS: usize = 8192;

/// See the module.
#[derive(Debug)]
pub(super) struct GptSession {
    gpt: Rc<Gpt>,
    cache: Cache,
    documents: Documents,
    predictions: Vec<LogProbs>,
}

pub(super) fn open(gpt: &Rc<Gpt>, contexts: &[Vec<Token>]) -> Result<GptSession, ModelError> {
    check_contexts(contexts, VOCAB)?;
    let mut session = GptSession {
        gpt: Rc::clone(gpt),
        cache: Cache::new(&gpt.config, contexts.len())?,
        documents: Documents::open(BEGIN, gpt.config.context, contexts),
        predictions: vec![Vec::new(); contexts.len()],
    };
    session.read((0..contexts.len()).collect())?;
    Ok(session)
}

impl Session for GptSession {
    fn predict(&self) -> &[LogProbs] {
        &self.predictions
    }

    fn advance(&mut self, tokens: &[Token]) -> Result<(), ModelError> {
        check_advance(tokens, self.documents.len(), VOCAB)?;
        let forgot = self.documents.push(tokens);
        if forgot.len() < tokens.len() {
            self.step(tokens)?;
        }
        self.read(forgot)
    }
}

impl GptSession {
    /// Reads the windows of these documents from their beginning.
    fn read(&mut self, mut rows: Vec<usize>) -> Result<(), ModelError> {
        let _guard = tch::no_grad_guard();
        // Like lengths together, so that little is padding.
        rows.sort_by_key(|row| self.documents.window(*row).len());
        for group in rows.chunks((TOKENS_PER_PASS / self.gpt.config.context).max(1)) {
            let windows: Vec<&[Token]> = group.iter().map(|row| self.documents.window(*row)).collect();
            let length = windows.iter().map(|window| window.len()).max().unwrap_or(1);
            let index: Vec<i64> = group.iter().map(|row| dim(*row)).collect();
            let index = Tensor::f_from_slice(&index)?;
            let logits = self.gpt.prefill(&ids(&windows, length)?, &mut |layer, keys, values| {
                self.cache.fill(layer, &index, keys, values)
            })?;
            let last: Vec<i64> = windows
                .iter()
                .enumerate()
                .map(|(row, window)| dim(row * length + window.len() - 1))
                .collect();
            let last = logits.f_flatten(0, 1)?.f_index_select(0, &Tensor::f_from_slice(&last)?)?;
            for (row, distribution) in group.iter().zip(log_probs(&last)?) {
                self.predictions[*row] = distribution;
            }
        }
        Ok(())
    }

    /// Appends one token to every document. One that has just forgotten takes part and is read again afterwards.
    fn step(&mut self, tokens: &[Token]) -> Result<(), ModelError> {
        let _guard = tch::no_grad_guard();
        let places: Vec<i64> =
            (0..tokens.len()).map(|row| dim(self.documents.window(row).len() - 1)).collect();
        let used = places.iter().max().map_or(1, |last| last + 1);
        let even = places.iter().all(|place| place + 1 == used);
        let places = Tensor::f_from_slice(&places)?.f_unsqueeze(1)?;
        let spread = places.f_unsqueeze(2)?.f_unsqueeze(3)?;
        let mask = if even {
            None
        } else {
            Some(Tensor::f_arange(used, (Kind::Int64, Device::Cpu))?.f_le_tensor(&spread)?)
        };
        let rows: Vec<&[Token]> = tokens.chunks(1).collect();
        let logits = self.gpt.forward(&ids(&rows, 1)?, &places, &mut |layer, q, k, v| {
            self.cache.append(layer, &spread, k, v)?;
            let (keys, values) = self.cache.view(layer, used)?;
            let mask = mask.as_ref();
            Tensor::f_scaled_dot_product_attention(q, &keys, &values, mask, 0.0, false, None, false)
        })?;
        self.predictions = log_probs(&logits.f_flatten(0, 1)?)?;
        Ok(())
    }
}
