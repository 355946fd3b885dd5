//! Filling a state and building blocks on top of it.

use std::path::Path;
use std::time::{Duration, Instant};

use acumen_protocol::call::MAX_BATCH_CALLS;
use acumen_protocol::{Call, Nacu};

use crate::Outcome;
use crate::chain::{self, Chain, SENDERS, Steps};
use crate::system::{disk_bytes, memory_kib, written_bytes};

/// Batches given to the pool at once: about three full blocks.
const ROUND: usize = 1_000;

/// Blocks of each size that are timed.
const TIMED: usize = 21;

fn ms(time: Duration) -> f64 {
    time.as_secs_f64() * 1_000.0
}

/// Makes a chain with `accounts` accounts in `dir`.
pub(crate) fn fill(dir: &Path, accounts: usize, in_genesis: bool) -> Outcome<()> {
    let begun = Instant::now();
    let receivers = accounts.saturating_sub(SENDERS);
    chain::create(dir, if in_genesis { receivers } else { 0 })?;
    let mut chain = Chain::open(dir, 1_024)?;
    let opened = begun.elapsed();
    if !in_genesis {
        let one = |index| Call::Transfer { to: chain::receiver(index), amount: Nacu::new(1_000_000) };
        let indices: Vec<usize> = (0..receivers).collect();
        let batches: Vec<Call> = indices
            .chunks(MAX_BATCH_CALLS)
            .map(|chunk| Call::Batch { calls: chunk.iter().copied().map(one).collect() })
            .collect();
        for (round, chunk) in batches.chunks(ROUND).enumerate() {
            chain.submit(round * ROUND, chunk.to_vec())?;
            let mut left = chunk.len();
            while left > 0 {
                left = left.saturating_sub(chain.block(false)?.0.transactions.len());
            }
        }
    }
    // A last one, so that a start finds what a running chain leaves.
    chain.block(false)?;
    println!(
        "{accounts} accounts at height {}: created and opened in {:.1} s, filled in {:.1} s; disk {} MB, peak memory {} MB",
        chain.executor.store().tip().height,
        opened.as_secs_f64(),
        (begun.elapsed() - opened).as_secs_f64(),
        disk_bytes(&dir.join("data")) / 1_000_000,
        memory_kib(std::process::id(), "VmHWM") * 1_024 / 1_000_000,
    );
    Ok(())
}

/// Calls that pay `count` receivers of `accounts`, spread over all of them.
fn transfers(count: usize, seed: usize, accounts: usize) -> Vec<Call> {
    // A multiplier that is prime to any count of receivers below it spreads them evenly.
    let place = |index: usize| (seed.wrapping_add(index)).wrapping_mul(2_654_435_761) % accounts.max(1);
    let one = |index| Call::Transfer { to: chain::receiver(place(index)), amount: Nacu::new(1) };
    (0..count).map(one).collect()
}

fn receivers(chain: &Chain) -> Outcome<usize> {
    use acumen_chain_ledger::{StateKey, StateRead as _};
    let mut count = 0_usize;
    chain.executor.store().state()?.walk(&StateKey::accounts(), &mut |_, _| {
        count += 1;
        Ok(())
    })?;
    Ok(count.saturating_sub(SENDERS).max(1))
}

/// Times blocks of several sizes.
pub(crate) fn blocks(dir: &Path) -> Outcome<()> {
    let mut chain = Chain::open(dir, 1_024)?;
    let accounts = receivers(&chain)?;
    println!("receivers transfers | propose  assess  commit ms (median) | worst ms | written KB a block");
    for count in [0, 10, 100, 1_000] {
        let mut all: Vec<Steps> = Vec::new();
        let before = written_bytes();
        for round in 0..TIMED {
            chain.submit(round * count, transfers(count, round * count, accounts))?;
            all.push(chain.block(true)?.1);
        }
        let written = (written_bytes() - before) / 1_000 / u64::try_from(TIMED)?;
        let median = |of: fn(&Steps) -> Duration| {
            let mut times: Vec<Duration> = all.iter().map(of).collect();
            times.sort_unstable();
            ms(times[times.len() / 2])
        };
        let worst = all.iter().map(|steps| steps.propose + steps.commit).max().unwrap_or_default();
        println!(
            "{accounts:>9} {count:>9} | {:>7.2} {:>7.2} {:>7.2} | {:>8.1} | {written}",
            median(|steps| steps.propose),
            median(|steps| steps.assess),
            median(|steps| steps.commit),
            ms(worst),
        );
    }
    Ok(())
}

/// Builds many blocks and tells how file, memory and time develop.
pub(crate) fn grow(dir: &Path, blocks: usize, count: usize, keep: u64) -> Outcome<()> {
    if !dir.join("genesis.json").exists() {
        chain::create(dir, 0)?;
    }
    let mut chain = Chain::open(dir, keep)?;
    let accounts = receivers(&chain)?.max(SENDERS);
    let data = dir.join("data");
    println!("height | file MB | bytes a block | resident MB | ms a block");
    let step = (blocks / 10).max(1);
    let (mut before, mut begun) = (disk_bytes(&data), Instant::now());
    for number in 1..=blocks {
        chain.submit(number * count, transfers(count, number * count, accounts))?;
        chain.block(false)?;
        if number % step == 0 {
            let size = disk_bytes(&data);
            println!(
                "{:>6} | {:>7.1} | {:>13} | {:>11} | {:.2}",
                chain.executor.store().tip().height,
                size as f64 / 1e6,
                (size.saturating_sub(before)) / u64::try_from(step)?,
                memory_kib(std::process::id(), "VmRSS") * 1_024 / 1_000_000,
                ms(begun.elapsed()) / step as f64,
            );
            (before, begun) = (size, Instant::now());
        }
    }
    Ok(())
}
