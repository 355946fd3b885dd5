//! gRPC: `acumen.chain.v1.Miners`. Records of miners in and out; what is checked is in `acumen_protocol::miner_record`. A
//! node with peers shares its records with them; one without keeps what it is given on a shelf of its own, by the same
//! rules, so that a subnet of one node works like any other.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use acumen_chain_network::core::record::shelf::Shelf;
use acumen_chain_network::{FindError, RecordError, SignedMinerRecord};
use acumen_proto::chain_v1 as wire;
use acumen_proto::chain_v1::miners_server::Miners;
use acumen_protocol::AccountId;
use acumen_protocol::codec::Encode as _;
use tonic::{Request, Response, Status};

use super::Service;
use crate::executor::Executor;

/// The records of a node without peers.
#[derive(Clone, Debug, Default)]
pub(super) struct OwnShelf(Arc<Mutex<Shelf>>);

impl OwnShelf {
    fn lock(&self) -> MutexGuard<'_, Shelf> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Checks a record and keeps it. Reads the state: not for an async thread.
    fn take(&self, executor: &Executor, bytes: &[u8], now_ms: u64) -> Result<(), Status> {
        let refuse = |error: RecordError| refusal(&error.into());
        let record = SignedMinerRecord::from_bytes(bytes).map_err(refuse)?;
        let hotkey = record.record.hotkey;
        {
            let mut shelf = self.lock();
            shelf.expire(now_ms);
            if shelf.get(&hotkey, now_ms) == Some(&record) {
                return Ok(());
            }
            shelf.wants(&record).map_err(refuse)?;
        }
        if !executor.is_registered(hotkey).map_err(|error| Status::internal(error.to_string()))? {
            return Err(refuse(RecordError::Unregistered { hotkey }));
        }
        record.check(&executor.genesis(), now_ms).map_err(refuse)?;
        self.lock().put(record).map_err(refuse)
    }

    fn find(&self, hotkey: &AccountId, now_ms: u64) -> Option<SignedMinerRecord> {
        self.lock().get(hotkey, now_ms).cloned()
    }
}

#[tonic::async_trait]
impl Miners for Service {
    async fn publish_record(
        &self,
        request: Request<wire::PublishRecordRequest>,
    ) -> Result<Response<wire::PublishRecordResponse>, Status> {
        let bytes = request.into_inner().record_scale;
        match self.executor.network() {
            Some(network) => network.publish_record(bytes).await.map_err(|error| refusal(&error))?,
            None => {
                let shelf = self.own_records.clone();
                self.blocking(move |executor| shelf.take(executor, &bytes, now_ms())).await?;
            }
        }
        Ok(Response::new(wire::PublishRecordResponse {}))
    }

    async fn find_record(
        &self,
        request: Request<wire::FindRecordRequest>,
    ) -> Result<Response<wire::FindRecordResponse>, Status> {
        let hotkey = <[u8; 32]>::try_from(request.into_inner().hotkey).map_err(|bytes| {
            Status::invalid_argument(format!("field `hotkey`: {} bytes; a hotkey has 32", bytes.len()))
        })?;
        let hotkey = AccountId(hotkey);
        let found = match self.executor.network() {
            Some(network) => network.find_record(hotkey).await.map_err(|error| refusal(&error))?,
            None => self.own_records.find(&hotkey, now_ms()),
        };
        let found = found.ok_or_else(|| {
            Status::not_found(format!(
                "neither this node nor a peer that it asked knows a record of {hotkey}"
            ))
        })?;
        Ok(Response::new(wire::FindRecordResponse { record_scale: found.encode() }))
    }
}

fn now_ms() -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(now.as_millis()).unwrap_or(u64::MAX)
}

fn refusal(error: &FindError) -> Status {
    let text = error.to_string();
    match error {
        FindError::Record(RecordError::Full { .. }) | FindError::Busy => Status::resource_exhausted(text),
        FindError::Record(record) if record.is_forgery() => {
            Status::invalid_argument(format!("field `record_scale`: {text}"))
        }
        FindError::Record(_) => Status::failed_precondition(text),
        FindError::Ended => Status::unavailable(text),
    }
}
