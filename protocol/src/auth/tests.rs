//! The list of checks, one refusal each, and the order in which they happen.

use std::collections::BTreeSet;

use super::*;

const PATH: &str = "/acumen.inference.v1.Inference/Predict";
const NOW: u64 = 1_800_000_000_000_000_000;

#[derive(Default)]
struct Memory {
    seen: BTreeSet<(AccountId, u64)>,
    broken: bool,
}

impl ReplayStore for Memory {
    fn insert(&mut self, sender: &AccountId, nonce: u64, _now: u64) -> Result<bool, String> {
        if self.broken { Err("disk full".to_owned()) } else { Ok(self.seen.insert((*sender, nonce))) }
    }
}

fn keys() -> (Keypair, AccountId) {
    (Keypair::from_seed(&[1; 32]), Keypair::from_seed(&[2; 32]).account())
}

fn signed() -> AuthHeaders {
    let (key, receiver) = keys();
    AuthHeaders::sign(&key, receiver, PATH, b"message", NOW)
}

fn check(headers: &AuthHeaders, path: &str, message: &[u8], now: u64) -> Result<Authenticated, AuthError> {
    headers.verify(&keys().1, path, message, now, &mut Memory::default())
}

#[test]
fn an_honest_request_passes_once() {
    let mut store = Memory::default();
    let (key, me) = keys();
    let proven = signed().verify(&me, PATH, b"message", NOW, &mut store).unwrap();
    assert_eq!((proven.sender(), proven.nonce()), (key.account(), NOW));
    let again = signed().verify(&me, PATH, b"message", NOW, &mut store);
    assert_eq!(again, Err(AuthError::Replay { nonce: NOW }));
}

#[test]
fn the_signature_covers_path_message_nonce_sender_and_receiver() {
    let other = Keypair::from_seed(&[3; 32]).account();
    assert_eq!(check(&signed(), "/other/Path", b"message", NOW), Err(AuthError::Signature));
    assert_eq!(check(&signed(), PATH, b"Message", NOW), Err(AuthError::Signature));
    assert_eq!(
        check(&AuthHeaders { nonce: NOW + 1, ..signed() }, PATH, b"message", NOW),
        Err(AuthError::Signature)
    );
    assert_eq!(
        check(&AuthHeaders { sender: other, ..signed() }, PATH, b"message", NOW),
        Err(AuthError::Signature)
    );
    let wrong = AuthHeaders { receiver: other, ..signed() };
    assert!(matches!(check(&wrong, PATH, b"message", NOW), Err(AuthError::Receiver { .. })));
    let redirected = wrong.verify(&other, PATH, b"message", NOW, &mut Memory::default());
    assert_eq!(redirected, Err(AuthError::Signature));
}

#[test]
fn the_window_is_ten_seconds_back_and_two_ahead() {
    let second = 1_000_000_000;
    for (now, fresh) in [
        (NOW + 10 * second, true),
        (NOW + 10 * second + 1, false),
        (NOW - 2 * second, true),
        (NOW - 2 * second - 1, false),
        (0, false),
        (u64::MAX, false),
    ] {
        assert_eq!(check(&signed(), PATH, b"message", now).is_ok(), fresh, "{now}");
    }
}

#[test]
fn a_forger_cannot_burn_a_nonce() {
    let mut store = Memory::default();
    let me = keys().1;
    let forged = AuthHeaders { signature: Signature([0; 64]), ..signed() };
    assert_eq!(forged.verify(&me, PATH, b"message", NOW, &mut store), Err(AuthError::Signature));
    assert!(store.seen.is_empty());
    assert!(signed().verify(&me, PATH, b"message", NOW, &mut store).is_ok());
}

#[test]
fn a_broken_store_refuses() {
    let mut store = Memory { broken: true, ..Memory::default() };
    let result = signed().verify(&keys().1, PATH, b"message", NOW, &mut store);
    assert!(matches!(result, Err(AuthError::Store { .. })));
}

type Pairs = Vec<(&'static str, String)>;

#[test]
fn metadata_round_trips_and_its_shape_is_checked() {
    // sr25519 signatures are randomised: keep one.
    let request = signed();
    let pairs = request.to_pairs();
    let read = |change: &dyn Fn(&mut Pairs)| {
        let mut pairs = pairs.to_vec();
        change(&mut pairs);
        AuthHeaders::from_metadata(|header| {
            pairs
                .iter()
                .filter(|(key, _)| *key == header)
                .map(|(_, value)| value.as_str())
                .collect::<Vec<_>>()
        })
    };
    assert_eq!(read(&|_| {}), Ok(request));
    for index in 0..pairs.len() {
        assert!(matches!(read(&|p| drop(p.remove(index))), Err(AuthError::Missing { .. })));
        assert!(matches!(read(&|p| p.push(p[index].clone())), Err(AuthError::Malformed { .. })));
        assert!(read(&|p| p[index].1.clear()).is_err());
    }
    for nonce in ["+1", "01", "-1", " 1", "18446744073709551616"] {
        assert!(read(&|p| p[3].1 = nonce.to_owned()).is_err(), "{nonce}");
    }
}

/// A golden text: other languages sign exactly this.
#[test]
fn the_signed_text_is_frozen() {
    let (key, receiver) = keys();
    let text = signed_text(PATH, &Hash::of(b"message"), NOW, &key.account(), &receiver);
    let lines = [
        "acumen-auth/1",
        "sr25519",
        PATH,
        "2e7836cc18ab1db2a2e239ebf4043772b3359520198b5fd55443b01a1023a5b0",
        "1800000000000000000",
        "5CcyqxXnJucaCnQQvvUg5EPzj1uoNAxACZvzArHw5aVDvgNH",
        "5CfCr47V5Dte6bwxNBE8K9oNnQd9fiay6aDEEkgYtFv7w4Fq",
    ];
    assert_eq!(text, lines.join("\n"));
}
