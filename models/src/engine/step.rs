//! One step of the engine: plan, claim memory, run, answer.

use std::collections::BTreeMap;

use acumen_models_kernels::log_softmax;
use tch::{Device, Kind, TchError, Tensor};

use super::extents::Extents;
use super::plan::{Run, plan};
use super::sequence::{Sequence, SequenceId, Sequences};
use super::{Arena, Batch, MOST_KEPT, SHORTEST_PREFIX, STEP_ROWS};
use crate::arch::Decoder;
use crate::nn::numbers;
use crate::torch::{dim, size};
use crate::{LogProbs, ModelError, Token};

mod claim;

/// A network, its cache and the texts that are open.
pub(crate) struct Engine {
    network: Box<dyn Decoder>,
    windows: Vec<Option<usize>>,
    kind: Kind,
    device: Device,
    arena: Arena,
    extents: Extents,
    sequences: Sequences,
    /// Answers that nobody has taken yet.
    answers: BTreeMap<SequenceId, Result<LogProbs, ModelError>>,
    next: SequenceId,
    clock: u64,
    counts: Counts,
}

/// What an engine has done since it was made.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    /// Steps.
    pub(crate) steps: u64,
    /// Tokens that were computed.
    pub(crate) computed: u64,
    /// Tokens that were copied from a text that began alike.
    pub(crate) copied: u64,
}

impl Engine {
    /// An engine whose cache holds `tokens`.
    pub(crate) fn new(
        network: Box<dyn Decoder>,
        tokens: usize,
        kind: Kind,
        device: Device,
    ) -> Result<Self, TchError> {
        let mut windows = network.shape().windows.clone();
        windows.sort_unstable();
        windows.dedup();
        let extents = Extents::new(tokens);
        let arena = Arena::new(network.shape(), extents.capacity(), kind, device)?;
        Ok(Self {
            network,
            windows,
            kind,
            device,
            arena,
            extents,
            sequences: Sequences::new(),
            answers: BTreeMap::new(),
            next: 0,
            clock: 0,
            counts: Counts::default(),
        })
    }

    /// Takes a text in; its answer comes after some steps. `tokens` is not empty and not longer than the cache.
    pub(crate) fn open(&mut self, tokens: Vec<Token>) -> SequenceId {
        let id = self.next;
        self.next += 1;
        self.sequences.insert(id, Sequence::new(tokens));
        id
    }

    /// What the network looks at in a text.
    pub(crate) fn tokens(&self, id: SequenceId) -> &[Token] {
        self.sequences.get(&id).map_or(&[], |sequence| &sequence.tokens)
    }

    /// Adds a token to a text.
    pub(crate) fn push(&mut self, id: SequenceId, token: Token) {
        if let Some(sequence) = self.sequences.get_mut(&id) {
            sequence.push(token);
        }
    }

    /// Starts a text over with other tokens.
    pub(crate) fn replace(&mut self, id: SequenceId, tokens: Vec<Token>) {
        if let Some(sequence) = self.sequences.get_mut(&id) {
            sequence.replace(tokens);
        }
    }

    /// Lets a text go. What was computed is kept for another that begins alike, as long as there is room.
    pub(crate) fn close(&mut self, id: SequenceId) {
        self.answers.remove(&id);
        let clock = self.clock;
        let Some(sequence) = self.sequences.get_mut(&id) else { return };
        if sequence.extent.is_none() || sequence.cached < SHORTEST_PREFIX {
            self.forget(id);
            return;
        }
        sequence.tokens.truncate(sequence.cached);
        sequence.closed = true;
        sequence.used = clock;
        if self.sequences.values().filter(|sequence| sequence.closed).count() > MOST_KEPT {
            self.evict(|sequence| sequence.closed);
        }
    }

    /// The answer of a text whose last token has been computed.
    pub(crate) fn take(&mut self, id: SequenceId) -> Option<Result<LogProbs, ModelError>> {
        self.answers.remove(&id)
    }

    /// The network.
    pub(crate) fn network(&self) -> &dyn Decoder {
        self.network.as_ref()
    }

    /// What it has done so far.
    #[cfg(test)]
    pub(crate) fn counts(&self) -> Counts {
        self.counts
    }

    /// Bytes that one token takes in the cache.
    pub(crate) fn bytes_per_token(&self) -> usize {
        let shape = self.network.shape();
        shape.cache_width * shape.windows.len() * self.kind.elt_size_in_bytes()
    }

    /// Tokens of the cache that are taken, and all of them.
    pub(crate) fn usage(&self) -> (usize, usize) {
        (self.extents.used(), self.extents.capacity())
    }

    /// Runs one step; false if nothing waits. A failure is the answer of each text of the step.
    pub(crate) fn step(&mut self) -> bool {
        let planned = plan(&self.sequences, self.network.shape().spans);
        if planned.is_empty() {
            return false;
        }
        self.clock += 1;
        let runs = self.claim(&planned);
        // Rows of neighbouring stretches side by side, so that one attention call serves them.
        let mut runs: Vec<_> =
            runs.into_iter().filter_map(|run| Some((run, self.sequences[&run.id].extent?))).collect();
        runs.sort_by_key(|(run, extent)| (run.tokens > 1, extent.length, extent.start));
        if let Err(error) = self.run(&runs) {
            let error = ModelError::from(error);
            runs.iter().for_each(|(run, _)| self.fail(run.id, error.clone()));
        }
        true
    }

    fn run(&mut self, runs: &[(Run, super::extents::Extent)]) -> Result<(), TchError> {
        if runs.is_empty() {
            return Ok(());
        }
        let _guard = tch::no_grad_guard();
        let (mut ends, mut wanted, mut row) = (Vec::new(), Vec::new(), 0);
        for (run, _) in runs {
            row += run.tokens;
            let whole = |sequence: &Sequence| run.from + run.tokens == sequence.tokens.len();
            if self.sequences.get(&run.id).is_some_and(whole) {
                ends.push(run.id);
                wanted.push(dim(row - 1));
            }
        }
        let batch = Batch::new(runs, &self.sequences, &self.windows, &wanted, self.kind, self.device)?;
        let hidden = self.network.hidden(&batch, &self.arena)?;
        for (run, _) in runs {
            if let Some(sequence) = self.sequences.get_mut(&run.id) {
                sequence.cached = run.from + run.tokens;
            }
        }
        self.counts.steps += 1;
        self.counts.computed += row as u64;
        if ends.is_empty() { Ok(()) } else { self.answer(&hidden, &ends) }
    }

    /// Scores what follows the last token of each text, one row each.
    fn answer(&mut self, hidden: &Tensor, ends: &[SequenceId]) -> Result<(), TchError> {
        let logits = self.network.logits(hidden)?.f_to_device(Device::Cpu)?.f_to_kind(Kind::Float)?;
        let (logits, vocab) = (logits.f_contiguous()?, size(logits.size2()?.1));
        for (id, distribution) in ends.iter().zip(log_softmax(numbers(&logits), vocab)) {
            // One NaN among the logits makes every log-probability NaN.
            if distribution[0].is_nan() {
                self.fail(*id, ModelError::Engine("the model answered with NaN".into()));
            } else {
                self.answers.insert(*id, Ok(distribution));
            }
        }
        Ok(())
    }

    /// Raw logits `[tokens, vocab]` of a text from its beginning, some tokens at a time, with the position of the first.
    /// Only those from `from` on are scored.
    pub(crate) fn logits(
        &mut self,
        tokens: &[Token],
        from: usize,
        each: &mut dyn FnMut(usize, &Tensor) -> Result<(), ModelError>,
    ) -> Result<(), ModelError> {
        let id = self.open(tokens.to_vec());
        let result = self.read_through(id, from, each);
        self.forget(id);
        result
    }

    fn read_through(
        &mut self,
        id: SequenceId,
        from: usize,
        each: &mut dyn FnMut(usize, &Tensor) -> Result<(), ModelError>,
    ) -> Result<(), ModelError> {
        let _guard = tch::no_grad_guard();
        let rows = (SCORED_LOGITS / self.network.shape().vocab).clamp(1, STEP_ROWS);
        let all = self.tokens(id).len();
        while let Some(cached) =
            self.sequences.get(&id).map(|sequence| sequence.cached).filter(|cached| *cached < all)
        {
            let run = Run { id, from: cached, tokens: rows.min(all - cached) };
            let extent = self.make_room(id, &[])?;
            let first = from.max(cached);
            let wanted: Vec<i64> = (first..cached + run.tokens).map(|row| dim(row - cached)).collect();
            let runs = [(run, extent)];
            let batch = Batch::new(&runs, &self.sequences, &self.windows, &wanted, self.kind, self.device)?;
            let hidden = self.network.hidden(&batch, &self.arena)?;
            if let Some(sequence) = self.sequences.get_mut(&id) {
                sequence.cached = cached + run.tokens;
            }
            if !wanted.is_empty() {
                each(
                    first,
                    &self.network.logits(&hidden)?.f_to_kind(Kind::Float)?.f_to_device(Device::Cpu)?,
                )?;
            }
        }
        Ok(())
    }
}

/// Logits that are held at once where each token is scored: 64 MiB.
const SCORED_LOGITS: usize = 1 << 24;
