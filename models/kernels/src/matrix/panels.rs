//! Many rows in f32: rows in panels, weights a stretch of inputs at a time.
//!
//! [`ROWS`] rows lie in a panel `[input][row]`, which the inner loop reads as one stream; the weights of [`DEPTH`] inputs
//! stay in the first cache while all panels pass by, and those that are bf16 in memory become f32 once for all of them.
//! What comes next is fetched evenly over the work of a stretch: all at once it holds up the loop's own reads.
//! Sums are carried from stretch to stretch, so that their order is that of `avx512.rs`: bit for bit the same result.

use std::arch::x86_64::{
    _MM_HINT_T1, _MM_TRANSPOSE4_PS, _mm_loadu_ps, _mm_prefetch, _mm_storeu_ps, _mm512_and_si512,
    _mm512_castsi512_ps, _mm512_fmadd_ps, _mm512_loadu_ps, _mm512_loadu_si512, _mm512_set1_epi32,
    _mm512_set1_ps, _mm512_setzero_ps, _mm512_slli_epi32, _mm512_storeu_ps,
};
use std::cell::RefCell;
use std::ops::Range;

use super::{BLOCK, RESIDENT, Weights, Work};
use crate::element::Element;
use crate::shared::Shared;
use crate::threads::parallel;

/// Rows at once: two sums a row, two vectors of weights and one of an activation fill the registers.
const ROWS: usize = 12;
/// Inputs whose weights are used by all rows in turn: 24 KiB for a block and 9 for a panel, of a first cache of 48.
const DEPTH: usize = 192;
/// Rows, and inputs, that are arranged at once.
const QUAD: usize = 4;
/// Bytes of a line of the cache.
const LINE: usize = 64;
/// From here on arranging the rows costs less than it gains.
pub(super) const LEAST: usize = 48;

/// Rows in panels of [`ROWS`], `[panel][input][row]`; the last may hold fewer.
struct Panels<'a> {
    numbers: &'a [f32],
    inputs: usize,
    rows: usize,
}

impl Panels<'_> {
    /// Numbers that so many rows take.
    fn numbers(rows: usize, inputs: usize) -> usize {
        rows.next_multiple_of(ROWS) * inputs
    }

    /// First row and height of each panel.
    fn each(&self) -> impl Iterator<Item = (usize, usize)> + use<> {
        let rows = self.rows;
        (0..rows).step_by(ROWS).map(move |first| (first, ROWS.min(rows - first)))
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
            let count = Panels::numbers(rows, inputs);
            scratch.resize(scratch.len().max(count), 0.0);
            let numbers = &mut scratch[..count];
            arrange(&work.x[first * inputs..][..rows * inputs], inputs, numbers);
            let panels = Panels { numbers, inputs, rows };
            parallel(work.matrix.outputs.div_ceil(BLOCK), |blocks| {
                // SAFETY: the caller's promise is handed on.
                unsafe { some(work, &panels, first, blocks) }
            });
        }
    });
}

/// Puts rows in panels, four numbers of four rows at a time. Behind the last row it is repeated.
fn arrange<X: Element>(x: &[X], inputs: usize, numbers: &mut [f32]) {
    let last = x.len() / inputs - 1;
    let panels = numbers.len() / (ROWS * inputs);
    let numbers = Shared::new(numbers);
    parallel(panels, |panels| {
        for panel in panels {
            // SAFETY: the place of a panel is one thread's.
            let to = unsafe { numbers.part(panel * ROWS * inputs, ROWS * inputs) };
            for quad in (0..ROWS).step_by(QUAD) {
                let row = |row: usize| &x[(panel * ROWS + quad + row).min(last) * inputs..][..inputs];
                transpose([row(0), row(1), row(2), row(3)], &mut to[quad..]);
            }
        }
    });
}

/// Numbers of four rows to every [`ROWS`]th place.
fn transpose<X: Element>([a, b, c, d]: [&[X]; QUAD], to: &mut [f32]) {
    let inputs = a.len();
    let whole = inputs / QUAD * QUAD;
    assert!(X::WIDE && [b, c, d].iter().all(|x| x.len() == inputs), "rows of f32");
    assert!(to.len() >= (inputs - 1) * ROWS + QUAD, "{} numbers for {inputs}", to.len());
    // SAFETY: all have `inputs` numbers in f32, and there is a place for each.
    unsafe {
        let load = |x: &[X], at: usize| _mm_loadu_ps(x.as_ptr().add(at).cast());
        for at in (0..whole).step_by(QUAD) {
            let (mut a, mut b, mut c, mut d) = (load(a, at), load(b, at), load(c, at), load(d, at));
            _MM_TRANSPOSE4_PS(&mut a, &mut b, &mut c, &mut d);
            let to = to.as_mut_ptr().add(at * ROWS);
            _mm_storeu_ps(to, a);
            _mm_storeu_ps(to.add(ROWS), b);
            _mm_storeu_ps(to.add(2 * ROWS), c);
            _mm_storeu_ps(to.add(3 * ROWS), d);
        }
    }
    for at in whole..inputs {
        for (to, x) in to[at * ROWS..].iter_mut().zip([a, b, c, d]) {
            *to = x[at].load();
        }
    }
}

/// Sums of a panel for a block.
#[repr(align(64))]
struct Tile([[f32; BLOCK]; ROWS]);

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
    let mut stretch = Stretch([0.0; DEPTH * BLOCK]);
    let mut sums: Vec<Tile> = panels.each().map(|_| Tile([[0.0; BLOCK]; ROWS])).collect();
    for block in blocks {
        for from in (0..inputs).step_by(DEPTH) {
            let depth = DEPTH.min(inputs - from);
            let (weights, next, bytes) = match &work.matrix.weights {
                Weights::Floats(region) => {
                    let weights = &region.as_slice()[(block * inputs + from) * BLOCK..][..depth * BLOCK];
                    (weights, weights.as_ptr_range().end.cast::<u8>(), size_of::<f32>() * BLOCK)
                }
                Weights::Pairs(region) => {
                    let pairs =
                        &region.as_slice()[(block * inputs + from) / 2 * BLOCK..][..depth / 2 * BLOCK];
                    widen(pairs, &mut stretch);
                    (&stretch.0[..depth * BLOCK], pairs.as_ptr_range().end.cast::<u8>(), 2 * BLOCK)
                }
            };
            let bytes = bytes.div_ceil(sums.len());
            for (panel, (row, height)) in panels.each().enumerate() {
                let sums = &mut sums[panel].0;
                let x = &panels.numbers[row * inputs + from * ROWS..][..depth * ROWS];
                let places = height * from / inputs..height * (from + depth) / inputs;
                fetch_places(work, first + row + places.start, places.len(), block);
                // Each panel fetches its part of the next stretch into the second cache.
                let ahead = (next.wrapping_add(panel * depth * bytes), bytes);
                // SAFETY: `depth` inputs of a panel and of a block.
                unsafe { tiles(height, x.as_ptr(), weights.as_ptr(), depth, from == 0, ahead, sums) };
                if from + depth == inputs {
                    work.finish(&sums[..height], first + row, block);
                }
            }
        }
    }
}

/// Fetches into the second cache where the results of some rows will go.
fn fetch_places<X, Y>(work: &Work<'_, X, Y>, first: usize, rows: usize, block: usize) {
    let outputs = work.matrix.outputs;
    for row in first..first + rows {
        let place = work.y.place(row * outputs + block * BLOCK).cast::<u8>();
        for line in (0..BLOCK * size_of::<Y>()).step_by(LINE) {
            // SAFETY: a prefetch of any address is harmless.
            unsafe { _mm_prefetch::<_MM_HINT_T1>(place.wrapping_add(line).cast()) };
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

/// Adds the products of a stretch to the sums of a panel of `height` rows, and fetches from `ahead` so many bytes for
/// each input.
///
/// # Safety
/// AVX-512; `depth` inputs of a panel at `x`, `depth` blocks of weights at `w`.
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
    (ahead, bytes): (*const u8, usize),
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
            (x, w, ahead) = (x.add(ROWS), w.add(BLOCK), ahead.wrapping_add(bytes));
        }
        for (to, from) in out.iter_mut().zip(&sums) {
            _mm512_storeu_ps(to.as_mut_ptr(), from[0]);
            _mm512_storeu_ps(to.as_mut_ptr().add(16), from[1]);
        }
    }
}
