//! Many rows in f32: rows in panels, weights a stretch of inputs at a time.
//!
//! [`ROWS`] rows lie in a panel `[input][row]`, which the inner loop reads as one stream; the weights of [`DEPTH`] inputs
//! stay in the first cache while all panels pass by, and those that are bf16 in memory become f32 once for all of them.
//! Sums are carried from stretch to stretch, so that their order is that of `avx512.rs`: bit for bit the same result.

use std::arch::x86_64::{
    _MM_HINT_T1, _mm_prefetch, _mm512_and_si512, _mm512_castsi512_ps, _mm512_fmadd_ps, _mm512_loadu_ps,
    _mm512_loadu_si512, _mm512_set1_epi32, _mm512_set1_ps, _mm512_setzero_ps, _mm512_slli_epi32,
    _mm512_storeu_ps,
};
use std::cell::RefCell;
use std::ops::Range;

use super::{BLOCK, MOST_ROWS, RESIDENT, Sums, Weights, Work};
use crate::element::Element;
use crate::shared::Shared;
use crate::threads::parallel;

/// Rows at once: two sums a row, two vectors of weights and one of an activation fill the registers.
const ROWS: usize = 12;
/// Inputs whose weights are used by all rows in turn: 32 KiB for a block, of a first cache of 48.
const DEPTH: usize = 256;
/// Bytes of a line of the cache.
const LINE: usize = 64;
/// From here on arranging the rows costs less than it gains.
pub(super) const LEAST: usize = 48;

/// Rows in panels of nearly equal height.
struct Panels<'a> {
    numbers: &'a [f32],
    inputs: usize,
    rows: usize,
}

impl Panels<'_> {
    fn count(rows: usize) -> usize {
        rows.div_ceil(ROWS)
    }

    /// Rows of one panel.
    fn rows(rows: usize, panel: usize) -> Range<usize> {
        let count = Self::count(rows);
        panel * rows / count..(panel + 1) * rows / count
    }
}

thread_local!(static SCRATCH: RefCell<Vec<f32>> = const { RefCell::new(Vec::new()) });

/// The whole product.
///
/// # Safety
/// The processor has AVX-512; `X` is f32.
pub(super) unsafe fn multiply<X: Element, Y: Element>(work: &Work<'_, X, Y>) {
    let inputs = work.matrix.inputs;
    let most = (RESIDENT / (inputs * size_of::<f32>())).max(LEAST);
    SCRATCH.with_borrow_mut(|scratch| {
        for first in (0..work.rows).step_by(most) {
            let rows = most.min(work.rows - first);
            scratch.resize(scratch.len().max(rows * inputs), 0.0);
            let numbers = &mut scratch[..rows * inputs];
            arrange(&work.x[first * inputs..][..rows * inputs], inputs, numbers);
            let panels = Panels { numbers, inputs, rows };
            parallel(work.matrix.outputs.div_ceil(BLOCK), |blocks| {
                // SAFETY: the caller's promise is handed on.
                unsafe { some(work, &panels, first, blocks) }
            });
        }
    });
}

/// Puts rows in panels.
fn arrange<X: Element>(x: &[X], inputs: usize, numbers: &mut [f32]) {
    let rows = x.len() / inputs;
    let numbers = Shared::new(numbers);
    parallel(Panels::count(rows), |panels| {
        for panel in panels {
            let range = Panels::rows(rows, panel);
            let height = range.len();
            // SAFETY: the place of a panel is one thread's.
            let panel = unsafe { numbers.part(range.start * inputs, height * inputs) };
            for (row, x) in x[range.start * inputs..range.end * inputs].chunks_exact(inputs).enumerate() {
                for (to, x) in panel[row..].iter_mut().step_by(height).zip(x) {
                    *to = x.load();
                }
            }
        }
    });
}

/// Weights of a stretch of inputs, as f32.
#[repr(align(64))]
struct Stretch([f32; DEPTH * BLOCK]);

/// The outputs of some blocks for the rows of some panels, of which the first is `first` in the product.
///
/// # Safety
/// The processor has AVX-512.
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,fma")]
unsafe fn some<X: Element, Y: Element>(
    work: &Work<'_, X, Y>,
    panels: &Panels<'_>,
    first: usize,
    blocks: Range<usize>,
) {
    let inputs = panels.inputs;
    let count = Panels::count(panels.rows);
    let mut stretch = Stretch([0.0; DEPTH * BLOCK]);
    let mut sums: Vec<[[f32; BLOCK]; ROWS]> = vec![[[0.0; BLOCK]; ROWS]; count];
    for block in blocks {
        for from in (0..inputs).step_by(DEPTH) {
            let depth = DEPTH.min(inputs - from);
            let (weights, next, lines) = match &work.matrix.weights {
                Weights::Floats(region) => {
                    let weights = &region.as_slice()[(block * inputs + from) * BLOCK..][..depth * BLOCK];
                    (weights, weights.as_ptr_range().end.cast::<u8>(), 2)
                }
                Weights::Pairs(region) => {
                    let pairs =
                        &region.as_slice()[(block * inputs + from) / 2 * BLOCK..][..depth / 2 * BLOCK];
                    widen(pairs, &mut stretch);
                    (&stretch.0[..depth * BLOCK], pairs.as_ptr_range().end.cast::<u8>(), 1)
                }
            };
            for (panel, sums) in sums.iter_mut().enumerate() {
                let rows = Panels::rows(panels.rows, panel);
                let height = rows.len();
                let x = &panels.numbers[rows.start * inputs + from * height..][..depth * height];
                // The first panels fetch the next stretch into the second cache, a line for each input.
                let ahead = (next.wrapping_add(panel * depth * LINE), if panel < lines { LINE } else { 0 });
                // SAFETY: `depth` inputs of `height` rows and of a block.
                unsafe { tiles(height, x.as_ptr(), weights.as_ptr(), depth, from == 0, ahead, sums) };
            }
        }
        for (panel, found) in sums.iter().enumerate() {
            let rows = Panels::rows(panels.rows, panel);
            let mut all = Sums([[0.0; BLOCK]; MOST_ROWS]);
            all.0[..ROWS].copy_from_slice(found);
            work.finish(&all, first + rows.start, rows.len(), block);
        }
    }
}

/// Pairs of bf16 as f32: the even input is the low half.
#[target_feature(enable = "avx512f")]
fn widen(pairs: &[u32], stretch: &mut Stretch) {
    for (pairs, wide) in pairs.chunks_exact(BLOCK).zip(stretch.0.chunks_exact_mut(2 * BLOCK)) {
        for half in 0..2 {
            // SAFETY: a chunk holds two vectors, `wide` four.
            unsafe {
                let both = _mm512_loadu_si512(pairs.as_ptr().add(half * 16).cast());
                let high = _mm512_and_si512(both, _mm512_set1_epi32(0xffff_0000_u32.cast_signed()));
                let to = wide.as_mut_ptr().add(half * 16);
                _mm512_storeu_ps(to, _mm512_castsi512_ps(_mm512_slli_epi32::<16>(both)));
                _mm512_storeu_ps(to.add(BLOCK), _mm512_castsi512_ps(high));
            }
        }
    }
}

/// Adds the products of a stretch to the sums of a panel of `height` rows.
///
/// # Safety
/// AVX-512; `depth · height` numbers at `x`, `depth` blocks of weights at `w`.
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,fma")]
unsafe fn tiles(
    height: usize,
    x: *const f32,
    w: *const f32,
    depth: usize,
    begin: bool,
    ahead: (*const u8, usize),
    sums: &mut [[f32; BLOCK]; ROWS],
) {
    // SAFETY: the caller's promise is handed on.
    unsafe {
        match height {
            1 => tile::<1>(x, w, depth, begin, ahead, sums),
            2 => tile::<2>(x, w, depth, begin, ahead, sums),
            3 => tile::<3>(x, w, depth, begin, ahead, sums),
            4 => tile::<4>(x, w, depth, begin, ahead, sums),
            5 => tile::<5>(x, w, depth, begin, ahead, sums),
            6 => tile::<6>(x, w, depth, begin, ahead, sums),
            7 => tile::<7>(x, w, depth, begin, ahead, sums),
            8 => tile::<8>(x, w, depth, begin, ahead, sums),
            9 => tile::<9>(x, w, depth, begin, ahead, sums),
            10 => tile::<10>(x, w, depth, begin, ahead, sums),
            11 => tile::<11>(x, w, depth, begin, ahead, sums),
            _ => tile::<12>(x, w, depth, begin, ahead, sums),
        }
    }
}

/// See [`tiles`].
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,fma")]
unsafe fn tile<const R: usize>(
    x: *const f32,
    w: *const f32,
    depth: usize,
    begin: bool,
    (ahead, line): (*const u8, usize),
    out: &mut [[f32; BLOCK]; ROWS],
) {
    // SAFETY: a row of `out` holds two vectors; else by the caller's promise.
    unsafe {
        let mut sums = [[_mm512_setzero_ps(); 2]; R];
        if !begin {
            for (sums, from) in sums.iter_mut().zip(out.iter()) {
                *sums = [_mm512_loadu_ps(from.as_ptr()), _mm512_loadu_ps(from.as_ptr().add(16))];
            }
        }
        // Pointers that walk, not products of indices: those would be checked for overflow at each step.
        let (mut x, mut w, mut ahead) = (x, w, ahead);
        for _ in 0..depth {
            _mm_prefetch::<_MM_HINT_T1>(ahead.cast());
            let (left, right) = (_mm512_loadu_ps(w), _mm512_loadu_ps(w.add(16)));
            for (row, sums) in sums.iter_mut().enumerate() {
                let x = _mm512_set1_ps(*x.add(row));
                sums[0] = _mm512_fmadd_ps(x, left, sums[0]);
                sums[1] = _mm512_fmadd_ps(x, right, sums[1]);
            }
            (x, w, ahead) = (x.add(R), w.add(BLOCK), ahead.wrapping_add(line));
        }
        for (to, from) in out.iter_mut().zip(&sums) {
            _mm512_storeu_ps(to.as_mut_ptr(), from[0]);
            _mm512_storeu_ps(to.as_mut_ptr().add(16), from[1]);
        }
    }
}
