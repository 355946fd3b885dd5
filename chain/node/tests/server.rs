//! What strangers, scrapers and probes see of a node.

mod common;

use std::net::SocketAddr;

use acumen_chain_node::Config;
use acumen_protocol::Call;
use common::{Running, account, acu, config, genesis, key};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

async fn get(address: SocketAddr, path: &str) -> String {
    let mut stream = TcpStream::connect(address).await.unwrap();
    let request = format!("GET {path} HTTP/1.1\r\nhost: node\r\nconnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    answer
}

#[tokio::test(flavor = "multi_thread")]
async fn one_address_cannot_take_all_connections() {
    let dir = tempfile::tempdir().unwrap();
    let limited = Config { max_connections_per_address: 3, ..config(dir.path(), &genesis()) };
    let node = Running::start(limited).await;
    let client = node.client().await;
    let address = node.url.trim_start_matches("http://");
    let held = [TcpStream::connect(address).await.unwrap(), TcpStream::connect(address).await.unwrap()];
    let mut refused = TcpStream::connect(address).await.unwrap();
    assert_eq!(refused.read(&mut [0]).await.unwrap(), 0, "closed");
    assert_eq!(client.status().await.unwrap().chain, "loopback", "who was there goes on");
    drop(held);
    node.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_probe_learns_whether_the_node_is_current() {
    let listen = Some("127.0.0.1:0".parse().unwrap());
    let dir = tempfile::tempdir().unwrap();
    let node = Running::start(Config { metrics_listen: listen, ..config(dir.path(), &genesis()) }).await;
    let pages = node.pages.unwrap();
    let pay = Call::Transfer { to: account(9), amount: acu(1) };
    node.client().await.submit_and_wait(pay, &key(1)).await.unwrap();
    assert!(get(pages, "/readyz").await.starts_with("HTTP/1.1 200"));
    let metrics = get(pages, "/metrics").await;
    assert!(metrics.contains("\nacumen_node_transactions_total 1\n"), "{metrics}");
    node.stop().await;

    // The genesis of this one is of 1970, and its first block is an hour away.
    let dir = tempfile::tempdir().unwrap();
    let slow = Config { metrics_listen: listen, block_time_ms: 3_600_000, ..config(dir.path(), &genesis()) };
    let node = Running::start(slow).await;
    let pages = node.pages.unwrap();
    let answer = get(pages, "/readyz").await;
    assert!(answer.starts_with("HTTP/1.1 503") && answer.contains("the newest block is old"), "{answer}");
    assert!(get(pages, "/livez").await.starts_with("HTTP/1.1 200"));
    node.stop().await;
}
