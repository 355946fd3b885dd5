//! Transfers, offered at fixed times, and when they are final.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use acumen_proto::chain_v1 as wire;
use acumen_proto::chain_v1::chain_client::ChainClient;
use acumen_protocol::{Call, Hash, Height, Keypair, Nacu, Nonce, Transaction};
use rayon::prelude::*;
use tokio::task::JoinSet;
use tonic::transport::Channel;

use crate::{Outcome, Plan};

/// Accounts that send: each has its own nonces.
pub(crate) const SENDERS: usize = 2_000;

/// Largest answer: a full block with its events.
const MAX_ANSWER: usize = 64 << 20;

/// How long after the last transfer was due its block may come.
const AFTER: Duration = Duration::from_secs(5);

/// Submissions to one node that may be under way, each of a batch.
const UNDER_WAY: usize = 64;

pub(crate) fn sender(index: usize) -> Keypair {
    let mut seed = [1; 32];
    seed[..8].copy_from_slice(&index.to_le_bytes());
    Keypair::from_seed(&seed)
}

/// A transfer, ready to be sent.
#[derive(Clone, Debug)]
pub(crate) struct Ready {
    id: Hash,
    bytes: Vec<u8>,
}

/// Transfers of all senders in turn, in order of nonce.
pub(crate) fn sign(genesis: Hash, count: usize) -> Vec<Ready> {
    let keys: Vec<Keypair> = (0..SENDERS).map(sender).collect();
    let one = |number: usize| {
        let (index, nonce) = (number % SENDERS, number / SENDERS);
        let to = keys[(index + 7 * nonce + 1) % SENDERS].account();
        let transaction = Transaction {
            genesis,
            sender: keys[index].account(),
            nonce: Nonce::new(u64::try_from(nonce).unwrap_or(u64::MAX)),
            valid_until: Height::new(u64::MAX),
            tip: Nacu::ZERO,
            call: Call::Transfer { to, amount: Nacu::new(1) },
        };
        let signed = transaction.sign(&keys[index]);
        Ready { id: signed.id(), bytes: signed.to_bytes() }
    };
    (0..count).into_par_iter().map(one).collect()
}

/// Transfers under way: when each was due.
type Due = Arc<Mutex<HashMap<Hash, Instant>>>;

/// What came of it.
#[derive(Debug, Default)]
pub(crate) struct Report {
    latencies: Vec<Duration>,
    refused: u64,
    reason: String,
    offered: u64,
    included: u64,
    blocks: u64,
    /// Until the last transfer was due.
    seconds: f64,
    /// Transfers final by then.
    in_time: u64,
}

impl Report {
    pub(crate) const fn included(&self) -> u64 {
        self.included
    }

    pub(crate) const fn blocks(&self) -> u64 {
        self.blocks
    }

    pub(crate) fn print(&self, elapsed: Duration) {
        let quantile = |per_cent: usize| {
            let place = self.latencies.len().saturating_sub(1) * per_cent / 100;
            self.latencies.get(place).map_or(0, Duration::as_millis)
        };
        println!(
            "{} offered, {} final in {} blocks ({:.0} a second over {:.1} s), {} refused {}",
            self.offered,
            self.included,
            self.blocks,
            self.in_time as f64 / self.seconds.max(0.001),
            elapsed.as_secs_f64(),
            self.refused,
            self.reason
        );
        println!("final after p50 {} p95 {} p99 {} ms", quantile(50), quantile(95), quantile(99));
    }
}

async fn connect(url: &str) -> Outcome<ChainClient<Channel>> {
    Ok(ChainClient::connect(url.to_owned()).await?.max_decoding_message_size(MAX_ANSWER))
}

/// Offers `signed` to the nodes, and waits for it to become final.
pub(crate) async fn run(plan: &Plan, urls: &[String], signed: Vec<Ready>) -> Outcome<Report> {
    let (due, begun) = (Due::default(), Instant::now());
    let last = begun + Duration::from_secs(plan.seconds);
    let mut watches = JoinSet::new();
    if let Some(first) = urls.first() {
        watches.spawn(watch(connect(first).await?, due.clone(), last));
    }
    let mut offers = JoinSet::new();
    let offered = u64::try_from(signed.len())?;
    // A sender's transfers all go to one node: its nonces arrive in order.
    let mut lanes: Vec<Vec<(Duration, Ready)>> = vec![Vec::new(); urls.len()];
    for (number, ready) in signed.into_iter().enumerate() {
        let at = Duration::from_secs_f64(number as f64 / plan.rate as f64);
        lanes[number % SENDERS % urls.len()].push((at, ready));
    }
    for (url, lane) in urls.iter().zip(lanes) {
        offers.spawn(offer(connect(url).await?, lane, begun, plan.batch, due.clone()));
    }
    let mut report = Report { offered, seconds: plan.seconds as f64, ..Report::default() };
    while let Some(done) = offers.join_next().await {
        let (refused, reason) = done??;
        report.refused += refused;
        if !reason.is_empty() {
            report.reason = format!("({reason})");
        }
    }
    tokio::time::sleep_until(last.into()).await;
    let given_up = Instant::now() + AFTER;
    let open = || due.lock().unwrap_or_else(PoisonError::into_inner).len();
    while open() > 0 && Instant::now() < given_up {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    watches.abort_all();
    while let Some(seen) = watches.join_next().await {
        if let Err(error) = seen
            && !error.is_cancelled()
        {
            return Err(error.into());
        }
    }
    let seen = SEEN.lock().unwrap_or_else(PoisonError::into_inner);
    report.latencies = seen.latencies.clone();
    report.latencies.sort_unstable();
    report.included = u64::try_from(report.latencies.len())?;
    (report.in_time, report.blocks) = (seen.in_time, seen.blocks);
    Ok(report)
}

/// What was seen.
#[derive(Debug)]
struct Seen {
    latencies: Vec<Duration>,
    in_time: u64,
    blocks: u64,
}

static SEEN: Mutex<Seen> = Mutex::new(Seen { latencies: Vec::new(), in_time: 0, blocks: 0 });

/// Follows a node's final blocks.
async fn watch(mut client: ChainClient<Channel>, due: Due, last: Instant) -> Outcome<()> {
    let mut blocks = client.subscribe(wire::SubscribeRequest { from: 0 }).await?.into_inner();
    while let Some(block) = blocks.message().await? {
        let now = Instant::now();
        let ids: Vec<Hash> = block.transactions_scale.iter().map(|bytes| Hash::of(bytes)).collect();
        let mut due = due.lock().unwrap_or_else(PoisonError::into_inner);
        let mut seen = SEEN.lock().unwrap_or_else(PoisonError::into_inner);
        seen.blocks += 1;
        for at in ids.iter().filter_map(|id| due.remove(id)) {
            seen.latencies.push(now.saturating_duration_since(at));
            seen.in_time += u64::from(now <= last);
        }
    }
    Ok(())
}

/// Sends each transfer when it is due, in batches. Returns how many were refused, and why the last one was.
async fn offer(
    client: ChainClient<Channel>,
    lane: Vec<(Duration, Ready)>,
    begun: Instant,
    batch: usize,
    due: Due,
) -> Outcome<(u64, String)> {
    let permits = Arc::new(tokio::sync::Semaphore::new(UNDER_WAY));
    let mut sent = JoinSet::new();
    for set in lane.chunks(batch) {
        // A batch leaves when its last transfer is due; each is timed from when it was due itself.
        let Some((leaves, _)) = set.last() else { continue };
        tokio::time::sleep_until((begun + *leaves).into()).await;
        let permit = permits.clone().acquire_owned().await?;
        {
            let mut due = due.lock().unwrap_or_else(PoisonError::into_inner);
            due.extend(set.iter().map(|(at, ready)| (ready.id, begun + *at)));
        }
        let (client, ready) = (client.clone(), set.iter().map(|(_, ready)| ready.clone()).collect());
        let due = due.clone();
        sent.spawn(async move {
            let refused = send(client, ready, &due).await;
            drop(permit);
            refused
        });
    }
    let (mut refused, mut reason) = (0, String::new());
    while let Some(done) = sent.join_next().await {
        for why in done?? {
            (refused, reason) = (refused + 1, why);
        }
    }
    Ok((refused, reason))
}

/// Why transfers were refused.
async fn send(mut client: ChainClient<Channel>, ready: Vec<Ready>, due: &Due) -> Outcome<Vec<String>> {
    let ids: Vec<Hash> = ready.iter().map(|ready| ready.id).collect();
    let reasons: Vec<String> = if let [one] = ready.as_slice() {
        let sent = client.submit(wire::SubmitRequest { transaction_scale: one.bytes.clone() }).await;
        vec![sent.map_or_else(|status| status.message().to_owned(), |_| String::new())]
    } else {
        let transactions_scale = ready.into_iter().map(|ready| ready.bytes).collect();
        let answer = client.submit_many(wire::SubmitManyRequest { transactions_scale }).await?.into_inner();
        answer.results.into_iter().map(|result| result.reason).collect()
    };
    let mut due = due.lock().unwrap_or_else(PoisonError::into_inner);
    let mut refused = Vec::new();
    for (id, reason) in ids.iter().zip(reasons).filter(|(_, reason)| !reason.is_empty()) {
        due.remove(id);
        refused.push(reason);
    }
    Ok(refused)
}
