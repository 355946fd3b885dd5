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

/// How long to leave nodes alone that are busy or do not answer.
pub(super) const PAUSE: Duration = Duration::from_millis(250);

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
    all: Vec<Entry>,
}

/// One node and what has become of it.
#[derive(Debug)]
struct Entry {
    source: Source,
    /// Failures in a row.
    failures: u32,
    /// Why it is asked no more.
    given_up: Option<Failure>,
    tip: Claim,
}

/// What a node says of its tip: nothing but a reason to look there.
#[derive(Debug)]
enum Claim {
    /// Not asked yet.
    Unasked,
    /// What it says.
    Tip(Height),
    /// It could not show a block that it must have by what it said; this is its answer.
    Hollow(Failure),
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
            let source = Source { url: url.clone(), index, grpc };
            Ok(Entry { source, failures: 0, given_up: None, tip: Claim::Unasked })
        };
        Ok(Self { all: urls.iter().enumerate().map(source).collect::<Result<_, _>>()? })
    }

    /// Those worth asking.
    pub(super) fn usable(&self) -> Vec<Source> {
        self.all.iter().filter(|entry| entry.given_up.is_none()).map(|entry| entry.source.clone()).collect()
    }

    /// Those that have not said yet where they stand.
    pub(super) fn unasked(&self) -> Vec<Source> {
        let unasked = self.all.iter().filter(|entry| entry.given_up.is_none());
        unasked
            .filter(|entry| matches!(entry.tip, Claim::Unasked))
            .map(|entry| entry.source.clone())
            .collect()
    }

    /// Tips that usable nodes claim.
    pub(super) fn claims(&self) -> Vec<Height> {
        let claim = |entry: &Entry| match (&entry.given_up, &entry.tip) {
            (None, Claim::Tip(tip)) => Some(*tip),
            _ => None,
        };
        self.all.iter().filter_map(claim).collect()
    }

    pub(super) fn claimed(&mut self, source: &Source, tip: Height) {
        self.answered(source);
        if let Some(entry) = self.all.get_mut(source.index) {
            entry.tip = Claim::Tip(tip);
        }
    }

    /// The node does not have a block at `height`. That is no fault: it may be behind, or have begun with a later state.
    /// But where it stands counts no more if it says that it is there.
    pub(super) fn lacks(&mut self, source: &Source, height: Height, failure: Failure) {
        let Some(entry) = self.all.get_mut(source.index) else { return };
        if matches!(entry.tip, Claim::Tip(tip) if tip >= height) {
            tracing::warn!(node = source.url, %height, reason = %failure, "this node claims more than it shows");
            entry.tip = Claim::Hollow(failure);
        }
    }

    pub(super) fn answered(&mut self, source: &Source) {
        if let Some(entry) = self.all.get_mut(source.index) {
            entry.failures = 0;
        }
    }

    /// Notes a failure; a node that is at fault, or fails too often, is asked no more.
    pub(super) fn failed(&mut self, source: &Source, failure: Failure) {
        let Some(Entry { failures, given_up, .. }) = self.all.get_mut(source.index) else { return };
        *failures += 1;
        match &failure {
            Failure::Lying(reason) => {
                tracing::error!(node = source.url, reason, "this node lies; asking it no more");
            }
            Failure::Busy(_) | Failure::Missing(_) if *failures < BUSY => return,
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
        let failure = |entry: &Entry| match (&entry.given_up, &entry.tip) {
            (Some(failure), _) => Some(format!("{} {failure}", entry.source.url)),
            (None, Claim::Hollow(failure)) => {
                Some(format!("{} claims more than it shows, it {failure}", entry.source.url))
            }
            _ => None,
        };
        SyncError::Exhausted { failures: self.all.iter().filter_map(failure).collect() }
    }

    /// True if somebody had the state and pruned it.
    pub(super) fn any_pruned(&self) -> bool {
        self.all.iter().any(|entry| matches!(entry.given_up, Some(Failure::Pruned(_))))
    }
}

fn failure(status: &tonic::Status, height: Height) -> Failure {
    let reason = status.message().to_owned();
    match status.code() {
        Code::OutOfRange => Failure::Pruned(height),
        Code::ResourceExhausted => Failure::Busy(reason),
        Code::NotFound => Failure::Missing(reason),
        Code::InvalidArgument | Code::Unimplemented => Failure::Refused(reason),
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
