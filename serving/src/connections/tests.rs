//! Connections over loopback, as clients see them.

use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio_stream::StreamExt as _;

use super::*;

async fn incoming(per_address: usize, silence: Duration) -> (Incoming, SocketAddr) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    (Incoming::new(listener, Limits { total: 10, per_address, silence }, |_| ()), address)
}

#[tokio::test]
async fn one_too_many_is_closed_and_takes_its_place_once_there_is_one() {
    let (mut incoming, address) = incoming(1, Duration::from_secs(3_600)).await;
    let _first = TcpStream::connect(address).await.unwrap();
    let mut second = TcpStream::connect(address).await.unwrap();
    let held = incoming.next().await.unwrap().unwrap();
    let third = tokio::spawn(async move { incoming.next().await.unwrap().unwrap() });
    assert_eq!(second.read(&mut [0]).await.unwrap(), 0, "closed");
    drop(held);
    let mut client = TcpStream::connect(address).await.unwrap();
    let mut server = third.await.unwrap();
    server.write_all(b"x").await.unwrap();
    assert_eq!(client.read_u8().await.unwrap(), b'x');
}

#[tokio::test]
async fn a_connection_that_says_nothing_is_ended() {
    let (mut incoming, address) = incoming(10, Duration::from_millis(1)).await;
    let mut client = TcpStream::connect(address).await.unwrap();
    let mut server = incoming.next().await.unwrap().unwrap();
    assert_eq!(server.read_u8().await.unwrap_err().kind(), ErrorKind::TimedOut);
    drop(server);
    assert_eq!(client.read(&mut [0]).await.unwrap(), 0, "closed");
}

#[tokio::test]
async fn a_client_that_reads_nothing_is_not_waited_for() {
    let (mut incoming, address) = incoming(10, Duration::from_millis(1)).await;
    let _client = TcpStream::connect(address).await.unwrap();
    let mut server = incoming.next().await.unwrap().unwrap();
    let error = loop {
        if let Err(error) = server.write_all(&[0; 1 << 16]).await {
            break error;
        }
    };
    assert_eq!(error.kind(), ErrorKind::TimedOut, "{error}");
}

#[test]
fn only_what_is_wrong_with_one_connection_is_passed_over() {
    assert!(of_one_connection(&ErrorKind::ConnectionAborted.into()));
    assert!(of_one_connection(&io::Error::from_raw_os_error(71)));
    let no_descriptor_left = io::Error::from_raw_os_error(24);
    assert!(!of_one_connection(&no_descriptor_left), "{no_descriptor_left}");
}
