//! What is refused, and what is kept.

use super::*;

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
fn what_a_miner_signed_is_read_and_believed() {
    let bytes = signed(1, NOW).encode();
    assert!(bytes.len() < MAX_RECORD_BYTES / 2, "{} bytes", bytes.len());
    let read = SignedMinerRecord::from_bytes(&bytes).unwrap();
    assert_eq!(read.check(&CHAIN, NOW), Ok(()));
    assert_eq!(read.record, record(1, NOW));
}

/// The bytes are a contract with every node and reader: written out here by hand.
#[test]
fn the_signed_bytes_are_those_of_the_specification() {
    let compact = |bytes: &[u8]| [&[u8::try_from(bytes.len() * 4).unwrap()], bytes].concat();
    let record = record(1, NOW);
    let endpoint = [compact(b"https://miner.example.org:8443"), vec![1; 32], vec![1], vec![2; 32]].concat();
    let times = [NOW.to_le_bytes(), (NOW + 600_000).to_le_bytes()].concat();
    let body = [record.hotkey.0.to_vec(), endpoint, times].concat();
    let signed = [compact(b"acumen/miner-record/1"), CHAIN.0.to_vec(), body.clone()].concat();
    assert_eq!(record.preimage(&CHAIN), signed);
    let sent = record.sign(&CHAIN, &key(1));
    assert_eq!(sent.encode(), [body, sent.signature.0.to_vec()].concat());
}

#[test]
fn a_forged_record_is_refused_whatever_byte_was_changed() {
    let bytes = signed(1, NOW).encode();
    for place in 0..bytes.len() {
        let mut forged = bytes.clone();
        forged[place] ^= 1;
        let believed = SignedMinerRecord::from_bytes(&forged).and_then(|read| read.check(&CHAIN, NOW));
        assert!(believed.is_err(), "byte {place}");
    }
    for end in 0..bytes.len() {
        assert!(SignedMinerRecord::from_bytes(&bytes[..end]).is_err());
    }
    let longer = [bytes.as_slice(), &[0]].concat();
    assert!(matches!(SignedMinerRecord::from_bytes(&longer), Err(RecordError::Malformed { .. })));
    let huge = vec![0; MAX_RECORD_BYTES + 1];
    assert_eq!(SignedMinerRecord::from_bytes(&huge), Err(RecordError::TooLarge { size: huge.len() }));
    let other = record(1, NOW).sign(&CHAIN, &key(2));
    assert!(matches!(other.check(&CHAIN, NOW), Err(RecordError::Signature { .. })));
    assert!(matches!(signed(1, NOW).check(&Hash([8; 32]), NOW), Err(RecordError::Signature { .. })));
}

#[test]
fn a_record_is_good_for_its_time_only() {
    let fresh = signed(1, NOW);
    assert_eq!(fresh.check(&CHAIN, NOW + 599_999), Ok(()));
    assert!(matches!(fresh.check(&CHAIN, NOW + 600_000), Err(RecordError::Expired { ago_ms: 0, .. })));
    assert_eq!(fresh.check(&CHAIN, NOW - MAX_AHEAD_MS), Ok(()));
    assert!(matches!(fresh.check(&CHAIN, NOW - MAX_AHEAD_MS - 1), Err(RecordError::Future { .. })));
    let lives = |life: u64| {
        let record = MinerRecord { expires_ms: NOW + life, ..record(1, NOW) };
        record.sign(&CHAIN, &key(1)).check(&CHAIN, NOW)
    };
    assert_eq!(lives(MAX_LIFE_MS), Ok(()));
    assert!(matches!(lives(MAX_LIFE_MS + 1), Err(RecordError::Life { .. })));
    assert!(matches!(lives(0), Err(RecordError::Life { .. })));
}
