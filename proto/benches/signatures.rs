//! What signatures cost, in microseconds of one core: `cargo bench -p acumen-proto --bench signatures`.

use std::hint::black_box;
use std::time::Instant;

use acumen_proto::verifier::{Claim, all_hold};
use acumen_protocol::{AccountId, Keypair};

/// The least of so many tries is printed: other load only adds.
const TRIES: usize = 25;

/// Signatures of one try.
const EACH: usize = 64;

/// Bytes of the text that a request's signature covers.
const TEXT: usize = 240;

fn time(what: &str, per: usize, mut work: impl FnMut()) {
    let mut best = f64::INFINITY;
    for _ in 0..TRIES {
        let started = Instant::now();
        let rounds = EACH.div_ceil(per);
        (0..rounds).for_each(|_| work());
        best = best.min(started.elapsed().as_secs_f64() * 1e6 / (rounds * per) as f64);
    }
    println!("{what:40} {best:8.2}");
}

fn claims(count: usize, signers: usize) -> Vec<Claim> {
    let claim = |index: usize| {
        let seed = u8::try_from(index % signers).unwrap_or(0);
        let (key, message) = (Keypair::from_seed(&[seed; 32]), vec![seed; TEXT]);
        Claim { signer: key.account(), signature: key.sign(&message), message }
    };
    (0..count).map(claim).collect()
}

fn main() {
    let (key, message) = (Keypair::from_seed(&[1; 32]), vec![7; TEXT]);
    let (account, signature) = (key.account(), key.sign(&message));
    let text = account.to_string();
    time("sign", 1, || drop(black_box(key.sign(&message).0.to_vec())));
    time("verify", 1, || assert!(signature.verify(&message, &account)));
    for (count, signers) in [(2, 1), (4, 1), (8, 1), (16, 1), (32, 1), (32, 32)] {
        let claims = claims(count, signers);
        time(&format!("verify one of {count} together, {signers} signers"), count, || {
            assert!(all_hold(&claims));
        });
    }
    time("account to text", 1, || drop(black_box(account.to_string())));
    time("account from text", 1, || assert!(text.parse::<AccountId>().is_ok()));
}
