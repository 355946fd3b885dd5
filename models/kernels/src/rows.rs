//! Operations on the rows of a batch between the products.

use crate::element::Element;
use crate::math::{LANES, exp, on_best_vectors, total};
use crate::shared::Shared;
use crate::threads::parallel;

/// Numbers from which the threads share an operation: below, waking them costs more than it saves.
const SHARED_FROM: usize = 1 << 14;

/// Rows together, each thread some of them, or the caller all of them where there is little to do.
fn by_rows(rows: usize, numbers: usize, body: impl Fn(std::ops::Range<usize>) + Sync) {
    if numbers < SHARED_FROM { body(0..rows) } else { parallel(rows, body) }
}

/// `y = x / √(mean(x²) + ε) ∘ weight` for each row of `weight.len()` numbers.
pub fn rms_norm<T: Element>(x: &[T], weight: &[T], epsilon: f32, y: &mut [T]) {
    let width = weight.len();
    assert!(width > 0 && x.len() == y.len() && x.len().is_multiple_of(width), "rows of {width}");
    let (rows, numbers) = (x.len() / width, x.len());
    let y = Shared::new(y);
    by_rows(rows, numbers, |range| {
        // SAFETY: each row is one thread's.
        let y = unsafe { y.part(range.start * width, range.len() * width) };
        T::norm(&x[range.start * width..range.end * width], weight, epsilon, y);
    });
}

on_best_vectors!(norm_rows[T: Element](x: &[T], weight: &[T], epsilon: f32, y: &mut [T]) => {
    for (x, y) in x.chunks_exact(weight.len()).zip(y.chunks_exact_mut(weight.len())) {
        norm_row(x, weight, epsilon, y);
    }
});

#[inline(always)]
fn norm_row<T: Element>(x: &[T], weight: &[T], epsilon: f32, y: &mut [T]) {
    let mut squares = [0f32; LANES];
    let whole = x.chunks_exact(LANES);
    let rest = whole.remainder().iter().map(|x| x.load() * x.load()).sum::<f32>();
    for chunk in whole {
        for (sum, x) in squares.iter_mut().zip(chunk) {
            *sum += x.load() * x.load();
        }
    }
    let scale = 1.0 / ((total(squares) + rest) / x.len() as f32 + epsilon).sqrt();
    for ((y, x), weight) in y.iter_mut().zip(x).zip(weight) {
        *y = T::store(x.load() * scale * weight.load());
    }
}

/// `y = silu(gate) ∘ up` for rows of gate and up side by side, `2 · width` numbers.
pub fn gate_silu<T: Element>(both: &[T], width: usize, y: &mut [T]) {
    assert!(width > 0 && both.len() == 2 * y.len() && y.len().is_multiple_of(width), "rows of {width}");
    let rows = y.len() / width;
    let numbers = both.len();
    let y = Shared::new(y);
    by_rows(rows, numbers, |range| {
        // SAFETY: each row is one thread's.
        let y = unsafe { y.part(range.start * width, range.len() * width) };
        T::gate(&both[range.start * 2 * width..range.end * 2 * width], width, y);
    });
}

on_best_vectors!(gate_rows[T: Element](both: &[T], width: usize, y: &mut [T]) => {
    for (both, y) in both.chunks_exact(2 * width).zip(y.chunks_exact_mut(width)) {
        let (gate, up) = both.split_at(width);
        for ((y, gate), up) in y.iter_mut().zip(gate).zip(up) {
            let gate = gate.load();
            *y = T::store(gate / (1.0 + exp(-gate)) * up.load());
        }
    }
});

/// Where queries, keys and values lie in a row, and where the latter two go.
#[derive(Debug)]
pub struct Rotation<'a> {
    /// Cosines and sines of each row, half a head of each.
    pub cos: &'a [f32],
    /// See `cos`.
    pub sin: &'a [f32],
    /// Heads that ask.
    pub queries: usize,
    /// Heads that answer.
    pub keys: usize,
    /// Numbers in a head.
    pub size: usize,
    /// Token of the cache that each row becomes.
    pub places: &'a [usize],
}

/// Turns queries and keys of `rows` (`[queries | keys | values]` each) by their positions, pairs being (i, i + half),
/// and puts keys and values into the cache (`[keys | values]` for each token).
pub fn rotate_and_store<T: Element>(rotation: &Rotation<'_>, rows: &mut [T], cache: &mut [T]) {
    let Rotation { cos, sin, queries, keys, size, places } = rotation;
    let (width, stored) = ((queries + 2 * keys) * size, 2 * keys * size);
    let count = places.len();
    assert!(size.is_multiple_of(2) && rows.len() == count * width, "rows of {width}");
    assert!(cos.len() == count * size / 2 && sin.len() == cos.len(), "angles of half a head a row");
    let tokens = cache.len() / stored.max(1);
    assert!(places.iter().all(|place| *place < tokens), "a place beyond the cache");
    assert!(is_distinct(places), "two rows in one place");
    let (rows, cache, numbers) = (Shared::new(rows), Shared::new(cache), count * width);
    by_rows(count, numbers, |range| {
        for row in range {
            // SAFETY: each row is one thread's, and so is its place: they are distinct.
            let (numbers, place) =
                unsafe { (rows.part(row * width, width), cache.part(places[row] * stored, stored)) };
            let half = row * size / 2..(row + 1) * size / 2;
            T::turn(&mut numbers[..(queries + keys) * size], &cos[half.clone()], &sin[half]);
            place.copy_from_slice(&numbers[queries * size..]);
        }
    });
}

/// Places come in runs of neighbours, so a look at the neighbour settles most.
fn is_distinct(places: &[usize]) -> bool {
    if places.windows(2).all(|pair| pair[0] < pair[1]) {
        return true;
    }
    let mut sorted = places.to_vec();
    sorted.sort_unstable();
    sorted.windows(2).all(|pair| pair[0] < pair[1])
}

on_best_vectors!(turn[T: Element](heads: &mut [T], cos: &[f32], sin: &[f32]) => {
    for head in heads.chunks_exact_mut(2 * cos.len()) {
        let (first, second) = head.split_at_mut(cos.len());
        for (((a, b), cos), sin) in first.iter_mut().zip(second).zip(cos).zip(sin) {
            let (x, y) = (a.load(), b.load());
            *a = T::store(x * cos - y * sin);
            *b = T::store(y * cos + x * sin);
        }
    }
});

/// Natural-log probabilities for rows of `width` scores. A NaN among the scores makes its whole row NaN.
#[must_use]
pub fn log_softmax(scores: &[f32], width: usize) -> Vec<Vec<f32>> {
    assert!(width > 0 && scores.len().is_multiple_of(width), "rows of {width}");
    let count = scores.len() / width;
    let mut rows = vec![Vec::new(); count];
    let slots = Shared::new(&mut rows);
    by_rows(count, scores.len(), |range| {
        for row in range {
            // SAFETY: each row is one thread's.
            let slot = &mut unsafe { slots.part(row, 1) }[0];
            *slot = scores[row * width..(row + 1) * width].to_vec();
            log_softmax_row(slot);
        }
    });
    rows
}

on_best_vectors!(log_softmax_row[](row: &mut [f32]) => {
    let mut most = [f32::NEG_INFINITY; LANES];
    for chunk in row.chunks(LANES) {
        for (most, x) in most.iter_mut().zip(chunk) {
            *most = if *x > *most { *x } else { *most };
        }
    }
    let most = most.into_iter().fold(f32::NEG_INFINITY, f32::max);
    let mut sums = [0f32; LANES];
    for chunk in row.chunks(LANES) {
        for (sum, x) in sums.iter_mut().zip(chunk) {
            *sum += exp(x - most);
        }
    }
    let shift = most + total(sums).ln();
    for x in row {
        *x -= shift;
    }
});

#[cfg(test)]
mod tests;
