//! Attention of single queries over keys and values that lie in a cache, many texts in one call.
//!
//! Every query is a unit of work of its own: a row's result does not depend on the others, and no text is padded to
//! another's length. Heads that share keys are read together, so that each key is loaded once for up to [`TOGETHER`].

#[cfg(target_arch = "x86_64")]
mod avx512;
#[cfg(target_arch = "x86_64")]
mod scores;

use std::cell::RefCell;

use crate::element::Element;
use crate::math::{LANES, exp, on_best_vectors, total};
use crate::shared::Shared;
use crate::threads::parallel;

/// Heads that are computed side by side.
const TOGETHER: usize = 4;
/// Numbers of a value that are summed in registers at a time, for each of those heads.
const STRIP: usize = 64;

/// The heads of a layer.
#[derive(Debug, Clone, Copy)]
pub struct Attention {
    /// Heads that ask.
    pub queries: usize,
    /// Heads that answer; they divide those that ask.
    pub keys: usize,
    /// Numbers in each.
    pub size: usize,
    /// Factor on the scores.
    pub scale: f32,
}

/// What one row looks at: `tokens` of the cache from `first` on, one at least.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Query {
    /// First token.
    pub first: usize,
    /// How many.
    pub tokens: usize,
}

impl Attention {
    /// Mixes for each query the values that its keys find. `q` has rows `stride` apart that begin with
    /// `queries · size` numbers; `cache` has `[keys | values]` for each token; `mixed` has rows of `queries · size`.
    pub fn attend<T: Element>(
        &self,
        rows: &[Query],
        (q, stride): (&[T], usize),
        cache: &[T],
        mixed: &mut [T],
    ) {
        let width = self.queries * self.size;
        let stored = 2 * self.keys * self.size;
        assert!(self.keys > 0 && self.size > 0 && self.queries.is_multiple_of(self.keys), "{self:?}");
        assert!(mixed.len() == rows.len() * width, "rows of {width}");
        let fits = rows.is_empty() || (stride >= width && q.len() >= (rows.len() - 1) * stride + width);
        assert!(fits, "{} queries of {width}, {stride} apart, in {}", rows.len(), q.len());
        let tokens = cache.len() / stored;
        let inside = |row: &Query| row.tokens > 0 && row.first <= tokens && row.tokens <= tokens - row.first;
        assert!(rows.iter().all(inside), "a query beyond the cache");
        let shared = self.queries / self.keys;
        let mixed = Shared::new(mixed);
        parallel(rows.len() * self.keys, |range| {
            for unit in range {
                let (row, key) = (unit / self.keys, unit % self.keys);
                let seen = rows[row];
                let stretch = &cache[seen.first * stored..(seen.first + seen.tokens) * stored];
                let from = key * shared * self.size;
                let q = &q[row * stride + from..][..shared * self.size];
                // SAFETY: the heads of one row that share a key are one unit's.
                let mixed = unsafe { mixed.part(row * width + from, shared * self.size) };
                let heads = Heads { keys: self.keys, key, size: self.size, scale: self.scale };
                SCRATCH.with_borrow_mut(|scratch| T::mix(heads, q, stretch, mixed, scratch));
            }
        });
    }
}

thread_local!(static SCRATCH: RefCell<Vec<f32>> = const { RefCell::new(Vec::new()) });

/// The queries of one row that share a key head, in the best way there is.
pub(crate) fn mix<T: Element>(heads: Heads, q: &[T], cache: &[T], mixed: &mut [T], scratch: &mut Vec<f32>) {
    #[cfg(target_arch = "x86_64")]
    if crate::Cpu::this().avx512 && heads.size.is_multiple_of(LANES) {
        // SAFETY: checked here; whole heads and tokens by `attend`.
        return unsafe { avx512::group(heads, q, cache, mixed, scratch) };
    }
    group(heads, q, cache, mixed, scratch);
}

/// Where one key head lies in a token of the cache.
#[derive(Debug, Clone, Copy)]
pub struct Heads {
    keys: usize,
    key: usize,
    size: usize,
    scale: f32,
}

on_best_vectors!(group[T: Element](heads: Heads, q: &[T], cache: &[T], mixed: &mut [T], scratch: &mut Vec<f32>) => {
    let each = TOGETHER * heads.size;
    for (q, mixed) in q.chunks(each).zip(mixed.chunks_mut(each)) {
        match q.len() / heads.size {
            1 => some::<T, 1>(heads, q, cache, mixed, scratch),
            2 => some::<T, 2>(heads, q, cache, mixed, scratch),
            3 => some::<T, 3>(heads, q, cache, mixed, scratch),
            _ => some::<T, 4>(heads, q, cache, mixed, scratch),
        }
    }
});

/// `N` queries that share keys.
#[inline(always)]
fn some<T: Element, const N: usize>(
    heads: Heads,
    q: &[T],
    cache: &[T],
    mixed: &mut [T],
    scratch: &mut Vec<f32>,
) {
    let Heads { keys, key, size, scale } = heads;
    let stored = 2 * keys * size;
    let tokens = cache.len() / stored;
    // Queries in 32-bit floats, then scores.
    scratch.clear();
    scratch.resize(N * (size + tokens), 0.0);
    let (queries, scores) = scratch.split_at_mut(N * size);
    for (to, from) in queries.iter_mut().zip(q) {
        *to = from.load() * scale;
    }
    for (token, row) in cache.chunks_exact(stored).enumerate() {
        let dots = dots::<T, N>(queries, &row[key * size..][..size]);
        for head in 0..N {
            scores[head * tokens + token] = dots[head];
        }
    }
    let mut shares = [0f32; N];
    for (share, scores) in shares.iter_mut().zip(scores.chunks_exact_mut(tokens)) {
        *share = 1.0 / exponentials(scores);
    }
    let from = (keys + key) * size;
    let mut column = 0;
    while column < size {
        let strip = STRIP.min(size - column);
        if strip == STRIP {
            sums::<T, N, STRIP>(scores, cache, stored, from + column, |head, sums| {
                put(&mut mixed[head * size + column..][..STRIP], sums, shares[head]);
            });
            column += STRIP;
        } else if strip >= LANES {
            sums::<T, N, LANES>(scores, cache, stored, from + column, |head, sums| {
                put(&mut mixed[head * size + column..][..LANES], sums, shares[head]);
            });
            column += LANES;
        } else {
            sums::<T, N, 1>(scores, cache, stored, from + column, |head, sums| {
                put(&mut mixed[head * size + column..][..1], sums, shares[head]);
            });
            column += 1;
        }
    }
}

/// Products of a key with each query.
#[inline(always)]
fn dots<T: Element, const N: usize>(queries: &[f32], key: &[T]) -> [f32; N] {
    let size = key.len();
    let whole = size - size % LANES;
    let mut lanes = [[0f32; LANES]; N];
    for at in (0..whole).step_by(LANES) {
        let mut numbers = [0f32; LANES];
        for (to, from) in numbers.iter_mut().zip(&key[at..at + LANES]) {
            *to = from.load();
        }
        for (head, lanes) in lanes.iter_mut().enumerate() {
            for ((sum, q), k) in lanes.iter_mut().zip(&queries[head * size + at..][..LANES]).zip(&numbers) {
                *sum += q * k;
            }
        }
    }
    let mut dots = [0f32; N];
    for (head, dot) in dots.iter_mut().enumerate() {
        let rest = &queries[head * size + whole..(head + 1) * size];
        let rest: f32 = rest.iter().zip(&key[whole..]).map(|(q, k)| q * k.load()).sum();
        *dot = total(lanes[head]) + rest;
    }
    dots
}

/// Scores to their exponentials, the greatest being 1; gives the sum. NaN stays NaN.
#[inline(always)]
fn exponentials(scores: &mut [f32]) -> f32 {
    let mut most = [f32::NEG_INFINITY; LANES];
    for chunk in scores.chunks(LANES) {
        for (most, x) in most.iter_mut().zip(chunk) {
            *most = if *x > *most { *x } else { *most };
        }
    }
    let most = most.into_iter().fold(f32::NEG_INFINITY, f32::max);
    let mut sums = [0f32; LANES];
    for chunk in scores.chunks_mut(LANES) {
        for (sum, x) in sums.iter_mut().zip(chunk) {
            *x = exp(*x - most);
            *sum += *x;
        }
    }
    total(sums)
}

/// Values weighed by the scores of each query, `W` numbers of them.
#[inline(always)]
fn sums<T: Element, const N: usize, const W: usize>(
    scores: &[f32],
    cache: &[T],
    stored: usize,
    from: usize,
    mut put: impl FnMut(usize, &[f32; W]),
) {
    let tokens = cache.len() / stored;
    let mut sums = [[0f32; W]; N];
    for (token, row) in cache.chunks_exact(stored).enumerate() {
        let mut numbers = [0f32; W];
        for (to, from) in numbers.iter_mut().zip(&row[from..from + W]) {
            *to = from.load();
        }
        for (head, sums) in sums.iter_mut().enumerate() {
            let share = scores[head * tokens + token];
            for (sum, value) in sums.iter_mut().zip(&numbers) {
                *sum += share * value;
            }
        }
    }
    for (head, sums) in sums.iter().enumerate() {
        put(head, sums);
    }
}

#[inline(always)]
fn put<T: Element>(mixed: &mut [T], sums: &[f32], share: f32) {
    for (to, sum) in mixed.iter_mut().zip(sums) {
        *to = T::store(sum * share);
    }
}

#[cfg(test)]
mod tests;
