//! Miners' records over gRPC: a registered miner's is taken at one node and found at another, nobody else's is.

mod common;

use std::time::{SystemTime, UNIX_EPOCH};

use acumen_chain_ledger::Genesis;
use acumen_chain_ledger::genesis::GenesisNeuron;
use acumen_chain_network::{Config as Network, MinerRecord, Multiaddr, SignedMinerRecord};
use acumen_chain_node::{Config, Node};
use acumen_proto::chain_v1 as wire;
use acumen_proto::chain_v1::miners_client::MinersClient;
use acumen_protocol::codec::Encode as _;
use acumen_protocol::{Endpoint, Hash};
use common::{Running, account, acu, config, genesis, key};
use tonic::Code;

fn with_peers(config: Config, bootstrap: Vec<Multiaddr>) -> Config {
    let listen = vec!["/ip4/127.0.0.1/tcp/0".parse().unwrap()];
    let network = Network { listen, bootstrap, private_addresses: true, ..Network::default() };
    Config { network: Some(network), ..config }
}

fn record(tag: u8, chain: &Hash) -> SignedMinerRecord {
    let issued_ms = u64::try_from(SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis()).unwrap();
    let endpoint = Endpoint::new("http://192.0.2.1:8443", Hash([1; 32]), None).unwrap();
    let record = MinerRecord { hotkey: account(tag), endpoint, issued_ms, expires_ms: issued_ms + 600_000 };
    record.sign(chain, &key(tag))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_registered_miners_record_is_found_at_another_node() {
    let neuron = GenesisNeuron { track: 0, hotkey: account(11), coldkey: account(1), stake: acu(100) };
    let genesis = Genesis { neurons: vec![neuron], ..genesis() };
    let dirs = [(); 2].map(|()| tempfile::tempdir().unwrap());
    let first = Node::start(with_peers(config(dirs[0].path(), &genesis), Vec::new())).await.unwrap();
    let network = first.network().unwrap().clone();
    let listening =
        network.connectivity().wait_for(|state| !state.listening.is_empty()).await.unwrap().clone();
    let address = format!("{}/p2p/{}", listening.listening[0], network.peer()).parse().unwrap();
    let mut following = with_peers(config(dirs[1].path(), &genesis), vec![address]);
    following.consensus_key = None;
    following.sync_from = vec![format!("http://{}", first.address())];
    let first = Running::of(first);
    let second = Node::start(following).await.unwrap();
    let second_network = second.network().unwrap().clone();
    second_network.connectivity().wait_for(|state| !state.peers.is_empty()).await.unwrap();
    network.connectivity().wait_for(|state| !state.peers.is_empty()).await.unwrap();
    let second = Running::of(second);

    let chain = first.client().await.genesis_hash();
    let mut miners = MinersClient::connect(first.url.clone()).await.unwrap();
    let mut publish = async |record: Vec<u8>| {
        miners.publish_record(wire::PublishRecordRequest { record_scale: record }).await
    };
    let stranger = publish(record(12, &chain).encode()).await.unwrap_err();
    assert_eq!(stranger.code(), Code::FailedPrecondition, "{stranger}");
    let elsewhere = publish(record(11, &Hash([9; 32])).encode()).await.unwrap_err();
    assert_eq!(elsewhere.code(), Code::InvalidArgument, "{elsewhere}");
    let sent = record(11, &chain);
    publish(sent.encode()).await.unwrap();

    let mut miners = MinersClient::connect(second.url.clone()).await.unwrap();
    let mut find = async |hotkey: Vec<u8>| miners.find_record(wire::FindRecordRequest { hotkey }).await;
    // It is on its way to the nodes next to its key.
    let kept = second_network.connectivity().wait_for(|state| state.records == 1).await.map(drop);
    kept.unwrap();
    assert_eq!(find(account(11).0.to_vec()).await.unwrap().into_inner().record_scale, sent.encode());
    assert_eq!(find(account(12).0.to_vec()).await.unwrap_err().code(), Code::NotFound);
    assert_eq!(find(vec![1; 31]).await.unwrap_err().code(), Code::InvalidArgument);
    second.stop().await;
    first.stop().await;
}
