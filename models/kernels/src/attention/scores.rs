//! Scores of queries with keys, sixteen keys at a time: each has a vector of partial sums, and the sixteen vectors are
//! added up together, which takes a fifth of the instructions of sixteen sums.

use std::arch::x86_64::{
    __m512, __m512bh, _MM_HINT_T1, _mm_prefetch, _mm512_add_ps, _mm512_castpd_ps, _mm512_castps_pd,
    _mm512_dpbf16_ps, _mm512_fmadd_ps, _mm512_loadu_si512, _mm512_mask_mov_ps, _mm512_mul_ps, _mm512_set1_ps,
    _mm512_setzero_ps, _mm512_shuffle_f32x4, _mm512_storeu_ps, _mm512_unpackhi_pd, _mm512_unpackhi_ps,
    _mm512_unpacklo_pd, _mm512_unpacklo_ps,
};

use super::avx512::load;
use crate::element::Element;
use crate::math::LANES;

/// Numbers of a vector of bf16.
pub(super) const PAIRS: usize = 2 * LANES;

/// How many tokens ahead the cache is fetched.
const AHEAD: usize = 2 * LANES;

/// Where keys lie, and how they are weighed.
#[derive(Clone, Copy)]
pub(super) struct Keys<T> {
    /// The first token's.
    pub(super) start: *const T,
    /// How many, one at least.
    pub(super) tokens: usize,
    /// From one to the next.
    pub(super) stored: usize,
    /// Numbers in each.
    pub(super) size: usize,
    /// What to fetch ahead for each token: from the first token's start so many numbers.
    pub(super) fetch: (*const T, usize),
    /// Factor on the scores.
    pub(super) scale: f32,
}

/// A loop over the keys for one kind of product of vectors.
macro_rules! dots {
    ($(#[$doc:meta])* $name:ident, $features:literal, $step:expr, $multiply:ident) => {
        $(#[$doc])*
        #[target_feature(enable = $features)]
        pub(super) unsafe fn $name<T: Element>(q: *const T, heads: usize, keys: Keys<T>, scores: *mut f32, padded: usize) {
            let scale = _mm512_set1_ps(keys.scale);
            for first in (0..keys.tokens).step_by(LANES) {
                keys.fetch(first + AHEAD);
                for head in 0..heads {
                    let q = q.wrapping_add(head * keys.size);
                    let mut lanes = [_mm512_setzero_ps(); LANES];
                    // SAFETY: the caller has `heads` queries, all tokens, and whole vectors of scores.
                    unsafe {
                        for (lane, sums) in lanes.iter_mut().enumerate() {
                            // Beyond the last token its key is taken again, and its score is replaced below.
                            let key = keys.start.add((first + lane).min(keys.tokens - 1) * keys.stored);
                            for at in (0..keys.size).step_by($step) {
                                *sums = $multiply(*sums, q.add(at), key.add(at));
                            }
                        }
                        let inside = (1u32 << (keys.tokens - first).min(LANES)) - 1;
                        let found = _mm512_mul_ps(totals(lanes), scale);
                        let found = _mm512_mask_mov_ps(_mm512_set1_ps(f32::NEG_INFINITY), inside as u16, found);
                        _mm512_storeu_ps(scores.add(head * padded + first), found);
                    }
                }
            }
        }
    };
}

dots!(
    /// Scores of each query with each key, in f32; behind the last token −∞, up to a whole vector.
    ///
    /// # Safety
    /// The processor has AVX-512; the size is a multiple of [`LANES`]; all queries and keys are there, and room for the
    /// scores of each query, `padded` apart.
    floats, "avx512f,avx512bw,avx512dq,avx512vl,fma", LANES, wide
);
dots!(
    /// As [`floats`] for bf16.
    ///
    /// # Safety
    /// As [`floats`]; the processor has products of bf16, `T` is bf16, the size is a multiple of [`PAIRS`].
    pairs, "avx512f,avx512bw,avx512dq,avx512vl,fma,avx512bf16", PAIRS, narrow
);

impl<T> Keys<T> {
    /// Fetches sixteen tokens into the second cache.
    #[inline]
    #[target_feature(enable = "avx512f")]
    fn fetch(&self, first: usize) {
        let (start, width) = self.fetch;
        let tokens = self.tokens.saturating_sub(first).min(LANES);
        let start = start.wrapping_add(first * self.stored);
        for at in (0..tokens * width).step_by(64 / size_of::<T>()) {
            _mm_prefetch::<_MM_HINT_T1>(start.wrapping_add(at).cast());
        }
    }
}

#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,fma")]
unsafe fn wide<T: Element>(sums: __m512, q: *const T, key: *const T) -> __m512 {
    // SAFETY: sixteen numbers each.
    unsafe { _mm512_fmadd_ps(load(q), load(key), sums) }
}

#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,fma,avx512bf16")]
unsafe fn narrow<T: Element>(sums: __m512, q: *const T, key: *const T) -> __m512 {
    // SAFETY: thirty-two numbers each; 512 bits have no invalid values.
    unsafe {
        let [q, key] = [q, key].map(|at| std::mem::transmute::<_, __m512bh>(_mm512_loadu_si512(at.cast())));
        _mm512_dpbf16_ps(sums, q, key)
    }
}

/// The sum of each vector's lanes.
#[inline]
#[target_feature(enable = "avx512f")]
fn totals(v: [__m512; LANES]) -> __m512 {
    let quads = [0, 4, 8, 12].map(|i| fours([v[i], v[i + 1], v[i + 2], v[i + 3]]));
    let low = across(quads[0], quads[1]);
    across(low, across(quads[2], quads[3]))
}

/// In each quarter one partial sum of each of four vectors.
#[inline]
#[target_feature(enable = "avx512f")]
fn fours([a, b, c, d]: [__m512; 4]) -> __m512 {
    let ab = _mm512_castps_pd(_mm512_add_ps(_mm512_unpacklo_ps(a, b), _mm512_unpackhi_ps(a, b)));
    let cd = _mm512_castps_pd(_mm512_add_ps(_mm512_unpacklo_ps(c, d), _mm512_unpackhi_ps(c, d)));
    let (low, high) = (_mm512_unpacklo_pd(ab, cd), _mm512_unpackhi_pd(ab, cd));
    _mm512_add_ps(_mm512_castpd_ps(low), _mm512_castpd_ps(high))
}

/// The sums of neighbouring quarters, those of `a` and then those of `b`.
#[inline]
#[target_feature(enable = "avx512f")]
fn across(a: __m512, b: __m512) -> __m512 {
    _mm512_add_ps(_mm512_shuffle_f32x4::<0x88>(a, b), _mm512_shuffle_f32x4::<0xdd>(a, b))
}
