//! Opening the database: creating it from a genesis document, or resuming after the last committed block.

use std::path::{Path, PathBuf};
use std::sync::{PoisonError, RwLock};

use acumen_chain_ledger::{Genesis, tree as rules};
use acumen_protocol::codec::{Encode as _, decode_all};
use acumen_protocol::finality::SignedHeader;
use acumen_protocol::{Block, Hash, Header, Height};
use redb::{Database, ReadTransaction, ReadableDatabase as _, ReadableTable as _};

use crate::blocks::StoredBlock;
use crate::error::StoreError;
use crate::tables::{
    BLOCKS, DOCUMENT, FIRST_KEPT, HEADERS, HISTORY, KEYS, LAYOUT, LAYOUT_VERSION, META, NODES, PROPOSALS,
    STALE, TRANSACTIONS, VALUES,
};

/// The database's file inside the data directory.
pub(crate) const FILE: &str = "chain.redb";

/// How much is kept.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// Heights before the tip whose state can still be proven. Blocks are always kept.
    pub keep_states: u64,
    /// Memory for the database's cache, in bytes.
    pub cache_bytes: usize,
}

impl Default for Options {
    /// 1,024 heights, 64 MiB.
    fn default() -> Self {
        Self { keep_states: 1_024, cache_bytes: 64 << 20 }
    }
}

/// The chain on disk. One process at a time; any number of threads.
#[derive(Debug)]
pub struct Store {
    pub(crate) db: Database,
    pub(crate) path: PathBuf,
    pub(crate) options: Options,
    genesis: Hash,
    pub(crate) first_block: Height,
    pub(crate) tip: RwLock<Header>,
}

impl Store {
    /// Opens the data directory, creating it if it is empty, and checks that it holds this genesis' chain and a whole
    /// tip.
    pub fn open(dir: &Path, genesis: &Genesis, options: Options) -> Result<Self, StoreError> {
        let path = dir.join(FILE);
        let io = |error: std::io::Error| StoreError::Io { path: dir.to_owned(), reason: error.to_string() };
        std::fs::create_dir_all(dir).map_err(io)?;
        let mut builder = Database::builder();
        builder.set_cache_size(options.cache_bytes);
        let db = builder.create(&path).map_err(|error| StoreError::database(&path, error))?;
        let document = Hash::of_encoded(genesis);
        let header = match made_from(&db, &document) {
            Some(header) => header,
            None => genesis.header()?,
        };
        let (genesis_id, tip) = (header.id(), RwLock::new(header.clone()));
        let mut store = Self { db, path, options, genesis: genesis_id, first_block: Height::ZERO, tip };
        if store.is_empty()? {
            store.create(genesis, header)?;
        }
        store.resume(&document)?;
        store.first_block = store.find_first_block()?;
        Ok(store)
    }

    /// The genesis hash.
    #[must_use]
    pub const fn genesis(&self) -> Hash {
        self.genesis
    }

    /// The newest committed header.
    #[must_use]
    pub fn tip(&self) -> Header {
        self.tip.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The database's file.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    fn is_empty(&self) -> Result<bool, StoreError> {
        match self.read()?.open_table(META) {
            Ok(_) => Ok(false),
            Err(redb::TableError::TableDoesNotExist(_)) => Ok(true),
            Err(error) => Err(self.failed(error)),
        }
    }

    /// Writes genesis as block 0, all or nothing.
    fn create(&self, genesis: &Genesis, header: Header) -> Result<(), StoreError> {
        let prepared = self.prepare_genesis(&genesis.state()?)?;
        if prepared.root() != header.state_root {
            return Err(StoreError::corrupt(&self.path, "the genesis state root cannot be reproduced"));
        }
        self.write_block(&Self::genesis_block(genesis)?, prepared, true)
    }

    /// Genesis as block 0.
    pub(crate) fn genesis_block(genesis: &Genesis) -> Result<StoredBlock, StoreError> {
        Ok(StoredBlock {
            block: Block { header: genesis.header()?, transactions: Vec::new() },
            certificate: None,
            next_validators: Some(genesis.validator_set()?),
            events: Vec::new(),
            audit: None,
        })
    }

    /// Finds the tip and checks that everything of it is there.
    fn resume(&self, document: &Hash) -> Result<(), StoreError> {
        self.upgrade()?;
        let first = self.header(Height::ZERO)?.map(|signed| signed.header.id());
        let found = first.ok_or_else(|| StoreError::corrupt(&self.path, "block 0 is missing"))?;
        if found != self.genesis {
            return Err(StoreError::OtherChain { path: self.path.clone(), found, expected: self.genesis });
        }
        if self.meta::<Hash>(DOCUMENT).ok().as_ref() != Some(document) {
            self.note(document)?;
        }
        let tip = self.newest()?;
        if self.root_at(tip.height)? != tip.state_root {
            return Err(StoreError::corrupt(&self.path, "the tree's root is not that of the tip's header"));
        }
        *self.tip.write().unwrap_or_else(PoisonError::into_inner) = tip;
        Ok(())
    }

    /// Writes down from which document this chain was made.
    fn note(&self, document: &Hash) -> Result<(), StoreError> {
        let write = self.db.begin_write().map_err(|error| self.failed(error))?;
        let written = (|| -> Result<(), redb::Error> {
            write.open_table(META)?.insert(DOCUMENT, document.encode().as_slice())?;
            Ok(())
        })();
        written.map_err(|error| self.failed(error))?;
        write.commit().map_err(|error| self.failed(error))
    }

    fn newest(&self) -> Result<Header, StoreError> {
        let table = self.read()?.open_table(HEADERS).map_err(|error| self.failed(error))?;
        let last = table.last().map_err(|error| self.failed(error))?;
        let (_, bytes) = last.ok_or_else(|| StoreError::corrupt(&self.path, "there is no block"))?;
        let signed: SignedHeader =
            decode_all("signed header", bytes.value()).map_err(StoreError::decode(&self.path))?;
        Ok(signed.header)
    }

    /// Recomputes the state root at the tip from the values alone. Cost grows with the state: for audits and tests.
    pub fn recompute_root(&self) -> Result<Hash, StoreError> {
        use acumen_chain_ledger::StateRead as _;
        let mut values = acumen_chain_ledger::Changes::new();
        let collected = self.state()?.walk(&[], &mut |key, value| {
            values.insert(key.to_vec(), Some(value.to_vec()));
            Ok(())
        });
        collected.map_err(|error| StoreError::corrupt(&self.path, error))?;
        rules::root_of(&values).map_err(|error| StoreError::corrupt(&self.path, error))
    }

    pub(crate) fn meta<T: acumen_protocol::codec::Decode>(
        &self,
        name: &'static str,
    ) -> Result<T, StoreError> {
        let table = self.read()?.open_table(META).map_err(|error| self.failed(error))?;
        let found = table.get(name).map_err(|error| self.failed(error))?;
        let found =
            found.ok_or_else(|| StoreError::corrupt(&self.path, format!("fact `{name}` is missing")))?;
        decode_all(name, found.value()).map_err(StoreError::decode(&self.path))
    }

    pub(crate) fn read(&self) -> Result<ReadTransaction, StoreError> {
        self.db.begin_read().map_err(|error| self.failed(error))
    }

    pub(crate) fn failed(&self, error: impl Into<redb::Error>) -> StoreError {
        StoreError::database(&self.path, error)
    }

    /// Creates every table, so that later reads find them.
    pub(crate) fn create_tables(write: &redb::WriteTransaction) -> Result<(), redb::Error> {
        write.open_table(HEADERS)?;
        write.open_table(BLOCKS)?;
        write.open_table(TRANSACTIONS)?;
        write.open_table(VALUES)?;
        write.open_table(HISTORY)?;
        write.open_table(KEYS)?;
        write.open_table(NODES)?;
        write.open_table(STALE)?;
        write.open_table(PROPOSALS)?;
        let mut meta = write.open_table(META)?;
        meta.insert(LAYOUT, LAYOUT_VERSION.encode().as_slice())?;
        meta.insert(FIRST_KEPT, 0_u64.encode().as_slice())?;
        Ok(())
    }
}

/// The genesis header, if the database says that it was made from this document. Anything else is left to the checks that
/// follow.
fn made_from(db: &Database, document: &Hash) -> Option<Header> {
    let read = db.begin_read().ok()?;
    let noted = read.open_table(META).ok()?.get(DOCUMENT).ok()??;
    if decode_all::<Hash>(DOCUMENT, noted.value()).ok()? != *document {
        return None;
    }
    let first = read.open_table(HEADERS).ok()?.get(0).ok()??;
    decode_all::<SignedHeader>("signed header", first.value()).ok().map(|first| first.header)
}
