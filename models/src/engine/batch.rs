//! One step as tensors: which tokens run, where their keys and values go, and who looks at what.

use acumen_models_kernels::Query;
use tch::{Device, Kind, TchError, Tensor};

use super::extents::Extent;
use super::plan::Run;
use super::sequence::Sequences;
use crate::torch::dim;

/// Rows of one batch, and the attention calls that they need.
#[derive(Debug)]
pub(crate) struct Batch {
    /// Tokens `[rows]`.
    pub(crate) ids: Tensor,
    /// Position of each in its text.
    pub(crate) positions: Vec<usize>,
    /// Length of its text when each entered.
    pub(crate) spans: Vec<usize>,
    /// Leading rows that are single tokens and need no call of libtorch's.
    pub(crate) steps: usize,
    /// Where the text of each of them begins in the cache.
    starts: Vec<usize>,
    /// Attention calls for the others, in the order of the rows.
    pub(crate) groups: Vec<Group>,
    /// Where each row's keys and values go, `[rows]`.
    places: Vec<usize>,
    /// Rows whose last hidden state is wanted, where that is not all of them.
    wanted: Option<Tensor>,
}

/// Rows that one attention call serves: one row each of several sequences, or several rows of one.
#[derive(Debug)]
pub(crate) struct Group {
    /// First row.
    pub(crate) first: usize,
    /// Sequences, whose stretches lie `stride` apart.
    pub(crate) sequences: usize,
    /// Rows of each.
    pub(crate) queries: usize,
    /// First token of the first stretch.
    pub(crate) start: usize,
    /// Tokens from one stretch to the next.
    pub(crate) stride: usize,
    /// Tokens to look at in each, the longest of them.
    pub(crate) length: usize,
    /// By window: what a row must not see, added to the scores. None where nothing is hidden but what follows.
    masks: Vec<(Option<usize>, Option<Tensor>)>,
}

impl Group {
    /// Rows of the batch that belong to it.
    pub(crate) fn rows(&self) -> usize {
        self.sequences * self.queries
    }

    /// What is hidden from a layer that looks back so far.
    pub(crate) fn mask(&self, window: Option<usize>) -> Option<&Tensor> {
        self.masks.iter().find(|(known, _)| *known == window).and_then(|(_, mask)| mask.as_ref())
    }
}

impl Batch {
    /// Puts the runs of a plan together. `windows` are those that the network's layers have; each run has an extent;
    /// `wanted` are the rows that will be scored, in order.
    pub(crate) fn new(
        runs: &[(Run, Extent)],
        sequences: &Sequences,
        windows: &[Option<usize>],
        wanted: &[i64],
        kind: Kind,
        device: Device,
    ) -> Result<Self, TchError> {
        let rows = runs.iter().map(|(run, _)| run.tokens).sum();
        let mut ids = Vec::with_capacity(rows);
        let mut places = Vec::with_capacity(rows);
        let own = if device == Device::Cpu {
            runs.iter().take_while(|(run, _)| run.tokens == 1).count()
        } else {
            0
        };
        let (mut positions, mut spans) = (Vec::with_capacity(rows), Vec::with_capacity(rows));
        for (run, extent) in runs {
            let Some(sequence) = sequences.get(&run.id) else { continue };
            for position in run.from..run.from + run.tokens {
                ids.push(i64::from(sequence.tokens[position]));
                places.push(extent.start + position);
                positions.push(position);
                spans.push(sequence.spans[position]);
            }
        }
        let groups = groups(own, &runs[own..], windows, kind, device)?;
        let starts = runs[..own].iter().map(|(_, extent)| extent.start).collect();
        let tensor = |values: &[i64]| Tensor::f_from_slice(values)?.f_to_device(device);
        let some = if wanted.len() < rows { Some(tensor(wanted)?) } else { None };
        Ok(Self { ids: tensor(&ids)?, positions, spans, steps: own, starts, groups, places, wanted: some })
    }

    /// The rows whose last hidden state is wanted: behind the last layer's attention nothing looks at the others.
    pub(crate) fn wanted(&self, rows: Tensor) -> Result<Tensor, TchError> {
        self.wanted.as_ref().map_or(Ok(rows.shallow_clone()), |wanted| rows.f_index_select(0, wanted))
    }

    /// Writes the rows' keys and values `[rows, cache width]` to a layer's cache.
    pub(crate) fn store(&self, cache: &Tensor, rows: &Tensor) -> Result<(), TchError> {
        let places: Vec<i64> = self.places.iter().map(|place| dim(*place)).collect();
        let places = Tensor::f_from_slice(&places)?.f_to_device(cache.device())?;
        cache.shallow_clone().f_index_copy_(0, &places, rows).map(drop)
    }

    /// Where each row's keys and values go.
    pub(crate) fn places(&self) -> &[usize] {
        &self.places
    }

    /// What each of the leading rows looks at in a layer that looks back so far.
    pub(crate) fn seen(&self, window: Option<usize>) -> Vec<Query> {
        let seen = |(start, position): (&usize, &usize)| {
            let hidden = window.map_or(0, |window| (position + 1).saturating_sub(window));
            Query { first: start + hidden, tokens: position + 1 - hidden }
        };
        self.starts.iter().zip(&self.positions).map(seen).collect()
    }
}

/// Single tokens whose stretches lie side by side share a call; a chunk has one of its own. `before` are the rows that
/// need none.
fn groups(
    before: usize,
    runs: &[(Run, Extent)],
    windows: &[Option<usize>],
    kind: Kind,
    device: Device,
) -> Result<Vec<Group>, TchError> {
    let beside = |a: &(Run, Extent), b: &(Run, Extent)| {
        a.0.tokens == 1 && b.0.tokens == 1 && a.1.length == b.1.length && a.1.start + a.1.length == b.1.start
    };
    let mut first = before;
    let mut groups = Vec::new();
    for group in runs.chunk_by(beside) {
        let (run, extent) = &group[0];
        let ends: Vec<usize> = group.iter().map(|(run, _)| run.from + run.tokens).collect();
        let length = ends.iter().copied().max().unwrap_or(1);
        let masks = windows
            .iter()
            .map(|window| {
                let mask = if run.tokens == 1 {
                    step_mask(&ends, length, *window)
                } else {
                    chunk_mask(run.from, run.tokens, *window)
                };
                let mask = mask.map(|mask| mask.tensor(kind, device)).transpose()?;
                Ok((*window, mask))
            })
            .collect::<Result<_, TchError>>()?;
        let (sequences, queries) = (group.len(), run.tokens);
        groups.push(Group {
            first,
            sequences,
            queries,
            start: extent.start,
            stride: extent.length,
            length,
            masks,
        });
        first += sequences * queries;
    }
    Ok(groups)
}

/// What is added to the scores, by rows.
struct Mask {
    values: Vec<f32>,
    shape: [i64; 4],
}

impl Mask {
    fn tensor(&self, kind: Kind, device: Device) -> Result<Tensor, TchError> {
        Tensor::f_from_slice(&self.values)?.f_view(self.shape)?.f_to_device(device)?.f_to_kind(kind)
    }
}

/// One row each of texts that end at `ends`: `[texts, 1, 1, length]`.
fn step_mask(ends: &[usize], length: usize, window: Option<usize>) -> Option<Mask> {
    let first = |end: usize| window.map_or(0, |window| end.saturating_sub(window));
    if ends.iter().all(|end| *end == length && first(*end) == 0) {
        return None;
    }
    let values = ends
        .iter()
        .flat_map(|end| (0..length).map(move |key| visible(key >= first(*end) && key < *end)))
        .collect();
    Some(Mask { values, shape: [dim(ends.len()), 1, 1, dim(length)] })
}

/// `tokens` rows of one text after `from` others: `[1, 1, tokens, from + tokens]`. A text from its beginning needs none:
/// the kernel's own triangle starts at the top left.
fn chunk_mask(from: usize, tokens: usize, window: Option<usize>) -> Option<Mask> {
    let length = from + tokens;
    if from == 0 && window.is_none_or(|window| window >= length) {
        return None;
    }
    let first = |row: usize| window.map_or(0, |window| (row + 1).saturating_sub(window));
    let values = (from..length)
        .flat_map(|row| (0..length).map(move |key| visible(key >= first(row) && key <= row)))
        .collect();
    Some(Mask { values, shape: [1, 1, dim(tokens), dim(length)] })
}

fn visible(seen: bool) -> f32 {
    if seen { 0.0 } else { f32::NEG_INFINITY }
}
