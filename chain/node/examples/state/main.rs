//! What a large state costs: filling it, the time of a block on top of it, starting a node from it, and the file's growth.
//!
//! ```text
//! cargo run --release -p acumen-chain-node --example state -- COMMAND
//!
//! fill DIR ACCOUNTS         a chain with so many accounts, made by transfers through the executor
//! fill DIR ACCOUNTS genesis the same, all of them in the genesis document
//! start DIR [PROGRAM]       starts a node on it as a process of its own (PROGRAM: an `acumen` binary) until it is healthy
//! blocks DIR                time and bytes of blocks of 0, 10, 100 and 1,000 transfers on top of it
//! grow DIR BLOCKS TRANSFERS [KEEP]  the file's size and the memory over many blocks; KEEP states (1,024)
//! ```
//!
//! Blocks go through the node's own executor with a real disk, certificate and fsync, one after the other, without waiting
//! for a block time. Times are milliseconds, sizes bytes.

mod chain;
mod grow;
mod start;
mod system;

use std::path::Path;

pub(crate) type Outcome<T> = Result<T, Box<dyn std::error::Error + Send + Sync>>;

fn main() -> Outcome<()> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    match words.as_slice() {
        ["fill", dir, accounts] => grow::fill(Path::new(dir), accounts.parse()?, false),
        ["fill", dir, accounts, "genesis"] => grow::fill(Path::new(dir), accounts.parse()?, true),
        ["start", dir] => start::measure(Path::new(dir), None),
        ["start", dir, program] => start::measure(Path::new(dir), Some(program)),
        ["node", dir] => start::node(Path::new(dir)),
        ["blocks", dir] => grow::blocks(Path::new(dir)),
        ["grow", dir, blocks, transfers] => {
            grow::grow(Path::new(dir), blocks.parse()?, transfers.parse()?, 1_024)
        }
        ["grow", dir, blocks, transfers, keep] => {
            grow::grow(Path::new(dir), blocks.parse()?, transfers.parse()?, keep.parse()?)
        }
        _ => Err("see the head of examples/state/main.rs for the commands".into()),
    }
}
