//! Databases of earlier layouts, brought to the present one when they are opened: in one durable transaction, so that a
//! process that ends in the middle leaves the old one.
//!
//! Layout 3 has neither [`OWNED`] nor a note of the genesis document. Layouts 3 and 4 keep whole blocks in [`BLOCKS`], and the
//! headers below a restored state in a table of their own.

use acumen_protocol::codec::{Encode as _, decode_all};
use redb::{ReadableTable as _, TableDefinition, WriteTransaction};

use crate::blocks::{StoredBlock, put_block};
use crate::error::StoreError;
use crate::store::Store;
use crate::sum::Sum;
use crate::tables::{BLOCKS, HEADERS, LAYOUT, LAYOUT_VERSION, META, OWNED};

/// The oldest layout that can be read.
const OLDEST: u32 = 3;

/// Until layout 4: height → SCALE of a signed header below a restored state.
const CHECKPOINTS: TableDefinition<'static, u64, &'static [u8]> = TableDefinition::new("checkpoints");

impl Store {
    /// Brings the database to the present layout. One of a later or unknown layout is refused as it is.
    pub(crate) fn upgrade(&self) -> Result<(), StoreError> {
        let layout: u32 = self.meta(LAYOUT)?;
        if layout == LAYOUT_VERSION {
            return Ok(());
        }
        if !(OLDEST..LAYOUT_VERSION).contains(&layout) {
            let reason =
                format!("its layout is version {layout}, this program knows {OLDEST} to {LAYOUT_VERSION}");
            return Err(StoreError::corrupt(&self.path, reason));
        }
        let write = self.db.begin_write().map_err(|error| self.failed(error))?;
        self.separate_headers(&write)?;
        let written = (|| -> Result<(), redb::Error> {
            if write.open_table(META)?.get(OWNED)?.is_none() {
                Sum::afresh(&write)?.end(&write)?;
            }
            write.open_table(META)?.insert(LAYOUT, LAYOUT_VERSION.encode().as_slice())?;
            Ok(())
        })();
        written.map_err(|error| self.failed(error))?;
        write.commit().map_err(|error| self.failed(error))
    }

    /// Takes every block apart.
    fn separate_headers(&self, write: &WriteTransaction) -> Result<(), StoreError> {
        let mut next = self.whole_block_from(write, 0)?;
        while let Some((height, bytes)) = next {
            let block: StoredBlock =
                decode_all("stored block", &bytes).map_err(StoreError::decode(&self.path))?;
            put_block(write, &block).map_err(|error| self.failed(error))?;
            next = self.whole_block_from(write, height.saturating_add(1))?;
        }
        let moved = (|| -> Result<(), redb::Error> {
            let mut headers = write.open_table(HEADERS)?;
            for entry in write.open_table(CHECKPOINTS)?.iter()? {
                let (height, header) = entry?;
                headers.insert(height.value(), header.value())?;
            }
            Ok(())
        })();
        moved.map_err(|error| self.failed(error))?;
        write.delete_table(CHECKPOINTS).map(drop).map_err(|error| self.failed(error))
    }

    /// The first block at `height` or above, as it was before.
    fn whole_block_from(
        &self,
        write: &WriteTransaction,
        height: u64,
    ) -> Result<Option<(u64, Vec<u8>)>, StoreError> {
        let blocks = write.open_table(BLOCKS).map_err(|error| self.failed(error))?;
        let first = blocks.range(height..).map_err(|error| self.failed(error))?.next().transpose();
        let first = first.map_err(|error| self.failed(error))?;
        Ok(first.map(|(height, bytes)| (height.value(), bytes.value().to_vec())))
    }
}
