//! gRPC: `acumen.chain.v1.Chain`. Bad input is INVALID_ARGUMENT with a reason, a refused transaction FAILED_PRECONDITION
//! with the ledger's `Rejection` as SCALE in the status' details.

mod convert;
mod intake;
mod light;
mod miners;
mod piece;
mod share;
mod workers;

use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;

use acumen_chain_ledger::{Audit, Event, Genesis};
use acumen_chain_store::StoreError;
use acumen_proto::chain_v1 as wire;
use acumen_proto::chain_v1::chain_server::Chain;
use acumen_protocol::codec::Encode as _;
use acumen_protocol::{Height, SignedTransaction};
use acumen_serving::connections::Origin;
use tokio_stream::Stream;
use tokio_util::sync::CancellationToken;
use tonic::{Request, Response, Status};

use crate::executor::Executor;
use crate::mempool::PoolError;
use crate::metrics::Metrics;
use convert::finalized;
use intake::Intake;
use share::Shares;
use workers::Workers;

/// Most keys in one question.
const MAX_KEYS: usize = 4_096;

/// Most transactions in one request: a quarter of a block.
const MAX_SUBMITTED: usize = 1_024;

/// Longest state key: kind, track and a public key leave room to spare.
const MAX_KEY_BYTES: usize = 128;

/// Largest question: a transaction of the largest size, or all keys.
pub(crate) const MAX_REQUEST_BYTES: usize = 1 << 20;

/// Largest answer: a block of 1 MiB with its events, or 4,096 values with proofs of about 1.5 KiB.
pub(crate) const MAX_RESPONSE_BYTES: usize = 64 << 20;

/// The service.
#[derive(Clone, Debug)]
pub(crate) struct Service {
    executor: Executor,
    genesis: Arc<Genesis>,
    metrics: Metrics,
    shutdown: CancellationToken,
    workers: Workers,
    intake: Intake,
    shares: Shares,
    known_sets: light::KnownSets,
    own_records: miners::OwnShelf,
}

impl Service {
    pub(crate) fn new(
        executor: Executor,
        genesis: Genesis,
        metrics: Metrics,
        shutdown: CancellationToken,
    ) -> Self {
        let intake = Intake::new(executor.clone());
        let (shares, known_sets) = (Shares::new(), light::KnownSets::default());
        let own_records = miners::OwnShelf::default();
        let genesis = Arc::new(genesis);
        Self {
            executor,
            genesis,
            metrics,
            shutdown,
            workers: Workers::new(),
            intake,
            shares,
            known_sets,
            own_records,
        }
    }

    /// Runs `work`, which reads the disk or executes, off the async threads.
    async fn blocking<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Executor) -> Result<T, Status> + Send + 'static,
    ) -> Result<T, Status> {
        let executor = self.executor.clone();
        self.workers.run(move || work(&executor)).await
    }
}

type Blocks = Pin<Box<dyn Stream<Item = Result<wire::GetBlockResponse, Status>> + Send>>;

#[tonic::async_trait]
impl Chain for Service {
    async fn get_status(
        &self,
        _: Request<wire::GetStatusRequest>,
    ) -> Result<Response<wire::GetStatusResponse>, Status> {
        let store = self.executor.store();
        let tip = store.tip();
        Ok(Response::new(wire::GetStatusResponse {
            chain: self.genesis.chain.clone(),
            genesis: self.executor.genesis().0.to_vec(),
            height: tip.height.get(),
            block: tip.id().0.to_vec(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            first_block: store.first_block().get(),
        }))
    }

    async fn get_genesis(
        &self,
        request: Request<wire::GetGenesisRequest>,
    ) -> Result<Response<wire::GetGenesisResponse>, Status> {
        // A document with a million accounts is tens of megabytes.
        self.shares.take(client(&request))?;
        let genesis = Arc::clone(&self.genesis);
        let encoded = self.blocking(move |_| Ok(genesis.encode())).await?;
        Ok(Response::new(wire::GetGenesisResponse { genesis_scale: encoded }))
    }

    async fn submit(
        &self,
        request: Request<wire::SubmitRequest>,
    ) -> Result<Response<wire::SubmitResponse>, Status> {
        let bytes = request.into_inner().transaction_scale;
        let signed = SignedTransaction::from_bytes(&bytes)
            .map_err(|error| Status::invalid_argument(format!("field `transaction_scale`: {error}")))?;
        let submitted = self.intake.submit(signed).await.map_err(|error| refusal(&error));
        let id = submitted.inspect_err(|_| self.metrics.refused())?;
        Ok(Response::new(wire::SubmitResponse { id: id.0.to_vec() }))
    }

    async fn submit_many(
        &self,
        request: Request<wire::SubmitManyRequest>,
    ) -> Result<Response<wire::SubmitManyResponse>, Status> {
        let all = request.into_inner().transactions_scale;
        if all.len() > MAX_SUBMITTED {
            let reason =
                format!("field `transactions_scale`: {} of them, at most {MAX_SUBMITTED}", all.len());
            return Err(Status::invalid_argument(reason));
        }
        let metrics = self.metrics.clone();
        let work = move |executor: &Executor| {
            let read: Vec<_> = all.iter().map(|bytes| SignedTransaction::from_bytes(bytes)).collect();
            let mut answers = executor.submit_all(read.iter().flatten().cloned().collect()).into_iter();
            let answer = |read: Result<SignedTransaction, _>| {
                let answer = read.map_err(PoolError::Transaction).and_then(|_| {
                    let missing = || Err(PoolError::Internal { reason: "it got no answer".to_owned() });
                    answers.next().unwrap_or_else(missing)
                });
                submitted(answer.inspect_err(|_| metrics.refused()))
            };
            Ok(wire::SubmitManyResponse { results: read.into_iter().map(answer).collect() })
        };
        Ok(Response::new(self.blocking(work).await?))
    }

    async fn get_transaction(
        &self,
        request: Request<wire::GetTransactionRequest>,
    ) -> Result<Response<wire::GetTransactionResponse>, Status> {
        let id = acumen_proto::chain::hash("id", &request.into_inner().id)?;
        let answer = self.blocking(move |executor| transaction(executor, id)).await?;
        Ok(Response::new(answer))
    }

    async fn get_headers(
        &self,
        request: Request<wire::GetHeadersRequest>,
    ) -> Result<Response<wire::GetHeadersResponse>, Status> {
        let request = request.into_inner();
        Ok(Response::new(self.blocking(move |executor| light::headers(executor, request)).await?))
    }

    async fn get_validators(
        &self,
        request: Request<wire::GetValidatorsRequest>,
    ) -> Result<Response<wire::GetValidatorsResponse>, Status> {
        let (height, tempo) = (request.into_inner().height, self.genesis.params.tempo_blocks);
        let known = self.known_sets.clone();
        let answer = self.blocking(move |executor| light::validators(executor, &known, tempo, height));
        Ok(Response::new(answer.await?))
    }

    async fn get_events(
        &self,
        request: Request<wire::GetEventsRequest>,
    ) -> Result<Response<wire::GetEventsResponse>, Status> {
        let request = request.into_inner();
        Ok(Response::new(self.blocking(move |executor| light::events(executor, &request)).await?))
    }

    async fn get_block(
        &self,
        request: Request<wire::GetBlockRequest>,
    ) -> Result<Response<wire::GetBlockResponse>, Status> {
        let height = Height::new(request.into_inner().height);
        let block = self.blocking(move |executor| stored(executor, height)).await?;
        Ok(Response::new(finalized(block).into()))
    }

    async fn get_state(
        &self,
        request: Request<wire::GetStateRequest>,
    ) -> Result<Response<wire::GetStateResponse>, Status> {
        let wire::GetStateRequest { keys, height } = request.into_inner();
        if keys.len() > MAX_KEYS {
            let reason = format!("field `keys`: {} keys, at most {MAX_KEYS} may be asked for", keys.len());
            return Err(Status::invalid_argument(reason));
        }
        if let Some(long) = keys.iter().find(|key| key.len() > MAX_KEY_BYTES) {
            let reason = format!("field `keys`: a key of {} bytes, at most {MAX_KEY_BYTES}", long.len());
            return Err(Status::invalid_argument(reason));
        }
        Ok(Response::new(self.blocking(move |executor| state(executor, &keys, height)).await?))
    }

    async fn get_supply(
        &self,
        request: Request<wire::GetSupplyRequest>,
    ) -> Result<Response<wire::GetSupplyResponse>, Status> {
        let wanted = request.into_inner().height;
        if wanted != 0 {
            return Ok(Response::new(self.blocking(move |executor| supply_then(executor, wanted)).await?));
        }
        let supply = |executor: &Executor| executor.store().supply().map_err(|error| failed(&error));
        let (height, audit) = self.blocking(supply).await?;
        Ok(Response::new(supply_response(height.get(), &audit)))
    }

    async fn get_state_piece(
        &self,
        request: Request<wire::GetStatePieceRequest>,
    ) -> Result<Response<wire::GetStatePieceResponse>, Status> {
        self.shares.take(client(&request))?;
        let request = request.into_inner();
        Ok(Response::new(self.blocking(move |executor| piece::piece(executor, request)).await?))
    }

    type SubscribeStream = Blocks;

    async fn subscribe(
        &self,
        request: Request<wire::SubscribeRequest>,
    ) -> Result<Response<Self::SubscribeStream>, Status> {
        let from = request.into_inner().from;
        let mut tip = self.executor.tip();
        let mut next = match from {
            0 => tip.borrow().get().saturating_add(1),
            from => from,
        };
        let service = self.clone();
        let blocks = async_stream::stream! {
            loop {
                let newest = tip.borrow_and_update().get();
                while next <= newest {
                    let height = Height::new(next);
                    let block = service.blocking(move |executor| stored(executor, height)).await;
                    let failed = block.is_err();
                    yield block.map(|block| finalized(block).into());
                    if failed {
                        return;
                    }
                    next = next.saturating_add(1);
                }
                tokio::select! {
                    () = service.shutdown.cancelled() => return,
                    changed = tip.changed() => if changed.is_err() { return },
                }
            }
        };
        Ok(Response::new(Box::pin(blocks)))
    }
}

/// Whence a request comes; nowhere if from within this process.
fn client<T>(request: &Request<T>) -> Option<SocketAddr> {
    request.extensions().get::<Origin>().map(|origin| origin.address)
}

fn stored(executor: &Executor, height: Height) -> Result<acumen_chain_store::StoredBlock, Status> {
    let found = executor.store().stored(height).map_err(|error| failed(&error))?;
    found.ok_or_else(|| no_block(executor, height))
}

fn no_block(executor: &Executor, height: Height) -> Status {
    let tip = executor.store().tip().height;
    Status::not_found(format!("block {height} (the newest one is {tip})"))
}

fn state(executor: &Executor, keys: &[Vec<u8>], height: u64) -> Result<wire::GetStateResponse, Status> {
    let store = executor.store();
    let height = if height == 0 { store.tip().height } else { Height::new(height) };
    let proven = store.prove(height, keys).map_err(|error| failed(&error))?;
    let values = proven.into_iter().map(|found| wire::ProvenValue { value: found.value, proof: found.proof });
    let header = light::header(executor, height)?;
    Ok(wire::GetStateResponse { header: Some(header.into()), values: values.collect() })
}

/// What was added up when the block at `height` ended an epoch.
fn supply_then(executor: &Executor, height: u64) -> Result<wire::GetSupplyResponse, Status> {
    let audit = stored(executor, Height::new(height))?.audit.ok_or_else(|| {
        Status::out_of_range(format!(
            "block {height} ended no epoch: ask for one that did, or for height 0, the newest"
        ))
    })?;
    Ok(supply_response(height, &audit))
}

const fn supply_response(height: u64, audit: &Audit) -> wire::GetSupplyResponse {
    wire::GetSupplyResponse {
        height,
        issuance: audit.issuance.get(),
        minted: audit.minted.get(),
        burned: audit.burned.get(),
        balances_total: audit.balances_total.get(),
    }
}

fn transaction(
    executor: &Executor,
    id: acumen_protocol::Hash,
) -> Result<wire::GetTransactionResponse, Status> {
    use wire::get_transaction_response::State;
    let answer = |state: State, height: u64, failure: String| wire::GetTransactionResponse {
        state: state.into(),
        height,
        failure,
    };
    // The pool first: a block that takes the transaction is on disk before the pool lets go of it.
    let pending = executor.pool().contains(&id);
    let height = executor.store().height_of(&id).map_err(|error| failed(&error))?;
    let Some(height) = height else {
        let state = if pending { State::Pending } else { State::Unknown };
        return Ok(answer(state, 0, String::new()));
    };
    let block = stored(executor, height)?;
    let events =
        block.events.iter().filter_map(|bytes| acumen_protocol::codec::decode_all("event", bytes).ok());
    let mut failures = events.filter_map(|event| match event {
        Event::Failed { id: found, reason, .. } if found == id => Some(reason.to_string()),
        _ => None,
    });
    Ok(answer(State::Included, height.get(), failures.next().unwrap_or_default()))
}

fn failed(error: &StoreError) -> Status {
    match error {
        StoreError::NotKept { .. } => Status::out_of_range(error.to_string()),
        _ => {
            tracing::error!(%error, "the store failed");
            Status::internal(error.to_string())
        }
    }
}

fn submitted(answer: Result<acumen_protocol::Hash, PoolError>) -> wire::Submitted {
    match answer {
        Ok(id) => wire::Submitted { id: id.0.to_vec(), ..wire::Submitted::default() },
        Err(error) => {
            let status = refusal(&error);
            let (code, reason) = (status.code().into(), status.message().to_owned());
            wire::Submitted { id: Vec::new(), code, reason, rejection_scale: status.details().to_vec() }
        }
    }
}

fn refusal(error: &PoolError) -> Status {
    let reason = error.to_string();
    match error {
        PoolError::Transaction(_) => Status::invalid_argument(reason),
        PoolError::Rejected(rejection) => {
            Status::with_details(tonic::Code::FailedPrecondition, reason, rejection.encode().into())
        }
        PoolError::Full { .. } | PoolError::Sender { .. } => Status::resource_exhausted(reason),
        PoolError::Replacement { .. } => Status::failed_precondition(reason),
        PoolError::Reported { .. } => Status::already_exists(reason),
        PoolError::Internal { .. } => Status::internal(reason),
    }
}
