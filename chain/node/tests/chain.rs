//! A node and its verifying client, over the wire.

mod common;

use acumen_chain_client::ClientError;
use acumen_chain_ledger::Rejection;
use acumen_chain_ledger::genesis::GenesisValidator;
use acumen_chain_node::{Config, Node, NodeError};
use acumen_protocol::{Call, ConsensusKeypair, Epoch, Height, Nacu, Nonce, TrackId, Transaction};
use common::{Running, account, acu, config, genesis, key};
use futures::StreamExt as _;

fn pay(to: u8, amount: u64) -> Call {
    Call::Transfer { to: account(to), amount: acu(amount) }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_transfer_is_included_and_read_back_verified() {
    let dir = tempfile::tempdir().unwrap();
    let node = Running::start(config(dir.path(), &genesis())).await;
    let client = node.client().await;
    let included = client.submit_and_wait(pay(9, 5), &key(1)).await.unwrap();
    let read = client.account(account(9)).await.unwrap();
    assert_eq!(read.value.free, acu(5));
    assert!(read.at.height >= included.at.height);
    let block = client.block(included.at.height).await.unwrap();
    assert_eq!(block.transactions.len(), 1);
    assert_eq!(client.account(account(77)).await.unwrap().value.free.get(), 0, "absence is proven too");
    let status = client.status().await.unwrap();
    assert_eq!((status.chain.as_str(), status.genesis), ("loopback", genesis().hash().unwrap()));
    node.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn refusals_say_what_to_do() {
    let dir = tempfile::tempdir().unwrap();
    let node = Running::start(config(dir.path(), &genesis())).await;
    let client = node.client().await;
    let poor = client.submit(pay(2, 20_000), &key(1)).await.unwrap_err();
    assert!(matches!(poor, ClientError::Rejected(Rejection::Balance { .. })), "{poor}");
    assert!(poor.to_string().contains("and needs 20000"), "{poor}");
    let transaction = |nonce, genesis| Transaction {
        genesis,
        sender: account(1),
        nonce: Nonce::new(nonce),
        valid_until: Height::new(u64::MAX),
        tip: Nacu::ZERO,
        call: pay(2, 1),
    };
    let ahead = transaction(99, client.genesis_hash()).sign(&key(1));
    let refused = client.submit_signed(&ahead).await.unwrap_err();
    let expected = Rejection::Nonce { expected: Nonce::ZERO, found: Nonce::new(99) };
    assert_eq!(refused, ClientError::Rejected(expected));
    let elsewhere = transaction(0, acumen_protocol::Hash([3; 32])).sign(&key(1));
    assert!(matches!(client.submit_signed(&elsewhere).await, Err(ClientError::Refused { .. })));
    let forged = transaction(0, client.genesis_hash()).sign(&key(2));
    assert!(matches!(client.submit_signed(&forged).await, Err(ClientError::Refused { .. })));
    node.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn two_clients_race_for_the_nonces_of_one_key() {
    let dir = tempfile::tempdir().unwrap();
    let node = Running::start(config(dir.path(), &genesis())).await;
    let (a, b) = (node.client().await, node.client().await);
    let send = async |client: &acumen_chain_client::ChainClient| {
        let mut sent = Vec::new();
        for _ in 0..6 {
            sent.push(client.submit(pay(9, 1), &key(1)).await.unwrap());
        }
        sent
    };
    let (from_a, from_b) = tokio::join!(send(&a), send(&b));
    for tx in from_a.iter().chain(&from_b) {
        a.wait_included(tx).await.unwrap();
    }
    assert_eq!(a.account(account(9)).await.unwrap().value.free, acu(12));
    assert_eq!(a.account(account(1)).await.unwrap().value.nonce, Nonce::new(12));
    node.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restart_resumes_without_a_gap() {
    let dir = tempfile::tempdir().unwrap();
    let node = Running::start(config(dir.path(), &genesis())).await;
    let client = node.client().await;
    let included = client.submit_and_wait(pay(9, 5), &key(1)).await.unwrap();
    node.stop().await;
    let node = Running::start(config(dir.path(), &genesis())).await;
    let client = node.client().await;
    assert_eq!(client.account(account(9)).await.unwrap().value.free, acu(5));
    let mut blocks = client.subscribe(Some(Height::new(1)));
    let wanted = included.at.height.get() + 5;
    for height in 1..=wanted {
        assert_eq!(blocks.next().await.unwrap().unwrap().header.height.get(), height);
    }
    node.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_epoch_is_read_with_its_proof_and_the_supply_adds_up() {
    let dir = tempfile::tempdir().unwrap();
    let node = Running::start(config(dir.path(), &genesis())).await;
    let client = node.client().await;
    let register = Call::Register { track: TrackId::ZERO, hotkey: account(11), max_price: acu(2) };
    client.submit_and_wait(register, &key(1)).await.unwrap();
    client.submit_and_wait(Call::Stake { hotkey: account(11), amount: acu(2_000) }, &key(1)).await.unwrap();
    let mut blocks = client.subscribe(Some(Height::new(1)));
    let epoch = client.params().await.unwrap().value.epoch_of(client.tip().height);
    while blocks.next().await.unwrap().unwrap().header.height.get() < epoch.get() * 10 {}
    let record = client.epoch_record(TrackId::ZERO, epoch).await.unwrap().value;
    assert_eq!(record.hotkeys, [account(11)]);
    assert_eq!(record.minted.get(), 10 * acu(1).get());
    let metagraph = client.metagraph(TrackId::ZERO).await.unwrap().value;
    let neuron = metagraph.by_hotkey(&account(11)).unwrap();
    assert!(neuron.permit && neuron.stake > acu(2_000), "{neuron:?}");
    // The chain goes on between two reads: stake can have grown by another epoch's pay.
    assert!(client.stake_of(account(11)).await.unwrap().value >= neuron.stake);
    let supply = client.supply().await.unwrap();
    assert_eq!(supply.balances_total, supply.issuance);
    assert_eq!(supply.issuance.get() + supply.burned.get(), acu(40_000).get() + supply.minted.get());
    // The end of the epoch stays on record while the chain goes on.
    let ended = Height::new(epoch.get() * 10);
    while blocks.next().await.unwrap().unwrap().header.height <= ended {}
    let then = client.supply_at(ended).await.unwrap();
    assert_eq!((then.height, then.issuance, then.balances_total), (ended, record.issuance, record.issuance));
    let within = client.supply_at(Height::new(1)).await.unwrap_err();
    assert!(within.to_string().contains("ended no epoch"), "{within}");
    let later = client.epoch_record(TrackId::ZERO, Epoch::new(1_000)).await.unwrap_err();
    assert!(matches!(later, ClientError::NotFound { .. }), "{later}");
    node.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_start_says_why() {
    let dir = tempfile::tempdir().unwrap();
    let node = Running::start(config(dir.path(), &genesis())).await;
    let other = tempfile::tempdir().unwrap();
    let mut busy = config(other.path(), &genesis());
    busy.listen = node.url.trim_start_matches("http://").parse().unwrap();
    let error = Node::start(busy.clone()).await.unwrap_err();
    assert!(matches!(error, NodeError::Listen { address, .. } if address == busy.listen), "{error}");
    let mut several = genesis();
    let more = ConsensusKeypair::from_seed(&[8; 32]).public();
    several.validators.push(GenesisValidator { key: more, power: 1 });
    let third = tempfile::tempdir().unwrap();
    let error = Node::start(config(third.path(), &several)).await.unwrap_err();
    assert!(matches!(error, NodeError::Alone { others: 1 }), "{error}");
    let mut foreign = genesis();
    foreign.validators[0].key = more;
    let fourth = tempfile::tempdir().unwrap();
    let error = Node::start(config(fourth.path(), &foreign)).await.unwrap_err();
    assert!(matches!(error, NodeError::Alone { others: 1 }), "{error}");
    let deaf = Config { max_connections: 0, ..config(other.path(), &genesis()) };
    let error = Node::start(deaf).await.unwrap_err();
    assert_eq!(error.to_string(), "`max_connections` must be above 0");
    node.stop().await;
}
