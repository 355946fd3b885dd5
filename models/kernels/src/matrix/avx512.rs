//! Vectors of sixteen: up to [`ROWS`] rows and a block of outputs in 24 registers.

use std::arch::x86_64::{
    __m512, __m512bh, __m512i, _MM_HINT_T0, _mm_prefetch, _mm512_and_si512, _mm512_castsi512_ps,
    _mm512_dpbf16_ps, _mm512_fmadd_ps, _mm512_loadu_ps, _mm512_loadu_si512, _mm512_set1_epi32,
    _mm512_set1_ps, _mm512_setzero_ps, _mm512_slli_epi32, _mm512_storeu_ps,
};
use std::ops::Range;

use super::{Arithmetic, BLOCK, Fetch, MOST_ROWS, Sums, Weights, Work};
use crate::element::Element;

/// Rows at once: two sums a row, two vectors of weights and one of an activation fill the registers.
const ROWS: usize = 12;

/// # Safety
/// The processor has AVX-512 (and its bf16 products, if the matrix was packed for them).
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,fma")]
pub(super) unsafe fn blocks<X: Element, Y: Element>(
    work: &Work<'_, X, Y>,
    rows: Range<usize>,
    blocks: Range<usize>,
) {
    let matrix = work.matrix;
    let (inputs, steps, start) = match &matrix.weights {
        Weights::Floats(region) => (matrix.inputs, matrix.inputs, region.as_slice().as_ptr().cast::<u8>()),
        Weights::Pairs(region) => (matrix.inputs, matrix.inputs / 2, region.as_slice().as_ptr().cast::<u8>()),
    };
    let bytes = steps * BLOCK * size_of::<u32>();
    let passes = rows.len().div_ceil(ROWS);
    let mut sums = Sums([[0.0; BLOCK]; MOST_ROWS]);
    for block in blocks {
        let weights = start.wrapping_add(block * bytes);
        let mut first = rows.start;
        for pass in 0..passes {
            let count = (rows.end - first).div_ceil(passes - pass);
            let fetch = Fetch::new(weights, bytes, pass, passes);
            let x = work.x[first * inputs..(first + count) * inputs].as_ptr();
            // SAFETY: `count` rows of `inputs` numbers lie at `x`, of the type that the arithmetic takes; a block of
            // `steps` lies at `weights`.
            unsafe {
                match (matrix.arithmetic, &matrix.weights) {
                    (Arithmetic::Pairs, _) => pairs(count, x.cast(), steps, weights.cast(), fetch, &mut sums),
                    (_, Weights::Floats(_)) => {
                        floats(count, x.cast(), steps, weights.cast(), fetch, &mut sums);
                    }
                    (_, Weights::Pairs(_)) => {
                        halves(count, x.cast(), steps, weights.cast(), fetch, &mut sums);
                    }
                }
            }
            work.finish(&sums.0[..count], first, block);
            first += count;
        }
    }
}

/// A kernel for each number of rows, and the choice among them.
macro_rules! kernel {
    ($name:ident, $features:literal, $x:ty, $w:ty, |$xs:ident, $at:ident, $weights:ident, $sums:ident, $rows:ident| $body:expr) => {
        #[inline]
        #[target_feature(enable = $features)]
        unsafe fn $name(
            count: usize,
            x: *const $x,
            steps: usize,
            w: *const $w,
            fetch: Fetch,
            out: &mut Sums,
        ) {
            #[inline]
            #[target_feature(enable = $features)]
            unsafe fn tile<const R: usize>(
                x: *const $x,
                steps: usize,
                w: *const $w,
                fetch: Fetch,
                out: &mut Sums,
            ) {
                let mut sums = [[_mm512_setzero_ps(); 2]; R];
                for step in 0..steps {
                    for line in 0..fetch.lines {
                        let at = fetch.from.wrapping_add((step * fetch.lines + line) * 64);
                        _mm_prefetch::<_MM_HINT_T0>(at.cast());
                    }
                    // SAFETY: by the caller's promise, see `blocks`.
                    unsafe {
                        let ($xs, $at, $weights, $sums, $rows) =
                            (x, step, w.add(step * BLOCK), &mut sums, steps);
                        $body
                    }
                }
                for (to, from) in out.0.iter_mut().zip(&sums) {
                    // SAFETY: a row of `out` holds two vectors.
                    unsafe {
                        _mm512_storeu_ps(to.as_mut_ptr(), from[0]);
                        _mm512_storeu_ps(to.as_mut_ptr().add(16), from[1]);
                    }
                }
            }
            // SAFETY: the caller's promise is handed on.
            unsafe {
                match count {
                    1 => tile::<1>(x, steps, w, fetch, out),
                    2 => tile::<2>(x, steps, w, fetch, out),
                    3 => tile::<3>(x, steps, w, fetch, out),
                    4 => tile::<4>(x, steps, w, fetch, out),
                    5 => tile::<5>(x, steps, w, fetch, out),
                    6 => tile::<6>(x, steps, w, fetch, out),
                    7 => tile::<7>(x, steps, w, fetch, out),
                    8 => tile::<8>(x, steps, w, fetch, out),
                    9 => tile::<9>(x, steps, w, fetch, out),
                    10 => tile::<10>(x, steps, w, fetch, out),
                    11 => tile::<11>(x, steps, w, fetch, out),
                    _ => tile::<12>(x, steps, w, fetch, out),
                }
            }
        }
    };
}

kernel!(floats, "avx512f,avx512bw,avx512dq,avx512vl,fma", f32, f32, |x, step, w, sums, inputs| {
    let (left, right) = (_mm512_loadu_ps(w), _mm512_loadu_ps(w.add(16)));
    for (row, sums) in sums.iter_mut().enumerate() {
        let x = _mm512_set1_ps(*x.add(row * inputs + step));
        sums[0] = _mm512_fmadd_ps(x, left, sums[0]);
        sums[1] = _mm512_fmadd_ps(x, right, sums[1]);
    }
});

// Weights that are bf16 in memory, in f32 arithmetic: the even input is the low half of a lane.
kernel!(halves, "avx512f,avx512bw,avx512dq,avx512vl,fma", f32, u32, |x, step, w, sums, pairs| {
    let (left, right) = (vector(w), vector(w.add(16)));
    let (low_left, low_right) = (low(left), low(right));
    let (high_left, high_right) = (high(left), high(right));
    for (row, sums) in sums.iter_mut().enumerate() {
        let x = x.add((row * pairs + step) * 2);
        let (even, odd) = (_mm512_set1_ps(*x), _mm512_set1_ps(*x.add(1)));
        sums[0] = _mm512_fmadd_ps(even, low_left, sums[0]);
        sums[1] = _mm512_fmadd_ps(even, low_right, sums[1]);
        sums[0] = _mm512_fmadd_ps(odd, high_left, sums[0]);
        sums[1] = _mm512_fmadd_ps(odd, high_right, sums[1]);
    }
});

kernel!(pairs, "avx512f,avx512bw,avx512dq,avx512vl,fma,avx512bf16", u32, u32, |x, step, w, sums, pairs| {
    let (left, right) = (vector(w), vector(w.add(16)));
    for (row, sums) in sums.iter_mut().enumerate() {
        let x = _mm512_set1_epi32(x.add(row * pairs + step).read_unaligned().cast_signed());
        sums[0] = _mm512_dpbf16_ps(sums[0], halved(x), halved(left));
        sums[1] = _mm512_dpbf16_ps(sums[1], halved(x), halved(right));
    }
});

#[inline]
#[target_feature(enable = "avx512f")]
unsafe fn vector(w: *const u32) -> __m512i {
    // SAFETY: sixteen numbers lie at `w`, see `blocks`.
    unsafe { _mm512_loadu_si512(w.cast()) }
}

#[inline]
#[target_feature(enable = "avx512f")]
fn low(pairs: __m512i) -> __m512 {
    _mm512_castsi512_ps(_mm512_slli_epi32::<16>(pairs))
}

#[inline]
#[target_feature(enable = "avx512f")]
fn high(pairs: __m512i) -> __m512 {
    _mm512_castsi512_ps(_mm512_and_si512(pairs, _mm512_set1_epi32(0xffff_0000_u32.cast_signed())))
}

#[inline]
#[target_feature(enable = "avx512f")]
fn halved(pairs: __m512i) -> __m512bh {
    // SAFETY: both are 512 bits without invalid values.
    unsafe { std::mem::transmute(pairs) }
}
