//! Stored blocks as the wire wants them.

use acumen_chain_store::StoredBlock;
use acumen_proto::chain::{FinalizedBlock, SignedHeader};

pub(super) fn signed_header(block: &StoredBlock) -> SignedHeader {
    SignedHeader {
        header: block.block.header.clone(),
        certificate: block.certificate.clone(),
        next_validators: block.next_validators.clone(),
    }
}

pub(super) fn finalized(block: StoredBlock) -> FinalizedBlock {
    FinalizedBlock {
        signed: signed_header(&block),
        transactions: block.block.transactions,
        events: block.events,
    }
}
