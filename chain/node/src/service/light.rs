//! What light clients ask for: headers some heights apart, the set after a height, events with proofs.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

use acumen_chain_ledger::Event;
use acumen_chain_store::StoredBlock;
use acumen_proto::chain_v1 as wire;
use acumen_protocol::codec::{Encode as _, decode_all};
use acumen_protocol::finality::SignedHeader;
use acumen_protocol::merkle::MerkleTree;
use acumen_protocol::{Hash, Height};
use tonic::Status;

use super::{failed, no_block, stored};
use crate::executor::Executor;

/// Most headers in one answer.
const MAX_HEADERS: u64 = 256;

/// Most events in one answer.
const MAX_EVENTS: usize = 1_024;

pub(super) fn headers(
    executor: &Executor,
    request: wire::GetHeadersRequest,
) -> Result<wire::GetHeadersResponse, Status> {
    let wire::GetHeadersRequest { from, limit, step } = request;
    let (step, limit) = (step.max(1), u64::from(limit).min(MAX_HEADERS));
    let tip = executor.store().tip().height.get();
    let below = Height::new(from) < executor.store().first_block();
    if below && from > 0 {
        // This node began with a state: of the heights before it has the last one of each epoch, which is enough to follow.
        let limit = usize::try_from(limit).unwrap_or(usize::MAX);
        let headers = executor.store().headers(Height::new(from), limit).map_err(|error| failed(&error))?;
        return Ok(wire::GetHeadersResponse { headers: headers.into_iter().map(Into::into).collect() });
    }
    let heights = (0..limit).map_while(|index| from.checked_add(index.checked_mul(step)?));
    let heights = heights.take_while(|height| *height <= tip).map(Height::new);
    let headers =
        heights.map(|height| Ok(header(executor, height)?.into())).collect::<Result<_, Status>>()?;
    Ok(wire::GetHeadersResponse { headers })
}

/// The signed header at `height`.
pub(super) fn header(executor: &Executor, height: Height) -> Result<SignedHeader, Status> {
    let found = executor.store().header(height).map_err(|error| failed(&error))?;
    found.ok_or_else(|| no_block(executor, height))
}

/// Sets that were looked for, by their hash: a set that has not changed for long is far back, and is looked for once.
/// Cheap to clone.
#[derive(Clone, Debug, Default)]
pub(super) struct KnownSets(Arc<Mutex<VecDeque<EncodedSet>>>);

/// A set's hash and its SCALE.
type EncodedSet = (Hash, Vec<u8>);

impl KnownSets {
    /// Sets remembered: 100 validators each are 4 KiB.
    const MOST: usize = 64;

    fn get(&self, hash: &Hash) -> Option<Vec<u8>> {
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        known.iter().find(|(found, _)| found == hash).map(|(_, encoded)| encoded.clone())
    }

    fn put(&self, hash: Hash, encoded: Vec<u8>) {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        known.retain(|(found, _)| *found != hash);
        known.push_front((hash, encoded));
        known.truncate(Self::MOST);
    }
}

/// The set that decides the block after `height`: it stands in the last block up to there that changed it. The set
/// changes with the last block of an epoch only.
pub(super) fn validators(
    executor: &Executor,
    known: &KnownSets,
    tempo: u64,
    height: u64,
) -> Result<wire::GetValidatorsResponse, Status> {
    let tip = executor.store().tip().height;
    if Height::new(height) > tip {
        return Err(Status::not_found(format!("block {height} (the newest one is {tip})")));
    }
    let mut at = height;
    loop {
        // Below a restored state, only the last header of each epoch is here, and there alone the set changes.
        let found = executor.store().header(Height::new(at)).map_err(|error| failed(&error))?;
        let named = found.as_ref().map(|signed| signed.header.next_validators_hash);
        if let Some(validators_scale) = named.and_then(|hash| known.get(&hash)) {
            return Ok(wire::GetValidatorsResponse { validators_scale });
        }
        if let Some(set) = found.and_then(|signed| signed.next_validators) {
            let validators_scale = set.encode();
            known.put(set.hash(), validators_scale.clone());
            return Ok(wire::GetValidatorsResponse { validators_scale });
        }
        if at == 0 {
            return Err(Status::data_loss("block 0 names no validators"));
        }
        let last = at.saturating_sub(1);
        at = last - last.checked_rem(tempo).unwrap_or(0);
    }
}

pub(super) fn events(
    executor: &Executor,
    request: &wire::GetEventsRequest,
) -> Result<wire::GetEventsResponse, Status> {
    let (block, from, limit) = if request.transaction.is_empty() {
        let block = stored(executor, Height::new(request.height))?;
        let from = usize::try_from(request.from).unwrap_or(usize::MAX);
        (block, from, usize::try_from(request.limit).unwrap_or(MAX_EVENTS).min(MAX_EVENTS))
    } else {
        let id = acumen_proto::chain::hash("transaction", &request.transaction)?;
        let height = executor.store().height_of(&id).map_err(|error| failed(&error))?;
        let height =
            height.ok_or_else(|| Status::not_found(format!("transaction {id} (in a finalised block)")))?;
        let block = stored(executor, height)?;
        let (from, count) = events_of(&block, id);
        (block, from, count)
    };
    let tree = MerkleTree::new(block.events.iter().map(Vec::as_slice));
    let proven = block.events.iter().enumerate().skip(from).take(limit).filter_map(|(place, event)| {
        let proof = u32::try_from(place).ok().and_then(|place| tree.prove(place))?;
        Some(wire::ProvenEvent { event_scale: event.clone(), proof: Some(proof.into()) })
    });
    let events = proven.collect();
    Ok(wire::GetEventsResponse { header: Some(block.signed_header().into()), events })
}

/// First place and number of a transaction's events: its own come before the one that closes it.
fn events_of(block: &StoredBlock, id: Hash) -> (usize, usize) {
    let mut first = 0_usize;
    for (place, bytes) in block.events.iter().enumerate() {
        let event = decode_all::<Event>("event", bytes);
        if let Ok(Event::Applied { id: found, .. } | Event::Failed { id: found, .. }) = event {
            if found == id {
                return (first, place.saturating_sub(first).saturating_add(1));
            }
            first = place.saturating_add(1);
        }
    }
    (0, 0)
}
