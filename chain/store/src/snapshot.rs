//! The state at the tip, as the ledger reads it; and how whole states are given to new nodes ([`serve`], [`restore`]).

pub(crate) mod piece;
pub(crate) mod restore;
mod serve;

use acumen_chain_ledger::StateRead;
use acumen_chain_ledger::state::{StateError, Visit};
use redb::ReadOnlyTable;

use crate::error::StoreError;
use crate::store::Store;
use crate::tables::VALUES;

/// The state at one moment; blocks committed later do not change it.
pub struct Snapshot(ReadOnlyTable<&'static [u8], &'static [u8]>);

impl std::fmt::Debug for Snapshot {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Snapshot")
    }
}

impl Store {
    /// The state after the newest committed block.
    pub fn state(&self) -> Result<Snapshot, StoreError> {
        self.read()?.open_table(VALUES).map(Snapshot).map_err(|error| self.failed(error))
    }
}

fn failed(error: redb::StorageError) -> StateError {
    StateError { reason: error.to_string() }
}

impl StateRead for Snapshot {
    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, StateError> {
        Ok(self.0.get(key).map_err(failed)?.map(|value| value.value().to_vec()))
    }

    fn walk(&self, prefix: &[u8], visit: &mut Visit<'_>) -> Result<(), StateError> {
        for entry in self.0.range(prefix..).map_err(failed)? {
            let (key, value) = entry.map_err(failed)?;
            if !key.value().starts_with(prefix) {
                break;
            }
            visit(key.value(), value.value())?;
        }
        Ok(())
    }
}
