//! Signed transfers per second through a chain of one or more validators on this machine, state root, certificates and
//! fsync included, and how long one takes until it is final.
//!
//! ```text
//! cargo run --release -p acumen-chain-node --example throughput -- VALIDATORS SECONDS BLOCK_TIME_MS [RATE]
//! ```
//!
//! All nodes run in this process, over real connections and disks. Transfers are signed before the clock starts and given
//! to every node's pool by a thread for each core, without gRPC and gossip; every pool checks every signature. With RATE, so
//! many are offered a second, at fixed times, from which each is timed; without, the pools are kept full.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use acumen_chain_ledger::Params;
use acumen_chain_ledger::genesis::{Genesis, GenesisBalance, GenesisTrack, GenesisValidator};
use acumen_chain_node::{Config, Consensus, Executor, Node, NodeError};
use acumen_protocol::{
    AccountId, Call, ConsensusKeypair, Hash, Height, Keypair, Nacu, Nonce, SignedTransaction, Transaction,
};
use rayon::prelude::*;
use tokio_util::sync::CancellationToken;

/// Senders: each has its own nonces.
const ACCOUNTS: usize = 2_000;

/// Transfers signed for each second and validator: more than any of them will take.
const OFFERED_PER_SECOND: usize = 16_000;

/// One transfer in so many is timed.
const TIMED: usize = 50;

fn sender(index: usize) -> Keypair {
    let mut seed = [1; 32];
    seed[..8].copy_from_slice(&index.to_le_bytes());
    Keypair::from_seed(&seed)
}

fn key(index: usize) -> ConsensusKeypair {
    ConsensusKeypair::from_seed(&[u8::try_from(index).unwrap_or(0) + 50; 32])
}

fn genesis(validators: usize) -> Genesis {
    let owner = AccountId([1; 32]);
    let amount = Nacu::from_acu(1_000).unwrap_or_default();
    Genesis {
        chain: "throughput".to_owned(),
        time_ms: 1,
        params: Params::default(),
        treasury: owner,
        balances: (0..ACCOUNTS)
            .map(|index| GenesisBalance { account: sender(index).account(), amount })
            .collect(),
        tracks: vec![GenesisTrack { name: "bytes".to_owned(), owner, emission_share: 1 }],
        neurons: Vec::new(),
        validators: (0..validators)
            .map(|index| GenesisValidator { key: key(index).public(), power: 1 })
            .collect(),
    }
}

async fn start(dir: &Path, index: usize, count: usize, block_time_ms: u64) -> Result<Node, NodeError> {
    let text = genesis(count).to_json().unwrap_or_default();
    let write = |name: &str, text: String| std::fs::write(dir.join(name), text);
    write("genesis.json", text)
        .and_then(|()| write("key", hex::encode(key(index).to_seed())))
        .unwrap_or_default();
    let address = |index: usize| format!("/ip4/127.77.0.{}/tcp/26656", index + 1);
    let peers = (0..count).filter(|other| *other != index).map(address).collect();
    let consensus =
        Consensus { listen: address(index), peers, propose_timeout_ms: 1_000, vote_timeout_ms: 400 };
    let config = Config {
        consensus_key: Some(dir.join("key")),
        consensus: (count > 1).then_some(consensus),
        block_time_ms,
        keep_states: 64,
        pool_transactions: 32_768,
        pool_bytes: 64 << 20,
        pool_per_sender: 1_024,
        ..Config::new(dir.join("data"), dir.join("genesis.json"), ([127, 0, 0, 1], 0).into())
    };
    Node::start(config).await
}

/// Transfers of all accounts in turn, in order of nonce.
fn sign(genesis: Hash, count: usize) -> Vec<SignedTransaction> {
    let keys: Vec<Keypair> = (0..ACCOUNTS).map(sender).collect();
    let one = |number: usize| {
        let (index, nonce) = (number % ACCOUNTS, number / ACCOUNTS);
        let transaction = Transaction {
            genesis,
            sender: keys[index].account(),
            nonce: Nonce::new(u64::try_from(nonce).unwrap_or(u64::MAX)),
            valid_until: Height::new(u64::MAX),
            tip: Nacu::ZERO,
            call: Call::Transfer {
                to: keys[(index + 7 * nonce + 1) % ACCOUNTS].account(),
                amount: Nacu::new(1),
            },
        };
        transaction.sign(&keys[index])
    };
    (0..count).into_par_iter().map(one).collect()
}

type Sent = Arc<Mutex<BTreeMap<Hash, Instant>>>;

/// Keeps the pool full until the time is over. One thread for each lane of accounts, so that nonces stay in order.
fn offer(
    executors: &[Executor],
    signed: &[SignedTransaction],
    lane: usize,
    lanes: usize,
    (begun, until, rate): (Instant, Instant, u64),
    sent: &Sent,
) {
    let mine = signed.iter().enumerate().filter(|(number, _)| (number % ACCOUNTS) % lanes == lane);
    for (number, transaction) in mine {
        let due = (rate > 0).then(|| begun + Duration::from_secs_f64(number as f64 / rate as f64));
        if let Some(due) = due {
            std::thread::sleep(due.saturating_duration_since(Instant::now()));
        }
        loop {
            if Instant::now() >= until {
                return;
            }
            if executors[0].submit(transaction.clone()).is_ok() {
                // As gossip does; a pool that is full goes without it.
                executors[1..].iter().for_each(|other| drop(other.submit(transaction.clone())));
                break;
            }
            // The pool is full: the next block makes room.
            std::thread::sleep(Duration::from_millis(2));
        }
        if number % TIMED == 0 {
            let from = due.unwrap_or_else(Instant::now);
            sent.lock().map(|mut sent| sent.insert(transaction.id(), from)).ok();
        }
    }
}

fn argument(place: usize, default: u64) -> u64 {
    std::env::args().nth(place).and_then(|text| text.parse().ok()).unwrap_or(default)
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let (count, seconds, block_time, rate) =
        (argument(1, 1), argument(2, 10), argument(3, 250), argument(4, 0));
    let per_second = if rate > 0 { usize::try_from(rate)? } else { OFFERED_PER_SECOND };
    let (count, offered) = (usize::try_from(count)?, usize::try_from(seconds)?.saturating_mul(per_second));
    let signed = Arc::new(sign(genesis(count).hash()?, offered));
    let root = tempfile::tempdir()?;
    let runtime = tokio::runtime::Runtime::new()?;
    runtime.block_on(async move {
        let (stop, mut nodes) = (CancellationToken::new(), Vec::new());
        for index in 0..count {
            let dir = root.path().join(index.to_string());
            std::fs::create_dir_all(&dir)?;
            nodes.push(start(&dir, index, count, block_time).await?);
        }
        // Each node has a pool of its own: what it is to propose, it must have been given.
        let executors: Vec<Executor> = nodes.iter().map(|node| node.executor().clone()).collect();
        let tasks: Vec<_> = nodes.into_iter().map(|node| tokio::spawn(node.run(stop.clone()))).collect();
        let mut tip = executors[0].tip();
        tip.wait_for(|height| height.get() >= 2).await?;
        let (from, begun) = (*tip.borrow(), Instant::now());
        let (until, sent) = (begun + Duration::from_secs(seconds), Sent::default());
        let lanes = std::thread::available_parallelism()?.get();
        let threads: Vec<_> = (0..lanes)
            .map(|lane| {
                let (executors, signed, sent) = (executors.clone(), signed.clone(), sent.clone());
                std::thread::spawn(move || {
                    offer(&executors, &signed, lane, lanes, (begun, until, rate), &sent);
                })
            })
            .collect();
        let (included, mut times, mut height) = (AtomicUsize::new(0), Vec::new(), from);
        while Instant::now() < until {
            tokio::time::timeout_at(until.into(), tip.changed()).await.ok();
            let newest = *tip.borrow_and_update();
            while height < newest {
                height = height.next().unwrap_or(height);
                let Some(block) = executors[0].store().stored(height)? else { break };
                included.fetch_add(block.block.transactions.len(), Ordering::Relaxed);
                let mut sent = sent.lock().map_err(|_| "a thread broke")?;
                let ids = block.block.transactions.iter().map(SignedTransaction::id);
                times.extend(ids.filter_map(|id| sent.remove(&id)).map(|at| at.elapsed()));
            }
        }
        let elapsed = begun.elapsed().as_secs_f64();
        threads.into_iter().for_each(|thread| drop(thread.join()));
        times.sort_unstable();
        let quantile = |per_cent: usize| times.get(times.len() * per_cent / 100).copied().unwrap_or_default();
        let (included, blocks) = (included.into_inner(), height.get() - from.get());
        println!(
            "{count} validators, {elapsed:.1} s: {included} transfers in {blocks} blocks, {:.0} a second",
            included as f64 / elapsed
        );
        println!(
            "from the pool to final: p50 {:?}, p95 {:?} of {} timed",
            quantile(50),
            quantile(95),
            times.len()
        );
        let bytes = std::fs::metadata(executors[0].store().path())?.len();
        println!(
            "disk: {} bytes, {} a transfer; {}",
            bytes,
            bytes / u64::try_from(included.max(1))?,
            memory()
        );
        stop.cancel();
        for task in tasks {
            task.await??;
        }
        Ok::<(), Box<dyn std::error::Error>>(())
    })
}

/// What the system says of this process' memory.
fn memory() -> String {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    status.lines().find(|line| line.starts_with("VmHWM")).unwrap_or("VmHWM unknown").to_owned()
}
