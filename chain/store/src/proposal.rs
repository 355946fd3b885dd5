//! What this node has proposed and is about to sign: on disk first, so that a restart proposes the same block again and
//! no height is signed twice.

use acumen_protocol::codec::{Encode as _, decode_all};
use acumen_protocol::{Block, Height};

use crate::error::StoreError;
use crate::store::Store;
use crate::tables::PROPOSALS;

impl Store {
    /// Records `block` as this node's one proposal at its height. Refuses a second, different one; recording the same
    /// block again is harmless. When this returns, the record is durable.
    pub fn record_proposal(&self, block: &Block) -> Result<(), StoreError> {
        let (height, offered) = (block.header.height, block.header.id());
        if let Some(recorded) = self.proposal(height)? {
            let recorded = recorded.header.id();
            let second = StoreError::SecondProposal { height, recorded, offered };
            return if recorded == offered { Ok(()) } else { Err(second) };
        }
        if height <= self.tip().height {
            return Err(StoreError::NotNext { height, tip: self.tip().height });
        }
        let write = self.db.begin_write().map_err(|error| self.failed(error))?;
        write
            .open_table(PROPOSALS)
            .map_err(|error| self.failed(error))?
            .insert(height.get(), block.encode().as_slice())
            .map_err(|error| self.failed(error))?;
        write.commit().map_err(|error| self.failed(error))
    }

    /// The proposal recorded for a height that is not committed yet.
    pub fn proposal(&self, height: Height) -> Result<Option<Block>, StoreError> {
        let table = self.read()?.open_table(PROPOSALS).map_err(|error| self.failed(error))?;
        let found = table.get(height.get()).map_err(|error| self.failed(error))?;
        let decode = |bytes: &[u8]| decode_all("proposal", bytes).map_err(StoreError::decode(&self.path));
        found.map(|bytes| decode(bytes.value())).transpose()
    }
}
