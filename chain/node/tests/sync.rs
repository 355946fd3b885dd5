//! A node without data begins with a recent state, believes nobody, and goes on from there.

mod common;

use std::path::Path;
use std::pin::Pin;
use std::sync::atomic::{AtomicU32, Ordering};

use acumen_chain_client::{ChainClient, ClientError, Testimony, Trust};
use acumen_chain_node::{Config, Node, NodeError, SyncError};
use acumen_proto::chain_v1 as wire;
use acumen_proto::chain_v1::chain_client::ChainClient as Grpc;
use acumen_proto::chain_v1::chain_server::{Chain, ChainServer};
use acumen_proto::chain_v1::get_state_piece_response::Piece;
use acumen_protocol::{Call, Height};
use common::{Running, account, acu, config, genesis, key};
use tokio_stream::Stream;
use tokio_stream::wrappers::TcpListenerStream;
use tonic::transport::Channel;
use tonic::{Request, Response, Status};

/// A configuration of a node that follows `urls`.
fn follower(dir: &Path, urls: &[&str]) -> Config {
    let mut config = config(dir, &genesis());
    config.consensus_key = None;
    config.sync_from = urls.iter().map(|url| (*url).to_owned()).collect();
    config
}

/// A validator at height 30 or above, in which a few accounts have moved.
async fn validator(dir: &Path) -> Running {
    let node = Running::start(config(dir, &genesis())).await;
    let client = node.client().await;
    for to in 20..24 {
        let call = Call::Transfer { to: account(to), amount: acu(u64::from(to)) };
        client.submit_and_wait(call, &key(1)).await.unwrap();
    }
    let mut blocks = client.subscribe(None);
    while let Some(block) = futures::StreamExt::next(&mut blocks).await {
        if block.unwrap().header.height >= Height::new(30) {
            break;
        }
    }
    node
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_node_begins_with_a_state_and_follows_the_chain() {
    let dirs = [(); 3].map(|()| tempfile::tempdir().unwrap());
    let validator = validator(dirs[0].path()).await;
    let first = Running::start(follower(dirs[1].path(), &[&validator.url])).await;
    let client = first.client().await;
    assert!(client.status().await.unwrap().tip.height >= Height::new(20));
    assert_eq!(client.account(account(23)).await.unwrap().value.free, acu(23));
    let missing = client.block(Height::new(2)).await.unwrap_err();
    assert!(missing.is_denial() && missing.to_string().contains("block 2"), "{missing}");
    // It goes on: what happens at the validator shows here, verified.
    let call = Call::Transfer { to: account(40), amount: acu(7) };
    let included = validator.client().await.submit_and_wait(call, &key(2)).await.unwrap();
    let mut blocks = client.subscribe(Some(included.at.height));
    let block = futures::StreamExt::next(&mut blocks).await.unwrap().unwrap();
    assert_eq!(block.id, included.at.block);
    assert_eq!(client.account(account(40)).await.unwrap().value.free, acu(7));
    // Another one can begin with the first one alone, and both are found again after a restart.
    let second = Running::start(follower(dirs[2].path(), &[&first.url])).await;
    assert_eq!(second.client().await.account(account(22)).await.unwrap().value.free, acu(22));
    second.stop().await;
    first.stop().await;
    let again = Running::start(follower(dirs[1].path(), &[&validator.url])).await;
    assert!(again.client().await.status().await.unwrap().tip.height >= included.at.height);
    again.stop().await;
    validator.stop().await;
}

/// The set of this chain never changes, so that no header below the state is there for that reason.
#[tokio::test(flavor = "multi_thread")]
async fn lc2_n35_a_node_that_began_with_a_state_is_no_liar() {
    let dirs = [(); 2].map(|()| tempfile::tempdir().unwrap());
    let validator = validator(dirs[0].path()).await;
    let node = Running::start(follower(dirs[1].path(), &[&validator.url])).await;
    let (honest, client) = (validator.client().await, node.client().await);
    let first = client.status().await.unwrap().first_block.unwrap();
    assert_eq!(honest.status().await.unwrap().first_block, Some(Height::new(1)));
    assert!(first > Height::new(20), "{first}");
    // From genesis: by the last blocks of the epochs, which can be read too.
    assert!(node.client().await.header(first).await.unwrap().height == first);
    let tenth = honest.header(Height::new(10)).await.unwrap();
    assert_eq!(node.client().await.header(Height::new(10)).await.unwrap(), tenth);
    // What it does not have is no lie, and another node is asked.
    let missing = client.header(Height::new(7)).await.unwrap_err();
    assert!(matches!(missing, ClientError::NotKept { .. }), "{missing}");
    let witness = client.witnesses(Height::new(7)).await.remove(0);
    assert!(matches!(witness.testimony, Testimony::Silent(_)), "{witness:?}");
    let both = [node.url.clone(), validator.url.clone()];
    let two = ChainClient::connect(&both, None).await.unwrap();
    assert_eq!(two.header(Height::new(7)).await.unwrap().height, Height::new(7));
    let two = ChainClient::connect(&both, None).await.unwrap();
    assert_eq!(two.at(Height::new(7)).account(account(23)).await.unwrap().at.height, Height::new(7));
    let two = ChainClient::connect(&both, None).await.unwrap();
    let mut blocks = two.subscribe(Some(Height::new(1)));
    for height in 1..=first.get() {
        let block = futures::StreamExt::next(&mut blocks).await.unwrap().unwrap();
        assert_eq!(block.header.height, Height::new(height));
    }
    // A checkpoint that it does not have, one that it has, and the way back from there.
    let trust = |checkpoint| Trust { genesis: None, checkpoint: Some(checkpoint) };
    let old = honest.checkpoint(Height::new(13)).await.unwrap();
    let missing = ChainClient::connect_with(&both[..1], trust(old)).await.unwrap_err();
    assert!(matches!(missing, ClientError::NotKept { .. }), "{missing}");
    let begun = ChainClient::connect_with(&both, trust(old)).await.unwrap();
    assert_eq!(begun.header(Height::new(2)).await.unwrap().height, Height::new(2));
    let newer = honest.checkpoint(first).await.unwrap();
    let begun = ChainClient::connect_with(&both[..1], trust(newer)).await.unwrap();
    let missing = begun.header(Height::new(2)).await.unwrap_err();
    assert!(matches!(missing, ClientError::NotKept { .. }), "{missing}");
    node.stop().await;
    validator.stop().await;
}

/// Whatever a node says of its tip, the others lead to a state.
#[tokio::test(flavor = "multi_thread")]
async fn n33_a_false_tip_stops_nobody() {
    let dirs = [(); 4].map(|()| tempfile::tempdir().unwrap());
    let validator = validator(dirs[0].path()).await;
    for (dir, tip) in dirs[1..3].iter().zip([1_000_000_000_000_000, u64::MAX]) {
        let liar = liar(&validator.url, Lies { tip: Some(tip), ..Lies::default() }).await;
        let node = Running::start(follower(dir.path(), &[&validator.url, &liar, &validator.url])).await;
        assert_eq!(node.client().await.account(account(21)).await.unwrap().value.free, acu(21));
        node.stop().await;
    }
    let liar = liar(&validator.url, Lies { tip: Some(1_000_000), ..Lies::default() }).await;
    let alone = Node::start(follower(dirs[3].path(), &[&liar])).await.unwrap_err();
    let NodeError::Sync(SyncError::Exhausted { failures }) = &alone else { panic!("{alone}") };
    assert!(failures[0].contains(&liar) && failures[0].contains("more than it shows"), "{failures:?}");
    validator.stop().await;
}

/// Who is told to wait waits, and goes on with the same node.
#[tokio::test(flavor = "multi_thread")]
async fn n37_a_busy_node_is_waited_for() {
    let dirs = [(); 2].map(|()| tempfile::tempdir().unwrap());
    let validator = validator(dirs[0].path()).await;
    let busy = liar(&validator.url, Lies { busy: AtomicU32::new(5), ..Lies::default() }).await;
    let node = Running::start(follower(dirs[1].path(), &[&busy])).await;
    assert_eq!(node.client().await.account(account(22)).await.unwrap().value.free, acu(22));
    node.stop().await;
    validator.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_liar_is_named_and_passed_over() {
    let dirs = [(); 2].map(|()| tempfile::tempdir().unwrap());
    let validator = validator(dirs[0].path()).await;
    let liar = liar(&validator.url, Lies { pieces: true, ..Lies::default() }).await;
    let nobody = "http://127.0.0.1:1";
    let alone = Node::start(follower(dirs[1].path(), &[&liar, nobody])).await.unwrap_err();
    let NodeError::Sync(SyncError::Exhausted { failures }) = &alone else { panic!("{alone}") };
    let named = failures.iter().any(|line| line.contains(&liar) && line.contains("does not verify"));
    assert!(named, "{failures:?}");
    assert!(
        failures.iter().any(|line| line.contains(nobody) && line.contains("does not answer")),
        "{failures:?}"
    );
    // With one honest node among them, the start goes on where it ended.
    let node = Running::start(follower(dirs[1].path(), &[&liar, nobody, &validator.url])).await;
    assert_eq!(node.client().await.account(account(21)).await.unwrap().value.free, acu(21));
    node.stop().await;
    validator.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nodes_of_another_chain_and_bad_addresses_are_refused() {
    let dirs = [(); 2].map(|()| tempfile::tempdir().unwrap());
    let other = Running::start(config(dirs[0].path(), &genesis())).await;
    let mut elsewhere = genesis();
    elsewhere.chain = "elsewhere".to_owned();
    let mut wanted = follower(dirs[1].path(), &[&other.url]);
    std::fs::write(dirs[1].path().join("genesis.json"), elsewhere.to_json().unwrap()).unwrap();
    let refused = Node::start(wanted.clone()).await.unwrap_err();
    assert!(refused.to_string().contains("serves the chain with genesis"), "{refused}");
    wanted.sync_from = vec!["nonsense".to_owned()];
    let refused = Node::start(wanted).await.unwrap_err();
    assert!(matches!(&refused, NodeError::Sync(SyncError::BadUrl { .. })), "{refused}");
    other.stop().await;
}

/// What a node does wrong.
#[derive(Default)]
struct Lies {
    /// It gives every account in a piece a little more.
    pieces: bool,
    /// It claims this tip.
    tip: Option<u64>,
    /// It says so often that it is busy.
    busy: AtomicU32,
}

/// Passes everything on but its lies.
struct Liar {
    honest: Grpc<Channel>,
    lies: Lies,
}

async fn liar(url: &str, lies: Lies) -> String {
    let honest = Grpc::connect(url.to_owned()).await.unwrap();
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let server = tonic::transport::Server::builder().add_service(ChainServer::new(Liar { honest, lies }));
    tokio::spawn(server.serve_with_incoming(TcpListenerStream::new(listener)));
    format!("http://{address}")
}

macro_rules! pass_on {
    ($($name:ident($request:ident) -> $response:ident),* $(,)?) => {
        #[tonic::async_trait]
        impl Chain for Liar {
            $(async fn $name(
                &self,
                request: Request<wire::$request>,
            ) -> Result<Response<wire::$response>, Status> {
                self.honest.clone().$name(request.into_inner()).await
            })*

            async fn get_status(
                &self,
                request: Request<wire::GetStatusRequest>,
            ) -> Result<Response<wire::GetStatusResponse>, Status> {
                let mut answer = self.honest.clone().get_status(request.into_inner()).await?.into_inner();
                answer.height = self.lies.tip.unwrap_or(answer.height);
                Ok(Response::new(answer))
            }

            async fn get_state_piece(
                &self,
                request: Request<wire::GetStatePieceRequest>,
            ) -> Result<Response<wire::GetStatePieceResponse>, Status> {
                let less = |left: u32| left.checked_sub(1);
                if self.lies.busy.fetch_update(Ordering::SeqCst, Ordering::SeqCst, less).is_ok() {
                    return Err(Status::resource_exhausted("come again"));
                }
                let mut answer = self.honest.clone().get_state_piece(request.into_inner()).await?.into_inner();
                if let (Some(Piece::Leaves(leaves)), true) = (&mut answer.piece, self.lies.pieces) {
                    leaves.leaves.iter_mut().for_each(|leaf| leaf.value[0] ^= 1);
                }
                Ok(Response::new(answer))
            }

            type SubscribeStream = Pin<Box<dyn Stream<Item = Result<wire::GetBlockResponse, Status>> + Send>>;

            async fn subscribe(
                &self,
                _: Request<wire::SubscribeRequest>,
            ) -> Result<Response<Self::SubscribeStream>, Status> {
                Err(Status::unavailable("not part of this test"))
            }
        }
    };
}

pass_on! {
    get_genesis(GetGenesisRequest) -> GetGenesisResponse,
    submit(SubmitRequest) -> SubmitResponse,
    submit_many(SubmitManyRequest) -> SubmitManyResponse,
    get_transaction(GetTransactionRequest) -> GetTransactionResponse,
    get_headers(GetHeadersRequest) -> GetHeadersResponse,
    get_block(GetBlockRequest) -> GetBlockResponse,
    get_state(GetStateRequest) -> GetStateResponse,
    get_validators(GetValidatorsRequest) -> GetValidatorsResponse,
    get_events(GetEventsRequest) -> GetEventsResponse,
    get_supply(GetSupplyRequest) -> GetSupplyResponse,
}
