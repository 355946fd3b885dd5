//! Reading blocks.

use acumen_chain_ledger::Audit;
use acumen_protocol::codec::{Decode, Encode, decode_all};
use acumen_protocol::{Block, Certificate, Hash, Height, ValidatorSet};

use crate::error::StoreError;
use crate::store::Store;
use crate::tables::{BLOCKS, TRANSACTIONS};

/// A committed block with everything that goes with it.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct StoredBlock {
    /// Header and transactions.
    pub block: Block,
    /// Proof that it was decided; `None` at genesis only.
    pub certificate: Option<Certificate>,
    /// The set that decides the next block, if it differs from the one that decided this block (and at genesis).
    pub next_validators: Option<ValidatorSet>,
    /// SCALE of each event, in order.
    pub events: Vec<Vec<u8>>,
    /// Everything added up afresh after the block, if it ended an epoch.
    pub audit: Option<Audit>,
}

impl Store {
    /// The block at `height`, if it is committed.
    pub fn stored(&self, height: Height) -> Result<Option<StoredBlock>, StoreError> {
        let table = self.read()?.open_table(BLOCKS).map_err(|error| self.failed(error))?;
        let found = table.get(height.get()).map_err(|error| self.failed(error))?;
        let decode = |bytes: &[u8]| decode_all("stored block", bytes).map_err(StoreError::decode(&self.path));
        found.map(|bytes| decode(bytes.value())).transpose()
    }

    /// The first height after genesis whose block is kept here; the one after the tip if there is none.
    pub fn first_block(&self) -> Result<Height, StoreError> {
        let table = self.read()?.open_table(BLOCKS).map_err(|error| self.failed(error))?;
        let first = table.range(1..).map_err(|error| self.failed(error))?.next().transpose();
        let first = first.map_err(|error| self.failed(error))?.map(|(height, _)| height.value());
        Ok(Height::new(first.unwrap_or_else(|| self.tip().height.get().saturating_add(1))))
    }

    /// The height of the block that holds a transaction.
    pub fn height_of(&self, transaction: &Hash) -> Result<Option<Height>, StoreError> {
        let table = self.read()?.open_table(TRANSACTIONS).map_err(|error| self.failed(error))?;
        let found = table.get(transaction.0.as_slice()).map_err(|error| self.failed(error))?;
        Ok(found.map(|height| Height::new(height.value())))
    }
}
