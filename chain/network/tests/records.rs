//! Miners' records among real nodes: found from afar, kept only if they are true, and bounded.

mod common;

use std::sync::atomic::Ordering;
use std::time::{SystemTime, UNIX_EPOCH};

use acumen_chain_network::{Config, FindError, MinerRecord, RecordError, SignedMinerRecord};
use acumen_protocol::{Endpoint, Hash};
use common::{GENESIS, Running, config, hotkey};
use parity_scale_codec::Encode as _;

fn now_ms() -> u64 {
    u64::try_from(SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis()).unwrap()
}

fn record(tag: u8, port: u16, issued_ms: u64) -> SignedMinerRecord {
    let endpoint =
        Endpoint::new(&format!("https://192.0.2.1:{port}"), Hash([1; 32]), Some(Hash([2; 32]))).unwrap();
    let record =
        MinerRecord { hotkey: hotkey(tag).account(), endpoint, issued_ms, expires_ms: issued_ms + 600_000 };
    record.sign(&GENESIS, &hotkey(tag))
}

/// Nodes that know the first one only, all connected to it.
async fn star(count: u8) -> Vec<Running> {
    let mut nodes = vec![Running::plain(1, &[])];
    let hub = nodes[0].address().await;
    for tag in 2..=count {
        nodes.push(Running::plain(tag, std::slice::from_ref(&hub)));
    }
    for node in &nodes[1..] {
        node.until("the hub", |state| !state.peers.is_empty()).await;
    }
    nodes[0].until("all others", |state| state.peers.len() + 1 >= usize::from(count)).await;
    nodes
}

async fn stop(nodes: Vec<Running>) {
    for node in nodes {
        node.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_record_given_to_one_node_is_found_at_another() {
    let nodes = star(4).await;
    let first = record(1, 8_001, now_ms() - 2_000);
    nodes[1].handle.publish_record(first.encode()).await.unwrap();
    let wanted = hotkey(1).account();
    assert_eq!(nodes[1].handle.find_record(wanted).await, Ok(Some(first.clone())));
    // It goes to the nodes next to its key, of which the hub is one: until it is there, whoever asks hears of none.
    nodes[0].until("the record at the hub", |state| state.records == 1).await;
    assert_eq!(nodes[3].handle.find_record(wanted).await, Ok(Some(first.clone())));
    assert_eq!(nodes[3].handle.find_record(hotkey(2).account()).await, Ok(None));
    stop(nodes).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_true_or_not_newer_is_refused_with_its_reason() {
    let node = Running::plain(1, &[]);
    let now = now_ms();
    let publish = |record: SignedMinerRecord| node.handle.publish_record(record.encode());
    let refused = |answer| match answer {
        Err(FindError::Record(error)) => error,
        other => panic!("{other:?}"),
    };
    let first = record(1, 1, now);
    publish(first.clone()).await.unwrap();
    assert!(matches!(refused(publish(record(1, 2, now)).await), RecordError::Outdated { .. }));
    assert!(matches!(refused(publish(record(1, 2, now - 1)).await), RecordError::Outdated { .. }));
    assert!(matches!(refused(publish(record(10, 1, now)).await), RecordError::Unregistered { .. }));
    let mut forged = record(2, 1, now);
    forged.record.expires_ms += 1;
    assert!(matches!(refused(publish(forged).await), RecordError::Signature { .. }));
    assert!(matches!(refused(publish(record(2, 1, now - 700_000)).await), RecordError::Expired { .. }));
    // The answer to the first time may have been lost: the same record again is taken again.
    assert_eq!(publish(first).await, Ok(()));
    let kept = node.handle.find_record(hotkey(1).account()).await.unwrap().unwrap();
    assert_eq!(kept.record.endpoint.url(), "https://192.0.2.1:1");
    assert_eq!(node.handle.find_record(hotkey(2).account()).await, Ok(None));
    node.stop().await;
}

/// A node that believes everybody sends what another refuses: nothing of it is stored there, and it is held against it.
#[tokio::test(flavor = "multi_thread")]
async fn unregistered_records_of_a_peer_are_not_stored_and_ban_it() {
    let victim = Running::plain(1, &[]);
    let bootstrap = vec![victim.address().await];
    let believes = acumen_chain_network::Registry::new(|_| true);
    let liar = Running::with_registry(2, Config { ..config(&bootstrap) }, believes);
    liar.until("the victim", |state| !state.peers.is_empty()).await;
    victim.until("the liar", |state| !state.peers.is_empty()).await;
    for tag in 100..160 {
        // Once it is banned there is nobody to send to.
        liar.handle.publish_record(record(tag, 1, now_ms()).encode()).await.unwrap();
    }
    let outcast = liar.peer();
    victim.until("the ban", |state| !state.peers.contains(&outcast)).await;
    assert_eq!(victim.handle.stats().banned.load(Ordering::Relaxed), 1);
    assert!(victim.handle.stats().refused_records.load(Ordering::Relaxed) >= 20);
    assert_eq!(victim.handle.stats().records.load(Ordering::Relaxed), 0);
    assert_eq!(victim.handle.find_record(hotkey(100).account()).await, Ok(None));
    stop(vec![victim, liar]).await;
}
