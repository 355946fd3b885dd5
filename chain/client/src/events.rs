//! Events with proofs: what happened, without downloading the block.

use acumen_chain_ledger::Event;
use acumen_proto::chain::SignedHeader;
use acumen_proto::chain_v1 as wire;
use acumen_protocol::merkle::MerkleProof;
use acumen_protocol::{Hash, Height};

use crate::error::Blame;
use crate::light::verify_event;
use crate::nodes::Node;
use crate::{ChainClient, ClientError, Verified, VerifiedAt};

/// Most events in one answer.
const MAX_EVENTS: u32 = 1_024;

impl ChainClient {
    /// The events of a transaction, the last of which says whether it was applied. Each is proven to be of its block.
    pub async fn transaction_events(&self, id: Hash) -> Result<Verified<Vec<Event>>, ClientError> {
        let request = wire::GetEventsRequest { transaction: id.0.to_vec(), ..Default::default() };
        let request = &request;
        let attempt = |node: Node| async move {
            let url = node.url.clone();
            let found = self.events_from(node, request.clone(), None).await?;
            match found.value.last() {
                Some(Event::Applied { id: last, .. } | Event::Failed { id: last, .. }) if *last == id => {
                    Ok(found)
                }
                Some(_) => {
                    Err(ClientError::lying(&url, format!("these are not the events of transaction {id}")))
                }
                None => {
                    Err(ClientError::Missing { node: url, what: format!("the events of transaction {id}") })
                }
            }
        };
        self.shared.nodes.ask(attempt).await
    }

    /// Up to 1,024 events of the block at `height`, from place `from` on. Each is proven to be of the block; that none was
    /// left out is not: [`Self::block`] shows that.
    pub async fn events_at(&self, height: Height, from: u32) -> Result<Verified<Vec<Event>>, ClientError> {
        let request =
            wire::GetEventsRequest { height: height.get(), from, limit: MAX_EVENTS, transaction: Vec::new() };
        let attempt = |node| self.events_from(node, request.clone(), Some(height));
        self.shared.nodes.ask(attempt).await
    }

    async fn events_from(
        &self,
        mut node: Node,
        request: wire::GetEventsRequest,
        wanted: Option<Height>,
    ) -> Result<Verified<Vec<Event>>, ClientError> {
        let answer = node.grpc.get_events(request).await;
        let answer = answer.map_err(|status| ClientError::from_status(&node.url, &status))?.into_inner();
        let signed =
            answer.header.ok_or_else(|| ClientError::lying(&node.url, "no header beside the events"))?;
        let signed = SignedHeader::try_from(signed).blame(&node.url)?;
        let found = signed.header.height;
        if wanted.is_some_and(|wanted| wanted != found) {
            return Err(ClientError::lying(
                &node.url,
                format!("asked for another block's events than {found}"),
            ));
        }
        self.follow(&mut node, &signed).await?;
        let mut events = Vec::with_capacity(answer.events.len());
        for proven in answer.events {
            let proof = proven.proof.ok_or_else(|| ClientError::lying(&node.url, "an event has no proof"))?;
            let proof = MerkleProof::try_from(proof).blame(&node.url)?;
            events.push(verify_event(&signed.header, &proven.event_scale, &proof).blame(&node.url)?);
        }
        Ok(Verified { value: events, at: VerifiedAt::from(&signed.header) })
    }
}
