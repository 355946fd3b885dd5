//! The light client's core (LC-1 to LC-9 in docs/spec/light-client.md), and that no bytes upset it.

mod fixture;

use acumen_chain_client::light::{
    Checkpoint, LightClient, LightError, SignedHeader, TrustedSet, verify_event, verify_parent, verify_value,
};
use acumen_chain_ledger::StateKey;
use acumen_protocol::certificate::CertificateError;
use acumen_protocol::codec::{Encode as _, decode_all};
use acumen_protocol::merkle::MerkleProof;
use acumen_protocol::{AccountId, Hash};
use fixture::{Headers, Tree, certificate, events, genesis, height, set};
use proptest::prelude::*;

const OLD: [u8; 4] = [1, 2, 3, 4];
const NEW: [u8; 4] = [3, 4, 5, 6];

/// Twelve blocks; the set changes with block 4, again with block 8.
fn chain() -> (LightClient, Headers) {
    let document = genesis(OLD);
    let mut headers = Headers::new(&document, &OLD);
    headers.grow(3);
    headers.push(&NEW, Hash::ZERO, Hash::ZERO);
    headers.grow(3);
    headers.push(&[7, 8, 9], Hash::ZERO, Hash::ZERO);
    headers.grow(4);
    (LightClient::from_genesis(&document).unwrap(), headers)
}

#[test]
fn lc1_lc2_one_header_of_each_epoch_leads_to_the_tip_and_back() {
    let (mut light, headers) = chain();
    let far = light.advance(headers.header(12)).unwrap_err();
    assert!(matches!(far, LightError::UnknownSet { .. }), "{far}");
    for at in [4, 8, 12] {
        light.advance(headers.header(at)).unwrap();
    }
    assert_eq!(light.height(), height(12));
    for at in 0..=12 {
        assert_eq!(light.verify(headers.header(at)).unwrap(), headers.header(at).header.id(), "{at}");
    }
}

#[test]
fn lc2_a_set_of_another_time_proves_nothing() {
    let (mut light, mut headers) = chain();
    for at in [4, 8, 12] {
        light.advance(headers.header(at)).unwrap();
    }
    // Block 13, decided by validators of long ago, who have nothing to lose.
    let forged = headers.make(&OLD, &OLD, Hash::ZERO, Hash::ZERO, 0);
    assert!(matches!(light.advance(&forged), Err(LightError::UnknownSet { .. })));
    headers.chain.truncate(6);
    let early = headers.make(&OLD, &OLD, Hash::ZERO, Hash::ZERO, 0);
    assert!(
        matches!(light.verify(&early), Err(LightError::UnknownSet { .. })),
        "block 6 belongs to the new set"
    );
}

/// What a key signs for a height that it does not decide costs nothing (L-60): a header of it proves nothing, even while
/// the header names the very set that is the newest one known.
#[test]
fn lc2_a_set_proves_nothing_beyond_its_term() {
    let (light, headers) = chain();
    assert_eq!(light.horizon(), height(4));
    // Genesis' validators, who are still bonded: a history in which they were never replaced.
    let mut forged = Headers::new(&genesis(OLD), &OLD);
    forged.grow(24);
    // And those who decide from block 5 to 8.
    let mut later = Headers { chain: headers.chain[..=6].to_vec(), ..Headers::new(&genesis(OLD), &NEW) };
    later.grow(18);
    let checkpoint = Checkpoint { height: height(6), block: headers.header(6).header.id() };
    let begun = light.at_checkpoint(&checkpoint, headers.header(6).header.clone(), set(NEW)).unwrap();
    assert_eq!(begun.horizon(), height(8));
    for (light, forged, end) in [(&light, &forged, 4), (&begun, &later, 8)] {
        light.verify(forged.header(end)).unwrap();
        for at in [end + 1, end + 4, end + 5, 22, 24] {
            let mut client = light.clone();
            let refused = client.advance(forged.header(at)).unwrap_err();
            assert!(matches!(refused, LightError::UnknownSet { .. }), "{at}: {refused}");
            assert_eq!(light.verify(forged.header(at)), Err(refused));
            assert_eq!(&client, light, "{at}");
        }
    }
}

/// The header names the set that decides it, as it must to be looked at; the signatures are others'.
#[test]
fn lc2_lc4_the_right_set_named_and_the_wrong_one_signed() {
    let (mut light, mut headers) = chain();
    light.advance(headers.header(4)).unwrap();
    headers.chain.truncate(5);
    let good = headers.make(&NEW, &NEW, Hash([5; 32]), Hash::ZERO, 0);
    light.clone().advance(&good).unwrap();
    let signed_by = |genesis: &Hash, tags: &[u8]| SignedHeader {
        certificate: Some(certificate(genesis, &good.header, 0, tags)),
        ..good.clone()
    };
    let refusal = |signed: &SignedHeader| match light.clone().advance(signed) {
        Err(LightError::Certificate(error)) => {
            assert_eq!(light.verify(signed), Err(LightError::Certificate(error.clone())), "in place too");
            error
        }
        other => panic!("{other:?}"),
    };
    // The set before the change: all of it, those of it that stayed, and those that left beside a quorum of the new one.
    assert!(matches!(refusal(&signed_by(&headers.genesis, &OLD)), CertificateError::UnknownVoter { .. }));
    let stayed = refusal(&signed_by(&headers.genesis, &[3, 4]));
    assert!(matches!(stayed, CertificateError::NoQuorum { signed: 2, total: 4 }), "{stayed}");
    let beside = refusal(&signed_by(&headers.genesis, &[1, 3, 4, 5]));
    assert!(matches!(beside, CertificateError::UnknownVoter { .. }), "{beside}");
    // The set after the next change, which decides later.
    assert!(matches!(
        refusal(&signed_by(&headers.genesis, &[7, 8, 9])),
        CertificateError::UnknownVoter { .. }
    ));
    // The same keys on another chain: every signature is good there.
    let mut other = genesis(NEW);
    other.chain = "another".to_owned();
    let elsewhere = other.hash().unwrap();
    assert!(certificate(&elsewhere, &good.header, 0, &NEW).verify(&elsewhere, &set(NEW)).is_ok());
    assert!(matches!(refusal(&signed_by(&elsewhere, &NEW)), CertificateError::BadSignature { .. }));
    // Another chain's header under this one's height, certified by its own set.
    let mut strangers = LightClient::from_genesis(&other).unwrap();
    let mut foreign = Headers::new(&other, &NEW);
    foreign.grow(5);
    assert!(matches!(light.advance(foreign.header(5)), Err(LightError::Certificate(_))));
    strangers.advance(foreign.header(4)).unwrap();
    assert!(strangers.verify(foreign.header(5)).is_ok(), "on its own chain it is good");
}

#[test]
fn lc3_a_checkpoint_begins_where_it_says() {
    let (light, headers) = chain();
    let at = headers.header(6);
    let checkpoint = Checkpoint { height: height(6), block: at.header.id() };
    let begin = |header: &SignedHeader, tags: &[u8]| {
        let set = set(tags.iter().copied());
        light.at_checkpoint(&checkpoint, header.header.clone(), set)
    };
    let mut light = begin(at, &NEW).unwrap();
    light.advance(headers.header(8)).unwrap();
    light.advance(headers.header(12)).unwrap();
    assert!(matches!(begin(headers.header(7), &NEW), Err(LightError::Checkpoint { .. })));
    assert!(matches!(begin(at, &OLD), Err(LightError::NextSet { .. })));
    let before = light.verify(headers.header(5));
    assert!(matches!(before, Err(LightError::UnknownSet { .. })), "its set is not known");
    let (child, parent) = (&at.header, &headers.header(5).header);
    assert_eq!(verify_parent(child, parent).unwrap(), parent.id(), "but its child names it");
    assert!(verify_parent(child, &headers.header(4).header).is_err());
}

#[test]
fn lc4_more_than_two_thirds_must_have_signed_this_very_block() {
    let (light, headers) = chain();
    let good = headers.header(1);
    let with = |tags: &[u8]| SignedHeader {
        certificate: Some(certificate(&headers.genesis, &good.header, 0, tags)),
        ..good.clone()
    };
    light.verify(&with(&[1, 2, 3])).unwrap();
    let few = light.verify(&with(&[1, 2])).unwrap_err();
    assert!(
        matches!(few, LightError::Certificate(CertificateError::NoQuorum { signed: 2, total: 4 })),
        "{few}"
    );
    let stranger = light.verify(&with(&[1, 2, 3, 9])).unwrap_err();
    assert!(matches!(stranger, LightError::Certificate(CertificateError::UnknownVoter { .. })));
    let none = light.verify(&SignedHeader { certificate: None, ..good.clone() }).unwrap_err();
    assert!(matches!(none, LightError::NoCertificate { .. }));
    for voter in 0..4 {
        for byte in [0, 31, 32, 63] {
            let mut bad = good.clone();
            bad.certificate.as_mut().unwrap().signatures[voter].1.0[byte] ^= 1;
            let error = light.verify(&bad).unwrap_err();
            let named = bad.certificate.unwrap().signatures[voter].0;
            assert_eq!(error, LightError::Certificate(CertificateError::BadSignature { voter: named }));
        }
    }
    let mut twice = good.clone();
    let signatures = &mut twice.certificate.as_mut().unwrap().signatures;
    signatures[1] = signatures[0];
    assert!(matches!(light.verify(&twice), Err(LightError::Certificate(CertificateError::Disorder { .. }))));
    let mut moved = good.clone();
    moved.header.state_root = Hash([1; 32]);
    assert!(matches!(light.verify(&moved), Err(LightError::OtherBlock { .. })));
}

#[test]
fn lc5_two_certified_blocks_at_a_height_are_evidence() {
    let (mut light, mut headers) = chain();
    light.advance(headers.header(2)).unwrap();
    light.advance(headers.header(4)).unwrap();
    headers.chain.truncate(2);
    for (round, accused) in [(0, 3), (1, 0)] {
        let other = SignedHeader { ..headers.make(&OLD, &OLD, Hash([7; 32]), Hash::ZERO, round) };
        let three = certificate(&headers.genesis, &other.header, round, &[2, 3, 4]);
        let error = light.advance(&SignedHeader { certificate: Some(three), ..other }).unwrap_err();
        let LightError::Fork(fork) = error else { panic!("{error}") };
        assert_eq!((fork.signers().len(), fork.evidence().len()), (3, accused));
        for evidence in fork.evidence() {
            assert_eq!(evidence.verify(&headers.genesis), Ok(()), "a chain would take it");
        }
    }
    assert_eq!(light.height(), height(4));
}

#[test]
fn lc6_values_and_their_absence_are_proven() {
    let tree = Tree::new(100);
    let document = genesis(OLD);
    let mut headers = Headers::new(&document, &OLD);
    headers.push(&OLD, tree.root, Hash::ZERO);
    let header = &headers.header(1).header;
    let there = StateKey::Account(AccountId([0; 32]));
    let absent = StateKey::Account(AccountId([7; 32]));
    let (value, proof) = tree.prove(&there);
    assert_eq!(verify_value(header, &there, value.as_deref(), &proof), Ok(()));
    assert!(verify_value(header, &there, None, &proof).is_err(), "it is there");
    assert!(verify_value(header, &there, Some(b"other"), &proof).is_err());
    assert!(verify_value(header, &absent, value.as_deref(), &proof).is_err(), "another key's");
    let (value, proof) = tree.prove(&absent);
    assert_eq!(value, None);
    assert_eq!(verify_value(header, &absent, None, &proof), Ok(()));
    assert!(verify_value(header, &absent, Some(b"1"), &proof).is_err(), "it is not there");
    assert!(verify_value(&headers.header(0).header, &absent, None, &proof).is_err(), "another state");
}

#[test]
fn lc7_events_are_proven() {
    let (list, tree) = events(11);
    let document = genesis(OLD);
    let mut headers = Headers::new(&document, &OLD);
    headers.push(&OLD, Hash::ZERO, tree.root());
    let header = &headers.header(1).header;
    for (place, event) in (0_u32..).zip(&list) {
        let proof = tree.prove(place).unwrap();
        verify_event(header, event, &proof).unwrap();
        let other = &list[(usize::try_from(place).unwrap() + 1) % list.len()];
        assert!(matches!(verify_event(header, other, &proof), Err(LightError::EventProof { .. })));
    }
    let proof = tree.prove(0).unwrap();
    assert!(verify_event(&headers.header(0).header, &list[0], &proof).is_err());
}

/// Flips, cuts and repeats of good bytes: structure survives often enough to reach every check.
fn damage() -> impl Strategy<Value = (usize, u8, usize)> {
    (any::<usize>(), any::<u8>(), 0..4_usize)
}

fn damaged(mut bytes: Vec<u8>, (place, flip, kind): (usize, u8, usize)) -> Vec<u8> {
    let place = place % bytes.len().max(1);
    match kind {
        0 | 1 => bytes[place] ^= flip.max(1),
        2 => bytes.truncate(place),
        _ => {
            let tail = bytes[place..].to_vec();
            bytes.extend(tail);
        }
    }
    bytes
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, failure_persistence: None, ..ProptestConfig::default() })]

    /// LC-8: a damaged header is refused or not even read, and the client is as it was.
    #[test]
    fn lc8_damaged_headers_are_refused(damage in damage(), at in 1..=12_usize) {
        let (light, headers) = &*CHAIN;
        let bytes = damaged(headers.header(at).encode(), damage);
        let Ok(signed) = decode_all::<SignedHeader>("header", &bytes) else { return Ok(()) };
        prop_assume!(signed != *headers.header(at));
        let mut client = light.clone();
        let same_block = signed.header == headers.header(at).header;
        match client.advance(&signed) {
            Err(_) => prop_assert_eq!(&client, light),
            // Another proof of the same block: fewer signatures, or a next set that the client knows by itself.
            Ok(_) => prop_assert!(same_block),
        }
    }

    /// LC-8: a damaged proof of a value proves nothing but that value.
    #[test]
    fn lc8_damaged_proofs_prove_nothing(damage in damage(), index in 0..60_u32) {
        let tree = &*TREE;
        let (_, headers) = &*CHAIN;
        let mut header = headers.header(1).header.clone();
        header.state_root = tree.root;
        let mut id = [0; 32];
        id[..4].copy_from_slice(&index.to_le_bytes());
        let key = StateKey::Account(AccountId(id));
        let (value, proof) = tree.prove(&key);
        let bad = damaged(proof, damage);
        let other = value.clone().map_or_else(|| Some(vec![1]), |mut value| { value[0] ^= 1; Some(value) });
        prop_assert!(verify_value(&header, &key, other.as_deref(), &bad).is_err());
        let _ = verify_value(&header, &key, value.as_deref(), &bad);
    }

    /// LC-8: any bytes at all.
    #[test]
    fn lc8_any_bytes_are_survived(bytes in prop::collection::vec(any::<u8>(), 0..600), path in prop::collection::vec(any::<[u8; 32]>(), 0..40), index in any::<u32>(), count in any::<u32>()) {
        let (light, headers) = &*CHAIN;
        if let Ok(signed) = decode_all::<SignedHeader>("header", &bytes) {
            prop_assert!(light.verify(&signed).is_err());
        }
        let header = &headers.header(1).header;
        let key = StateKey::Account(AccountId([1; 32]));
        prop_assert!(verify_value(header, &key, None, &bytes).is_err());
        let proof = MerkleProof { index, count, path: path.into_iter().map(Hash).collect() };
        prop_assert!(verify_event(header, &bytes, &proof).is_err());
    }
}

/// At block 12, all sets known.
static CHAIN: std::sync::LazyLock<(LightClient, Headers)> = std::sync::LazyLock::new(|| {
    let (mut light, headers) = chain();
    for at in [4, 8, 12] {
        light.advance(headers.header(at)).unwrap();
    }
    (light, headers)
});

static TREE: std::sync::LazyLock<Tree> = std::sync::LazyLock::new(|| Tree::new(50));

#[test]
fn lc9_all_at_once_is_as_strict_as_one_by_one() {
    let tags: Vec<u8> = (1..=64).collect();
    let document = genesis(tags.clone());
    let headers = Headers::new(&document, &tags);
    let signed = headers.make(&tags, &tags, Hash::ZERO, Hash::ZERO, 0);
    let good = signed.certificate.unwrap();
    let set = set(tags);
    let trusted = TrustedSet::new(set.clone());
    assert_eq!(trusted.verify(&headers.genesis, &good), Ok(()));
    for place in 0..64 {
        let mut bad = good.clone();
        bad.signatures[place].1.0[place] ^= 0x40;
        let (all, each) = (trusted.verify(&headers.genesis, &bad), bad.verify(&headers.genesis, &set));
        assert_eq!(all, each);
        assert!(all.is_err(), "{place}");
    }
    assert!(trusted.verify(&Hash::ZERO, &good).is_err(), "another chain");
}
