//! Order, limits and forgetting.

use acumen_protocol::{Call, Keypair, Nacu, Transaction};

use super::*;

const GENESIS: Hash = Hash([1; 32]);
const LIMITS: Limits = Limits { transactions: 5, bytes: 10_000, per_sender: 3 };

fn transaction(tag: u8, nonce: u64, amount: u64) -> (SignedTransaction, VerifiedTransaction) {
    let key = Keypair::from_seed(&[tag; 32]);
    let call = Call::Transfer { to: AccountId([9; 32]), amount: Nacu::new(amount) };
    let (nonce, valid_until) = (Nonce::new(nonce), Height::new(u64::MAX));
    let transaction = Transaction { genesis: GENESIS, sender: key.account(), nonce, valid_until, tip: Nacu::ZERO, call };
    let signed = transaction.sign(&key);
    (signed.clone(), signed.verify(&GENESIS).unwrap())
}

fn add(pool: &mut Mempool, tag: u8, nonce: u64) -> Result<Hash, PoolError> {
    let (signed, verified) = transaction(tag, nonce, 1);
    pool.add(signed, verified, 100, Nonce::ZERO, Height::ZERO)
}

#[test]
fn a_sender_is_served_in_order_of_nonce() {
    let mut pool = Mempool::new(LIMITS);
    for nonce in [2, 0, 1] {
        add(&mut pool, 1, nonce).unwrap();
    }
    let nonces: Vec<u64> = pool.candidates().iter().map(|(_, tx)| tx.get().nonce.get()).collect();
    assert_eq!(nonces, [0, 1, 2]);
}

#[test]
fn a_taken_nonce_names_the_first_free_one() {
    let mut pool = Mempool::new(LIMITS);
    add(&mut pool, 1, 0).unwrap();
    add(&mut pool, 1, 1).unwrap();
    let expected = Rejection::Nonce { expected: Nonce::new(2), found: Nonce::ZERO };
    assert_eq!(add(&mut pool, 1, 0), Err(PoolError::Rejected(expected)));
}

#[test]
fn one_sender_and_all_together_are_bounded() {
    let mut pool = Mempool::new(LIMITS);
    for nonce in 0..3 {
        add(&mut pool, 1, nonce).unwrap();
    }
    assert!(matches!(add(&mut pool, 1, 3), Err(PoolError::Sender { count: 3, .. })));
    add(&mut pool, 2, 0).unwrap();
    add(&mut pool, 3, 0).unwrap();
    assert!(matches!(add(&mut pool, 4, 0), Err(PoolError::Full { count: 5, bytes: 500 })));
    let (signed, verified) = transaction(5, 0, 1);
    let mut bytes = Mempool::new(Limits { transactions: 10, bytes: 150, per_sender: 3 });
    add(&mut bytes, 1, 0).unwrap();
    let full = bytes.add(signed, verified, 100, Nonce::ZERO, Height::ZERO);
    assert!(matches!(full, Err(PoolError::Full { count: 1, bytes: 100 })));
}

#[test]
fn passed_nonces_and_long_waits_leave_the_pool() {
    let mut pool = Mempool::new(LIMITS);
    for nonce in 0..3 {
        add(&mut pool, 1, nonce).unwrap();
    }
    pool.retain_after(Height::new(1), &[], |_| Ok(Nonce::new(2))).unwrap();
    assert_eq!(pool.len(), 1);
    pool.retain_after(Height::new(MAX_WAIT_BLOCKS), &[], |_| Ok(Nonce::new(2))).unwrap();
    assert!(pool.is_empty());
    assert_eq!(pool.bytes, 0);
}

#[test]
fn who_came_first_goes_first() {
    let mut pool = Mempool::new(LIMITS);
    let tags = [9, 1, 5, 3];
    for tag in tags {
        add(&mut pool, tag, 0).unwrap();
    }
    let served: Vec<AccountId> = pool.candidates().iter().map(|(_, tx)| tx.get().sender).collect();
    assert_eq!(served, tags.map(|tag| Keypair::from_seed(&[tag; 32]).account()));
    assert!(!served.is_sorted(), "the case tells arrival from address");
}
