//! Finding peers, finding them again, and keeping out who does not belong.

mod common;

use std::sync::atomic::Ordering;
use std::time::Duration;

use acumen_chain_network::{Config, DialFailure, Multiaddr, Network, NetworkError, Setup, probe};
use acumen_protocol::Hash;
use common::{GENESIS, PATIENCE, Running, config, identity, patiently};
use tokio_util::sync::CancellationToken;

#[tokio::test(flavor = "multi_thread")]
async fn peers_that_share_a_bootstrap_find_each_other_over_tcp_and_quic() {
    let quic = Config { listen: vec!["/ip4/127.0.0.1/udp/0/quic-v1".parse().unwrap()], ..config(&[]) };
    let boot = Running::start(1, quic, GENESIS, None);
    let address = boot.address().await;
    assert!(address.to_string().contains("quic-v1"));
    // The boot node dials nobody; the others know nothing but the boot node.
    let both = |tag| {
        let mut config = config(std::slice::from_ref(&address));
        config.listen.push("/ip4/127.0.0.1/udp/0/quic-v1".parse().unwrap());
        Running::start(tag, config, GENESIS, None)
    };
    let (a, b) = (both(2), both(3));
    let everyone = [boot.peer(), a.peer(), b.peer()];
    for node in [&boot, &a, &b] {
        node.until("everyone", |state| state.peers.len() == everyone.len() - 1).await;
    }
    for node in [boot, a, b] {
        node.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_peer_book_leads_back_without_a_bootstrap() {
    let dir = tempfile::tempdir().unwrap();
    let book = dir.path().join("peers.json");
    let friend = Running::plain(1, &[]);
    let first = Running::start(2, config(&[friend.address().await]), GENESIS, Some(book.clone()));
    first.until("the friend", |state| state.peers.contains(&friend.peer())).await;
    first.stop().await;
    assert!(book.exists());
    friend.until("the end of the connection", |state| state.peers.is_empty()).await;
    let again = Running::start(2, config(&[]), GENESIS, Some(book));
    again.until("the friend again", |state| state.peers.contains(&friend.peer())).await;
    again.stop().await;
    friend.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_peer_of_another_chain_is_refused() {
    let here = Running::plain(1, &[]);
    let elsewhere = Running::start(2, config(&[here.address().await]), Hash([8; 32]), None);
    let wrong = |node: &Running| node.handle.stats().wrong_chain.load(Ordering::Relaxed);
    patiently("the parting", async {
        while wrong(&here) + wrong(&elsewhere) == 0 {
            tokio::task::yield_now().await;
        }
    })
    .await;
    assert!(here.handle.connectivity().borrow().peers.is_empty());
    assert!(elsewhere.handle.connectivity().borrow().peers.is_empty());
    here.stop().await;
    elsewhere.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_address_has_its_share_of_connections() {
    let few = Config { max_peers_per_ip: 1, ..config(&[]) };
    let host = Running::start(1, few, GENESIS, None);
    let address = host.address().await;
    let first = Running::plain(2, std::slice::from_ref(&address));
    host.until("the first", |state| state.peers.contains(&first.peer())).await;
    let second = Running::plain(3, &[address]);
    patiently("the refusal", async {
        while host.handle.stats().refused.load(Ordering::Relaxed) == 0 {
            tokio::task::yield_now().await;
        }
    })
    .await;
    assert_eq!(host.handle.connectivity().borrow().peers, [first.peer()]);
    for node in [host, first, second] {
        node.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_probe_says_who_is_there_and_why_not() {
    let host = Running::plain(1, &[]);
    let address = host.address().await;
    let found = probe(&address, Some(GENESIS), PATIENCE).await.unwrap();
    assert_eq!((found.peer, found.genesis), (host.peer(), Some(GENESIS)));
    assert!(found.agent.starts_with("acumen/"), "{}", found.agent);
    let other = probe(&address, Some(Hash([1; 32])), PATIENCE).await.unwrap_err();
    assert!(matches!(other, DialFailure::WrongChain { .. }), "{other}");

    let bare = address.to_string();
    let bare = bare.split("/p2p/").next().unwrap();
    let imposter: Multiaddr = format!("{bare}/p2p/{}", identity(9).public().to_peer_id()).parse().unwrap();
    let wrong = probe(&imposter, None, PATIENCE).await.unwrap_err();
    assert!(matches!(&wrong, DialFailure::WrongPeer { found, .. } if *found == host.peer()), "{wrong}");
    assert_eq!(probe(&bare.parse().unwrap(), None, PATIENCE).await.unwrap().peer, host.peer());

    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let dialled = format!("/ip4/127.0.0.1/tcp/{port}").parse().unwrap();
    // The system accepts the connection, and nobody speaks.
    let silent = probe(&dialled, None, Duration::from_millis(300)).await.unwrap_err();
    assert!(matches!(silent, DialFailure::Timeout { .. }), "{silent}");
    drop(listener);
    let refused = probe(&dialled, None, PATIENCE).await.unwrap_err();
    assert!(matches!(refused, DialFailure::Refused { .. }), "{refused}");
    let memory = probe(&"/memory/7".parse().unwrap(), None, PATIENCE).await.unwrap_err();
    assert!(matches!(memory, DialFailure::Unsupported { .. }), "{memory}");
    host.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn another_service_is_told_from_a_peer() {
    use tokio::io::AsyncWriteExt as _;
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("/ip4/127.0.0.1/tcp/{}", listener.local_addr().unwrap().port()).parse().unwrap();
    let server = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        stream.write_all(b"HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n").await.unwrap();
        stream.shutdown().await.unwrap();
    });
    let found = probe(&address, None, PATIENCE).await.unwrap_err();
    assert!(matches!(found, DialFailure::NotAPeer { .. } | DialFailure::Closed { .. }), "{found}");
    server.await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_taken_port_is_named() {
    let host = Running::plain(1, &[]);
    let taken = host.address().await.to_string().split("/p2p/").next().unwrap().parse().unwrap();
    let setup = Setup {
        config: Config { listen: vec![taken], ..config(&[]) },
        identity: identity(2),
        genesis: GENESIS,
        registry: None,
        book: None,
    };
    let error = Network::start(setup, CancellationToken::new()).unwrap_err();
    assert!(matches!(error, NetworkError::Listen { .. }), "{error}");
    host.stop().await;
}
