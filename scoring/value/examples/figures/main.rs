//! Draws the pictures of docs/scoring.md and prints their numbers.
//!
//! Run with `cargo run --release -p acumen-scoring-value --example figures` (half a minute); writes `docs/img/*.svg`, or
//! to the folder given as the first argument. Everything follows from seeds.

#![allow(unreachable_pub)]

mod chart;
mod reward;
mod rmse;
// Shared with the attack tests, which use all of it.
#[allow(dead_code)]
#[path = "../../tests/world/mod.rs"]
mod world;

use std::error::Error;
use std::path::PathBuf;

fn main() -> Result<(), Box<dyn Error>> {
    let here = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/img");
    let folder = std::env::args_os().nth(1).map_or_else(|| PathBuf::from(here), PathBuf::from);
    std::fs::create_dir_all(&folder)?;
    reward::quality()?.write(&folder.join("reward-quality.svg"))?;
    reward::redundancy()?.write(&folder.join("reward-redundancy.svg"))?;
    reward::lies()?.write(&folder.join("reward-lies.svg"))?;
    rmse::figure()?.write(&folder.join("shapley-rmse.svg"))?;
    Ok(())
}
