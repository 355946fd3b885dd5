//! The equation agrees with the strict check of each signature, with and without the table, and with the one of
//! `ed25519-dalek`.

use ed25519_dalek::{Signature, Signer as _, SigningKey, VerifyingKey, verify_batch};
use proptest::prelude::*;

use super::*;

fn key(tag: u8) -> SigningKey {
    SigningKey::from_bytes(&[tag; 32])
}

fn keys(count: u8) -> Keys {
    let public = |tag| ConsensusPublic(key(tag).verifying_key().to_bytes());
    let voter = |tag| ConsensusValidator { key: public(tag), power: 1 };
    Keys::new(&(0..count).map(voter).collect::<Vec<_>>())
}

fn claim(place: u8, message: &[u8]) -> Claim {
    let signature = key(place).sign(message).to_bytes();
    Claim { place: usize::from(place), message: message.to_vec(), signature }
}

fn of(claim: &Claim) -> (VerifyingKey, Signature) {
    let place = u8::try_from(claim.place).unwrap();
    (key(place).verifying_key(), Signature::from_bytes(&claim.signature))
}

fn strict(claim: &Claim) -> bool {
    let (key, signature) = of(claim);
    key.verify_strict(&claim.message, &signature).is_ok()
}

fn library(claims: &[Claim]) -> bool {
    let messages: Vec<&[u8]> = claims.iter().map(|claim| claim.message.as_slice()).collect();
    let (keys, signatures): (Vec<VerifyingKey>, Vec<Signature>) = claims.iter().map(of).unzip();
    verify_batch(&messages, &signatures, &keys).is_ok()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    /// Some of twelve sign; a bit of a signature, or a message, may be another.
    #[test]
    fn one_equation_says_what_each_check_says(
        who in prop::collection::btree_set(0..12_u8, 1..12),
        damage in prop::option::of((any::<prop::sample::Index>(), 0..640_usize)),
    ) {
        let mut claims: Vec<Claim> = who.into_iter().map(|place| claim(place, &[place; 80])).collect();
        if let Some((index, bit)) = damage {
            let claim = index.get_mut(claims.as_mut_slice());
            match bit.checked_sub(512) {
                None => claim.signature[bit / 8] ^= 1 << (bit % 8),
                Some(bit) => claim.message[bit / 8] ^= 1 << (bit % 8),
            }
        }
        let expected = claims.iter().all(strict);
        let mut keys = keys(12);
        prop_assert_eq!(keys.all_hold(&claims), expected);
        keys.prepare();
        prop_assert_eq!(keys.all_hold(&claims), expected, "with the table");
        prop_assert_eq!(library(&claims), expected);
    }
}

/// Two faults that cancel each other if all coefficients are one.
#[test]
fn faults_do_not_cancel() {
    let mut claims = vec![claim(0, b"a"), claim(1, b"b")];
    for (claim, up) in claims.iter_mut().zip([true, false]) {
        let s = Scalar::from_canonical_bytes(claim.signature[32..].try_into().unwrap()).unwrap();
        let moved = if up { s + Scalar::ONE } else { s - Scalar::ONE };
        claim.signature[32..].copy_from_slice(moved.as_bytes());
    }
    let mut keys = keys(2);
    assert!(!keys.all_hold(&claims));
    keys.prepare();
    assert!(!keys.all_hold(&claims));
}

#[test]
fn a_place_without_a_key_holds_nothing() {
    let small_order = ConsensusPublic([0; 32]);
    let keys = Keys::new(&[ConsensusValidator { key: small_order, power: 1 }]);
    assert!(!keys.all_hold(&[claim(0, b"a")]));
    assert!(!keys.all_hold(&[claim(1, b"a")]));
    let mut mixed = self::keys(3);
    mixed.forget();
    assert!(mixed.all_hold(&[]), "nothing claimed, nothing wrong: whoever asks counts the power");
}
