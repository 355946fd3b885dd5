//! Memory for the texts of a step: copied from one that began alike, grown, or taken from one that is idle.

use tch::TchError;

use super::super::extents::Extent;
use super::super::plan::Run;
use super::super::sequence::{Sequence, SequenceId};
use super::super::{SHORTEST_PREFIX, STEP_ROWS};
use super::Engine;
use crate::ModelError;

/// Tokens that a new text may grow by before it has to move.
const HEADROOM: usize = 32;

impl Engine {
    /// The runs of a plan that have memory, after copying what others have computed already.
    pub(super) fn claim(&mut self, planned: &[Run]) -> Vec<Run> {
        let mut runs: Vec<Run> = Vec::with_capacity(planned.len());
        let mut room = STEP_ROWS;
        for run in planned {
            let kept: Vec<SequenceId> = runs.iter().map(|run| run.id).collect();
            match self.make_room(run.id, &kept) {
                Err(ModelError::CacheFull { .. }) if !runs.is_empty() => continue,
                Err(error) => {
                    self.fail(run.id, error);
                    continue;
                }
                Ok(_) => {}
            }
            let Some(sequence) = self.sequences.get_mut(&run.id) else { continue };
            sequence.used = self.clock;
            // A text that had to move without its keys waits with more tokens than it was planned with.
            let tokens = if run.from == sequence.cached { run.tokens } else { sequence.pending() };
            let tokens = tokens.min(sequence.pending()).min(room);
            if tokens > 0 {
                runs.push(Run { id: run.id, from: sequence.cached, tokens });
                room -= tokens;
            }
        }
        runs
    }

    /// Gives a text a stretch that holds all its tokens, and fills it with what a text that begins alike has.
    pub(super) fn make_room(&mut self, id: SequenceId, kept: &[SequenceId]) -> Result<Extent, ModelError> {
        let Some(sequence) = self.sequences.get(&id) else { return Err(ModelError::SessionLost) };
        let (tokens, old) = (sequence.tokens.len(), sequence.extent);
        let single = sequence.pending() == 1 && sequence.cached > 0;
        let extent = match old {
            Some(extent) if extent.length >= tokens => extent,
            _ => self.grow(id, tokens, kept)?,
        };
        if !single {
            self.copy_prefix(id, extent)?;
        }
        Ok(extent)
    }

    /// Moves a text to a longer stretch.
    fn grow(&mut self, id: SequenceId, tokens: usize, kept: &[SequenceId]) -> Result<Extent, ModelError> {
        let longest = super::Extents::longest(self.extents.capacity());
        let mut wanted = (tokens + HEADROOM).min(longest.max(tokens));
        let extent = loop {
            if let Some(extent) = self.extents.take(wanted) {
                break extent;
            }
            // Nobody gives way for headroom.
            if wanted > tokens {
                wanted = tokens;
                continue;
            }
            let idle = |other: SequenceId, sequence: &Sequence| {
                other != id && !kept.contains(&other) && sequence.extent.is_some()
            };
            if !self.evict_where(idle) {
                // Its own old stretch may be what is in the way.
                let own = self.sequences.get_mut(&id).and_then(|sequence| {
                    sequence.cached = 0;
                    sequence.extent.take()
                });
                match own {
                    Some(extent) => self.extents.give(extent),
                    None => return Err(ModelError::CacheFull { tokens, capacity: self.extents.capacity() }),
                }
            }
        };
        self.arena.prepare(extent)?;
        let Some(sequence) = self.sequences.get_mut(&id) else { return Err(ModelError::SessionLost) };
        let (old, cached) = (sequence.extent.replace(extent), sequence.cached);
        if let Some(old) = old {
            let moved = self.arena.copy(old, extent, 0, cached);
            self.extents.give(old);
            moved?;
        }
        Ok(extent)
    }

    /// Copies keys and values from the text that shares the longest beginning.
    fn copy_prefix(&mut self, id: SequenceId, extent: Extent) -> Result<(), TchError> {
        let spans = self.network.shape().spans;
        let Some(text) = self.sequences.get(&id) else { return Ok(()) };
        // The last token is computed in any case: it gives the answer.
        let most = text.tokens.len() - 1;
        let longest = self
            .sequences
            .iter()
            .filter(|(other, _)| **other != id)
            .filter_map(|(_, other)| Some((other.shared(text, other.cached.min(most), spans), other.extent?)))
            .max_by_key(|(shared, _)| *shared);
        let Some((shared, source)) = longest else { return Ok(()) };
        let cached = text.cached;
        if shared < cached + SHORTEST_PREFIX {
            return Ok(());
        }
        self.arena.copy(source, extent, cached, shared)?;
        self.counts.copied += (shared - cached) as u64;
        if let Some(text) = self.sequences.get_mut(&id) {
            text.cached = shared;
        }
        Ok(())
    }

    /// Takes the memory of the text that was used longest ago: closed ones first, then idle, then waiting.
    fn evict_where(&mut self, may: impl Fn(SequenceId, &Sequence) -> bool) -> bool {
        let rank = |sequence: &Sequence| (!sequence.closed, sequence.pending() > 0, sequence.used);
        let victim = self
            .sequences
            .iter()
            .filter(|(id, sequence)| may(**id, sequence))
            .min_by_key(|(_, sequence)| rank(sequence))
            .map(|(id, _)| *id);
        let Some(id) = victim else { return false };
        self.drop_memory(id);
        true
    }

    /// As [`Engine::evict_where`], for any text of a kind.
    pub(super) fn evict(&mut self, may: impl Fn(&Sequence) -> bool) {
        self.evict_where(|_, sequence| may(sequence));
    }

    fn drop_memory(&mut self, id: SequenceId) {
        let Some(sequence) = self.sequences.get_mut(&id) else { return };
        sequence.cached = 0;
        let extent = sequence.extent.take();
        if sequence.closed {
            self.sequences.remove(&id);
        }
        extent.into_iter().for_each(|extent| self.extents.give(extent));
    }

    /// Removes a text and its memory.
    pub(super) fn forget(&mut self, id: SequenceId) {
        if let Some(extent) = self.sequences.remove(&id).and_then(|sequence| sequence.extent) {
            self.extents.give(extent);
        }
    }

    /// Answers a text with an error and removes it; its memory may hold what is not a number.
    pub(super) fn fail(&mut self, id: SequenceId, error: ModelError) {
        if let Some(extent) = self.sequences.get(&id).and_then(|sequence| sequence.extent) {
            // The engine has failed already: a second failure adds nothing, and the stretch is cleared when it can be.
            let _ = self.arena.clear(extent);
        }
        self.forget(id);
        self.answers.insert(id, Err(error));
    }
}
