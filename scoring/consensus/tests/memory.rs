//! Peak memory of an epoch, input and output included, against four times the size of the input.
//!
//! The size of the input is what the allocator holds for an [`EpochInput`]: 48 bytes a neuron, and
//! for weights and bonds each 4 bytes an entry and 8 a row. One test, so that nothing else allocates.
//! `cargo test -p acumen-scoring-consensus --test memory -- --nocapture` prints the figures.

#[path = "../benches/network/mod.rs"]
mod network;

use acumen_scoring_consensus::{EpochInput, Params, SparseRows, epoch};
use peak_alloc::PeakAlloc;

#[global_allocator]
static COUNTER: PeakAlloc = PeakAlloc;

/// Hundredths of the input's size that an epoch may reach.
const LIMIT: usize = 400;

/// Rows of `len` entries, row `i` from uid `i · step` on, each full.
fn staggered(n: usize, rows: usize, len: usize, step: usize) -> SparseRows {
    let row = |i: usize| {
        let mut row: Vec<(u16, u16)> =
            (0..len).map(|k| (((i * step + k) % n).try_into().unwrap(), u16::MAX)).collect();
        row.sort_unstable();
        row
    };
    SparseRows::new(n, (0..n).map(|i| if i < rows { row(i) } else { Vec::new() }).collect()).unwrap()
}

/// A name, and what makes the input: it is made within the measurement.
type Named = (&'static str, Box<dyn Fn() -> EpochInput>);

/// Inputs by name: the sizes of the benchmark, and shapes that leave one part of the input small.
fn inputs() -> Vec<Named> {
    let with = |n: usize, weights: fn(usize) -> SparseRows, bonds: fn(usize) -> SparseRows| {
        move || {
            let base = network::input(n, n, 0);
            EpochInput { weights: weights(n), bonds: bonds(n), ..base }
        }
    };
    let empty = |n| SparseRows::empty(n).unwrap();
    vec![
        ("256 / 64 x 192", Box::new(|| network::input(256, 64, 192))),
        ("4,096 / 64 x 1,000", Box::new(|| network::input(4_096, 64, 1_000))),
        ("16,384 / 256 x 4,000", Box::new(|| network::input(16_384, 256, 4_000))),
        ("65,535, no weights, no bonds", Box::new(with(65_535, empty, empty))),
        (
            "65,535, 10 weights and 10 other bonds each",
            Box::new(with(65_535, |n| staggered(n, n, 10, 1), |n| staggered(n, n, 10, 7))),
        ),
        ("16,384, 200 weights each, no bonds", Box::new(with(16_384, |n| staggered(n, n, 200, 3), empty))),
        ("16,384, 200 bonds each, no weights", Box::new(with(16_384, empty, |n| staggered(n, n, 200, 3)))),
        ("1,000, all weigh all", Box::new(with(1_000, |n| staggered(n, n, n, 0), |n| staggered(n, n, n, 0)))),
        ("65,535, one full row", Box::new(with(65_535, |n| staggered(n, 1, n, 0), empty))),
    ]
}

/// Bytes of the input, and of everything at the peak of an epoch over it.
fn bytes(params: &Params, input: &dyn Fn() -> EpochInput, threads: usize) -> (usize, usize) {
    let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
    // The first job allocates the pool's own queues.
    pool.install(|| ());
    let before = COUNTER.current_usage();
    let input = input();
    let size = COUNTER.current_usage() - before;
    COUNTER.reset_peak_usage();
    let output = pool.install(|| epoch(params, &input).unwrap());
    let peak = COUNTER.peak_usage() - before;
    drop(output);
    (size, peak)
}

#[test]
fn an_epoch_takes_at_most_four_times_its_input() {
    let mut over = Vec::new();
    for (name, input) in inputs() {
        for (form, mut params) in network::forms() {
            params.max_allowed_validators = u16::MAX;
            for threads in [1, 8] {
                let (size, peak) = bytes(&params, &input, threads);
                let line = format!(
                    "{name}, {form}, {threads} threads: {size} B in, peak {peak} B = {} %",
                    peak * 100 / size
                );
                println!("{line}");
                if peak * 100 > size * LIMIT {
                    over.push(line);
                }
            }
        }
    }
    assert!(over.is_empty(), "{over:#?}");
}
