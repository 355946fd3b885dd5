//! Headers at which the validator set changed, of the heights below a restored state: with them, a light client that
//! trusts genesis can follow the chain on a node that never had those blocks.

use acumen_protocol::Height;
use acumen_protocol::codec::decode_all;
use acumen_protocol::finality::SignedHeader;
use redb::TableDefinition;

use crate::error::StoreError;
use crate::store::Store;
use crate::tables::BLOCKS;

/// Height → SCALE of [`SignedHeader`].
pub(crate) const CHECKPOINTS: TableDefinition<'static, u64, &'static [u8]> =
    TableDefinition::new("checkpoints");

impl Store {
    /// The signed header at `height`: of a block that is here, or one that changed the validator set below a restored state.
    pub fn header(&self, height: Height) -> Result<Option<SignedHeader>, StoreError> {
        Ok(self.headers(height, 1)?.into_iter().next().filter(|signed| signed.header.height == height))
    }

    /// Signed headers from `from` on, in order, at most `limit`. Where blocks are missing below a restored state, those
    /// headers that changed the validator set stand for them.
    pub fn headers(&self, from: Height, limit: usize) -> Result<Vec<SignedHeader>, StoreError> {
        let read = self.read()?;
        let mut headers = Vec::new();
        let checkpoints = read.open_table(CHECKPOINTS).map_err(|error| self.failed(error))?;
        for entry in checkpoints.range(from.get()..).map_err(|error| self.failed(error))?.take(limit) {
            let (_, bytes) = entry.map_err(|error| self.failed(error))?;
            headers.push(decode_all("header", bytes.value()).map_err(StoreError::decode(&self.path))?);
        }
        let blocks = read.open_table(BLOCKS).map_err(|error| self.failed(error))?;
        for entry in blocks.range(from.get()..).map_err(|error| self.failed(error))?.take(limit) {
            let (_, bytes) = entry.map_err(|error| self.failed(error))?;
            let block: crate::StoredBlock =
                decode_all("stored block", bytes.value()).map_err(StoreError::decode(&self.path))?;
            let (header, certificate) = (block.block.header, block.certificate);
            headers.push(SignedHeader { header, certificate, next_validators: block.next_validators });
        }
        headers.sort_by_key(|signed| signed.header.height);
        headers.truncate(limit);
        Ok(headers)
    }
}
