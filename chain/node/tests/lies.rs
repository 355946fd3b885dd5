//! A node that lies: the client notices, names it, and goes to an honest one.

mod common;

use std::pin::Pin;

use acumen_chain_client::{ChainClient, ClientError};
use acumen_proto::chain_v1 as wire;
use acumen_proto::chain_v1::chain_client::ChainClient as Grpc;
use acumen_proto::chain_v1::chain_server::{Chain, ChainServer};
use common::{Running, account, acu, config, genesis};
use tokio_stream::Stream;
use tokio_stream::wrappers::TcpListenerStream;
use tonic::transport::Channel;
use tonic::{Request, Response, Status};

type Lie = fn(&mut wire::GetStateResponse);

/// Passes questions on and falsifies the answers about state.
struct Liar {
    honest: Grpc<Channel>,
    lie: Lie,
}

fn not_here<T>() -> Result<Response<T>, Status> {
    Err(Status::unimplemented("not part of this test"))
}

#[tonic::async_trait]
impl Chain for Liar {
    async fn get_status(
        &self,
        request: Request<wire::GetStatusRequest>,
    ) -> Result<Response<wire::GetStatusResponse>, Status> {
        self.honest.clone().get_status(request.into_inner()).await
    }

    async fn get_genesis(
        &self,
        request: Request<wire::GetGenesisRequest>,
    ) -> Result<Response<wire::GetGenesisResponse>, Status> {
        self.honest.clone().get_genesis(request.into_inner()).await
    }

    async fn get_state(
        &self,
        request: Request<wire::GetStateRequest>,
    ) -> Result<Response<wire::GetStateResponse>, Status> {
        let mut answer = self.honest.clone().get_state(request.into_inner()).await?.into_inner();
        (self.lie)(&mut answer);
        Ok(Response::new(answer))
    }

    async fn submit(
        &self,
        _: Request<wire::SubmitRequest>,
    ) -> Result<Response<wire::SubmitResponse>, Status> {
        not_here()
    }

    async fn get_transaction(
        &self,
        _: Request<wire::GetTransactionRequest>,
    ) -> Result<Response<wire::GetTransactionResponse>, Status> {
        not_here()
    }

    async fn get_headers(
        &self,
        _: Request<wire::GetHeadersRequest>,
    ) -> Result<Response<wire::GetHeadersResponse>, Status> {
        not_here()
    }

    async fn get_block(
        &self,
        _: Request<wire::GetBlockRequest>,
    ) -> Result<Response<wire::GetBlockResponse>, Status> {
        not_here()
    }

    async fn get_supply(
        &self,
        _: Request<wire::GetSupplyRequest>,
    ) -> Result<Response<wire::GetSupplyResponse>, Status> {
        not_here()
    }

    async fn get_validators(
        &self,
        _: Request<wire::GetValidatorsRequest>,
    ) -> Result<Response<wire::GetValidatorsResponse>, Status> {
        not_here()
    }

    async fn get_events(
        &self,
        _: Request<wire::GetEventsRequest>,
    ) -> Result<Response<wire::GetEventsResponse>, Status> {
        not_here()
    }

    async fn get_state_piece(
        &self,
        _: Request<wire::GetStatePieceRequest>,
    ) -> Result<Response<wire::GetStatePieceResponse>, Status> {
        not_here()
    }

    type SubscribeStream = Pin<Box<dyn Stream<Item = Result<wire::GetBlockResponse, Status>> + Send>>;

    async fn subscribe(
        &self,
        _: Request<wire::SubscribeRequest>,
    ) -> Result<Response<Self::SubscribeStream>, Status> {
        not_here()
    }
}

async fn liar(url: &str, lie: Lie) -> String {
    let honest = Grpc::connect(url.to_owned()).await.unwrap();
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let server = tonic::transport::Server::builder().add_service(ChainServer::new(Liar { honest, lie }));
    tokio::spawn(server.serve_with_incoming(TcpListenerStream::new(listener)));
    format!("http://{address}")
}

fn certificate(answer: &mut wire::GetStateResponse) -> &mut wire::Certificate {
    answer.header.as_mut().unwrap().certificate.as_mut().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn every_lie_about_state_is_noticed() {
    let dir = tempfile::tempdir().unwrap();
    let node = Running::start(config(dir.path(), &genesis())).await;
    let honest = node.client().await;
    // State at height 0 needs no certificate: wait for the first block.
    let mut blocks = honest.subscribe(Some(acumen_protocol::Height::new(1)));
    futures::StreamExt::next(&mut blocks).await.unwrap().unwrap();
    let lies: [Lie; 8] = [
        |answer| answer.values[0].value.as_mut().unwrap()[0] ^= 1,
        |answer| answer.values[0].value = None,
        |answer| *answer.values[0].proof.last_mut().unwrap() ^= 1,
        |answer| answer.values[0].proof.clear(),
        |answer| answer.values.clear(),
        |answer| certificate(answer).signatures[0].signature[5] ^= 1,
        |answer| certificate(answer).signatures.clear(),
        |answer| answer.header.as_mut().unwrap().header_scale[100] ^= 1,
    ];
    for (index, lie) in lies.into_iter().enumerate() {
        let url = liar(&node.url, lie).await;
        let client = ChainClient::connect(std::slice::from_ref(&url), None).await.unwrap();
        let error = client.account(account(1)).await.unwrap_err();
        assert!(matches!(&error, ClientError::Lying { node, .. } if *node == url), "lie {index}: {error}");
        let both = ChainClient::connect(&[url, node.url.clone()], None).await.unwrap();
        assert_eq!(
            both.account(account(1)).await.unwrap().value.free,
            acu(10_000),
            "the honest node is used"
        );
    }
    node.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn another_chain_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let node = Running::start(config(dir.path(), &genesis())).await;
    let expected = acumen_protocol::Hash([9; 32]);
    let error = ChainClient::connect(std::slice::from_ref(&node.url), Some(expected)).await.unwrap_err();
    assert!(matches!(error, ClientError::WrongChain { .. }), "{error}");
    let nobody = ChainClient::connect(&["http://127.0.0.1:1".to_owned()], None).await.unwrap_err();
    assert!(matches!(nobody, ClientError::Unreachable { .. }), "{nobody}");
    node.stop().await;
}
