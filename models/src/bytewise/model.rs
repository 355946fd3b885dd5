//! The adapter as a [`LanguageModel`] with 256 tokens.

use std::rc::Rc;
use std::sync::Arc;

use super::session::BytewiseSession;
use super::spelling::{Pruning, Spellings};
use super::vocabulary::Vocabulary;
use crate::model::check_contexts;
use crate::tokenizer::Tokenizer;
use crate::{LanguageModel, Memory, ModelError, ModelInfo, Session, Token};

/// Tokens at the end of a context that are cut anew: its last word may go on, and then its tokens are others.
const OPEN_TOKENS: usize = 2;
/// Places in the window that are kept free for the tokens of a path.
const PATH_ROOM: usize = 32;

/// A token model that answers byte by byte.
pub struct Bytewise {
    inner: Rc<Inner>,
    info: ModelInfo,
}

pub(super) struct Inner {
    model: Box<dyn LanguageModel>,
    tokenizer: Tokenizer,
    vocabulary: Arc<Vocabulary>,
}

impl std::fmt::Debug for Bytewise {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Bytewise").field("info", &self.info).finish_non_exhaustive()
    }
}

impl Bytewise {
    /// Puts the adapter in front of a model and its tokenizer.
    ///
    /// # Errors
    /// [`ModelError::Spelling`] if some byte is no token: texts with it would have no probability.
    pub fn new(model: Box<dyn LanguageModel>, tokenizer: Tokenizer) -> Result<Self, ModelError> {
        let spelling = |token| {
            let bytes = tokenizer.bytes(token).filter(|_| !tokenizer.is_special(token));
            bytes.map(<[u8]>::to_vec)
        };
        let vocabulary = Arc::new(Vocabulary::new((0..model.info().vocab).map(spelling).collect())?);
        let info = ModelInfo { vocab: 256, tokenizer: "bytes".to_owned(), ..model.info().clone() };
        Ok(Self { inner: Rc::new(Inner { model, tokenizer, vocabulary }), info })
    }
}

impl LanguageModel for Bytewise {
    fn info(&self) -> &ModelInfo {
        &self.info
    }

    fn step_bytes(&self) -> Option<usize> {
        self.inner.model.step_bytes()
    }

    fn memory(&self) -> Option<Memory> {
        self.inner.model.memory()
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
        let begun = contexts.iter().map(|context| self.inner.begin(context));
        let (documents, tails) = begun.collect::<Result<Vec<_>, _>>()?.into_iter().unzip();
        Ok(Box::new(BytewiseSession::begin(Rc::clone(&self.inner), documents, tails)?))
    }

    fn step(&self) -> Result<(), ModelError> {
        self.inner.model.step()
    }
}

/// One text: the tokens that are certain, and the ways to spell what follows them.
pub(super) struct Document {
    settled: Vec<Token>,
    pub(super) spellings: Spellings,
}

impl Inner {
    /// A document after its context but for the last few bytes, which are returned. A newline comes before every
    /// document, and before that what the tokenizer puts at the beginning of a text.
    fn begin(&self, context: &[Token]) -> Result<(Document, Vec<u8>), ModelError> {
        let text: Vec<u8> = std::iter::once(b'\n')
            .chain(context.iter().filter_map(|byte| u8::try_from(*byte).ok()))
            .collect();
        let mut settled = self.tokenizer.encode("", true)?;
        let mut tokens = self.cut(&text)?;
        let open = tokens.split_off(tokens.len().saturating_sub(OPEN_TOKENS));
        let tail: usize = open.iter().map(|token| self.vocabulary.length(*token)).sum();
        settled.append(&mut tokens);
        let spellings = Spellings::new(Arc::clone(&self.vocabulary), Pruning::default());
        Ok((Document { settled, spellings }, text[text.len() - tail..].to_vec()))
    }

    /// A text as the tokenizer cuts it. What is not UTF-8, or spells out a control token, is cut by its bytes.
    fn cut(&self, text: &[u8]) -> Result<Vec<Token>, ModelError> {
        let mut tokens = Vec::new();
        for chunk in text.utf8_chunks() {
            let whole = self.tokenizer.encode(chunk.valid(), false)?;
            let length: usize = whole.iter().map(|token| self.vocabulary.length(*token)).sum();
            if length == chunk.valid().len() {
                tokens.extend(whole);
            } else {
                tokens.extend(self.vocabulary.spell(chunk.valid().as_bytes()));
            }
            tokens.extend(self.vocabulary.spell(chunk.invalid()));
        }
        Ok(tokens)
    }

    /// Asks the model the open questions of all documents at once; `None` if there are none. The answers come with the
    /// model's steps.
    pub(super) fn ask(&self, documents: &mut [Document]) -> Result<Option<Box<dyn Session>>, ModelError> {
        let window = self.model.info().context;
        let mut contexts = Vec::new();
        for document in documents.iter_mut() {
            document.settled.extend(document.spellings.settle());
            if document.settled.len() + PATH_ROOM > window {
                let kept = window / 2;
                document.settled.drain(..document.settled.len().saturating_sub(kept));
            }
            let paths = document.spellings.questions();
            contexts.extend(paths.map(|path| [document.settled.as_slice(), path].concat()));
        }
        if contexts.is_empty() { Ok(None) } else { self.model.begin(&contexts).map(Some) }
    }

    /// One step of the model.
    pub(super) fn step(&self) -> Result<(), ModelError> {
        self.model.step()
    }
}
