//! A chain node that knows its genesis and the records that a test gives it, true or not, and nothing else.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use acumen_proto::chain_v1 as wire;
use acumen_proto::chain_v1::chain_server::{Chain, ChainServer};
use acumen_proto::chain_v1::miners_server::{Miners, MinersServer};
use acumen_protocol::AccountId;
use futures::stream::Empty;
use tonic::transport::server::TcpIncoming;
use tonic::{Request, Response, Status};

/// A running node; its server stops with the runtime.
#[derive(Clone, Debug)]
pub struct FakeNode {
    /// Where it listens.
    pub address: SocketAddr,
    state: Arc<State>,
}

#[derive(Debug)]
struct State {
    genesis_scale: Vec<u8>,
    records: Mutex<BTreeMap<AccountId, Vec<u8>>>,
    asked: AtomicUsize,
}

impl State {
    fn records(&self) -> MutexGuard<'_, BTreeMap<AccountId, Vec<u8>>> {
        self.records.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl FakeNode {
    /// A node of the chain with this genesis document, on a free port.
    pub async fn start(genesis_scale: Vec<u8>) -> Self {
        let (listener, address) = crate::bind().await;
        let state = State { genesis_scale, records: Mutex::default(), asked: AtomicUsize::new(0) };
        let node = Self { address, state: Arc::new(state) };
        let server = tonic::transport::Server::builder()
            .add_service(ChainServer::new(node.clone()))
            .add_service(MinersServer::new(node.clone()));
        tokio::spawn(server.serve_with_incoming(TcpIncoming::from(listener)));
        node
    }

    /// Its address as clients want it.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Whoever asks for `hotkey` is given these bytes from now on.
    pub fn tell(&self, hotkey: AccountId, record_scale: Vec<u8>) {
        self.state.records().insert(hotkey, record_scale);
    }

    /// How often it was asked for a record.
    #[must_use]
    pub fn asked(&self) -> usize {
        self.state.asked.load(Ordering::SeqCst)
    }
}

type Answer<T> = Result<Response<T>, Status>;

fn only_records<T>() -> Answer<T> {
    Err(Status::unimplemented("this node of a test knows records only"))
}

#[tonic::async_trait]
impl Miners for FakeNode {
    async fn publish_record(
        &self,
        _: Request<wire::PublishRecordRequest>,
    ) -> Answer<wire::PublishRecordResponse> {
        only_records()
    }

    async fn find_record(
        &self,
        request: Request<wire::FindRecordRequest>,
    ) -> Answer<wire::FindRecordResponse> {
        self.state.asked.fetch_add(1, Ordering::SeqCst);
        let hotkey = <[u8; 32]>::try_from(request.into_inner().hotkey).map(AccountId);
        let found = hotkey.ok().and_then(|hotkey| self.state.records().get(&hotkey).cloned());
        let record_scale = found.ok_or_else(|| Status::not_found("no record"))?;
        Ok(Response::new(wire::FindRecordResponse { record_scale }))
    }
}

#[tonic::async_trait]
impl Chain for FakeNode {
    type SubscribeStream = Empty<Result<wire::GetBlockResponse, Status>>;

    async fn get_genesis(&self, _: Request<wire::GetGenesisRequest>) -> Answer<wire::GetGenesisResponse> {
        Ok(Response::new(wire::GetGenesisResponse { genesis_scale: self.state.genesis_scale.clone() }))
    }

    async fn subscribe(&self, _: Request<wire::SubscribeRequest>) -> Answer<Self::SubscribeStream> {
        only_records()
    }

    async fn get_status(&self, _: Request<wire::GetStatusRequest>) -> Answer<wire::GetStatusResponse> {
        only_records()
    }

    async fn submit(&self, _: Request<wire::SubmitRequest>) -> Answer<wire::SubmitResponse> {
        only_records()
    }

    async fn submit_many(&self, _: Request<wire::SubmitManyRequest>) -> Answer<wire::SubmitManyResponse> {
        only_records()
    }

    async fn get_transaction(
        &self,
        _: Request<wire::GetTransactionRequest>,
    ) -> Answer<wire::GetTransactionResponse> {
        only_records()
    }

    async fn get_headers(&self, _: Request<wire::GetHeadersRequest>) -> Answer<wire::GetHeadersResponse> {
        only_records()
    }

    async fn get_block(&self, _: Request<wire::GetBlockRequest>) -> Answer<wire::GetBlockResponse> {
        only_records()
    }

    async fn get_state(&self, _: Request<wire::GetStateRequest>) -> Answer<wire::GetStateResponse> {
        only_records()
    }

    async fn get_validators(
        &self,
        _: Request<wire::GetValidatorsRequest>,
    ) -> Answer<wire::GetValidatorsResponse> {
        only_records()
    }

    async fn get_events(&self, _: Request<wire::GetEventsRequest>) -> Answer<wire::GetEventsResponse> {
        only_records()
    }

    async fn get_supply(&self, _: Request<wire::GetSupplyRequest>) -> Answer<wire::GetSupplyResponse> {
        only_records()
    }

    async fn get_state_piece(
        &self,
        _: Request<wire::GetStatePieceRequest>,
    ) -> Answer<wire::GetStatePieceResponse> {
        only_records()
    }
}
