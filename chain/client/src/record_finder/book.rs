//! What a reader knows of miners' records, and whom it may ask for now. Times are arguments, in milliseconds since the Unix
//! epoch.

use std::collections::BTreeMap;

use acumen_protocol::AccountId;
use acumen_protocol::miner_record::SignedMinerRecord;

/// A miner is asked for once in this time: it publishes every ten minutes, and at once when it has moved.
pub(super) const ASK_EVERY_MS: u64 = 30_000;

/// Miners remembered: as many as a node keeps records of.
const MAX_MINERS: usize = 4_096;

#[derive(Debug, Default)]
struct Entry {
    asked_ms: Option<u64>,
    newest: Option<SignedMinerRecord>,
}

impl Entry {
    /// A clock that was set back does not silence anybody.
    fn may_ask(&self, now_ms: u64) -> bool {
        self.asked_ms.is_none_or(|asked| now_ms.abs_diff(asked) >= ASK_EVERY_MS)
    }

    fn record(&self, now_ms: u64) -> Option<&SignedMinerRecord> {
        self.newest.as_ref().filter(|newest| newest.record.expires_ms > now_ms)
    }
}

/// The newest record of each miner, and when it was asked for.
#[derive(Debug, Default)]
pub(super) struct RecordBook(BTreeMap<AccountId, Entry>);

impl RecordBook {
    /// Is it time to ask for `hotkey`?
    pub(super) fn may_ask(&self, hotkey: &AccountId, now_ms: u64) -> bool {
        self.0.get(hotkey).is_none_or(|entry| entry.may_ask(now_ms))
    }

    /// Notes that it is asked for now. Forgets those of whom nothing is to be known when there are too many.
    pub(super) fn asked(&mut self, hotkey: AccountId, now_ms: u64) {
        if self.0.len() >= MAX_MINERS && !self.0.contains_key(&hotkey) {
            self.0.retain(|_, entry| !entry.may_ask(now_ms) || entry.record(now_ms).is_some());
            if self.0.len() >= MAX_MINERS {
                self.0.pop_first();
            }
        }
        self.0.entry(hotkey).or_default().asked_ms = Some(now_ms);
    }

    /// Keeps a verified record, if it is newer than what is known: a node cannot bring back an older one.
    pub(super) fn learn(&mut self, found: SignedMinerRecord) {
        let entry = self.0.entry(found.record.hotkey).or_default();
        if entry.newest.as_ref().is_none_or(|known| known.record.issued_ms < found.record.issued_ms) {
            entry.newest = Some(found);
        }
    }

    /// The newest record of `hotkey`, if it still says something.
    pub(super) fn get(&self, hotkey: &AccountId, now_ms: u64) -> Option<&SignedMinerRecord> {
        self.0.get(hotkey)?.record(now_ms)
    }
}

#[cfg(test)]
mod tests {
    use acumen_protocol::miner_record::MinerRecord;
    use acumen_protocol::{Endpoint, Hash, Keypair};

    use super::*;

    const NOW: u64 = 1_000_000;

    fn record(issued_ms: u64) -> SignedMinerRecord {
        let key = Keypair::from_seed(&[1; 32]);
        let endpoint = Endpoint::new("http://192.0.2.1:1", Hash::ZERO, None).unwrap();
        let expires_ms = issued_ms + 600_000;
        MinerRecord { hotkey: key.account(), endpoint, issued_ms, expires_ms }.sign(&Hash::ZERO, &key)
    }

    #[test]
    fn a_miner_is_asked_for_once_in_a_while_whatever_the_clock_does() {
        let (mut book, hotkey) = (RecordBook::default(), record(NOW).record.hotkey);
        assert!(book.may_ask(&hotkey, NOW));
        book.asked(hotkey, NOW);
        assert!(!book.may_ask(&hotkey, NOW + ASK_EVERY_MS - 1));
        assert!(book.may_ask(&hotkey, NOW + ASK_EVERY_MS));
        assert!(book.may_ask(&hotkey, NOW - ASK_EVERY_MS), "the clock was set back");
    }

    #[test]
    fn an_older_record_does_not_come_back_and_an_expired_one_says_nothing() {
        let (mut book, new, old) = (RecordBook::default(), record(NOW), record(NOW - 1));
        let hotkey = new.record.hotkey;
        book.learn(new.clone());
        book.learn(old);
        assert_eq!(book.get(&hotkey, NOW), Some(&new));
        assert_eq!(book.get(&hotkey, new.record.expires_ms), None);
    }

    #[test]
    fn what_is_remembered_is_bounded() {
        let mut book = RecordBook::default();
        for number in 0..=MAX_MINERS as u64 {
            let mut hotkey = AccountId([0; 32]);
            hotkey.0[..8].copy_from_slice(&number.to_be_bytes());
            book.asked(hotkey, NOW);
        }
        assert_eq!(book.0.len(), MAX_MINERS);
    }
}
