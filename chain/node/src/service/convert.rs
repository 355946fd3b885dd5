//! Stored blocks as the wire wants them.

use acumen_chain_store::StoredBlock;
use acumen_proto::chain::FinalizedBlock;

pub(super) fn finalized(block: StoredBlock) -> FinalizedBlock {
    FinalizedBlock {
        signed: block.signed_header(),
        transactions: block.block.transactions,
        events: block.events,
    }
}
