//! Signed headers, apart from the blocks they belong to: who asks for a header, or for a value with its proof, does not
//! wait for a megabyte of transactions to be read.

use std::ops::RangeBounds;

use acumen_protocol::Height;
use acumen_protocol::codec::decode_all;
use acumen_protocol::finality::SignedHeader;

use crate::error::StoreError;
use crate::store::Store;
use crate::tables::HEADERS;

impl Store {
    /// The signed header at `height`: of a block that is here, or the last one of an epoch below a restored state.
    pub fn header(&self, height: Height) -> Result<Option<SignedHeader>, StoreError> {
        Ok(self.read_headers(height.get()..=height.get(), 1)?.pop())
    }

    /// Signed headers from `from` on, in order, at most `limit`. Where blocks are missing below a restored state, those
    /// each epoch's last header stands for them: with those, a light client that trusts genesis can follow
    /// the chain on a node that never had those blocks.
    pub fn headers(&self, from: Height, limit: usize) -> Result<Vec<SignedHeader>, StoreError> {
        self.read_headers(from.get().., limit)
    }

    fn read_headers(
        &self,
        heights: impl RangeBounds<u64>,
        limit: usize,
    ) -> Result<Vec<SignedHeader>, StoreError> {
        let table = self.read()?.open_table(HEADERS).map_err(|error| self.failed(error))?;
        let found = table.range(heights).map_err(|error| self.failed(error))?.take(limit);
        let decode = |entry: Result<(_, redb::AccessGuard<'_, &[u8]>), redb::StorageError>| {
            let (_, bytes) = entry.map_err(|error| self.failed(error))?;
            decode_all("signed header", bytes.value()).map_err(StoreError::decode(&self.path))
        };
        found.map(decode).collect()
    }
}
