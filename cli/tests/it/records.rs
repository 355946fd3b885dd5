//! A miner that cannot tell the chain where it has moved, because its coldkey has nothing left for the fee: its signed record
//! leads to it all the same. A real node without peers, a real miner over TLS, a real gateway and a real validator, and the
//! command that shows the record.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use acumen_chain_client::ChainClient;
use acumen_chain_client::ledger::genesis::{GenesisBalance, GenesisNeuron, GenesisTrack, GenesisValidator};
use acumen_chain_client::ledger::{Genesis, Params};
use acumen_chain_node::Node;
use acumen_gateway::collective::subnet::Subnet;
use acumen_proto::validation_v1::GetReportRequest;
use acumen_proto::validation_v1::validation_client::ValidationClient;
use acumen_protocol::{Call, ConsensusKeypair, Endpoint, Hash, Keypair, Nacu, TrackId};
use acumen_validator::{Nodes, Validator};
use futures::StreamExt as _;
use serde_json::Value;
use tokio_util::sync::CancellationToken;

use crate::{repository, run, stderr, stdout};

/// Far longer than anything here takes.
const PATIENCE: Duration = Duration::from_secs(120);

fn key(tag: u8) -> Keypair {
    Keypair::from_seed(&[tag; 32])
}

fn miner() -> Keypair {
    key(1)
}

/// Slots for the miner and for a validator. The miner's coldkey has just enough for one fee, which is some 130,000.
fn genesis(voter: &ConsensusKeypair) -> Genesis {
    let (coldkey, judge) = (key(2).account(), key(5).account());
    let stake = Nacu::from_acu(2_000).unwrap();
    Genesis {
        chain: "records".to_owned(),
        time_ms: 1,
        params: Params { tempo_blocks: 40, ..Params::default() },
        treasury: key(9).account(),
        balances: vec![GenesisBalance { account: coldkey, amount: Nacu::new(200_000) }],
        tracks: vec![GenesisTrack { name: "bytes".to_owned(), owner: key(9).account(), emission_share: 1 }],
        neurons: vec![
            GenesisNeuron { track: 0, hotkey: miner().account(), coldkey, stake: Nacu::ZERO },
            GenesisNeuron { track: 0, hotkey: key(4).account(), coldkey: judge, stake },
        ],
        validators: vec![GenesisValidator { key: voter.public(), power: 1 }],
    }
}

/// A node that decides alone and has no peers.
async fn node(dir: &Path, stop: &CancellationToken) -> String {
    let voter = ConsensusKeypair::from_seed(&[7; 32]);
    std::fs::write(dir.join("genesis.json"), genesis(&voter).to_json().unwrap()).unwrap();
    std::fs::write(dir.join("key"), hex::encode(voter.to_seed())).unwrap();
    let text = "data_dir = \"node\"\ngenesis = \"genesis.json\"\nconsensus_key = \"key\"\n\
                listen = \"127.0.0.1:0\"\nblock_time_ms = 100\nreport_equivocations = false";
    let config: acumen_chain_node::Config = toml::from_str(text).unwrap();
    let node = Node::start(config.resolve(dir)).await.unwrap();
    let url = format!("http://{}", node.address());
    tokio::spawn(node.run(stop.clone()));
    url
}

/// A port on which nobody listens.
fn free() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap()
}

/// The miner over TLS; it lets in the gateway, and the validator for its stake.
fn start_miner(dir: &Path, address: SocketAddr, node: &str, stop: &CancellationToken) {
    let text = format!(
        "listen = \"{address}\"\npublic_url = \"https://{address}\"\ndata_dir = {:?}\nnodes = [\"{node}\"]\n\
         chain_refresh_ms = 100\n[model]\npath = {:?}\n[tls]\n[access]\nallow = [\"{}\"]",
        dir.join("miner"),
        repository("models/checkpoints/bytes.ngram"),
        key(3).account(),
    );
    let config: acumen_miner::Config = toml::from_str(&text).unwrap();
    let stop = stop.clone();
    tokio::spawn(
        async move { acumen_miner::run(config, miner(), stop).await.expect("nothing ends the miner") },
    );
}

async fn start_gateway(node: &str, genesis: Hash, stop: &CancellationToken) -> SocketAddr {
    let config = acumen_gateway::Config {
        nodes: vec![node.to_owned()],
        genesis: Some(genesis.to_string()),
        step_timeout_ms: 20_000,
        ..acumen_gateway::Config::default()
    };
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (address, subnet) = (listener.local_addr().unwrap(), Subnet::new(&config).unwrap());
    tokio::spawn(acumen_gateway::run_with(config, key(3), subnet, listener, stop.clone()));
    address
}

/// A validator with few and short questions; where its reports are.
async fn start_validator(dir: &Path, node: &str, stop: &CancellationToken) -> String {
    let held_out = dir.join("held-out");
    std::fs::create_dir_all(&held_out).unwrap();
    std::fs::copy(repository("docs/miner.md"), held_out.join("text.txt")).unwrap();
    let text = format!(
        "nodes = [\"{node}\"]\nheld_out = {held_out:?}\ndata_dir = {:?}\nlisten = \"127.0.0.1:0\"\n\
         documents = 4\ncontext_bytes = 16\nscored_bytes = 8",
        dir.join("validator"),
    );
    let config: acumen_validator::Config = toml::from_str(&text).unwrap();
    let chain = Nodes::connect(&config.nodes, None, TrackId::ZERO, stop).await.unwrap().unwrap();
    let validator = Validator::bind(config, key(4)).await.unwrap();
    let reports = format!("http://{}", validator.address());
    tokio::spawn(validator.serve(chain, stop.clone()));
    reports
}

/// Waits for an epoch in which the validator had answers from the miner.
async fn scored(chain: &ChainClient, reports: String) {
    let mut validator = ValidationClient::connect(reports).await.unwrap();
    let mut blocks = chain.subscribe(None);
    while blocks.next().await.is_some() {
        // Until the first epoch is measured there is no report.
        let Ok(report) = validator.get_report(GetReportRequest { epoch: 0 }).await else { continue };
        let report = report.into_inner();
        if report.miners.iter().any(|miner| miner.uid == 0 && miner.availability > 0.0) {
            return;
        }
    }
}

/// One HTTP request, answered in whole.
async fn http(address: SocketAddr, request: String) -> String {
    let exchange = move || {
        let mut stream = TcpStream::connect(address).unwrap();
        stream.write_all(request.as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer
    };
    tokio::task::spawn_blocking(exchange).await.unwrap()
}

async fn complete(gateway: SocketAddr) -> Value {
    let ready = "GET /ready HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n";
    while !http(gateway, ready.to_owned()).await.starts_with("HTTP/1.1 200 ") {}
    let body = r#"{"model": "acumen-bytes", "prompt": "the ", "max_tokens": 3}"#;
    let head = "POST /v1/completions HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\ncontent-type: application/json";
    let answer = http(gateway, format!("{head}\r\ncontent-length: {}\r\n\r\n{body}", body.len())).await;
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    assert!(head.starts_with("HTTP/1.1 200 "), "{answer}");
    serde_json::from_str(body).unwrap()
}

/// What `acumen miner record` prints; its exit code and complaint if it has nothing.
async fn command(node: &str, hotkey: String, json: bool) -> Result<String, (Option<i32>, String)> {
    let node = node.to_owned();
    let ask = move || {
        let mut args = vec!["miner", "record", &hotkey, "--node", &node];
        args.extend(json.then_some("--json"));
        let output = run(&args);
        if output.status.success() {
            Ok(stdout(&output))
        } else {
            Err((output.status.code(), stderr(&output)))
        }
    };
    tokio::task::spawn_blocking(ask).await.unwrap()
}

fn now_ms() -> u64 {
    u64::try_from(SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis()).unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_miner_that_the_chain_does_not_lead_to_answers_and_is_scored_by_its_record() {
    tokio::time::timeout(PATIENCE, by_its_record()).await.expect("the record leads there");
}

async fn by_its_record() {
    let (dir, stop) = (tempfile::tempdir().unwrap(), CancellationToken::new());
    let node = node(dir.path(), &stop).await;
    let chain = ChainClient::connect(std::slice::from_ref(&node), None).await.unwrap();
    let hotkey = miner().account();
    let none = command(&node, hotkey.to_string(), true).await.unwrap_err();
    assert!(none.0 == Some(1) && none.1.contains(&format!("knows a record of {hotkey}")), "{none:?}");

    let dead = format!("http://{}", free());
    let endpoint = Endpoint::new(&dead, Hash::ZERO, None).unwrap();
    chain.submit_and_wait(Call::Serve { track: TrackId::ZERO, endpoint }, &miner()).await.unwrap();
    let live = free();
    start_miner(dir.path(), live, &node, &stop);
    while chain.find_record(hotkey, now_ms()).await.unwrap().is_none() {}

    let gateway = start_gateway(&node, chain.genesis_hash(), &stop).await;
    let answer = complete(gateway).await;
    let miners = answer["subnet"]["miners"].as_array().unwrap();
    assert_eq!(miners.len(), 2, "{answer}");
    assert!(miners[0]["endpoint"] == "chain" && miners[0]["answered"] == 0, "{answer}");
    assert!(miners[1]["endpoint"] == "record" && miners[1]["answered"] == 3, "{answer}");
    let neurons = chain.metagraph(TrackId::ZERO).await.unwrap().value.neurons;
    assert_eq!(neurons[0].endpoint.as_ref().unwrap().url(), dead, "the chain has heard of nothing");

    let reports = start_validator(dir.path(), &node, &stop).await;
    scored(&chain, reports).await;
    shown(&node, &hotkey.to_string(), live).await;
    stop.cancel();
}

async fn shown(node: &str, hotkey: &str, live: SocketAddr) {
    let line: Value = serde_json::from_str(&command(node, hotkey.to_owned(), true).await.unwrap()).unwrap();
    assert_eq!(line["endpoint"], format!("https://{live}"));
    assert!(line["hotkey"] == hotkey && line["signature_verified"] == true, "{line}");
    for hash in ["model", "tls_certificate", "genesis"] {
        assert_eq!(line[hash].as_str().unwrap().len(), 66, "{line}");
    }
    let (issued, expires) = (line["issued_ms"].as_u64().unwrap(), line["expires_ms"].as_u64().unwrap());
    assert!(issued < expires && expires > now_ms(), "{line}");
    let text = command(node, hotkey.to_owned(), false).await.unwrap();
    for part in [hotkey, &format!("https://{live}"), line["tls_certificate"].as_str().unwrap(), "verified"] {
        assert!(text.contains(part), "`{part}` is missing in: {text}");
    }
}
