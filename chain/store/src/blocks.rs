//! Blocks: their signed headers in one table, everything else in another.

use acumen_chain_ledger::Audit;
use acumen_protocol::codec::{Decode, Encode, decode_all};
use acumen_protocol::finality::SignedHeader;
use acumen_protocol::{Block, Certificate, Hash, Height, SignedTransaction, ValidatorSet};
use redb::WriteTransaction;

use crate::error::StoreError;
use crate::store::Store;
use crate::tables::{BLOCKS, HEADERS, TRANSACTIONS};

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

impl StoredBlock {
    /// Header, certificate and set: what a light client verifies.
    #[must_use]
    pub fn signed_header(&self) -> SignedHeader {
        SignedHeader {
            header: self.block.header.clone(),
            certificate: self.certificate.clone(),
            next_validators: self.next_validators.clone(),
        }
    }
}

/// What a block has besides its signed header: transactions, events, audit.
type Body = (Vec<SignedTransaction>, Vec<Vec<u8>>, Option<Audit>);

/// Writes both parts of a block, and where its transactions are.
pub(crate) fn put_block(write: &WriteTransaction, block: &StoredBlock) -> Result<(), redb::Error> {
    let height = block.block.header.height.get();
    write.open_table(HEADERS)?.insert(height, block.signed_header().encode().as_slice())?;
    // As [`Body`], without a copy of a full block.
    let body = (&block.block.transactions, &block.events, &block.audit).encode();
    write.open_table(BLOCKS)?.insert(height, body.as_slice())?;
    let mut places = write.open_table(TRANSACTIONS)?;
    for transaction in &block.block.transactions {
        places.insert(transaction.id().0.as_slice(), height)?;
    }
    Ok(())
}

impl Store {
    /// The block at `height`, if it is committed and here.
    pub fn stored(&self, height: Height) -> Result<Option<StoredBlock>, StoreError> {
        let table = self.read()?.open_table(BLOCKS).map_err(|error| self.failed(error))?;
        let Some(bytes) = table.get(height.get()).map_err(|error| self.failed(error))? else {
            return Ok(None);
        };
        let (transactions, events, audit): Body =
            decode_all("block", bytes.value()).map_err(StoreError::decode(&self.path))?;
        let missing = || StoreError::corrupt(&self.path, format!("block {height} is without its header"));
        let SignedHeader { header, certificate, next_validators } =
            self.header(height)?.ok_or_else(missing)?;
        Ok(Some(StoredBlock {
            block: Block { header, transactions },
            certificate,
            next_validators,
            events,
            audit,
        }))
    }

    /// The first height after genesis whose block is kept here; the one after the tip if there was none yet when the
    /// store was opened. Blocks are never dropped, so that it stays what it is.
    #[must_use]
    pub const fn first_block(&self) -> Height {
        self.first_block
    }

    pub(crate) fn find_first_block(&self) -> Result<Height, StoreError> {
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
