//! Miners' records: handed in at the nodes, and found there. The chain proves nothing about them: a record is the miner's
//! word, and what is returned here has its signature, its chain and its time verified, and nothing more.

use acumen_proto::chain_v1 as wire;
use acumen_protocol::AccountId;
use acumen_protocol::codec::Encode as _;
use acumen_protocol::miner_record::{RecordError, SignedMinerRecord};
use futures::future::join_all;

use crate::error::Blame as _;
use crate::nodes::Node;
use crate::{ChainClient, ClientError};

impl ChainClient {
    /// Hands a record in at every node, all at once: each keeps it and gives it to its peers, so a reader finds it
    /// whichever it asks, and the loss of one node changes nothing.
    ///
    /// # Errors
    /// What the nodes say, if none has taken it.
    pub async fn publish_record(&self, record: &SignedMinerRecord) -> Result<(), ClientError> {
        let bytes = record.encode();
        let hand_in = |mut node: Node| {
            let request = wire::PublishRecordRequest { record_scale: bytes.clone() };
            async move {
                let answer = node.miners.publish_record(request).await;
                answer.map(drop).map_err(|status| ClientError::from_status(&node.url, &status))
            }
        };
        let answers = join_all(self.shared.nodes.all().map(hand_in)).await;
        if answers.iter().any(Result::is_ok) { Ok(()) } else { Err(failure(answers)) }
    }

    /// The newest record of `hotkey` that any of the nodes has, `now_ms` being the time in milliseconds since the Unix
    /// epoch. All are asked, so that a node that hides what it has, or shows an old one, is outdone by an honest one.
    ///
    /// # Errors
    /// If no node has given a usable answer: [`ClientError::Lying`] where a record is not what its miner signed for this
    /// chain and this time.
    pub async fn find_record(
        &self,
        hotkey: AccountId,
        now_ms: u64,
    ) -> Result<Option<SignedMinerRecord>, ClientError> {
        let ask = |node: Node| self.record_of(node, hotkey, now_ms);
        let answers = join_all(self.shared.nodes.all().map(ask)).await;
        let newest = answers.iter().flatten().flatten().max_by_key(|found| found.record.issued_ms).cloned();
        for error in answers.iter().filter_map(|answer| answer.as_ref().err()) {
            tracing::debug!(%error, "no record of the miner from a node");
        }
        if newest.is_none() && answers.iter().all(Result::is_err) {
            return Err(failure(answers));
        }
        Ok(newest)
    }

    /// What one node has, verified.
    async fn record_of(
        &self,
        mut node: Node,
        hotkey: AccountId,
        now_ms: u64,
    ) -> Result<Option<SignedMinerRecord>, ClientError> {
        let request = wire::FindRecordRequest { hotkey: hotkey.0.to_vec() };
        let bytes = match node.miners.find_record(request).await {
            Ok(answer) => answer.into_inner().record_scale,
            Err(status) if status.code() == tonic::Code::NotFound => return Ok(None),
            Err(status) => return Err(ClientError::from_status(&node.url, &status)),
        };
        let read = SignedMinerRecord::from_bytes(&bytes).blame(&node.url)?;
        if read.record.hotkey != hotkey {
            return Err(RecordError::WrongKey { hotkey: read.record.hotkey }).blame(&node.url);
        }
        match read.check(&self.genesis_hash(), now_ms) {
            // It may have expired on its way here: nobody's lie.
            Err(RecordError::Expired { .. }) => Ok(None),
            checked => checked.map(|()| Some(read)).blame(&node.url),
        }
    }
}

/// Why none of the nodes did it.
fn failure<T>(answers: Vec<Result<T, ClientError>>) -> ClientError {
    ClientError::of_all(answers.into_iter().filter_map(Result::err).collect())
}
