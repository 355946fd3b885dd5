//! The nodes that are asked, over gRPC, and what has become of each.

use std::time::Duration;

use acumen_chain_client::light::{FinalizedBlock, SignedHeader};
use acumen_chain_store::{Branch, Piece, Prefix};
use acumen_proto::chain_v1 as wire;
use acumen_proto::chain_v1::chain_client::ChainClient as Grpc;
use acumen_proto::chain_v1::get_state_piece_response::Piece as WirePiece;
use acumen_protocol::{Hash, Height};
use tonic::Code;
use tonic::transport::{Channel, Endpoint};

use super::error::{Failure, SyncError};
use crate::service::MAX_RESPONSE_BYTES;

/// How long a connection may take.
const CONNECT: Duration = Duration::from_secs(5);

/// How long an answer may take: half a megabyte over a slow line.
const ANSWER: Duration = Duration::from_secs(30);

/// Failures in a row after which a node that does not answer is passed over.
const PATIENCE: u32 = 3;

/// Times in a row that a node may say that it is busy: half a minute.
const BUSY: u32 = 120;

/// One node.
#[derive(Clone, Debug)]
pub(super) struct Source {
    pub(super) url: String,
    index: usize,
    pub(super) grpc: Grpc<Channel>,
}

/// All of them.
#[derive(Debug)]
pub(super) struct Sources {
    all: Vec<(Source, u32, Option<Failure>)>,
}

impl Sources {
    pub(super) fn new(urls: &[String]) -> Result<Self, SyncError> {
        let source = |(index, url): (usize, &String)| {
            let bad = || SyncError::BadUrl { url: url.clone() };
            let endpoint = Endpoint::from_shared(url.clone()).map_err(|_| bad())?;
            if endpoint.uri().host().is_none() || endpoint.uri().scheme().is_none() {
                return Err(bad());
            }
            let channel = endpoint.connect_timeout(CONNECT).timeout(ANSWER).tcp_nodelay(true).connect_lazy();
            let grpc = Grpc::new(channel).max_decoding_message_size(MAX_RESPONSE_BYTES);
            Ok((Source { url: url.clone(), index, grpc }, 0, None))
        };
        Ok(Self { all: urls.iter().enumerate().map(source).collect::<Result<_, _>>()? })
    }

    /// Those worth asking.
    pub(super) fn usable(&self) -> Vec<Source> {
        self.all
            .iter()
            .filter(|(_, _, failure)| failure.is_none())
            .map(|(source, ..)| source.clone())
            .collect()
    }

    pub(super) fn answered(&mut self, source: &Source) {
        if let Some((_, failures, _)) = self.all.get_mut(source.index) {
            *failures = 0;
        }
    }

    /// Notes a failure; a node that is at fault, or fails too often, is asked no more.
    pub(super) fn failed(&mut self, source: &Source, failure: Failure) {
        let Some((_, failures, given_up)) = self.all.get_mut(source.index) else { return };
        *failures += 1;
        match &failure {
            Failure::Lying(reason) => {
                tracing::error!(node = source.url, reason, "this node lies; asking it no more");
            }
            Failure::Busy(_) if *failures < BUSY => return,
            Failure::Unreachable(reason) if *failures < PATIENCE => {
                tracing::debug!(node = source.url, reason, "trying again");
                return;
            }
            other => tracing::warn!(node = source.url, reason = %other, "asking this node no more"),
        }
        given_up.get_or_insert(failure);
    }

    /// Why nobody is left.
    pub(super) fn exhausted(&self) -> SyncError {
        let failures = self.all.iter().filter_map(|(source, _, failure)| {
            failure.as_ref().map(|failure| format!("{} {failure}", source.url))
        });
        SyncError::Exhausted { failures: failures.collect() }
    }

    /// True if somebody had the state and pruned it.
    pub(super) fn any_pruned(&self) -> bool {
        self.all.iter().any(|(_, _, failure)| matches!(failure, Some(Failure::Pruned(_))))
    }
}

fn failure(status: &tonic::Status, height: Height) -> Failure {
    let reason = status.message().to_owned();
    match status.code() {
        Code::OutOfRange => Failure::Pruned(height),
        Code::ResourceExhausted => Failure::Busy(reason),
        Code::NotFound | Code::InvalidArgument | Code::Unimplemented => Failure::Refused(reason),
        code => Failure::Unreachable(format!("{code:?}: {reason}")),
    }
}

fn lying(error: impl ToString) -> Failure {
    Failure::Lying(error.to_string())
}

impl Source {
    /// The height that the node says it has, if it serves the chain with `genesis`.
    pub(super) async fn tip(&self, genesis: Hash) -> Result<Height, Failure> {
        let answer = self.grpc.clone().get_status(wire::GetStatusRequest {}).await;
        let answer = answer.map_err(|status| failure(&status, Height::ZERO))?.into_inner();
        let found = acumen_proto::chain::hash("genesis", &answer.genesis).map_err(lying)?;
        if found != genesis {
            return Err(Failure::OtherChain(found.to_string()));
        }
        Ok(Height::new(answer.height))
    }

    pub(super) async fn headers(
        &self,
        from: Height,
        limit: u32,
        step: u64,
    ) -> Result<Vec<SignedHeader>, Failure> {
        let request = wire::GetHeadersRequest { from: from.get(), limit, step };
        let answer = self.grpc.clone().get_headers(request).await.map_err(|status| failure(&status, from))?;
        let headers = answer.into_inner().headers.into_iter();
        headers.map(SignedHeader::try_from).collect::<Result<_, _>>().map_err(lying)
    }

    pub(super) async fn block(&self, height: Height) -> Result<FinalizedBlock, Failure> {
        let request = wire::GetBlockRequest { height: height.get() };
        let answer = self.grpc.clone().get_block(request).await.map_err(|status| failure(&status, height))?;
        FinalizedBlock::try_from(answer.into_inner()).map_err(lying)
    }

    pub(super) async fn piece(&self, height: Height, prefix: &Prefix) -> Result<Piece, Failure> {
        let request = wire::GetStatePieceRequest { height: height.get(), prefix: prefix.nibbles().to_vec() };
        let answer = self.grpc.clone().get_state_piece(request).await;
        let answer = answer.map_err(|status| failure(&status, height))?.into_inner();
        from_wire(answer)
    }
}

fn from_wire(answer: wire::GetStatePieceResponse) -> Result<Piece, Failure> {
    match answer.piece.ok_or_else(|| lying("an answer without a piece"))? {
        WirePiece::Leaves(leaves) => {
            Ok(Piece::Leaves(leaves.leaves.into_iter().map(|leaf| (leaf.key, leaf.value)).collect()))
        }
        WirePiece::Branches(branches) => {
            let branch = |branch: wire::StateBranch| match branch.hash.as_slice() {
                [] => Ok(None),
                hash => {
                    let hash = acumen_proto::chain::hash("branches.hash", hash).map_err(lying)?;
                    Ok(Some(Branch { hash, leaf: branch.leaf }))
                }
            };
            Ok(Piece::Branches(branches.branches.into_iter().map(branch).collect::<Result<_, _>>()?))
        }
    }
}
