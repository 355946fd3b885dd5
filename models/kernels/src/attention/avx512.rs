//! The same in vectors of sixteen, for heads whose size is a multiple of that.

// Several arrays of registers are walked in step by one index: iterators zipped four deep would hide which is which.
#![allow(clippy::needless_range_loop)]

use std::arch::x86_64::{
    __m512, _CMP_GT_OQ, _mm256_loadu_si256, _mm512_add_epi32, _mm512_add_ps, _mm512_castps_si512,
    _mm512_castsi512_ps, _mm512_cmp_ps_mask, _mm512_cvtepu16_epi32, _mm512_fmadd_ps, _mm512_fnmadd_ps,
    _mm512_loadu_ps, _mm512_mask_mov_ps, _mm512_max_ps, _mm512_min_ps, _mm512_mul_ps, _mm512_reduce_add_ps,
    _mm512_reduce_max_ps, _mm512_set1_epi32, _mm512_set1_ps, _mm512_setzero_ps, _mm512_slli_epi32,
    _mm512_storeu_ps, _mm512_sub_epi32, _mm512_sub_ps,
};

use super::scores::{self, Keys};
use super::{Heads, TOGETHER};
use crate::Cpu;
use crate::element::Element;
use crate::math::LANES;

/// Vectors of a value that are summed in registers at a time, for each head.
const WIDE: usize = 4;

/// As `super::group`.
///
/// # Safety
/// The processor has AVX-512; the size of a head is a multiple of [`LANES`]; `q` and `mixed` hold whole heads, as many
/// each; `cache` holds whole tokens.
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,fma")]
pub(super) unsafe fn group<T: Element>(
    heads: Heads,
    q: &[T],
    cache: &[T],
    mixed: &mut [T],
    scratch: &mut Vec<f32>,
) {
    let tokens = cache.len() / (2 * heads.keys * heads.size);
    let padded = tokens.next_multiple_of(LANES);
    scratch.resize(TOGETHER * padded, 0.0);
    let mut head = 0;
    while head * heads.size < q.len() {
        let (from, count) = (head * heads.size, (q.len() / heads.size - head).min(TOGETHER));
        let (q, mixed) = (q[from..].as_ptr(), mixed[from..].as_mut_ptr());
        // SAFETY: `count` heads lie at `q` and `mixed`, `tokens` in `cache`, room for the scores of each in `scratch`.
        unsafe {
            match count {
                1 => some::<T, 1>(heads, q, cache.as_ptr(), tokens, mixed, scratch.as_mut_ptr(), padded),
                2 => some::<T, 2>(heads, q, cache.as_ptr(), tokens, mixed, scratch.as_mut_ptr(), padded),
                3 => some::<T, 3>(heads, q, cache.as_ptr(), tokens, mixed, scratch.as_mut_ptr(), padded),
                _ => some::<T, 4>(heads, q, cache.as_ptr(), tokens, mixed, scratch.as_mut_ptr(), padded),
            }
        }
        head += count;
    }
}

/// `N` queries that share keys.
///
/// # Safety
/// See `group`.
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,fma")]
unsafe fn some<T: Element, const N: usize>(
    heads: Heads,
    q: *const T,
    cache: *const T,
    tokens: usize,
    mixed: *mut T,
    room: *mut f32,
    padded: usize,
) {
    let Heads { keys, key, size, scale } = heads;
    let stored = 2 * keys * size;
    // SAFETY: by the caller's promise every access is inside.
    unsafe {
        let start = cache.add(key * size);
        // The first head that comes by fetches whole tokens, from front to back, for those that follow.
        let fetch = (cache, if key == 0 { stored } else { 0 });
        let found = Keys { start, tokens, stored, size, fetch, scale };
        if !T::WIDE && Cpu::this().avx512_bf16 && size.is_multiple_of(scores::PAIRS) {
            scores::pairs(q, N, found, room, padded);
        } else {
            scores::floats(q, N, found, room, padded);
        }
        let mut shares = [_mm512_setzero_ps(); N];
        for head in 0..N {
            shares[head] = _mm512_set1_ps(1.0 / exponentials(room.add(head * padded), tokens));
        }
        let values = cache.add((keys + key) * size);
        let mut column = 0;
        while column < size {
            let (values, mixed) = (values.add(column), mixed.add(column));
            let strip = if column + WIDE * LANES <= size { WIDE } else { 1 };
            if strip == WIDE {
                sums::<T, N, WIDE>(values, (tokens, stored, size), room, padded, mixed, &shares);
            } else {
                sums::<T, N, 1>(values, (tokens, stored, size), room, padded, mixed, &shares);
            }
            column += strip * LANES;
        }
    }
}

/// Scores to their exponentials, the greatest being 1; gives the sum.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,fma")]
unsafe fn exponentials(scores: *mut f32, tokens: usize) -> f32 {
    // SAFETY: room for `tokens`, rounded up to whole vectors.
    unsafe {
        let mut most = _mm512_set1_ps(f32::NEG_INFINITY);
        for at in (0..tokens).step_by(LANES) {
            let x = _mm512_loadu_ps(scores.add(at));
            most = _mm512_mask_mov_ps(most, _mm512_cmp_ps_mask::<_CMP_GT_OQ>(x, most), x);
        }
        let most = _mm512_set1_ps(_mm512_reduce_max_ps(most));
        let mut sum = _mm512_setzero_ps();
        for at in (0..tokens).step_by(LANES) {
            let x = exp(_mm512_sub_ps(_mm512_loadu_ps(scores.add(at)), most));
            _mm512_storeu_ps(scores.add(at), x);
            let inside = if tokens - at >= LANES { u16::MAX } else { (1 << (tokens - at)) - 1 };
            sum = _mm512_add_ps(sum, _mm512_mask_mov_ps(_mm512_setzero_ps(), inside, x));
        }
        _mm512_reduce_add_ps(sum)
    }
}

/// As `math::exp`.
#[inline]
#[target_feature(enable = "avx512f")]
fn exp(x: __m512) -> __m512 {
    let number = |x: f32| _mm512_set1_ps(x);
    let round = number(12_582_912.0);
    // The second operand is the result where one is NaN.
    let x = _mm512_min_ps(number(88.3), _mm512_max_ps(number(-87.336_5), x));
    let shifted = _mm512_fmadd_ps(x, number(std::f32::consts::LOG2_E), round);
    let n = _mm512_sub_ps(shifted, round);
    let r = _mm512_fnmadd_ps(n, number(0.693_359_4), x);
    let r = _mm512_fmadd_ps(n, number(2.121_944_4e-4), r);
    let mut p = number(1.987_569_1e-4);
    for next in [1.398_199_9e-3, 8.333_452e-3, 4.166_579_6e-2, 1.666_666_5e-1, 0.5] {
        p = _mm512_fmadd_ps(p, r, number(next));
    }
    let value = _mm512_add_ps(_mm512_fmadd_ps(p, _mm512_mul_ps(r, r), r), number(1.0));
    let power = _mm512_sub_epi32(_mm512_castps_si512(shifted), _mm512_castps_si512(round));
    let power = _mm512_slli_epi32::<23>(_mm512_add_epi32(power, _mm512_set1_epi32(127)));
    _mm512_mul_ps(value, _mm512_castsi512_ps(power))
}

/// Values weighed by the scores of each query, `W` vectors of them.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,fma")]
unsafe fn sums<T: Element, const N: usize, const W: usize>(
    values: *const T,
    (tokens, stored, size): (usize, usize, usize),
    scores: *const f32,
    padded: usize,
    mixed: *mut T,
    shares: &[__m512; N],
) {
    let mut sums = [[_mm512_setzero_ps(); W]; N];
    // SAFETY: see `some`.
    unsafe {
        for token in 0..tokens {
            let row = values.add(token * stored);
            let mut numbers = [_mm512_setzero_ps(); W];
            for part in 0..W {
                numbers[part] = load(row.add(part * LANES));
            }
            for head in 0..N {
                let share = _mm512_set1_ps(*scores.add(head * padded + token));
                for part in 0..W {
                    sums[head][part] = _mm512_fmadd_ps(share, numbers[part], sums[head][part]);
                }
            }
        }
        for head in 0..N {
            for part in 0..W {
                let mut lanes = [0f32; LANES];
                _mm512_storeu_ps(lanes.as_mut_ptr(), _mm512_mul_ps(sums[head][part], shares[head]));
                let to = mixed.add(head * size + part * LANES);
                for lane in 0..LANES {
                    *to.add(lane) = T::store(lanes[lane]);
                }
            }
        }
    }
}

/// Sixteen numbers.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,fma")]
pub(super) unsafe fn load<T: Element>(from: *const T) -> __m512 {
    // SAFETY: the caller has sixteen numbers there.
    unsafe {
        if T::WIDE {
            return _mm512_loadu_ps(from.cast());
        }
        let short = _mm256_loadu_si256(from.cast());
        _mm512_castsi512_ps(_mm512_slli_epi32::<16>(_mm512_cvtepu16_epi32(short)))
    }
}
