//! Rounds over a pool, with time as an argument.

use acumen_protocol::{AccountId, Call, Height, Keypair, Nacu, Nonce, Transaction};

use super::*;
use crate::mempool::{Limits, Offer};

const GENESIS: Hash = Hash([1; 32]);

fn pool(count: u64) -> Mempool {
    let mut pool = Mempool::new(Limits { transactions: 1_000, bytes: 1 << 20, per_sender: 1_000 });
    let key = Keypair::from_seed(&[1; 32]);
    for nonce in 0..count {
        let transaction = Transaction {
            genesis: GENESIS,
            sender: key.account(),
            nonce: Nonce::new(nonce),
            valid_until: Height::new(u64::MAX),
            tip: Nacu::ZERO,
            call: Call::Transfer { to: AccountId([9; 32]), amount: Nacu::new(1) },
        };
        let signed = transaction.sign(&key);
        let verified = signed.clone().verify(&GENESIS).unwrap();
        let offer = Offer {
            signed,
            verified,
            fee: Nacu::new(1),
            payer: key.account(),
            funds: Nacu::new(1 << 50),
            next: Nonce::ZERO,
            tip: Height::ZERO,
            convicts: None,
        };
        pool.add(offer).unwrap();
    }
    pool
}

#[test]
fn a_round_takes_everything_once_a_portion_at_a_time() {
    let (pool, start) = (pool(70), Instant::now());
    let mut again = Again::new();
    let portions: Vec<_> = (0..4).map(|second| again.portion(&pool, start + TICK * second)).collect();
    assert_eq!(portions.iter().map(Vec::len).collect::<Vec<_>>(), [32, 32, 6, 0]);
    let mut all = portions.concat();
    all.sort();
    all.dedup();
    assert_eq!(all.len(), 70);
}

#[test]
fn rounds_are_some_time_apart() {
    let (pool, start) = (pool(3), Instant::now());
    let mut again = Again::new();
    assert_eq!(again.portion(&pool, start).len(), 3);
    assert_eq!(again.portion(&pool, start + ROUND - Duration::from_millis(1)).len(), 0);
    assert_eq!(again.portion(&pool, start + ROUND).len(), 3);
}

#[test]
fn what_leaves_the_pool_in_between_does_not_end_the_round() {
    let start = Instant::now();
    let mut again = Again::new();
    let pool = pool(64);
    again.portion(&pool, start);
    // The one published last is gone: the round goes on behind its place.
    again.last = again.last.map(|Hash(mut bytes)| {
        bytes[31] ^= 1;
        Hash(bytes)
    });
    assert!(again.portion(&pool, start + TICK).len() >= 31);
}
