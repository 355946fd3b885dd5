//! The two loops: closed (a number of requests in flight) and open (requests start when they are due).

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use acumen_miner_client::MinerClient;
use anyhow::{Result, bail};
use rand::{Rng as _, SeedableRng as _};
use tokio::task::JoinSet;

use super::call::{self, Outcome, Sample};
use super::options::Load;

/// Most requests in flight of an open loop: a miner that answers nobody must not fill this machine.
const MAX_IN_FLIGHT: usize = 20_000;

/// What was seen of all requests.
#[derive(Debug, Default)]
pub(super) struct Run {
    pub(super) samples: Vec<Sample>,
    pub(super) took: Duration,
    /// One of the failures, for the person who reads.
    pub(super) failure: Option<String>,
}

impl Run {
    fn add(&mut self, sample: Sample, error: Option<acumen_miner_client::ClientError>) {
        if sample.outcome == Outcome::Failed && self.failure.is_none() {
            self.failure = error.map(|error| error.to_string());
        }
        self.samples.push(sample);
    }
}

/// Runs a load over the connections, each of which has all miners.
pub(super) async fn drive(load: &Load, connections: &[Vec<MinerClient>]) -> Result<Run> {
    if connections.iter().any(Vec::is_empty) || connections.is_empty() {
        bail!("there is no miner to ask");
    }
    let started = Instant::now();
    let mut run = match load.rate {
        Some(rate) => open(load, connections, rate).await?,
        None => closed(load, connections).await?,
    };
    run.took = started.elapsed();
    Ok(run)
}

async fn closed(load: &Load, connections: &[Vec<MinerClient>]) -> Result<Run> {
    let next = Arc::new(AtomicU64::new(0));
    let load = Arc::new(load.clone());
    let mut tasks = JoinSet::new();
    for worker in 0..load.concurrency.min(load.requests) {
        let clients = connections[worker % connections.len()].clone();
        let (next, load) = (Arc::clone(&next), Arc::clone(&load));
        tasks.spawn(async move {
            let mut run = Run::default();
            loop {
                let index = next.fetch_add(1, Ordering::Relaxed);
                if index >= load.requests as u64 {
                    return run;
                }
                let (sample, error) = call::run(&load, &clients, index, Instant::now()).await;
                run.add(sample, error);
            }
        });
    }
    let mut run = Run::default();
    while let Some(done) = tasks.join_next().await {
        let mut done = done?;
        run.samples.append(&mut done.samples);
        run.failure = run.failure.or(done.failure);
    }
    Ok(run)
}

async fn open(load: &Load, connections: &[Vec<MinerClient>], rate: f64) -> Result<Run> {
    let load = Arc::new(load.clone());
    let begin = Instant::now();
    let mut run = Run::default();
    let mut tasks = JoinSet::new();
    for (index, offset) in arrivals(load.seed, rate, load.requests).into_iter().enumerate() {
        let due = begin + offset;
        tokio::time::sleep_until(due.into()).await;
        while let Some(done) = tasks.try_join_next() {
            let (sample, error) = done?;
            run.add(sample, error);
        }
        if tasks.len() >= MAX_IN_FLIGHT {
            bail!("{MAX_IN_FLIGHT} requests are in flight: the rate is far above what the miner can do");
        }
        let (clients, load) = (connections[index % connections.len()].clone(), Arc::clone(&load));
        tasks.spawn(async move { call::run(&load, &clients, index as u64, due).await });
    }
    while let Some(done) = tasks.join_next().await {
        let (sample, error) = done?;
        run.add(sample, error);
    }
    Ok(run)
}

/// When requests are due: a Poisson process.
pub(super) fn arrivals(seed: u64, rate: f64, count: usize) -> Vec<Duration> {
    let mut random = rand::rngs::StdRng::seed_from_u64(seed);
    let mut at = 0.0;
    (0..count)
        .map(|_| {
            // In (0, 1]: the logarithm of 0 is no time.
            let uniform: f64 = 1.0 - random.random::<f64>();
            at -= uniform.ln() / rate;
            Duration::from_secs_f64(at)
        })
        .collect()
}
