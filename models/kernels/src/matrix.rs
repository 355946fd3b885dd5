//! Products with a matrix that is packed once.
//!
//! Weights lie in blocks of [`BLOCK`] outputs, a block's numbers in the order in which its product reads them: for each
//! input (or each pair of inputs, in bf16) the outputs side by side. A step of few rows then reads memory from front to
//! back at the speed of memory; a step of many rows reads each block from memory once, and fetches the next one while it
//! computes.
//!
//! | activations | weights in memory | arithmetic |
//! |---|---|---|
//! | f32 | f32; bf16 if that loses nothing, as in a file that was published in bf16 | fused multiply-add, f32 |
//! | bf16 | bf16 | tiles (AMX), or AVX-512's products of pairs; sums in f32 |
//!
//! Sums run over the inputs in the same order for every number of rows, so a row's result does not depend on the others.

#[cfg(target_arch = "x86_64")]
mod amx;
#[cfg(target_arch = "x86_64")]
mod avx512;
#[cfg(target_arch = "x86_64")]
mod panels;

use half::bf16;

use crate::cpu::Cpu;
use crate::element::Element;
use crate::math::on_best_vectors;
use crate::memory::Region;
use crate::shared::Shared;
use crate::threads::parallel;

/// Outputs in a block.
pub(crate) const BLOCK: usize = 32;
/// Bytes of activations that stay in a core's cache while the blocks pass by.
const RESIDENT: usize = 1 << 20;
/// Most rows that are computed at once, whatever the arithmetic.
const MOST_ROWS: usize = 32;

/// See the module.
#[derive(Debug)]
pub struct Matrix {
    outputs: usize,
    inputs: usize,
    weights: Weights,
    /// Added to each row: none, or one for each output of all blocks.
    bias: Vec<f32>,
    arithmetic: Arithmetic,
}

#[derive(Debug)]
enum Weights {
    /// `[block][input][BLOCK]`.
    Floats(Region<f32>),
    /// `[block][pair of inputs][BLOCK]`, the even input in the low half.
    Pairs(Region<u32>),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Arithmetic {
    /// f32 activations.
    Floats,
    /// bf16 activations, AVX-512.
    Pairs,
    /// bf16 activations, AMX.
    Tiles,
}

impl Matrix {
    /// Packs `[outputs, inputs]` for activations in f32. None where this processor has nothing that is worth it.
    #[must_use]
    pub fn floats(weight: &[f32], outputs: usize, inputs: usize, bias: Option<&[f32]>) -> Option<Self> {
        Self::floats_on(Cpu::this(), weight, outputs, inputs, bias)
    }

    fn floats_on(
        cpu: Cpu,
        weight: &[f32],
        outputs: usize,
        inputs: usize,
        bias: Option<&[f32]>,
    ) -> Option<Self> {
        check(weight.len(), outputs, inputs);
        if !cpu.avx512 {
            return None;
        }
        let halves = inputs.is_multiple_of(2) && weight.iter().all(|value| value.to_bits() & 0xffff == 0);
        let weights = if halves {
            Weights::Pairs(pairs(outputs, inputs, |at| (weight[at].to_bits() >> 16) as u16))
        } else {
            let mut region = Region::zeroed(outputs.div_ceil(BLOCK) * BLOCK * inputs);
            place(region.as_mut_slice(), outputs, inputs, |row, input| weight[row * inputs + input]);
            Weights::Floats(region)
        };
        let bias = padded(bias, outputs);
        Some(Self { outputs, inputs, weights, bias, arithmetic: Arithmetic::Floats })
    }

    /// Packs `[outputs, inputs]` for activations in bf16. None where this processor has nothing that is worth it, or
    /// the inputs are odd.
    #[must_use]
    pub fn pairs(weight: &[bf16], outputs: usize, inputs: usize, bias: Option<&[f32]>) -> Option<Self> {
        Self::pairs_on(Cpu::this(), weight, outputs, inputs, bias)
    }

    fn pairs_on(
        cpu: Cpu,
        weight: &[bf16],
        outputs: usize,
        inputs: usize,
        bias: Option<&[f32]>,
    ) -> Option<Self> {
        check(weight.len(), outputs, inputs);
        let arithmetic = match cpu {
            Cpu { amx_bf16: true, .. } if inputs.is_multiple_of(32) => Arithmetic::Tiles,
            Cpu { avx512_bf16: true, .. } if inputs.is_multiple_of(2) => Arithmetic::Pairs,
            _ => return None,
        };
        let weights = Weights::Pairs(pairs(outputs, inputs, |at| weight[at].to_bits()));
        Some(Self { outputs, inputs, weights, bias: padded(bias, outputs), arithmetic })
    }

    /// Outputs and inputs.
    #[must_use]
    pub fn size(&self) -> (usize, usize) {
        (self.outputs, self.inputs)
    }

    /// Bytes that one product reads.
    #[must_use]
    pub fn bytes(&self) -> usize {
        let numbers = match &self.weights {
            Weights::Floats(region) => region.as_slice().len(),
            Weights::Pairs(region) => region.as_slice().len(),
        };
        size_of::<f32>() * (numbers + self.bias.len())
    }

    /// `y = x · wᵀ + bias` for each row of `x`, or `y += …` where `add` is set. The activations are of the type that
    /// the matrix was packed for.
    pub fn multiply<X: Element, Y: Element>(&self, x: &[X], y: &mut [Y], add: bool) {
        assert!(X::WIDE == (self.arithmetic == Arithmetic::Floats), "packed for the other type");
        let rows = x.len() / self.inputs;
        assert!(
            x.len() == rows * self.inputs && y.len() == rows * self.outputs,
            "{} by {}",
            x.len(),
            y.len()
        );
        if rows == 0 {
            return;
        }
        let work = Work { matrix: self, x, y: Shared::new(y), rows, add };
        #[cfg(target_arch = "x86_64")]
        if X::WIDE && rows >= panels::LEAST {
            // SAFETY: a matrix is packed for what the processor has; f32 by the condition.
            return unsafe { panels::multiply(&work) };
        }
        parallel(self.outputs.div_ceil(BLOCK), |blocks| work.blocks(blocks));
    }
}

fn check(length: usize, outputs: usize, inputs: usize) {
    assert!(
        outputs > 0 && inputs > 0 && length == outputs * inputs,
        "{length} numbers, {outputs} by {inputs}"
    );
}

/// Puts numbers `[outputs, inputs]` in blocks; outputs beyond the last are zero.
fn place<T: Copy>(blocks: &mut [T], outputs: usize, inputs: usize, number: impl Fn(usize, usize) -> T) {
    for (block, numbers) in blocks.chunks_exact_mut(inputs * BLOCK).enumerate() {
        for lane in 0..BLOCK.min(outputs - block * BLOCK) {
            for input in 0..inputs {
                numbers[input * BLOCK + lane] = number(block * BLOCK + lane, input);
            }
        }
    }
}

fn pairs(outputs: usize, inputs: usize, bits: impl Fn(usize) -> u16) -> Region<u32> {
    let mut region = Region::zeroed(outputs.div_ceil(BLOCK) * BLOCK * (inputs / 2));
    place(region.as_mut_slice(), outputs, inputs / 2, |row, pair| {
        let at = row * inputs + 2 * pair;
        u32::from(bits(at)) | u32::from(bits(at + 1)) << 16
    });
    region
}

fn padded(bias: Option<&[f32]>, outputs: usize) -> Vec<f32> {
    let Some(bias) = bias else { return Vec::new() };
    assert!(bias.len() == outputs, "{} numbers of bias for {outputs} outputs", bias.len());
    let mut padded = bias.to_vec();
    padded.resize(outputs.next_multiple_of(BLOCK), 0.0);
    padded
}

/// Sums of some rows for the outputs of a block.
#[repr(align(64))]
struct Sums([[f32; BLOCK]; MOST_ROWS]);

/// Weights to fetch while others are used: so many lines of the cache for each 128 bytes that are used.
#[derive(Debug, Clone, Copy)]
struct Fetch {
    from: *const u8,
    lines: usize,
}

impl Fetch {
    /// How far ahead a single pass fetches.
    const AHEAD: usize = 2048;

    /// For one pass of several over a block of `bytes`: a single pass runs ahead of itself, several fetch the next
    /// block after their first.
    fn new(block: *const u8, bytes: usize, pass: usize, passes: usize) -> Self {
        let next = block.wrapping_add(bytes);
        match (pass, passes) {
            (_, 1) => Self { from: block.wrapping_add(Self::AHEAD), lines: 2 },
            (1, 2) => Self { from: next, lines: 2 },
            (1, _) => Self { from: next, lines: 1 },
            (2, _) => Self { from: next.wrapping_add(bytes / 2), lines: 1 },
            _ => Self { from: next, lines: 0 },
        }
    }
}

/// One product.
struct Work<'a, X, Y> {
    matrix: &'a Matrix,
    x: &'a [X],
    y: Shared<'a, Y>,
    rows: usize,
    add: bool,
}

impl<X: Element, Y: Element> Work<'_, X, Y> {
    /// The outputs of some blocks.
    fn blocks(&self, blocks: std::ops::Range<usize>) {
        let resident = (RESIDENT / (self.matrix.inputs * size_of::<X>())).max(MOST_ROWS);
        let resident = resident / MOST_ROWS * MOST_ROWS;
        for first in (0..self.rows).step_by(resident) {
            let rows = first..self.rows.min(first + resident);
            #[cfg(target_arch = "x86_64")]
            match self.matrix.arithmetic {
                // SAFETY: a matrix is packed for what the processor has.
                Arithmetic::Tiles => unsafe { amx::blocks(self, rows, blocks.clone()) },
                // SAFETY: as above.
                Arithmetic::Floats | Arithmetic::Pairs => unsafe {
                    avx512::blocks(self, rows, blocks.clone());
                },
            }
            #[cfg(not(target_arch = "x86_64"))]
            let _ = (rows, &blocks);
        }
    }

    /// Adds what is to be added to the sums of rows from `first` on and writes them.
    #[inline(always)]
    fn finish(&self, sums: &[[f32; BLOCK]], first: usize, block: usize) {
        let outputs = self.matrix.outputs;
        let from = block * BLOCK;
        let bias = self.matrix.bias.get(from..from + BLOCK).unwrap_or(&[]);
        let place =
            Place { first: first * outputs + from, stride: outputs, count: BLOCK.min(outputs - from) };
        Y::write(sums, bias, self.y, place, self.add);
    }
}

/// Where the outputs of a block lie: so many from the first row's on, and the same in each row after it.
#[derive(Debug, Clone, Copy)]
pub struct Place {
    first: usize,
    stride: usize,
    count: usize,
}

on_best_vectors!(write[Y: Element](sums: &[[f32; BLOCK]], bias: &[f32], y: Shared<'_, Y>, place: Place, add: bool) => {
    for (row, sums) in sums.iter().enumerate() {
        // SAFETY: the outputs of a block are one thread's.
        let y = unsafe { y.part(place.first + row * place.stride, place.count) };
        write_row(sums, bias, y, add);
    }
});

/// One row of a block: whole blocks without a check in the loop.
#[inline(always)]
fn write_row<Y: Element>(sums: &[f32], bias: &[f32], y: &mut [Y], add: bool) {
    let Some(sums) = sums.first_chunk::<BLOCK>() else { return };
    let mut sums = *sums;
    if let Some(bias) = bias.first_chunk::<BLOCK>() {
        for lane in 0..BLOCK {
            sums[lane] += bias[lane];
        }
    }
    if y.len() < BLOCK {
        for (y, sum) in y.iter_mut().zip(sums) {
            *y = Y::store(if add { y.load() + sum } else { sum });
        }
    } else if let Some(y) = y.first_chunk_mut::<BLOCK>() {
        if add {
            for lane in 0..BLOCK {
                sums[lane] += y[lane].load();
            }
        }
        for lane in 0..BLOCK {
            y[lane] = Y::store(sums[lane]);
        }
    }
}

#[cfg(test)]
mod tests;
