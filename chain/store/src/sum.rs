//! What everybody owns, all in all: kept up to date with every block, so that asking for it costs nothing, and compared
//! with the issuance before a block is committed. Amounts are base units.

use std::path::Path;

use acumen_chain_ledger::{Audit, LedgerError, Owned, StateKey, Supply};
use acumen_protocol::codec::{Encode as _, decode_all};
use acumen_protocol::{Height, Nacu};
use redb::{ReadableTable as _, WriteTransaction};

use crate::error::StoreError;
use crate::store::Store;
use crate::tables::{BLOCKS, META, OWNED, VALUES};

/// The sum while a block is written.
#[derive(Debug, Default)]
pub(crate) struct Sum {
    owned: Owned,
    supply: Supply,
    failure: Option<LedgerError>,
}

/// Why a block does not add up.
pub(crate) enum Wrong {
    Ledger(LedgerError),
    Breach { height: Height, owned: Nacu, issuance: Nacu },
}

impl Wrong {
    pub(crate) fn into_store(self, path: &Path) -> StoreError {
        match self {
            Self::Ledger(error) => StoreError::corrupt(path, error),
            Self::Breach { height, owned, issuance } => StoreError::Breach { height, owned, issuance },
        }
    }
}

impl Sum {
    /// Goes on from the tip; from nothing, if there is none.
    pub(crate) fn begin(write: &WriteTransaction) -> Result<Self, redb::Error> {
        let mut sum = Self::default();
        if let Some(bytes) = write.open_table(META)?.get(OWNED)? {
            sum.note(decode_all::<Nacu>(OWNED, bytes.value()).map(Owned::from).map_err(LedgerError::from));
        }
        Ok(sum)
    }

    /// Adds up a whole state.
    pub(crate) fn afresh(write: &WriteTransaction) -> Result<Self, redb::Error> {
        let mut sum = Self::default();
        for entry in write.open_table(VALUES)?.iter()? {
            let (key, value) = entry?;
            sum.add(key.value(), None, Some(value.value()));
        }
        Ok(sum)
    }

    fn note(&mut self, owned: Result<Owned, LedgerError>) {
        match owned {
            Ok(owned) => self.owned = owned,
            Err(error) => self.failure = Some(error),
        }
    }

    /// Takes in the change of one value.
    pub(crate) fn add(&mut self, key: &[u8], before: Option<&[u8]>, after: Option<&[u8]>) {
        let mut owned = self.owned;
        let added = owned.add(key, before, after).map(|()| owned);
        self.note(added);
    }

    /// Writes the sum down, and reads what it is to be compared with.
    pub(crate) fn end(&mut self, write: &WriteTransaction) -> Result<(), redb::Error> {
        match self.owned.total() {
            Ok(total) => drop(write.open_table(META)?.insert(OWNED, total.encode().as_slice())?),
            Err(error) => self.failure = Some(error),
        }
        let values = write.open_table(VALUES)?;
        let supply = values.get(StateKey::Supply.to_bytes().as_slice())?;
        match supply.map(|bytes| decode_all::<Supply>("supply", bytes.value())).transpose() {
            Ok(supply) => self.supply = supply.unwrap_or_default(),
            Err(error) => self.failure = Some(error.into()),
        }
        Ok(())
    }

    /// Is what is owned what was issued?
    pub(crate) fn check(self, height: Height) -> Result<(), Wrong> {
        if let Some(error) = self.failure {
            return Err(Wrong::Ledger(error));
        }
        let (owned, issuance) = (self.owned.total().map_err(Wrong::Ledger)?, self.supply.issuance);
        if owned == issuance { Ok(()) } else { Err(Wrong::Breach { height, owned, issuance }) }
    }
}

impl Store {
    /// The tip's height, what everybody owns after it, and what was issued. Costs the same however large the state is.
    pub fn supply(&self) -> Result<(Height, Audit), StoreError> {
        let read = self.read()?;
        let blocks = read.open_table(BLOCKS).map_err(|error| self.failed(error))?;
        let last = blocks.last().map_err(|error| self.failed(error))?;
        let height = Height::new(last.map_or(0, |(height, _)| height.value()));
        let meta = read.open_table(META).map_err(|error| self.failed(error))?;
        let owned = meta.get(OWNED).map_err(|error| self.failed(error))?;
        let owned = owned.ok_or_else(|| StoreError::corrupt(&self.path, "the sum of balances is missing"))?;
        let balances_total = decode_all(OWNED, owned.value()).map_err(StoreError::decode(&self.path))?;
        let values = read.open_table(VALUES).map_err(|error| self.failed(error))?;
        let supply =
            values.get(StateKey::Supply.to_bytes().as_slice()).map_err(|error| self.failed(error))?;
        let supply = supply.ok_or_else(|| StoreError::corrupt(&self.path, "the supply is missing"))?;
        let Supply { issuance, minted, burned, .. } =
            decode_all("supply", supply.value()).map_err(StoreError::decode(&self.path))?;
        Ok((height, Audit { balances_total, issuance, minted, burned }))
    }
}
