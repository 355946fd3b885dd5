//! What is refused, and what is kept.

use acumen_protocol::miner_record::{MinerRecord, RecordError, SignedMinerRecord};
use acumen_protocol::{Endpoint, Hash, Keypair};

use super::shelf::{self, Shelf};

const CHAIN: Hash = Hash([7; 32]);
const NOW: u64 = 1_000_000_000;

fn key(tag: u8) -> Keypair {
    Keypair::from_seed(&[tag; 32])
}

fn record(tag: u8, issued_ms: u64) -> MinerRecord {
    let endpoint =
        Endpoint::new("https://miner.example.org:8443", Hash([1; 32]), Some(Hash([2; 32]))).unwrap();
    MinerRecord { hotkey: key(tag).account(), endpoint, issued_ms, expires_ms: issued_ms + 600_000 }
}

fn signed(tag: u8, issued_ms: u64) -> SignedMinerRecord {
    record(tag, issued_ms).sign(&CHAIN, &key(tag))
}

#[test]
fn the_newest_record_stays_and_a_replay_changes_nothing() {
    let mut shelf = Shelf::default();
    let (old, new) = (signed(1, NOW), signed(1, NOW + 1));
    let hotkey = key(1).account();
    shelf.put(old.clone()).unwrap();
    shelf.put(new.clone()).unwrap();
    assert!(matches!(shelf.put(old), Err(RecordError::Outdated { .. })));
    assert!(matches!(shelf.put(signed(1, NOW + 1)), Err(RecordError::Outdated { .. })));
    assert_eq!(shelf.get(&hotkey, NOW), Some(&new));
    assert_eq!(shelf.get(&hotkey, NOW + 600_001), None);
    assert_eq!(shelf.expire(NOW + 600_001), [hotkey]);
    assert!(shelf.expire(u64::MAX).is_empty());
}

#[test]
fn a_full_shelf_gives_up_what_expired_and_nothing_else() {
    let mut shelf = Shelf::default();
    let one = signed(1, NOW);
    // Whose signature it is was checked before: names are enough here.
    let named = |number: usize, issued_ms: u64| {
        let mut record = SignedMinerRecord { record: record(1, issued_ms), signature: one.signature };
        record.record.hotkey.0[..8].copy_from_slice(&(number as u64).to_be_bytes());
        record
    };
    for number in 0..shelf::MAX_RECORDS {
        shelf.put(named(number, NOW)).unwrap();
    }
    let more = named(shelf::MAX_RECORDS, NOW + 600_000);
    assert!(matches!(shelf.put(more.clone()), Err(RecordError::Full { .. })));
    shelf.put(named(0, NOW + 1)).unwrap();
    // All have expired but the one that was renewed.
    assert_eq!(shelf.expire(NOW + 600_000).len(), shelf::MAX_RECORDS - 1);
    shelf.put(more).unwrap();
}
