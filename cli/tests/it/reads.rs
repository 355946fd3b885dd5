//! What is read while blocks go on, from a node that began with a state, and from an old checkpoint.

use std::path::Path;
use std::process::Output;

use acumen_chain_client::ChainClient;
use acumen_chain_client::ledger::genesis::{GenesisBalance, GenesisNeuron, GenesisTrack, GenesisValidator};
use acumen_chain_client::ledger::{Genesis, Params};
use acumen_chain_node::Node;
use acumen_protocol::{AccountId, Call, ConsensusKeypair, Height, Keypair, Nacu};
use futures::StreamExt as _;
use serde_json::Value;
use tokio_util::sync::CancellationToken;

use crate::{run, stderr, stdout};

/// Blocks of an epoch, and of the unbonding time: two epochs.
const TEMPO: u64 = 5;
const UNBONDING: u64 = 2 * TEMPO;

fn key(tag: u8) -> Keypair {
    Keypair::from_seed(&[tag; 32])
}

fn coldkey() -> AccountId {
    key(2).account()
}

fn genesis(voter: &ConsensusKeypair) -> Genesis {
    let amount = Nacu::from_acu(10_000).unwrap();
    let neuron =
        GenesisNeuron { track: 0, hotkey: key(1).account(), coldkey: key(3).account(), stake: Nacu::ZERO };
    Genesis {
        chain: "reads".to_owned(),
        time_ms: 1,
        params: Params { tempo_blocks: TEMPO, unbonding_epochs: 2, ..Params::default() },
        treasury: key(9).account(),
        balances: vec![GenesisBalance { account: coldkey(), amount }],
        tracks: vec![GenesisTrack { name: "bytes".to_owned(), owner: key(9).account(), emission_share: 1 }],
        neurons: vec![neuron],
        validators: vec![GenesisValidator { key: voter.public(), power: 1 }],
    }
}

/// A node that decides alone, or one that begins with the state of the node `from`.
async fn node(dir: &Path, from: Option<&str>, stop: &CancellationToken) -> String {
    let voter = ConsensusKeypair::from_seed(&[7; 32]);
    std::fs::write(dir.join("genesis.json"), genesis(&voter).to_json().unwrap()).unwrap();
    std::fs::write(dir.join("key"), hex::encode(voter.to_seed())).unwrap();
    let role =
        from.map_or_else(|| "consensus_key = \"key\"".to_owned(), |url| format!("sync_from = [\"{url}\"]"));
    let text = format!(
        "data_dir = \"node\"\ngenesis = \"genesis.json\"\n{role}\nlisten = \"127.0.0.1:0\"\nblock_time_ms = 20\n\
         report_equivocations = false"
    );
    let config: acumen_chain_node::Config = toml::from_str(&text).unwrap();
    let node = Node::start(config.resolve(dir)).await.unwrap();
    let url = format!("http://{}", node.address());
    tokio::spawn(node.run(stop.clone()));
    url
}

async fn until(client: &ChainClient, height: u64) {
    let mut blocks = client.subscribe(Some(Height::new(1)));
    while blocks.next().await.unwrap().unwrap().header.height < Height::new(height) {}
}

/// The binary, while the nodes of this process go on.
fn acumen(args: &[&str]) -> Output {
    let output = tokio::task::block_in_place(|| run(args));
    assert!(output.status.success(), "{args:?}: {}", stderr(&output));
    output
}

fn json(args: &[&str]) -> Value {
    serde_json::from_str(&stdout(&acumen(args))).unwrap()
}

/// LC-12 in docs/spec/light-client.md: all of an answer is of the block that it names, though every block changes it.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn lc12_an_account_is_that_of_one_block() {
    let dir = tempfile::tempdir().unwrap();
    let stop = CancellationToken::new();
    let url = node(dir.path(), None, &stop).await;
    let client = ChainClient::connect(std::slice::from_ref(&url), None).await.unwrap();
    let staker = client.clone();
    let staking = tokio::spawn(async move {
        loop {
            let call = Call::Stake { hotkey: key(1).account(), amount: Nacu::from_acu(1).unwrap() };
            staker.submit_and_wait(call, &key(2)).await.unwrap();
        }
    });
    until(&client, 10).await;
    let address = coldkey().to_string();
    for _ in 0..10 {
        let shown = json(&["account", &address, "--node", &url, "--json"]);
        let then = client.at(Height::new(shown["verified"]["height"].as_u64().unwrap()));
        let positions = then.positions(coldkey()).await.unwrap().value;
        let free = then.account(coldkey()).await.unwrap().value.free;
        assert_eq!(shown["free"], free.get().to_string(), "{shown}");
        assert_eq!(shown["stakes"][0]["stake"], positions[0].stake.get().to_string(), "{shown}");
    }
    staking.abort();
    stop.cancel();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn lc1_lc3_old_checkpoints_are_warned_of_and_absent_blocks_told() {
    let dirs = [(); 2].map(|()| tempfile::tempdir().unwrap());
    let stop = CancellationToken::new();
    let url = node(dirs[0].path(), None, &stop).await;
    let client = ChainClient::connect(std::slice::from_ref(&url), None).await.unwrap();
    until(&client, 4 * UNBONDING).await;
    let synced = node(dirs[1].path(), Some(&url), &stop).await;
    let early = client.checkpoint(Height::new(3)).await.unwrap().to_string();
    let output = acumen(&["validators", "--node", &url, "--checkpoint", &early]);
    let warning = format!("older than the unbonding time of {UNBONDING} blocks");
    assert!(stderr(&output).contains(&warning), "{}", stderr(&output));
    let shown = json(&["verify", "--node", &synced, "--json"]);
    let (first, last) = (&shown["skipped"]["first"], shown["skipped"]["last"].as_u64().unwrap());
    assert_eq!((first.as_u64(), last >= 3 * UNBONDING), (Some(1), true), "{shown}");
    assert_eq!(shown["verified"]["height"].as_u64().unwrap() - last, shown["blocks"].as_u64().unwrap());
    let text = stdout(&acumen(&["verify", "--node", &synced]));
    assert!(text.contains("kept by no node that was asked"), "{text}");
    let both = json(&["verify", "--node", &synced, "--node", &url, "--json"]);
    assert_eq!(
        (both["blocks"].as_u64(), both["skipped"].is_null()),
        (both["verified"]["height"].as_u64(), true)
    );
    stop.cancel();
}
