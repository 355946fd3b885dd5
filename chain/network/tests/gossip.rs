//! What is valid reaches everybody, what is not stops at the first hop, and who floods is shut out.

mod common;

use std::sync::atomic::Ordering;

use acumen_chain_network::{Config, Verdict};
use common::{GENESIS, Running, config, patiently};

/// Nodes in a row, each connected to the one before only.
async fn line(count: u8) -> Vec<Running> {
    let mut nodes: Vec<Running> = Vec::new();
    for tag in 1..=count {
        let before = match nodes.last() {
            Some(node) => vec![node.address().await],
            None => Vec::new(),
        };
        // Two places each: nobody but the neighbours finds room, so the line stays one.
        let config = Config { max_peers: 2, ..config(&before) };
        nodes.push(Running::start(tag, config, GENESIS, None));
    }
    for (index, node) in nodes.iter().enumerate() {
        let wanted = if index == 0 || index + 1 == nodes.len() { 1 } else { 2 };
        node.until("neighbours", |state| state.subscribed.len() == wanted).await;
    }
    nodes
}

#[tokio::test(flavor = "multi_thread")]
async fn a_valid_transaction_reaches_the_end_of_the_line() {
    let mut nodes = line(5).await;
    nodes[0].handle.publish(b"valid".to_vec()).unwrap();
    for node in &mut nodes[1..] {
        assert_eq!(node.take(Verdict::Accept).await, b"valid");
    }
    for node in nodes {
        node.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_invalid_one_stops_at_the_first_hop_and_is_held_against_its_sender() {
    let mut nodes = line(3).await;
    nodes[0].handle.publish(b"invalid".to_vec()).unwrap();
    assert_eq!(nodes[1].take(Verdict::Reject).await, b"invalid");
    nodes[0].handle.publish(b"outdated".to_vec()).unwrap();
    assert_eq!(nodes[1].take(Verdict::Ignore).await, b"outdated");
    // What comes through afterwards comes in order: the two before it were not passed on.
    nodes[0].handle.publish(b"valid".to_vec()).unwrap();
    assert_eq!(nodes[1].take(Verdict::Accept).await, b"valid");
    assert_eq!(nodes[2].take(Verdict::Accept).await, b"valid");
    assert_eq!(nodes[1].handle.stats().rejected.load(Ordering::Relaxed), 1);
    // Two more, and nobody listens any longer.
    for bytes in [b"invalid 2", b"invalid 3"] {
        nodes[0].handle.publish(bytes.to_vec()).unwrap();
        assert_eq!(nodes[1].take(Verdict::Reject).await, bytes);
    }
    let outcast = nodes[0].peer();
    nodes[1].until("the ban", |state| !state.peers.contains(&outcast)).await;
    // Counted now for sure: the next node may hear of a message before this one has counted it.
    assert_eq!(nodes[1].handle.stats().forwarded.load(Ordering::Relaxed), 1);
    assert_eq!(nodes[1].handle.stats().banned.load(Ordering::Relaxed), 1);
    for node in nodes {
        node.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_flooder_is_limited_and_shut_out() {
    let limited = Config { peer_transactions_per_second: 1, ..config(&[]) };
    let mut victim = Running::start(1, limited, GENESIS, None);
    let flooder = Running::plain(2, &[victim.address().await]);
    flooder.until("a connection", |state| state.subscribed.contains(&victim.peer())).await;
    victim.until("a connection", |state| state.subscribed.contains(&flooder.peer())).await;
    for number in 0..100_u32 {
        flooder.handle.publish(number.to_be_bytes().to_vec()).unwrap();
    }
    let outcast = flooder.peer();
    victim.until("the ban", |state| !state.peers.contains(&outcast)).await;
    let mut let_in = 0;
    while let Ok(incoming) = victim.incoming.try_recv() {
        victim.handle.report(incoming.ticket, Verdict::Ignore).await;
        let_in += 1;
    }
    // The burst of two seconds, and what a slow machine adds in the meantime.
    assert!(let_in < 50, "{let_in} of 100 messages came through");
    assert!(victim.handle.stats().over_rate.load(Ordering::Relaxed) >= 20);
    flooder.until("the end of the connection", |state| state.peers.is_empty()).await;
    victim.stop().await;
    flooder.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_published_before_there_are_peers_waits_for_them() {
    let early = Running::plain(1, &[]);
    early.handle.publish(b"early".to_vec()).unwrap();
    let mut late = Running::plain(2, &[early.address().await]);
    assert_eq!(late.take(Verdict::Accept).await, b"early");
    early.stop().await;
    late.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_node_that_does_not_keep_up_blames_nobody() {
    // Nobody takes messages out of the victim's queue of 4,096.
    let victim = Running::plain(1, &[]);
    let sender = Running::plain(2, &[victim.address().await]);
    sender.until("a connection", |state| state.subscribed.contains(&victim.peer())).await;
    let mut next = 0_u32;
    patiently("a dropped message", async {
        while victim.handle.stats().dropped.load(Ordering::Relaxed) == 0 {
            next += u32::from(sender.handle.publish(next.to_be_bytes().to_vec()).is_ok());
            tokio::task::yield_now().await;
        }
    })
    .await;
    assert_eq!(victim.handle.stats().banned.load(Ordering::Relaxed), 0);
    sender.stop().await;
    victim.stop().await;
}
