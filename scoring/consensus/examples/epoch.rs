//! One epoch of a size of your choice, timed; also what counts instructions (docs/performance.md).
//!
//! `cargo run --release -p acumen-scoring-consensus --example epoch -- NEURONS VALIDATORS WEIGHTS FORM
//! EPOCHS [THREADS]`, where WEIGHTS is per validator and FORM one of plain, liquid, penalty, original.
#![allow(clippy::disallowed_methods, reason = "it measures time")]

#[path = "../benches/network/mod.rs"]
mod network;

use std::time::Instant;

use acumen_scoring_consensus::{EpochInput, Params, epoch};

const USAGE: &str = "arguments: NEURONS VALIDATORS WEIGHTS plain|liquid|penalty|original EPOCHS [THREADS]";

fn main() -> Result<(), String> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let number = |i: usize| args.get(i).and_then(|text| text.parse::<usize>().ok());
    let (Some(n), Some(validators), Some(weights)) = (number(0), number(1), number(2)) else {
        return Err(USAGE.to_owned());
    };
    let form = network::forms().into_iter().find(|(name, _)| args.get(3).is_some_and(|form| form == name));
    let (Some((_, params)), Some(epochs)) = (form, number(4)) else { return Err(USAGE.to_owned()) };
    if validators > n || weights > n || n > acumen_scoring_consensus::MAX_NEURONS {
        return Err(format!("{validators} validators with {weights} weights do not fit {n} neurons"));
    }
    let pool = rayon::ThreadPoolBuilder::new().num_threads(number(5).unwrap_or(0)).build();
    let input = network::input(n, validators, weights);
    pool.map_err(|error| error.to_string())?.install(|| measure(&params, &input, epochs));
    Ok(())
}

/// Prints the least and the middle time.
fn measure(params: &Params, input: &EpochInput, epochs: usize) {
    let once = |_| {
        let start = Instant::now();
        std::hint::black_box(epoch(params, input)).unwrap();
        start.elapsed().as_micros()
    };
    let mut times: Vec<u128> = (0..epochs).map(once).collect();
    times.sort_unstable();
    let (least, middle) = (times.first().unwrap_or(&0), times.get(epochs / 2).unwrap_or(&0));
    println!("{epochs} epochs: least {least} us, middle {middle} us");
}
