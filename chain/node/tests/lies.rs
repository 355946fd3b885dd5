//! A node that lies: the client notices whatever the lie is about, names the node, and goes to an honest one (LC-10 in
//! docs/spec/light-client.md).

mod common;

use std::pin::Pin;
use std::sync::OnceLock;

use acumen_chain_client::{ChainClient, Checkpoint, ClientError, Testimony, Trust, TxId};
use acumen_proto::chain_v1 as wire;
use acumen_proto::chain_v1::chain_client::ChainClient as Grpc;
use acumen_proto::chain_v1::chain_server::{Chain, ChainServer};
use acumen_protocol::{Call, Hash, Height, Nacu};
use common::{Running, account, acu, config, genesis, key};
use futures::StreamExt as _;
use tokio_stream::Stream;
use tokio_stream::wrappers::TcpListenerStream;
use tonic::transport::Channel;
use tonic::{Code, Request, Response, Status};

/// What to falsify; what is left out is passed on as it is.
#[derive(Clone, Copy, Default)]
struct Lies {
    status: Option<fn(&mut wire::GetStatusResponse)>,
    genesis: Option<fn(&mut wire::GetGenesisResponse)>,
    headers: Option<fn(&mut wire::GetHeadersResponse)>,
    validators: Option<fn(&mut wire::GetValidatorsResponse)>,
    block: Option<fn(&mut wire::GetBlockResponse)>,
    state: Option<fn(&mut wire::GetStateResponse)>,
    events: Option<fn(&mut wire::GetEventsResponse)>,
    transaction: Option<fn(&mut wire::GetTransactionResponse)>,
    /// Everything but the chain's name and tip is denied in this way.
    denies: Option<Code>,
}

/// Passes questions on and falsifies answers.
struct Liar {
    honest: Grpc<Channel>,
    lies: Lies,
}

fn falsified<T>(answer: Response<T>, lie: Option<fn(&mut T)>) -> Response<T> {
    let mut answer = answer.into_inner();
    if let Some(lie) = lie {
        lie(&mut answer);
    }
    Response::new(answer)
}

macro_rules! pass_on {
    ($($method:ident, $request:ident, $response:ident, $lie:expr;)*) => {
        #[tonic::async_trait]
        impl Chain for Liar {
            $(async fn $method(
                &self,
                request: Request<wire::$request>,
            ) -> Result<Response<wire::$response>, Status> {
                let basic = matches!(stringify!($method), "get_status" | "get_genesis");
                if let Some(code) = self.lies.denies.filter(|_| !basic) {
                    return Err(Status::new(code, "what was asked for"));
                }
                let answer = self.honest.clone().$method(request.into_inner()).await?;
                let lie: fn(&Lies) -> Option<fn(&mut wire::$response)> = $lie;
                Ok(falsified(answer, lie(&self.lies)))
            })*

            type SubscribeStream =
                Pin<Box<dyn Stream<Item = Result<wire::GetBlockResponse, Status>> + Send>>;

            async fn subscribe(
                &self,
                request: Request<wire::SubscribeRequest>,
            ) -> Result<Response<Self::SubscribeStream>, Status> {
                if let Some(code) = self.lies.denies {
                    return Err(Status::new(code, "what was asked for"));
                }
                let blocks = self.honest.clone().subscribe(request.into_inner()).await?.into_inner();
                let lie = self.lies.block;
                let blocks = blocks.map(move |block| {
                    block.map(|block| falsified(Response::new(block), lie).into_inner())
                });
                Ok(Response::new(Box::pin(blocks)))
            }
        }
    };
}

pass_on! {
    get_status, GetStatusRequest, GetStatusResponse, |lies| lies.status;
    get_genesis, GetGenesisRequest, GetGenesisResponse, |lies| lies.genesis;
    submit, SubmitRequest, SubmitResponse, |_| None;
    submit_many, SubmitManyRequest, SubmitManyResponse, |_| None;
    get_transaction, GetTransactionRequest, GetTransactionResponse, |lies| lies.transaction;
    get_headers, GetHeadersRequest, GetHeadersResponse, |lies| lies.headers;
    get_validators, GetValidatorsRequest, GetValidatorsResponse, |lies| lies.validators;
    get_block, GetBlockRequest, GetBlockResponse, |lies| lies.block;
    get_state, GetStateRequest, GetStateResponse, |lies| lies.state;
    get_events, GetEventsRequest, GetEventsResponse, |lies| lies.events;
    get_supply, GetSupplyRequest, GetSupplyResponse, |_| None;
    get_state_piece, GetStatePieceRequest, GetStatePieceResponse, |_| None;
}

async fn liar(url: &str, lies: Lies) -> String {
    let honest = Grpc::connect(url.to_owned()).await.unwrap();
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let server = tonic::transport::Server::builder().add_service(ChainServer::new(Liar { honest, lies }));
    tokio::spawn(server.serve_with_incoming(TcpListenerStream::new(listener)));
    format!("http://{address}")
}

fn certificate(header: &mut Option<wire::SignedHeader>) -> &mut wire::Certificate {
    header.as_mut().unwrap().certificate.as_mut().unwrap()
}

/// A running node with a transfer in a block; the block's height and the transfer's id.
async fn with_a_transfer(dir: &std::path::Path) -> (Running, Height, Hash) {
    let node = Running::start(config(dir, &genesis())).await;
    let call = Call::Transfer { to: account(2), amount: Nacu::new(5) };
    let client = node.client().await;
    let sent = client.submit(call, &key(1)).await.unwrap();
    let included = client.wait_included(&sent).await.unwrap();
    (node, included.at.height, sent.id)
}

/// The one client asks the liar alone, the other the liar first and then the honest node.
async fn clients(node: &Running, lies: Lies) -> (String, ChainClient, ChainClient) {
    let url = liar(&node.url, lies).await;
    let client = ChainClient::connect(std::slice::from_ref(&url), None).await.unwrap();
    let both = ChainClient::connect(&[url.clone(), node.url.clone()], None).await.unwrap();
    (url, client, both)
}

fn named(error: &ClientError, url: &str, what: &str, index: usize) {
    assert!(matches!(error, ClientError::Lying { node, .. } if node == url), "{what} {index}: {error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn lc10_every_lie_about_state_is_noticed() {
    let dir = tempfile::tempdir().unwrap();
    let (node, _, _) = with_a_transfer(dir.path()).await;
    let lies: [fn(&mut wire::GetStateResponse); 9] = [
        |answer| answer.values[0].value.as_mut().unwrap()[0] ^= 1,
        |answer| answer.values[0].value = None,
        |answer| *answer.values[0].proof.last_mut().unwrap() ^= 1,
        |answer| answer.values[0].proof.clear(),
        |answer| answer.values.clear(),
        |answer| answer.header = None,
        |answer| certificate(&mut answer.header).signatures[0].signature[5] ^= 1,
        |answer| certificate(&mut answer.header).signatures.clear(),
        |answer| answer.header.as_mut().unwrap().header_scale[100] ^= 1,
    ];
    for (index, lie) in lies.into_iter().enumerate() {
        let (url, client, both) = clients(&node, Lies { state: Some(lie), ..Lies::default() }).await;
        named(&client.account(account(3)).await.unwrap_err(), &url, "state", index);
        assert_eq!(
            both.account(account(3)).await.unwrap().value.free,
            acu(10_000),
            "the honest node is used"
        );
    }
    node.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn lc10_every_lie_about_blocks_and_headers_is_noticed() {
    let dir = tempfile::tempdir().unwrap();
    let (node, height, _) = with_a_transfer(dir.path()).await;
    let lies: [fn(&mut wire::GetBlockResponse); 6] = [
        |answer| answer.transactions_scale.clear(),
        // The stream goes on with blocks that have none.
        |answer| answer.events_scale.iter_mut().take(1).for_each(|event| event[5] ^= 1),
        |answer| answer.events_scale.push(Vec::new()),
        |answer| answer.header = None,
        |answer| certificate(&mut answer.header).block[0] ^= 1,
        |answer| certificate(&mut answer.header).height += 1,
    ];
    for (index, lie) in lies.into_iter().enumerate() {
        let (url, client, both) = clients(&node, Lies { block: Some(lie), ..Lies::default() }).await;
        named(&client.block(height).await.unwrap_err(), &url, "block", index);
        let mut stream = client.subscribe(Some(height));
        named(&stream.next().await.unwrap().unwrap_err(), &url, "stream", index);
        assert_eq!(both.block(height).await.unwrap().transactions.len(), 1);
    }
    let lies: [fn(&mut wire::GetHeadersResponse); 4] = [
        |answer| answer.headers[0].header_scale[0] ^= 1,
        |answer| answer.headers[0].header_scale[60] ^= 1,
        |answer| answer.headers[0].certificate = None,
        |answer| answer.headers[0].certificate.as_mut().unwrap().round += 1,
    ];
    for (index, lie) in lies.into_iter().enumerate() {
        let (url, client, both) = clients(&node, Lies { headers: Some(lie), ..Lies::default() }).await;
        named(&client.header(height).await.unwrap_err(), &url, "header", index);
        assert_eq!(both.header(height).await.unwrap().height, height);
        let found = both.witnesses(height).await;
        let [first, second] = found.as_slice() else { panic!("{found:?}") };
        assert_eq!(first.node, url);
        assert!(matches!(&first.testimony, Testimony::Lies(_)), "{found:?}");
        assert!(matches!(&second.testimony, Testimony::Agrees(_)), "{found:?}");
    }
    let beyond = Lies { status: Some(|answer| answer.height += 1_000), ..Lies::default() };
    let (url, client, _) = clients(&node, beyond).await;
    named(&client.status().await.unwrap_err(), &url, "status", 0);
    node.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn lc10_every_lie_about_events_is_noticed() {
    let dir = tempfile::tempdir().unwrap();
    let (node, height, id) = with_a_transfer(dir.path()).await;
    let honest = node.client().await;
    assert_eq!(honest.transaction_events(id).await.unwrap().value.len(), 2, "transferred, applied");
    assert_eq!(honest.transaction_events(id).await.unwrap().at.height, height);
    let lies: [fn(&mut wire::GetEventsResponse); 5] = [
        |answer| answer.events[0].event_scale[5] ^= 1,
        |answer| answer.events[0].proof = None,
        |answer| answer.events[0].proof.as_mut().unwrap().path.push(vec![0; 32]),
        |answer| answer.events[0].proof.as_mut().unwrap().index ^= 1,
        |answer| answer.header.as_mut().unwrap().header_scale[110] ^= 1,
    ];
    for (index, lie) in lies.into_iter().enumerate() {
        let (url, client, both) = clients(&node, Lies { events: Some(lie), ..Lies::default() }).await;
        named(&client.transaction_events(id).await.unwrap_err(), &url, "events", index);
        named(&client.events_at(height, 0).await.unwrap_err(), &url, "events", index);
        assert_eq!(both.events_at(height, 0).await.unwrap().value.len(), 2);
    }
    node.stop().await;
}

/// That a thing is not there is one node's word: the next one is asked, and nobody says that it is not on the chain.
#[tokio::test(flavor = "multi_thread")]
async fn lc10_what_a_node_denies_another_one_shows() {
    let dir = tempfile::tempdir().unwrap();
    let (node, height, id) = with_a_transfer(dir.path()).await;
    let honest = node.client().await;
    for code in [Code::NotFound, Code::OutOfRange] {
        let denies = Lies { denies: Some(code), ..Lies::default() };
        let (url, alone, both) = clients(&node, denies).await;
        assert_eq!(both.block(height).await.unwrap(), honest.block(height).await.unwrap());
        let (_, _, both) = clients(&node, denies).await;
        assert_eq!(both.header(height).await.unwrap().height, height);
        let (_, _, both) = clients(&node, denies).await;
        assert_eq!(both.at(height).account(account(2)).await.unwrap().at.height, height);
        let (_, _, both) = clients(&node, denies).await;
        assert_eq!(both.transaction_events(id).await.unwrap().at.height, height);
        let (_, _, both) = clients(&node, denies).await;
        let mut blocks = both.subscribe(Some(height));
        assert_eq!(blocks.next().await.unwrap().unwrap().header.height, height);
        let (_, twice, _) = clients(&node, denies).await;
        for error in [alone.block(height).await.unwrap_err(), twice.header(height).await.unwrap_err()] {
            assert!(error.is_denial() && error.to_string().contains("chain node http"), "{error}");
            assert!(!error.to_string().contains("is not on the chain"), "{error}");
        }
        let second = liar(&node.url, denies).await;
        let nobody = ChainClient::connect(&[url, second], None).await.unwrap();
        let error = nobody.block(height).await.unwrap_err();
        let ClientError::NobodyHas { denials } = &error else { panic!("{error}") };
        assert_eq!(denials.len(), 2, "{error}");
    }
    node.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn lc10_every_lie_about_a_transaction_is_noticed() {
    use wire::get_transaction_response::State;
    let dir = tempfile::tempdir().unwrap();
    let (node, height, id) = with_a_transfer(dir.path()).await;
    let tx = TxId { id, valid_until: Height::new(u64::MAX) };
    let denied = Lies { transaction: Some(|answer| answer.set_state(State::Unknown)), ..Lies::default() };
    let (_, _, both) = clients(&node, denied).await;
    assert_eq!(both.wait_included(&tx).await.unwrap().at.height, height);
    let elsewhere = Lies { transaction: Some(|answer| answer.height -= 1), ..Lies::default() };
    let (url, client, both) = clients(&node, elsewhere).await;
    named(&client.wait_included(&tx).await.unwrap_err(), &url, "transaction", 0);
    assert_eq!(both.wait_included(&tx).await.unwrap().at.height, height);
    node.stop().await;
}

/// It gives the same state for ever, which was the newest one once.
#[tokio::test(flavor = "multi_thread")]
async fn lc11_a_node_that_lags_is_not_used() {
    static OLD: OnceLock<wire::GetStateResponse> = OnceLock::new();
    let dir = tempfile::tempdir().unwrap();
    let (node, _, _) = with_a_transfer(dir.path()).await;
    let lags: fn(&mut wire::GetStateResponse) = |answer| *answer = OLD.get_or_init(|| answer.clone()).clone();
    let (url, client, both) = clients(&node, Lies { state: Some(lags), ..Lies::default() }).await;
    let old = client.account(account(3)).await.unwrap().at.height;
    let mut blocks = node.client().await.subscribe(old.next());
    blocks.next().await.unwrap().unwrap();
    assert!(client.status().await.unwrap().tip.height > old && both.status().await.unwrap().tip.height > old);
    let error = client.account(account(3)).await.unwrap_err();
    assert!(
        matches!(&error, ClientError::Stale { node, height, .. } if *node == url && *height == old),
        "{error}"
    );
    assert!(both.account(account(3)).await.unwrap().at.height > old);
    node.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn lc3_lc10_a_checkpoint_is_not_taken_on_trust() {
    let dir = tempfile::tempdir().unwrap();
    let (node, height, _) = with_a_transfer(dir.path()).await;
    let honest = node.client().await;
    let checkpoint = honest.checkpoint(height).await.unwrap();
    let trust = |checkpoint| Trust { genesis: Some(honest.genesis_hash()), checkpoint: Some(checkpoint) };
    let urls = [node.url.clone()];
    let client = ChainClient::connect_with(&urls, trust(checkpoint)).await.unwrap();
    assert_eq!(client.anchor(), height);
    assert!(client.status().await.unwrap().tip.height >= height);
    let earlier = client.header(Height::new(1)).await.unwrap();
    assert_eq!(earlier, honest.header(Height::new(1)).await.unwrap(), "by the chain of parents");
    // Headers that come a few at a time are asked for until all are there.
    let mut blocks = honest.subscribe(Some(height));
    while blocks.next().await.unwrap().unwrap().header.height < Height::new(12) {}
    let later = honest.checkpoint(Height::new(12)).await.unwrap();
    let few = Lies { headers: Some(|answer| answer.headers.truncate(3)), ..Lies::default() };
    let url = liar(&node.url, few).await;
    let client = ChainClient::connect_with(&[url], trust(later)).await.unwrap();
    assert_eq!(client.header(Height::new(1)).await.unwrap(), earlier);
    let wrong = Checkpoint { block: Hash([1; 32]), ..checkpoint };
    let error = ChainClient::connect_with(&urls, trust(wrong)).await.unwrap_err();
    named(&error, &node.url, "checkpoint", 0);
    let other_set: fn(&mut wire::GetValidatorsResponse) = |answer| answer.validators_scale[1] ^= 1;
    let url = liar(&node.url, Lies { validators: Some(other_set), ..Lies::default() }).await;
    let error = ChainClient::connect_with(std::slice::from_ref(&url), trust(checkpoint)).await.unwrap_err();
    named(&error, &url, "validators", 0);
    node.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn another_chain_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let node = Running::start(config(dir.path(), &genesis())).await;
    let expected = Hash([9; 32]);
    let error = ChainClient::connect(std::slice::from_ref(&node.url), Some(expected)).await.unwrap_err();
    assert!(matches!(error, ClientError::WrongChain { .. }), "{error}");
    let real = node.client().await.genesis_hash();
    let forged: fn(&mut wire::GetGenesisResponse) = |answer| answer.genesis_scale[3] ^= 1;
    let url = liar(&node.url, Lies { genesis: Some(forged), ..Lies::default() }).await;
    let error = ChainClient::connect(std::slice::from_ref(&url), Some(real)).await.unwrap_err();
    assert!(matches!(error, ClientError::WrongChain { .. } | ClientError::Lying { .. }), "{error}");
    let nobody = ChainClient::connect(&["http://127.0.0.1:1".to_owned()], None).await.unwrap_err();
    assert!(matches!(nobody, ClientError::Unreachable { .. }), "{nobody}");
    node.stop().await;
}
