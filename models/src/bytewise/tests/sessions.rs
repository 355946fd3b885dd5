//! Sessions of bytes share the steps of the model behind them, and answer as if each were alone.

use std::cell::Cell;
use std::rc::Rc;

use super::model;
use crate::bytewise::Bytewise;
use crate::tokenizer::Tokenizer;
use crate::{LanguageModel, LogProbs, ModelError, ModelInfo, Session, Token, byte_tokens};

/// A model whose answers come with its next step. A context with this byte fails.
const CURSED: Token = b'!' as Token;

struct Stepped {
    info: ModelInfo,
    clock: Rc<Cell<u64>>,
}

struct Asked {
    clock: Rc<Cell<u64>>,
    begun: u64,
    cursed: bool,
    predictions: Vec<LogProbs>,
}

impl Stepped {
    fn bytewise() -> (Bytewise, Rc<Cell<u64>>) {
        let info = ModelInfo {
            name: "stepped".into(),
            architecture: "test".into(),
            format: "test".into(),
            parameters: 0,
            vocab: 256,
            context: 512,
            digest: [0; 32],
            tokenizer: "bytes".into(),
        };
        let clock = Rc::new(Cell::new(0));
        let stepped = Self { info, clock: Rc::clone(&clock) };
        (Bytewise::new(Box::new(stepped), Tokenizer::of_bytes()).unwrap(), clock)
    }
}

impl LanguageModel for Stepped {
    fn info(&self) -> &ModelInfo {
        &self.info
    }

    fn open(&self, contexts: &[Vec<Token>]) -> Result<Box<dyn Session>, ModelError> {
        let session = self.begin(contexts)?;
        self.step()?;
        Ok(session)
    }

    fn begin(&self, contexts: &[Vec<Token>]) -> Result<Box<dyn Session>, ModelError> {
        let cursed = contexts.iter().any(|context| context.contains(&CURSED));
        let predictions = contexts.iter().map(|context| model(5, context, 256)).collect();
        let clock = Rc::clone(&self.clock);
        Ok(Box::new(Asked { begun: clock.get(), clock, cursed, predictions }))
    }

    fn step(&self) -> Result<(), ModelError> {
        self.clock.set(self.clock.get() + 1);
        Ok(())
    }
}

impl Session for Asked {
    fn predict(&self) -> &[LogProbs] {
        &self.predictions
    }

    fn advance(&mut self, _: &[Token]) -> Result<(), ModelError> {
        Err(ModelError::SessionLost)
    }

    fn poll(&mut self) -> Result<bool, ModelError> {
        match (self.clock.get() > self.begun, self.cursed) {
            (true, true) => Err(ModelError::Engine("cursed".into())),
            (done, _) => Ok(done),
        }
    }

    fn needs_steps(&self) -> bool {
        true
    }
}

fn settle(model: &Bytewise, sessions: &mut [Box<dyn Session>]) {
    // Each is asked each time, as the replica does: what has its answers goes on with the next byte.
    while sessions.iter_mut().filter_map(|session| (!session.poll().unwrap()).then_some(())).count() > 0 {
        model.step().unwrap();
    }
}

#[test]
fn sessions_share_steps_and_answer_as_if_alone() {
    let texts: Vec<Vec<Token>> =
        [&b"cab"[..], b"", b"abcabc", b"b"].iter().map(|text| byte_tokens(text)).collect();
    let (alone, clock) = Stepped::bytewise();
    let mut expected = Vec::new();
    let mut most = 0;
    for text in &texts {
        let before = clock.get();
        let mut session = alone.open(std::slice::from_ref(text)).unwrap();
        let opened = session.predict()[0].clone();
        session.advance(&[Token::from(b'a')]).unwrap();
        expected.push((opened, session.predict()[0].clone()));
        most = most.max(clock.get() - before);
    }

    let (together, clock) = Stepped::bytewise();
    let mut sessions: Vec<_> =
        texts.iter().map(|text| together.begin(std::slice::from_ref(text)).unwrap()).collect();
    assert!(sessions.iter().all(|session| session.needs_steps()));
    assert!(sessions.iter_mut().all(|session| !session.poll().unwrap()), "no step has run");
    settle(&together, &mut sessions);
    for (session, (opened, _)) in sessions.iter_mut().zip(&expected) {
        assert_eq!(session.take(), std::slice::from_ref(opened));
        session.begin(&[Token::from(b'a')]).unwrap();
    }
    settle(&together, &mut sessions);
    for (session, (_, advanced)) in sessions.iter().zip(&expected) {
        assert_eq!(session.predict(), std::slice::from_ref(advanced));
    }
    assert_eq!(clock.get(), most, "all together take the steps of the longest");
}

#[test]
fn a_failure_is_told_to_the_session_that_it_concerns() {
    let (model, _) = Stepped::bytewise();
    let mut sound = model.begin(&[byte_tokens(b"ab")]).unwrap();
    let mut cursed = model.begin(&[byte_tokens(b"!!!!")]).unwrap();
    model.step().unwrap();
    assert!(matches!(cursed.poll(), Err(ModelError::Engine(_))));
    while !sound.poll().unwrap() {
        model.step().unwrap();
    }
    assert_eq!(sound.predict().len(), 1);
}

#[test]
fn a_wrong_number_of_bytes_changes_nothing() {
    let (model, _) = Stepped::bytewise();
    let mut session = model.open(&[byte_tokens(b"ab"), byte_tokens(b"c")]).unwrap();
    let before = session.predict().to_vec();
    assert!(matches!(session.begin(&[1]), Err(ModelError::DocumentCount { .. })));
    assert!(matches!(session.begin(&[1, 256]), Err(ModelError::Token { .. })));
    assert_eq!(session.predict(), before);
}
