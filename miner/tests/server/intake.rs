//! What somebody whom nobody knows can make the miner hold: connections, bytes, time.

use std::pin::Pin;
use std::task::{Context, Poll};

use acumen_proto::{
    DETOKENIZE_PATH, EMBED_PATH, GENERATE_PATH, GET_INFO_PATH, TOKENIZE_PATH, inference_v1 as wire,
};
use http_body::Frame;
use prost::Message as _;
use tokio::io::AsyncReadExt as _;
use tokio::net::TcpStream;
use tonic::body::Body;
use tonic::client::GrpcService as _;
use tonic::codegen::Bytes;
use tonic::codegen::http::{Request, Response};
use tonic::transport::Channel;
use tonic::{Code, Status};

use crate::rig::{PATIENCE, Rig, eventually};

/// A body that begins and never ends.
struct Unfinished(Option<Bytes>);

impl http_body::Body for Unfinished {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        match self.0.take() {
            Some(bytes) => Poll::Ready(Some(Ok(Frame::data(bytes)))),
            None => Poll::Pending,
        }
    }
}

/// The beginning of a message that says it has `length` bytes.
fn begin(length: usize, sent: usize) -> Unfinished {
    let mut bytes = vec![0];
    bytes.extend(u32::try_from(length).unwrap().to_be_bytes());
    bytes.extend(vec![b'a'; sent]);
    Unfinished(Some(bytes.into()))
}

async fn ask(channel: &mut Channel, path: &str, body: Unfinished) -> Result<Response<Body>, String> {
    let request = Request::post(format!("http://miner{path}"))
        .header("content-type", "application/grpc")
        .header("te", "trailers")
        .body(Body::new(body))
        .unwrap();
    futures::future::poll_fn(|context| channel.poll_ready(context))
        .await
        .map_err(|error| error.to_string())?;
    channel.call(request).await.map_err(|error| error.to_string())
}

/// The status of a call that is refused before its end.
async fn refused(rig: &Rig, path: &str, body: Unfinished) -> Status {
    let mut channel = rig.channel();
    let answer = tokio::time::timeout(PATIENCE, ask(&mut channel, path, body)).await;
    let answer = answer.unwrap_or_else(|_| panic!("{path}: the miner goes on waiting")).unwrap();
    Status::from_header_map(answer.headers()).unwrap_or_else(|| panic!("{path}: an answer"))
}

#[tokio::test]
async fn a_request_that_does_not_come_is_ended_whatever_the_method() {
    let rig = Rig::start(|config| config.limits.opening_timeout_ms = 50).await;
    let paths = [GENERATE_PATH, TOKENIZE_PATH, DETOKENIZE_PATH, EMBED_PATH, GET_INFO_PATH];
    for path in paths {
        let half = refused(&rig, path, begin(1_000, 999)).await;
        assert_eq!(half.code(), Code::DeadlineExceeded, "{path}: {half}");
    }
    let unended = wire::TokenizeRequest { text: "whole, and no end".to_owned() }.encode_to_vec();
    let mut bytes = vec![0];
    bytes.extend(u32::try_from(unended.len()).unwrap().to_be_bytes());
    bytes.extend(unended);
    let status = refused(&rig, TOKENIZE_PATH, Unfinished(Some(bytes.into()))).await;
    assert_eq!(status.code(), Code::DeadlineExceeded, "{status}");
    let line = "acumen_refusals_total{model_name=\"unused\",reason=\"opening_timeout\"} 6";
    assert!(rig.page().await.contains(line), "{}", rig.page().await);
}

#[tokio::test]
async fn a_message_that_is_too_large_is_refused_before_it_comes() {
    let rig = Rig::start(|config| config.limits.max_text_bytes = 1 << 16).await;
    for path in [GENERATE_PATH, TOKENIZE_PATH, DETOKENIZE_PATH, EMBED_PATH, GET_INFO_PATH] {
        let status = refused(&rig, path, begin(2 << 20, 10)).await;
        assert_eq!(status.code(), Code::InvalidArgument, "{path}: {status}");
        assert!(status.message().contains("bytes"), "{status}");
    }
    let line = "acumen_refusals_total{model_name=\"unused\",reason=\"limit\"} 5";
    assert!(rig.page().await.contains(line), "{}", rig.page().await);
}

#[tokio::test]
async fn connections_of_one_address_are_counted_and_come_back() {
    let rig = Rig::start(|config| config.limits.max_connections_per_address = 3).await;
    eventually("the rig's own have ended", || async { is_taken(&rig).await }).await;
    let mut held: Vec<TcpStream> = Vec::new();
    for _ in 0..3 {
        held.push(TcpStream::connect(rig.address).await.unwrap());
    }
    eventually("the fourth is closed", || async { !is_taken(&rig).await }).await;
    assert!(rig.page().await.contains("reason=\"connections\""));
    drop(held);
    eventually("there is room again", || async { is_taken(&rig).await }).await;
}

/// Whether the miner keeps a new connection: it is the first to speak, with its settings.
async fn is_taken(rig: &Rig) -> bool {
    let mut stream = TcpStream::connect(rig.address).await.unwrap();
    tokio::io::AsyncWriteExt::write_all(&mut stream, b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0")
        .await
        .is_ok()
        && stream.read_u8().await.is_ok()
}
