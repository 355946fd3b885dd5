//! Attention of every shape against its definition in doubles.

use half::bf16;
use proptest::prelude::*;

use super::*;

/// The definition, in 64-bit floats.
fn exact(heads: &Attention, row: Query, q: &[f64], cache: &[f64]) -> Vec<f64> {
    let (size, keys) = (heads.size, heads.keys);
    let stored = 2 * keys * size;
    let mut mixed = Vec::new();
    for head in 0..heads.queries {
        let key = head / (heads.queries / keys);
        let q = &q[head * size..(head + 1) * size];
        let at =
            |token: usize, part: usize| &cache[(row.first + token) * stored + (part + key) * size..][..size];
        let score = |token: usize| {
            q.iter().zip(at(token, 0)).map(|(q, k)| q * k).sum::<f64>() * f64::from(heads.scale)
        };
        let scores: Vec<f64> = (0..row.tokens).map(score).collect();
        let most = scores.iter().copied().fold(f64::MIN, f64::max);
        let sum: f64 = scores.iter().map(|score| (score - most).exp()).sum();
        for column in 0..size {
            let value = |token: usize| (scores[token] - most).exp() / sum * at(token, keys)[column];
            mixed.push((0..row.tokens).map(value).sum());
        }
    }
    mixed
}

fn numbers<T: Element>(seed: u64, count: usize) -> Vec<T> {
    let mut state = seed | 1;
    let mut next = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        ((state >> 40) as f32 / (1u64 << 23) as f32 - 1.0) * 2.0
    };
    (0..count).map(|_| T::store(next())).collect()
}

fn check<T: Element>(heads: &Attention, rows: &[Query], gap: usize, seed: u64, bound: f64) {
    let width = heads.queries * heads.size;
    let tokens = rows.iter().map(|row| row.first + row.tokens).max().unwrap_or(0) + 1;
    let mut cache: Vec<T> = numbers(seed, tokens * 2 * heads.keys * heads.size);
    let q: Vec<T> = numbers(seed + 1, rows.len() * (width + gap));
    // What no row looks at must not matter.
    let seen = |token: usize| rows.iter().any(|row| (row.first..row.first + row.tokens).contains(&token));
    let stored = 2 * heads.keys * heads.size;
    for token in (0..tokens).filter(|token| !seen(*token)) {
        cache[token * stored..(token + 1) * stored].fill(T::store(f32::NAN));
    }
    let mut mixed = vec![T::store(f32::NAN); rows.len() * width];
    heads.attend(rows, (&q, width + gap), &cache, &mut mixed);
    let wide = |numbers: &[T]| numbers.iter().map(|x| f64::from(x.load())).collect::<Vec<f64>>();
    for (index, row) in rows.iter().enumerate() {
        let expected = exact(heads, *row, &wide(&q[index * (width + gap)..][..width]), &wide(&cache));
        for (found, expected) in wide(&mixed[index * width..][..width]).iter().zip(expected) {
            assert!((found - expected).abs() <= bound, "{found} for {expected}, {heads:?}, {row:?}");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]
    #[test]
    fn is_the_definition(
        keys in 1usize..4,
        shared in 1usize..7,
        size in prop::sample::select(vec![1usize, 2, 6, 16, 20, 64, 80, 96, 128, 130]),
        rows in prop::collection::vec((0usize..40, 1usize..70), 1..6),
        gap in 0usize..9,
        seed in any::<u32>(),
    ) {
        let scale = (size as f32).powf(-0.5);
        let heads = Attention { queries: keys * shared, keys, size, scale };
        let rows: Vec<Query> = rows.into_iter().map(|(first, tokens)| Query { first, tokens }).collect();
        check::<f32>(&heads, &rows, gap, u64::from(seed), 1e-5);
        check::<bf16>(&heads, &rows, gap, u64::from(seed), 1.0 / 128.0);
    }
}

#[test]
fn not_a_number_stays_with_its_row() {
    let heads = Attention { queries: 2, keys: 1, size: 16, scale: 0.25 };
    let cache: Vec<f32> = numbers(3, 8 * 32);
    let mut q: Vec<f32> = numbers(4, 2 * 32);
    q[5] = f32::NAN;
    let mut mixed = vec![0f32; 64];
    heads.attend(&[Query { first: 0, tokens: 8 }; 2], (&q, 32), &cache, &mut mixed);
    assert!(mixed[..16].iter().all(|x| x.is_nan()));
    assert!(mixed[16..].iter().all(|x| x.is_finite()));
}

#[test]
fn a_large_score_does_not_overflow() {
    let heads = Attention { queries: 1, keys: 1, size: 2, scale: 1e4 };
    let cache = [1.0f32, 0.0, 5.0, 6.0, -1.0, 0.0, 7.0, 8.0];
    let mut mixed = [0f32; 2];
    heads.attend(&[Query { first: 0, tokens: 2 }], (&[3.0, 1.0], 2), &cache, &mut mixed);
    assert_eq!(mixed, [5.0, 6.0]);
}

#[test]
#[should_panic(expected = "beyond the cache")]
fn a_query_beyond_the_cache_is_refused() {
    let heads = Attention { queries: 1, keys: 1, size: 2, scale: 1.0 };
    heads.attend(&[Query { first: 1, tokens: 2 }], (&[0f32; 2], 2), &[0f32; 8], &mut [0f32; 2]);
}
