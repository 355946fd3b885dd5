//! Several nodes and their peers: what is submitted at one reaches the pools of all, what is invalid reaches none.

mod common;

use acumen_chain_ledger::Rejection;
use acumen_chain_network::{Config as Network, Multiaddr, Setup};
use acumen_chain_node::{Config, Node};
use acumen_protocol::{Call, Height, Keypair, Nacu, Nonce, SignedTransaction, Transaction};
use common::{Running, account, acu, config, genesis, key};
use tokio_util::sync::CancellationToken;

fn with_peers(mut config: Config, bootstrap: Vec<Multiaddr>) -> Config {
    let listen = vec!["/ip4/127.0.0.1/tcp/0".parse().unwrap()];
    config.network = Some(Network { listen, bootstrap, private_addresses: true, ..Network::default() });
    config
}

async fn address(node: &Node) -> Multiaddr {
    let network = node.network().unwrap();
    let mut state = network.connectivity();
    let state = state.wait_for(|state| !state.listening.is_empty()).await.unwrap().clone();
    format!("{}/p2p/{}", state.listening[0], network.peer()).parse().unwrap()
}

fn transfer(chain: acumen_protocol::Hash, signer: &Keypair, nonce: u64) -> SignedTransaction {
    let transaction = Transaction {
        genesis: chain,
        sender: account(1),
        nonce: Nonce::new(nonce),
        valid_until: Height::new(u64::MAX),
        tip: Nacu::ZERO,
        call: Call::Transfer { to: account(9), amount: acu(1) },
    };
    transaction.sign(signer)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_transaction_submitted_to_a_follower_is_included_by_the_validator() {
    let dirs = [(); 2].map(|()| tempfile::tempdir().unwrap());
    let validator = Node::start(with_peers(config(dirs[0].path(), &genesis()), Vec::new())).await.unwrap();
    let bootstrap = address(&validator).await;
    let url = format!("http://{}", validator.address());
    let validator = Running::of(validator);

    let mut following = with_peers(config(dirs[1].path(), &genesis()), vec![bootstrap]);
    following.consensus_key = None;
    following.sync_from = vec![url];
    let follower = Running::of(Node::start(following).await.unwrap());
    let client = follower.client().await;
    // The follower decides nothing: if the transfer is included, its peer has got it from there.
    let included =
        client.submit_and_wait(Call::Transfer { to: account(9), amount: acu(3) }, &key(1)).await.unwrap();
    assert!(included.at.height > Height::ZERO);
    assert_eq!(client.account(account(9)).await.unwrap().value.free, acu(3));
    follower.stop().await;
    validator.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn invalid_transactions_are_held_against_the_peer_that_sent_them() {
    let dir = tempfile::tempdir().unwrap();
    let node = Node::start(with_peers(config(dir.path(), &genesis()), Vec::new())).await.unwrap();
    let (bootstrap, network) = (address(&node).await, node.network().unwrap().clone());
    let node = Running::of(node);
    let chain = node.client().await.genesis_hash();
    let setup = Setup {
        config: with_peers(config(dir.path(), &genesis()), vec![bootstrap]).network.unwrap(),
        identity: acumen_chain_network::Keypair::generate_ed25519(),
        genesis: chain,
        registry: None,
        book: None,
    };
    let stop = CancellationToken::new();
    let peer = acumen_chain_network::Network::start(setup, stop.clone()).unwrap();
    let mut state = network.connectivity();
    state.wait_for(|state| state.subscribed.contains(&peer.handle.peer())).await.unwrap();
    peer.handle.connectivity().wait_for(|state| !state.subscribed.is_empty()).await.unwrap();
    // Outdated: not an offence. Garbage, another chain's, another's signature: three offences, and a ban.
    peer.handle.publish(transfer(chain, &key(1), 99).to_bytes()).unwrap();
    peer.handle.publish(b"garbage".to_vec()).unwrap();
    peer.handle.publish(transfer(acumen_protocol::Hash([3; 32]), &key(1), 0).to_bytes()).unwrap();
    peer.handle.publish(transfer(chain, &key(2), 0).to_bytes()).unwrap();
    state.wait_for(|state| state.peers.is_empty()).await.unwrap();
    let counted = network.stats().values();
    let value = |name| counted.iter().find(|(found, ..)| *found == name).unwrap().2;
    assert_eq!((value("rejected"), value("banned"), value("forwarded")), (3, 1, 0));
    // The node itself is well, and refuses with a reason.
    let client = node.client().await;
    let refused = client.submit_signed(&transfer(chain, &key(1), 99)).await.unwrap_err();
    let expected = Rejection::Nonce { expected: Nonce::ZERO, found: Nonce::new(99) };
    assert_eq!(refused, acumen_chain_client::ClientError::Rejected(expected));
    stop.cancel();
    peer.task.await.unwrap();
    node.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_peer_that_comes_later_learns_what_waits() {
    let dir = tempfile::tempdir().unwrap();
    // No block within this test: what is submitted waits.
    let still = acumen_chain_node::Config { block_time_ms: 3_600_000, ..config(dir.path(), &genesis()) };
    let node = Node::start(with_peers(still.clone(), Vec::new())).await.unwrap();
    let (bootstrap, mut state) = (address(&node).await, node.network().unwrap().connectivity());
    let node = Running::of(node);
    let client = node.client().await;
    let chain = client.genesis_hash();
    let stop = CancellationToken::new();
    let peer = || {
        let config = with_peers(still.clone(), vec![bootstrap.clone()]).network.unwrap();
        let identity = acumen_chain_network::Keypair::generate_ed25519();
        let setup = Setup { config, identity, genesis: chain, registry: None, book: None };
        acumen_chain_network::Network::start(setup, stop.clone()).unwrap()
    };
    let mut first = peer();
    state.wait_for(|state| state.subscribed.contains(&first.handle.peer())).await.unwrap();
    // The first block is there before the transaction: it must not take it.
    let mut blocks = client.subscribe(Some(Height::new(1)));
    futures::StreamExt::next(&mut blocks).await.unwrap().unwrap();
    let sent = transfer(chain, &key(1), 0);
    client.submit_signed(&sent).await.unwrap();
    assert_eq!(first.incoming.recv().await.unwrap().bytes, sent.to_bytes());
    // It was published once, to whoever was there; who comes now learns of it nevertheless.
    let mut late = peer();
    assert_eq!(late.incoming.recv().await.unwrap().bytes, sent.to_bytes());
    stop.cancel();
    first.task.await.unwrap();
    late.task.await.unwrap();
    node.stop().await;
}
