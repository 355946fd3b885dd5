//! gRPC: `acumen.chain.v1.Miners`. Records of miners in and out; what is checked is in `acumen_chain_network::core::record`.

use acumen_chain_network::{FindError, NetworkHandle, RecordError};
use acumen_proto::chain_v1 as wire;
use acumen_proto::chain_v1::miners_server::Miners;
use acumen_protocol::AccountId;
use acumen_protocol::codec::Encode as _;
use tonic::{Request, Response, Status};

use super::Service;

impl Service {
    fn peers(&self) -> Result<&NetworkHandle, Status> {
        let missing = || Status::unimplemented("this node has no peers: it needs a section [network]");
        self.executor.network().ok_or_else(missing)
    }
}

#[tonic::async_trait]
impl Miners for Service {
    async fn publish_record(
        &self,
        request: Request<wire::PublishRecordRequest>,
    ) -> Result<Response<wire::PublishRecordResponse>, Status> {
        let published = self.peers()?.publish_record(request.into_inner().record_scale).await;
        published.map_err(|error| refusal(&error))?;
        Ok(Response::new(wire::PublishRecordResponse {}))
    }

    async fn find_record(
        &self,
        request: Request<wire::FindRecordRequest>,
    ) -> Result<Response<wire::FindRecordResponse>, Status> {
        let hotkey = <[u8; 32]>::try_from(request.into_inner().hotkey).map_err(|bytes| {
            Status::invalid_argument(format!("field `hotkey`: {} bytes; a hotkey has 32", bytes.len()))
        })?;
        let found = self.peers()?.find_record(AccountId(hotkey)).await.map_err(|error| refusal(&error))?;
        let found =
            found.ok_or_else(|| Status::not_found("no node that was asked knows a record of this miner"))?;
        Ok(Response::new(wire::FindRecordResponse { record_scale: found.encode() }))
    }
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
