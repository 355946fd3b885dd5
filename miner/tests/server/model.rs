//! An adaptive byte model: counts of bytes and of byte pairs, smoothed. A context that starts with [`HOLD`] waits at a
//! gate, so that a test decides when the model answers.

use std::sync::{Arc, Condvar, Mutex};

use acumen_models::{LanguageModel, LogProbs, ModelError, ModelInfo, Session};

/// First token of a context that waits at the gate.
pub(crate) const HOLD: u32 = 255;

/// First token of a context on which the model panics.
pub(crate) const PANIC: u32 = 254;

/// Shut until somebody opens it.
#[derive(Clone, Default)]
pub(crate) struct Gate(Arc<(Mutex<Passage>, Condvar)>);

#[derive(Default)]
struct Passage {
    open: bool,
    arrived: usize,
}

impl Gate {
    pub(crate) fn open(&self) {
        self.0.0.lock().unwrap().open = true;
        self.0.1.notify_all();
    }

    pub(crate) fn pass(&self) {
        let mut passage = self.0.0.lock().unwrap();
        passage.arrived += 1;
        while !passage.open {
            passage = self.0.1.wait(passage).unwrap();
        }
    }

    /// How many have come to the gate so far.
    pub(crate) fn arrived(&self) -> usize {
        self.0.0.lock().unwrap().arrived
    }
}

pub(crate) struct Adaptive {
    info: ModelInfo,
    gate: Gate,
}

impl Adaptive {
    pub(crate) fn new(gate: Gate) -> Self {
        Self::with_digest(gate, 7)
    }

    /// A model whose tokens are not bytes.
    pub(crate) fn of_words(gate: Gate) -> Self {
        let mut model = Self::new(gate);
        model.info.tokenizer = "words".to_owned();
        model
    }

    /// A model whose digest has this byte everywhere.
    pub(crate) fn with_digest(gate: Gate, digest: u8) -> Self {
        let info = ModelInfo {
            name: "adaptive".to_owned(),
            architecture: "counts".to_owned(),
            format: "none".to_owned(),
            parameters: 0,
            vocab: 256,
            context: 64,
            digest: [digest; 32],
            tokenizer: "bytes".to_owned(),
        };
        Self { info, gate }
    }
}

impl LanguageModel for Adaptive {
    fn info(&self) -> &ModelInfo {
        &self.info
    }

    fn open(&self, contexts: &[Vec<u32>]) -> Result<Box<dyn Session>, ModelError> {
        if contexts.iter().any(|context| context.first() == Some(&HOLD)) {
            self.gate.pass();
        }
        assert!(contexts.iter().all(|context| context.first() != Some(&PANIC)), "told to panic");
        let mut counts = Counts { documents: contexts.to_vec(), predictions: Vec::new() };
        counts.predict_all();
        Ok(Box::new(counts))
    }
}

struct Counts {
    documents: Vec<Vec<u32>>,
    predictions: Vec<LogProbs>,
}

impl Counts {
    fn predict_all(&mut self) {
        self.predictions = self.documents.iter().map(|document| predict(document)).collect();
    }
}

fn predict(document: &[u32]) -> LogProbs {
    let mut weights = vec![1.0_f32; 256];
    for token in document {
        weights[*token as usize] += 8.0;
    }
    for pair in document.windows(2).filter(|pair| Some(&pair[0]) == document.last()) {
        weights[pair[1] as usize] += 64.0;
    }
    let sum: f32 = weights.iter().sum();
    weights.into_iter().map(|weight| (weight / sum).ln()).collect()
}

impl Session for Counts {
    fn predict(&self) -> &[LogProbs] {
        &self.predictions
    }

    fn advance(&mut self, tokens: &[u32]) -> Result<(), ModelError> {
        for (document, token) in self.documents.iter_mut().zip(tokens) {
            document.push(*token);
        }
        self.predict_all();
        Ok(())
    }
}
