//! Miners that are not where the chain says: their own records lead to them, and nothing else does.

mod common;

use std::time::{SystemTime, UNIX_EPOCH};

use acumen_chain_client::ledger::genesis::{GenesisTrack, GenesisValidator};
use acumen_chain_client::ledger::{Genesis, Params};
use acumen_gateway::Config;
use acumen_miner_testing::FakeNode;
use acumen_protocol::codec::Encode as _;
use acumen_protocol::miner_record::{MinerRecord, SignedMinerRecord};
use acumen_protocol::{AccountId, ConsensusKeypair, Hash, Keypair};
use common::{Behaviour, FakeMiner, Gateway, config, miner};
use serde_json::{Value, json};

const LIFE_MS: u64 = 600_000;

fn genesis() -> Genesis {
    let owner = AccountId([9; 32]);
    Genesis {
        chain: "records".to_owned(),
        time_ms: 1,
        params: Params::default(),
        treasury: owner,
        balances: Vec::new(),
        tracks: vec![GenesisTrack { name: "bytes".to_owned(), owner, emission_share: 1 }],
        neurons: Vec::new(),
        validators: vec![GenesisValidator { key: ConsensusKeypair::from_seed(&[1; 32]).public(), power: 1 }],
    }
}

fn chain() -> Hash {
    genesis().hash().unwrap()
}

async fn node() -> FakeNode {
    FakeNode::start(genesis().encode()).await
}

fn now_ms() -> u64 {
    u64::try_from(SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis()).unwrap()
}

fn key(seed: u8) -> Keypair {
    Keypair::from_seed(&[seed; 32])
}

/// What the hotkey of `miner` would say of it.
fn record(miner: &FakeMiner) -> MinerRecord {
    let issued_ms = now_ms() - 1_000;
    MinerRecord {
        hotkey: miner.hotkey,
        endpoint: miner.endpoint(),
        issued_ms,
        expires_ms: issued_ms + LIFE_MS,
    }
}

async fn gateway(nodes: &[&FakeNode], listed: &[&FakeMiner]) -> Gateway {
    let nodes = nodes.iter().map(|node| node.url()).collect();
    Gateway::start(Config { nodes, genesis: Some(chain().to_string()), ..config() }, listed).await
}

fn body() -> Value {
    json!({"prompt": "With ", "max_tokens": 6, "temperature": 0})
}

fn parts(answer: &Value) -> Vec<(String, u64)> {
    let miners = answer["subnet"]["miners"].as_array().unwrap();
    miners
        .iter()
        .map(|m| (m["endpoint"].as_str().unwrap().to_owned(), m["answered"].as_u64().unwrap()))
        .collect()
}

fn part(endpoint: &str, answered: u64) -> (String, u64) {
    (endpoint.to_owned(), answered)
}

#[tokio::test]
async fn a_miner_whose_endpoint_on_the_chain_is_dead_is_found_by_its_record() {
    let (listed, live, node) = (FakeMiner::dead(1).await, miner(1, Behaviour::Good).await, node().await);
    node.tell(live.hotkey, record(&live).sign(&chain(), &key(1)).encode());
    let gateway = gateway(&[&node], &[&listed]).await;
    let answer = gateway.complete(body()).await;
    assert_eq!(parts(&answer), [part("chain", 0), part("record", 6)], "the chain's comes first");
    for _ in 0..3 {
        let answer = gateway.complete(body()).await;
        assert_eq!(parts(&answer), [part("record", 6)], "what has failed is not tried each time");
    }
    assert_eq!(node.asked(), 1);
    let metrics = gateway.get("/metrics").await.text().await.unwrap();
    assert!(metrics.contains("acumen_gateway_record_endpoints_total 1"), "{metrics}");
}

/// Each lie leads to a live miner with the right key: only the check of the record is in the way.
#[tokio::test]
async fn a_node_that_lies_leads_nobody_anywhere() {
    let live = miner(1, Behaviour::Good).await;
    let truth = record(&live);
    let signed = |record: &MinerRecord| record.clone().sign(&chain(), &key(1));
    let forged = truth.clone().sign(&chain(), &key(2));
    let mut changed = signed(&MinerRecord { endpoint: FakeMiner::dead(1).await.endpoint(), ..truth.clone() });
    changed.record.endpoint = live.endpoint();
    let elsewhere = truth.clone().sign(&Hash([5; 32]), &key(1));
    let long_ago = MinerRecord { issued_ms: now_ms() - LIFE_MS, expires_ms: now_ms() - 1, ..truth.clone() };
    let for_ever = MinerRecord { expires_ms: truth.issued_ms + 3_600_001, ..truth.clone() };
    let ahead =
        MinerRecord { issued_ms: now_ms() + 120_000, expires_ms: now_ms() + LIFE_MS, ..truth.clone() };
    let of_another = MinerRecord { hotkey: key(2).account(), ..truth.clone() }.sign(&chain(), &key(2));
    let lies: [(&str, SignedMinerRecord); 7] = [
        ("by another key", forged),
        ("changed", changed),
        ("of another chain", elsewhere),
        ("expired", signed(&long_ago)),
        ("for ever", signed(&for_ever)),
        ("from the future", signed(&ahead)),
        ("of another miner", of_another),
    ];
    for (what, lie) in lies {
        let (listed, node) = (FakeMiner::dead(1).await, node().await);
        node.tell(listed.hotkey, lie.encode());
        let lost = gateway(&[&node], &[&listed]).await;
        assert_eq!(lost.post("/v1/completions", body()).await.status(), 503, "a record {what}");
        assert_eq!(node.asked(), 1);
        assert!(live.request_ids().is_empty(), "a record {what}");

        let honest = self::node().await;
        honest.tell(listed.hotkey, signed(&truth).encode());
        let found = gateway(&[&node, &honest], &[&listed]).await;
        assert_eq!(parts(&found.complete(body()).await)[1], part("record", 6), "beside a record {what}");
        let seen = live.request_ids().len();
        assert_eq!(seen, 1);
        live.forget();
    }
}

#[tokio::test]
async fn a_record_that_leads_to_somebody_else_gives_no_answer() {
    let (listed, stranger, node) = (FakeMiner::dead(1).await, miner(2, Behaviour::Good).await, node().await);
    let record = MinerRecord { hotkey: listed.hotkey, ..record(&stranger) };
    node.tell(listed.hotkey, record.sign(&chain(), &key(1)).encode());
    let gateway = gateway(&[&node], &[&listed]).await;
    assert_eq!(gateway.post("/v1/completions", body()).await.status(), 503);
    assert_eq!(node.asked(), 1);
}

#[tokio::test]
async fn a_miner_that_is_where_the_chain_says_is_asked_there_and_no_node_is() {
    let (listed, elsewhere, node) =
        (miner(1, Behaviour::Good).await, miner(1, Behaviour::Good).await, node().await);
    node.tell(listed.hotkey, record(&elsewhere).sign(&chain(), &key(1)).encode());
    let gateway = gateway(&[&node], &[&listed]).await;
    assert_eq!(parts(&gateway.complete(body()).await), [part("chain", 6)]);
    assert_eq!((node.asked(), elsewhere.request_ids().len()), (0, 0));
}

#[tokio::test]
async fn nobody_waits_for_a_record_while_others_answer() {
    let (dead, live, other) =
        (FakeMiner::dead(1).await, miner(1, Behaviour::Good).await, miner(2, Behaviour::Good).await);
    let node = node().await;
    node.tell(live.hotkey, record(&live).sign(&chain(), &key(1)).encode());
    let gateway = gateway(&[&node], &[&dead, &other]).await;
    assert_eq!(parts(&gateway.complete(body()).await), [part("chain", 0), part("chain", 6)]);
    // Found in the background, it takes part again.
    let back =
        async { while parts(&gateway.complete(body()).await) != [part("record", 6), part("chain", 6)] {} };
    tokio::time::timeout(std::time::Duration::from_secs(30), back).await.expect("the miner is found");
    assert_eq!(node.asked(), 1);
}
