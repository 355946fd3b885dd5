//! The records that a node keeps, at most [`MAX_RECORDS`]: the newest of each miner, until it expires.

use std::collections::BTreeMap;

use acumen_protocol::AccountId;
use acumen_protocol::miner_record::{RecordError, SignedMinerRecord};

/// Records kept: more than a chain has slots today, and at most 4 MiB.
pub const MAX_RECORDS: usize = 4_096;

/// The newest record of each miner.
#[derive(Clone, Debug, Default)]
pub struct Shelf {
    records: BTreeMap<AccountId, SignedMinerRecord>,
}

impl Shelf {
    /// Is `record`, which was not checked yet, worth a check? Cheap, so that a replay costs no signature.
    pub fn wants(&self, record: &SignedMinerRecord) -> Result<(), RecordError> {
        let hotkey = record.record.hotkey;
        match self.records.get(&hotkey) {
            Some(known) if known.record.issued_ms >= record.record.issued_ms => {
                Err(RecordError::Outdated { hotkey, known_ms: known.record.issued_ms })
            }
            _ => Ok(()),
        }
    }

    /// Keeps a record that was checked, if it is newer than what is known. Only [`Self::expire`] makes room, so that
    /// nobody pushes out another miner's record, and whoever keeps something beside the shelf hears of all that goes.
    pub fn put(&mut self, record: SignedMinerRecord) -> Result<(), RecordError> {
        self.wants(&record)?;
        if !self.records.contains_key(&record.record.hotkey) && self.records.len() >= MAX_RECORDS {
            return Err(RecordError::Full { limit: MAX_RECORDS });
        }
        self.records.insert(record.record.hotkey, record);
        Ok(())
    }

    /// The record of `hotkey`, if it still says something.
    #[must_use]
    pub fn get(&self, hotkey: &AccountId, now_ms: u64) -> Option<&SignedMinerRecord> {
        self.records.get(hotkey).filter(|kept| kept.record.expires_ms > now_ms)
    }

    /// How many there are, those that have expired since the last [`Self::expire`] among them.
    #[must_use]
    pub fn len(&self) -> usize {
        self.records.len()
    }

    /// True if there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.records.is_empty()
    }

    /// Forgets what has expired; whose that was.
    pub fn expire(&mut self, now_ms: u64) -> Vec<AccountId> {
        let over = |kept: &SignedMinerRecord| kept.record.expires_ms <= now_ms;
        let gone: Vec<_> =
            self.records.iter().filter(|(_, kept)| over(kept)).map(|(hotkey, _)| *hotkey).collect();
        self.records.retain(|_, kept| !over(kept));
        gone
    }
}
