//! A whole validator against real miners on real sockets, and a chain whose height the test sets.

mod common;

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

use acumen_miner_testing::{Behaviour, FakeMiner, NGram};
use acumen_proto::validation_v1::validation_client::ValidationClient;
use acumen_proto::validation_v1::{GetReportRequest, GetReportResponse, MinerScore};
use acumen_protocol::weights::Weights;
use acumen_protocol::{Call, Epoch, Hash, Keypair, TrackId};
use acumen_validator::{Config, Error, Validator};
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use common::chain::{Ledger, TEMPO};
use common::miner::start;
use common::{config, corpus};

struct Running {
    address: SocketAddr,
    metrics: SocketAddr,
    task: JoinHandle<Result<(), Error>>,
}

fn hotkey() -> Keypair {
    Keypair::from_seed(&[77; 32])
}

async fn run(config: Config, ledger: &Ledger) -> Running {
    let validator = Validator::bind(config, hotkey()).await.unwrap();
    let (address, metrics) = (validator.address(), validator.metrics_address().unwrap());
    let task = tokio::spawn(validator.serve(ledger.clone(), CancellationToken::new()));
    Running { address, metrics, task }
}

/// Ends a validator as `kill -9` does: nothing of it runs any further.
async fn kill(running: Running) {
    running.task.abort();
    assert!(running.task.await.unwrap_err().is_cancelled());
}

async fn report(running: &Running, epoch: u64) -> GetReportResponse {
    let mut client = ValidationClient::connect(format!("http://{}", running.address)).await.unwrap();
    client.get_report(GetReportRequest { epoch }).await.unwrap().into_inner()
}

async fn committed(calls: &mut UnboundedReceiver<Call>) -> Hash {
    match calls.recv().await.unwrap() {
        Call::CommitWeights { commitment, .. } => commitment,
        other => panic!("expected a commitment, not {}", other.name()),
    }
}

async fn revealed(calls: &mut UnboundedReceiver<Call>) -> (Weights, [u8; 32]) {
    match calls.recv().await.unwrap() {
        Call::RevealWeights { weights, salt, .. } => (weights, salt),
        other => panic!("expected a reveal, not {}", other.name()),
    }
}

async fn committed_after_reveals(calls: &mut UnboundedReceiver<Call>) {
    while !matches!(calls.recv().await.unwrap(), Call::CommitWeights { .. }) {}
}

fn by_uid(report: &GetReportResponse) -> BTreeMap<u32, &MinerScore> {
    report.miners.iter().map(|miner| (miner.uid, miner)).collect()
}

/// uids 0 to 3: orders 3, 1, 2, 0; 4: a copy of 0; then those that do not play by the rules.
async fn field(others: &[Behaviour]) -> (Ledger, UnboundedReceiver<Call>, Vec<FakeMiner>) {
    let training = corpus(1, 200);
    let models: Vec<Arc<NGram>> = [3, 1, 2, 0].map(|order| Arc::new(NGram::train(order, &training))).into();
    let mut started = Vec::new();
    for (uid, model) in models.iter().chain([&models[0]]).enumerate() {
        started.push(start(uid as u16, Arc::clone(model), Behaviour::Good).await);
    }
    for behaviour in others {
        started.push(start(started.len() as u16, Arc::clone(&models[0]), behaviour.clone()).await);
    }
    let (miners, servers): (Vec<_>, Vec<_>) = started.into_iter().unzip();
    let (ledger, calls) = Ledger::new(miners);
    (ledger, calls, servers)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_epochs_from_questions_to_revealed_weights() {
    let folder = tempfile::tempdir().unwrap();
    let (ledger, mut calls, servers) =
        field(&[Behaviour::OverclaimAfter(0), Behaviour::OtherVocabulary, Behaviour::Parrot]).await;
    let running = run(config(folder.path()), &ledger).await;

    ledger.advance_to(3);
    let first = committed(&mut calls).await;
    ledger.advance_to(TEMPO);
    let (weights, salt) = revealed(&mut calls).await;
    assert_eq!(weights.commitment(&hotkey().account(), TrackId::ZERO, Epoch::new(1), &salt), first);

    let first = report(&running, 1).await;
    let miners = by_uid(&first);
    let mut order: Vec<u32> = (0..4).collect();
    order.sort_by(|a, b| miners[b].weight.cmp(&miners[a].weight));
    assert_eq!(order, [0, 2, 1, 3], "weights rank as the order of the model does");
    let mut by_loss: Vec<u32> = (0..4).collect();
    by_loss.sort_by(|a, b| miners[a].nats_per_byte.total_cmp(&miners[b].nats_per_byte));
    assert_eq!(by_loss, order);
    assert_eq!((miners[&4].cluster, miners[&4].weight, miners[&0].cluster), (0, 0, 0), "the copy is found");
    assert!(miners[&4].own_gain > 0.0 && miners[&4].availability == 1.0);
    assert_eq!((miners[&5].weight, miners[&5].availability), (0, 0.0));
    assert!(miners[&5].fault.contains("mass"), "{}", miners[&5].fault);
    assert!(miners[&6].fault.contains("vocabulary"), "{}", miners[&6].fault);
    assert!(
        miners[&7].weight == 0 && miners[&7].own_gain < 0.0,
        "nobody can know the byte before its answer"
    );
    assert!(miners[&0].own_gain_low < miners[&0].own_gain && miners[&0].own_gain < miners[&0].own_gain_high);
    assert_eq!(first.held_out_bytes, 0);
    let entries: BTreeMap<u32, u32> =
        weights.entries().iter().map(|(uid, weight)| (u32::from(uid.get()), u32::from(*weight))).collect();
    assert!(miners.values().all(|miner| entries.get(&miner.uid).copied().unwrap_or(0) == miner.weight));

    // The best miner dies right after the epoch has ended: it is noticed in the running one.
    servers[0].set_down(true);
    ledger.advance_to(TEMPO + 3);
    committed(&mut calls).await;
    let second = report(&running, 0).await;
    let miners = by_uid(&second);
    assert_eq!((second.epoch, miners[&0].weight, miners[&0].availability), (2, 0, 0.0));
    assert!(miners[&0].fault.contains("down for the test"));
    assert!(miners[&4].weight > 0, "its copy serves on");
    assert_eq!(second.held_out_bytes, 8 * 16);
    let others = [1, 2, 3, 4].map(|uid| miners[&uid].held_out_bits_per_byte);
    assert!(second.collective_bits_per_byte > 0.0 && others.iter().all(|bits| *bits > 0.0));

    evidence(folder.path());
    let page =
        reqwest::get(format!("http://{}/metrics", running.metrics)).await.unwrap().text().await.unwrap();
    assert!(page.contains("acumen_validator_answers_refused_total{kind=\"invalid\"} 512"), "{page}");
    assert!(
        page.contains("acumen_validator_transactions_included_total{call=\"commit-weights\"} 2"),
        "{page}"
    );
}

fn evidence(folder: &Path) {
    let text = std::fs::read_to_string(folder.join("data/reports/epoch-000001.json")).unwrap();
    let report: serde_json::Value = serde_json::from_str(&text).unwrap();
    let questions = report["questions"].as_array().unwrap();
    assert_eq!(questions.len(), 16);
    assert!(questions.iter().all(|question| question["digest"].as_str().unwrap().starts_with("0x")));
    assert_eq!(report["miners"][5]["faults"]["invalid"], 256);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_killed_validator_commits_and_reveals_what_it_had_measured() {
    let folder = tempfile::tempdir().unwrap();
    let (ledger, mut calls, _servers) = field(&[]).await;
    // Killed with weights measured, and a commitment that the node has seen but not included.
    ledger.change(|state| state.refuses = true);
    let running = run(config(folder.path()), &ledger).await;
    ledger.advance_to(3);
    let seen = committed(&mut calls).await;
    kill(running).await;
    ledger.change(|state| state.refuses = false);
    let running = run(config(folder.path()), &ledger).await;
    assert_eq!(committed(&mut calls).await, seen, "the same weights and salt, without a second evaluation");
    // Killed when the commitment is in a block, perhaps before that was noted.
    kill(running).await;
    ledger.advance_to(TEMPO);
    let running = run(config(folder.path()), &ledger).await;
    let (weights, salt) = revealed(&mut calls).await;
    assert_eq!(weights.commitment(&hotkey().account(), TrackId::ZERO, Epoch::new(1), &salt), seen);
    assert_eq!(report(&running, 1).await.epoch, 1, "the report is there again");
    // Scores go on from where they were.
    ledger.advance_to(TEMPO + 3);
    committed(&mut calls).await;
    assert!(report(&running, 2).await.held_out_bytes > 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_silent_miner_is_late_and_the_closing_block_ends_the_evaluation() {
    let folder = tempfile::tempdir().unwrap();
    let (ledger, mut calls, servers) = field(&[Behaviour::StallAfter(0)]).await;
    let running = run(Config { answer_timeout_ms: 600_000, ..config(folder.path()) }, &ledger).await;
    ledger.advance_to(3);
    let (silent, honest) = servers.split_last().unwrap();
    silent.opened().await;
    for server in honest {
        server.ended().await;
    }
    // The silent miner alone would hold the evaluation for ten minutes; the block at 70 % closes it.
    ledger.advance_to(14);
    committed(&mut calls).await;
    let report = report(&running, 1).await;
    let miners = by_uid(&report);
    assert_eq!((miners[&5].weight, miners[&5].availability), (0, 0.0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_miner_that_leaves_off_is_paid_for_what_it_answered_and_holds_nobody_up() {
    let folder = tempfile::tempdir().unwrap();
    let half = 8;
    // The last sends twice as many answers as questions: its second answer is no answer to what was asked.
    let odd = [
        Behaviour::StallAfter(half),
        Behaviour::HangUpAfter(half),
        Behaviour::DieAfter(half),
        Behaviour::Flood(1),
    ];
    let (ledger, mut calls, servers) = field(&odd).await;
    let running = run(Config { answer_timeout_ms: 1_000, ..config(folder.path()) }, &ledger).await;
    ledger.advance_to(3);
    committed(&mut calls).await;
    let report = report(&running, 1).await;
    let miners = by_uid(&report);
    for (uid, fault) in [(5, "no answer within"), (6, "closed"), (7, "the model broke")] {
        assert_eq!(miners[&uid].availability, 0.5, "uid {uid}: {}", miners[&uid].fault);
        assert!(miners[&uid].fault.contains(fault), "uid {uid}: {}", miners[&uid].fault);
    }
    assert_eq!(miners[&8].availability, 1.0 / 16.0);
    assert!(miners[&8].fault.contains("receipt"), "{}", miners[&8].fault);
    assert!((0..5).all(|uid| miners[&uid].availability == 1.0));
    for server in &servers {
        server.wait_for_streams(0).await;
    }
}

/// The chain's endpoints of the last three are dead. One's record leads to it, one's to a stranger, one has none.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_miner_is_scored_where_its_record_says_if_it_answers_there_itself() {
    let folder = tempfile::tempdir().unwrap();
    let (ledger, mut calls, servers) = field(&[]).await;
    let mut dead = Vec::new();
    for uid in 2..5_u8 {
        dead.push(FakeMiner::dead(uid + 1).await.endpoint());
    }
    ledger.change(|state| {
        for (uid, endpoint) in (2..5).zip(dead) {
            state.miners[uid].endpoint = endpoint;
        }
        state.records.insert(servers[2].hotkey, servers[2].endpoint());
        state.records.insert(servers[3].hotkey, servers[0].endpoint());
        // Where the chain's endpoint leads to the miner, its record is not looked at.
        state.records.insert(servers[1].hotkey, servers[0].endpoint());
    });
    let running = run(config(folder.path()), &ledger).await;
    ledger.advance_to(3);
    committed(&mut calls).await;
    let report = report(&running, 1).await;
    let miners = by_uid(&report);
    for uid in 0..3 {
        assert!(miners[&uid].availability == 1.0, "uid {uid}: {}", miners[&uid].fault);
    }
    assert!(miners[&2].weight > 0);
    for (uid, fault) in [(3, "answers at the endpoint of"), (4, "cannot be reached")] {
        assert_eq!((miners[&uid].availability, miners[&uid].weight), (0.0, 0), "uid {uid}");
        assert!(miners[&uid].fault.contains(fault), "uid {uid}: {}", miners[&uid].fault);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_evaluation_has_one_request_id_at_every_miner() {
    let folder = tempfile::tempdir().unwrap();
    let (ledger, mut calls, servers) = field(&[]).await;
    let _running = run(config(folder.path()), &ledger).await;
    for epoch in 0..2 {
        ledger.advance_to(epoch * TEMPO + 3);
        committed_after_reveals(&mut calls).await;
    }
    let ids = |server: &FakeMiner| server.request_ids();
    let (first, all) = (ids(&servers[0]), servers.iter().map(ids).collect::<BTreeSet<_>>());
    assert_eq!(all.len(), 1, "every miner saw the same ids");
    // Its information and its stream, twice.
    assert!(first.len() == 4 && first[0] == first[1] && first[2] == first[3], "{first:?}");
    assert!(first[0] != first[2] && !first[0].is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_interrupted_evaluation_never_asks_its_questions_again() {
    let folder = tempfile::tempdir().unwrap();
    let (ledger, _calls, servers) = field(&[Behaviour::StallAfter(0)]).await;
    let silent = servers.last().unwrap();
    ledger.advance_to(3);
    for _ in 0..2 {
        let running = run(config(folder.path()), &ledger).await;
        silent.opened().await;
        kill(running).await;
    }
    let contexts = silent.contexts();
    let distinct: BTreeSet<&Vec<u8>> = contexts.iter().collect();
    assert_eq!((contexts.len(), distinct.len()), (32, 32));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_cannot_start_says_why() {
    let folder = tempfile::tempdir().unwrap();
    let good = config(folder.path());
    let taken = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let busy = Config { listen: taken.local_addr().unwrap(), ..good.clone() };
    let error = Validator::bind(busy, hotkey()).await.unwrap_err().to_string();
    assert!(error.contains("`listen`") && error.contains("another port"), "{error}");
    let empty = Config { held_out: folder.path().to_owned(), ..good.clone() };
    let error = Validator::bind(empty, hotkey()).await.unwrap_err().to_string();
    assert!(error.contains("held_out") && error.contains("80 bytes"), "{error}");
    let _running = Validator::bind(good.clone(), hotkey()).await.unwrap();
    let error = Validator::bind(good, hotkey()).await.unwrap_err().to_string();
    assert!(error.contains("in use by another validator"), "{error}");
}
