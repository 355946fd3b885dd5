//! The engine as a model: sessions whose documents are texts of the engine.
//!
//! Sessions of one model share the engine, so a step that one of them waits for carries the others along. A context is
//! read as it is given; an empty one is read as the model's begin token. A text that fills its window forgets all but the
//! last half of it (see `window`).

use std::cell::RefCell;
use std::ops::ControlFlow;
use std::rc::Rc;

use tch::Kind;

use super::{Engine, SequenceId};
use crate::model::{check_advance, check_contexts, check_documents};
use crate::torch::{dim, size};
use crate::window::{held, stretches};
use crate::{LanguageModel, LogProbs, Memory, ModelError, ModelInfo, Positions, Session, Token};

/// A decoder with its engine.
pub(crate) struct DecoderModel {
    info: ModelInfo,
    begin: Token,
    stops: Vec<Token>,
    engine: Rc<RefCell<Engine>>,
}

impl DecoderModel {
    /// `info.context` is the window of sessions; the cache holds it.
    pub(crate) fn new(info: ModelInfo, begin: Token, stops: Vec<Token>, engine: Engine) -> Self {
        Self { info, begin, stops, engine: Rc::new(RefCell::new(engine)) }
    }

    #[cfg(test)]
    pub(crate) fn engine(&self) -> &Rc<RefCell<Engine>> {
        &self.engine
    }

    /// Scores a text that starts with `begin`, each token given those before it within the window.
    fn score_one(&self, document: &[Token]) -> Result<Vec<f32>, ModelError> {
        let whole: Vec<Token> = std::iter::once(self.begin).chain(document.iter().copied()).collect();
        let mut nats = Vec::with_capacity(document.len());
        for part in stretches(document.len(), self.info.context) {
            let mut engine = self.engine.borrow_mut();
            engine.logits(&whole[part.start..part.end], part.scored - part.start, &mut |first, logits| {
                let (rows, _) = logits.size2()?;
                let next = part.start + first + 1;
                let targets: Vec<i64> =
                    whole[next..next + size(rows)].iter().map(|token| i64::from(*token)).collect();
                let targets = tch::Tensor::f_from_slice(&targets)?.f_unsqueeze(1)?;
                let losses = logits.f_log_softmax(-1, Kind::Float)?.f_gather(1, &targets, false)?.f_neg()?;
                let mut flat = vec![0f32; size(rows)];
                losses.f_reshape([rows])?.f_copy_data(&mut flat, size(rows))?;
                nats.extend(flat);
                Ok(())
            })?;
        }
        Ok(nats)
    }
}

impl LanguageModel for DecoderModel {
    fn step_bytes(&self) -> Option<usize> {
        Some(self.engine.borrow().network().bytes())
    }

    fn info(&self) -> &ModelInfo {
        &self.info
    }

    fn stops(&self) -> &[Token] {
        &self.stops
    }

    fn memory(&self) -> Option<Memory> {
        let engine = self.engine.borrow();
        let (cache_used, cache_tokens) = engine.usage();
        let weight_bytes = engine.network().bytes();
        Some(Memory {
            weight_bytes,
            cache_bytes_per_token: engine.bytes_per_token(),
            cache_tokens,
            cache_used,
        })
    }

    fn open(&self, contexts: &[Vec<Token>]) -> Result<Box<dyn Session>, ModelError> {
        let mut session = self.begin(contexts)?;
        while !session.poll()? {
            self.step()?;
        }
        Ok(session)
    }

    fn begin(&self, contexts: &[Vec<Token>]) -> Result<Box<dyn Session>, ModelError> {
        check_contexts(contexts, self.info.vocab)?;
        let mut engine = self.engine.borrow_mut();
        let documents = contexts
            .iter()
            .map(|context| {
                let tokens = if context.is_empty() { vec![self.begin] } else { context.clone() };
                let keep = held(tokens.len(), self.info.context);
                Document { id: engine.open(tokens[tokens.len() - keep..].to_vec()), total: tokens.len() }
            })
            .collect::<Vec<_>>();
        drop(engine);
        Ok(Box::new(DecoderSession {
            engine: Rc::clone(&self.engine),
            vocab: self.info.vocab,
            context: self.info.context,
            predictions: vec![Vec::new(); documents.len()],
            waiting: (0..documents.len()).collect(),
            documents,
        }))
    }

    fn step(&self) -> Result<(), ModelError> {
        self.engine.borrow_mut().step();
        Ok(())
    }

    fn score(&self, documents: &[Vec<Token>]) -> Result<Vec<Vec<f32>>, ModelError> {
        check_documents(documents, self.info.vocab)?;
        documents.iter().map(|document| self.score_one(document)).collect()
    }

    fn logits(
        &self,
        tokens: &[Token],
        positions: Positions,
        each: &mut dyn FnMut(usize, &[f32]) -> ControlFlow<()>,
    ) -> Result<(), ModelError> {
        check_documents(&[tokens.to_vec()], self.info.vocab)?;
        let mut engine = self.engine.borrow_mut();
        let shape = engine.network().shape();
        let most = if shape.extends { engine.usage().1 } else { shape.context };
        if tokens.is_empty() || tokens.len() > most {
            let reason = format!("{} tokens; between 1 and {most} can be read at once", tokens.len());
            return Err(ModelError::Config { field: "tokens", reason });
        }
        let vocab = shape.vocab;
        let from = if positions == Positions::Last { tokens.len() - 1 } else { 0 };
        let mut flow = ControlFlow::Continue(());
        engine.logits(tokens, from, &mut |first, logits| {
            let mut row = vec![0f32; vocab];
            for index in 0..size(logits.size2()?.0) {
                if flow.is_break() {
                    break;
                }
                logits.f_select(0, dim(index))?.f_copy_data(&mut row, vocab)?;
                flow = each(first + index, &row);
            }
            Ok(())
        })
    }
}

struct Document {
    id: SequenceId,
    /// Tokens seen.
    total: usize,
}

struct DecoderSession {
    engine: Rc<RefCell<Engine>>,
    vocab: u32,
    context: usize,
    documents: Vec<Document>,
    predictions: Vec<LogProbs>,
    /// Documents whose answer has not come.
    waiting: Vec<usize>,
}

impl Session for DecoderSession {
    fn predict(&self) -> &[LogProbs] {
        &self.predictions
    }

    fn take(&mut self) -> Vec<LogProbs> {
        std::mem::take(&mut self.predictions)
    }

    fn advance(&mut self, tokens: &[Token]) -> Result<(), ModelError> {
        self.begin(tokens)?;
        while !self.poll()? {
            self.engine.borrow_mut().step();
        }
        Ok(())
    }

    fn begin(&mut self, tokens: &[Token]) -> Result<(), ModelError> {
        check_advance(tokens, self.documents.len(), self.vocab)?;
        let mut engine = self.engine.borrow_mut();
        for (document, token) in self.documents.iter_mut().zip(tokens) {
            document.total += 1;
            let keep = held(document.total, self.context);
            let window = engine.tokens(document.id);
            if keep > window.len() {
                engine.push(document.id, *token);
            } else {
                let tail = &window[window.len() + 1 - keep..];
                let tokens = tail.iter().copied().chain(std::iter::once(*token)).collect();
                engine.replace(document.id, tokens);
            }
        }
        self.waiting = (0..self.documents.len()).collect();
        Ok(())
    }

    fn poll(&mut self) -> Result<bool, ModelError> {
        let mut engine = self.engine.borrow_mut();
        self.predictions.resize(self.documents.len(), Vec::new());
        let mut failure = None;
        self.waiting.retain(|index| match engine.take(self.documents[*index].id) {
            None => true,
            Some(Ok(distribution)) => {
                self.predictions[*index] = distribution;
                false
            }
            Some(Err(error)) => {
                failure = Some(error);
                true
            }
        });
        failure.map_or(Ok(self.waiting.is_empty()), Err)
    }

    fn needs_steps(&self) -> bool {
        true
    }
}

impl Drop for DecoderSession {
    fn drop(&mut self) {
        // A panic of the network may have left the engine borrowed; it is thrown away then.
        if let Ok(mut engine) = self.engine.try_borrow_mut() {
            self.documents.iter().for_each(|document| engine.close(document.id));
        }
    }
}
