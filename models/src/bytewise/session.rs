//! Documents of bytes that advance together on a token model's steps.
//!
//! A session asks the model its open questions and waits for the answers without running the model: whoever owns the model
//! runs its steps for all sessions at once, so that the questions of many sessions share them. A context ends with a *tail*
//! of bytes that are told one by one, like realised ones, before the first prediction is due.
//!
//! Invariant: `asked` is a session of the model over exactly the open questions of `documents`, in their order; while there
//! is one, no byte is told.

use std::rc::Rc;

use super::model::{Document, Inner};
use crate::model::check_advance;
use crate::{LogProbs, ModelError, Session, Token};

pub(super) struct BytewiseSession {
    inner: Rc<Inner>,
    documents: Vec<Document>,
    predictions: Vec<LogProbs>,
    /// Bytes of each context that are still to be told, last one first.
    tails: Vec<Vec<u8>>,
    /// Dropped before the model that it belongs to.
    asked: Option<Box<dyn Session>>,
    stepped: bool,
}

impl BytewiseSession {
    /// Asks the first questions.
    pub(super) fn begin(
        inner: Rc<Inner>,
        mut documents: Vec<Document>,
        mut tails: Vec<Vec<u8>>,
    ) -> Result<Self, ModelError> {
        tails.iter_mut().for_each(|tail| tail.reverse());
        let asked = inner.ask(&mut documents)?;
        let stepped = asked.as_ref().is_some_and(|session| session.needs_steps());
        Ok(Self { inner, documents, predictions: Vec::new(), tails, asked, stepped })
    }

    /// Tells each document its next byte, if it has one, and asks what opens.
    fn tell(&mut self, bytes: impl Iterator<Item = Option<u8>>) -> Result<(), ModelError> {
        for (document, byte) in self.documents.iter_mut().zip(bytes) {
            if let Some(byte) = byte {
                document.spellings.advance(byte);
            }
        }
        self.asked = self.inner.ask(&mut self.documents)?;
        Ok(())
    }

    /// Takes the model's answers; false if they have not come.
    fn hear(&mut self) -> Result<bool, ModelError> {
        let Some(asked) = &mut self.asked else { return Ok(true) };
        if !asked.poll()? {
            return Ok(false);
        }
        let mut answers = asked.predict().iter();
        for document in &mut self.documents {
            let count = document.spellings.questions().count();
            document.spellings.answer(answers.by_ref().take(count));
        }
        self.asked = None;
        Ok(true)
    }
}

impl Session for BytewiseSession {
    fn predict(&self) -> &[LogProbs] {
        &self.predictions
    }

    fn take(&mut self) -> Vec<LogProbs> {
        std::mem::take(&mut self.predictions)
    }

    fn advance(&mut self, tokens: &[Token]) -> Result<(), ModelError> {
        self.begin(tokens)?;
        while !self.poll()? {
            self.inner.step()?;
        }
        Ok(())
    }

    fn begin(&mut self, tokens: &[Token]) -> Result<(), ModelError> {
        check_advance(tokens, self.documents.len(), 256)?;
        self.predictions.clear();
        self.tell(tokens.iter().map(|byte| u8::try_from(*byte).ok()))
    }

    fn poll(&mut self) -> Result<bool, ModelError> {
        while self.hear()? {
            // Byte by byte, so that every way to cut the tails is seen; documents with shorter ones wait.
            if self.tails.iter().any(|tail| !tail.is_empty()) {
                let bytes: Vec<_> = self.tails.iter_mut().map(Vec::pop).collect();
                self.tell(bytes.into_iter())?;
                continue;
            }
            if self.predictions.is_empty() {
                self.predictions =
                    self.documents.iter().map(|document| document.spellings.predict()).collect();
            }
            return Ok(true);
        }
        Ok(false)
    }

    fn needs_steps(&self) -> bool {
        self.stepped
    }
}
