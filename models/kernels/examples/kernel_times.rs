//! Processor time of each kernel on one thread at the sizes of SmolLM2-135M, cold: every call has memory of its own, as many as a
//! step of thirty layers has.
//!
//! `cargo run --release -p acumen-models-kernels --example kernel_times [rows]`

use std::time::Duration;

use acumen_models_kernels::{
    Attention, Element, Matrix, Query, Rotation, bf16, gate_silu, log_softmax, rms_norm, rotate_and_store,
};

const LAYERS: usize = 30;
const TOKENS: usize = 145;
const WIDTH: usize = 576;
const HIDDEN: usize = 1536;
const VOCABULARY: usize = 49_152;

fn main() {
    let rows = std::env::args().nth(1).and_then(|rows| rows.parse().ok()).unwrap_or(1);
    println!("milliseconds for {LAYERS} layers, {rows} rows");
    products(rows);
    between::<f32>("f32", rows);
    between::<bf16>("bf16", rows);
    let scores = numbers::<f32>(rows * VOCABULARY);
    time("log-softmax", || drop(log_softmax(&scores, VOCABULARY)));
}

fn numbers<T: Element>(count: usize) -> Vec<T> {
    (0..count).map(|index| T::store((index * 7919 % 1013) as f32 / 1013.0 - 0.5)).collect()
}

/// What this thread has had of a processor: a busy machine shows little.
fn on_cpu() -> Duration {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    Duration::from_nanos(text.split(' ').next().and_then(|first| first.parse().ok()).unwrap_or(0))
}

/// The least of some runs, of which the first warms.
fn time(what: &str, mut run: impl FnMut()) {
    let mut least = Duration::MAX;
    for _ in 0..5 {
        let begun = on_cpu();
        run();
        least = least.min(on_cpu() - begun);
    }
    println!("{what:>24} {:8.2}", least.as_secs_f64() * 1e3);
}

fn products(rows: usize) {
    let shapes = [(960, WIDTH), (WIDTH, WIDTH), (2 * HIDDEN, WIDTH), (WIDTH, HIDDEN)];
    let odd = |count| numbers::<f32>(count);
    let exact = |count| numbers::<bf16>(count).iter().map(|w| w.load()).collect::<Vec<f32>>();
    let floats = |make: &dyn Fn(usize) -> Vec<f32>, size: (usize, usize)| {
        Matrix::floats(&make(size.0 * size.1), size.0, size.1, None)
    };
    let pairs = |size: (usize, usize)| Matrix::pairs(&numbers(size.0 * size.1), size.0, size.1, None);
    let all = |make: &dyn Fn((usize, usize)) -> Option<Matrix>| -> Vec<Matrix> {
        (0..LAYERS).flat_map(|_| shapes).filter_map(make).chain(make((VOCABULARY, WIDTH))).collect()
    };
    run::<f32>("products f32", &all(&|size| floats(&odd, size)), rows);
    run::<f32>("products f32 of bf16", &all(&|size| floats(&exact, size)), rows);
    run::<bf16>("products bf16", &all(&pairs), rows);
}

fn run<T: Element>(what: &str, matrices: &[Matrix], rows: usize) {
    let x: Vec<T> = numbers(rows * HIDDEN);
    let mut y = vec![T::default(); rows * VOCABULARY];
    time(what, || {
        for matrix in matrices {
            let (outputs, inputs) = matrix.size();
            matrix.multiply(&x[..rows * inputs], &mut y[..rows * outputs], false);
        }
    });
}

fn between<T: Element>(name: &str, rows: usize) {
    let heads = Attention { queries: 9, keys: 3, size: 64, scale: 0.125 };
    let mut caches: Vec<Vec<T>> = (0..LAYERS).map(|_| numbers(rows * 256 * 384)).collect();
    let mut qkv: Vec<T> = numbers(rows * 960);
    let (mut mixed, mut gated) = (vec![T::default(); rows * WIDTH], vec![T::default(); rows * HIDDEN]);
    let seen: Vec<Query> = (0..rows).map(|row| Query { first: row * 256, tokens: TOKENS }).collect();
    time(&format!("attention {name}"), || {
        for cache in &caches {
            heads.attend(&seen, (&qkv, 960), cache, &mut mixed);
        }
    });
    let places: Vec<usize> = (0..rows).map(|row| row * 256 + TOKENS).collect();
    let angles = numbers::<f32>(rows * 32);
    let rotation = Rotation { cos: &angles, sin: &angles, queries: 9, keys: 3, size: 64, places: &places };
    time(&format!("rotation, store {name}"), || {
        for cache in &mut caches {
            rotate_and_store(&rotation, &mut qkv, cache);
        }
    });
    let weight: Vec<T> = numbers(WIDTH);
    let x = mixed.clone();
    time(&format!("two norms {name}"), || {
        for _ in 0..2 * LAYERS {
            rms_norm(&x, &weight, 1e-5, &mut mixed);
        }
    });
    let both: Vec<T> = numbers(rows * 2 * HIDDEN);
    time(&format!("gate {name}"), || {
        for _ in 0..LAYERS {
            gate_silu(&both, HIDDEN, &mut gated);
        }
    });
}
