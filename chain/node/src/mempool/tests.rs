//! Order, limits, replacement, eviction and forgetting; and the pool's books after any sequence of events.

use acumen_chain_ledger::Rejection;
use acumen_protocol::vote::{Signed, Vote, VoteKind};
use acumen_protocol::{Call, ConsensusKeypair, Equivocation, Keypair, Transaction};
use proptest::prelude::*;

use super::*;

const GENESIS: Hash = Hash([1; 32]);
const LIMITS: Limits = Limits { transactions: 5, bytes: 10_000, per_sender: 3 };
const RICH: Nacu = Nacu::new(1 << 50);

fn account(tag: u8) -> AccountId {
    Keypair::from_seed(&[tag; 32]).account()
}

fn offer(tag: u8, nonce: u64, fee: u64) -> Offer {
    let key = Keypair::from_seed(&[tag; 32]);
    let transaction = Transaction {
        genesis: GENESIS,
        sender: key.account(),
        nonce: Nonce::new(nonce),
        valid_until: Height::new(u64::MAX),
        tip: Nacu::new(1 << 40),
        call: Call::Transfer { to: AccountId([9; 32]), amount: Nacu::new(fee) },
    };
    let signed = transaction.sign(&key);
    let verified = signed.clone().verify(&GENESIS).unwrap();
    let (fee, payer) = (Nacu::new(fee), key.account());
    Offer { signed, verified, fee, payer, funds: RICH, next: Nonce::ZERO, tip: Height::ZERO, convicts: None }
}

fn add(pool: &mut Mempool, tag: u8, nonce: u64, fee: u64) -> Result<Hash, PoolError> {
    pool.add(offer(tag, nonce, fee))
}

/// Sender and nonce of each candidate.
fn served(pool: &Mempool) -> Vec<(AccountId, u64)> {
    let drawn = pool.draw().next(pool, usize::MAX);
    drawn.iter().map(|(_, tx)| (tx.get().sender, tx.get().nonce.get())).collect()
}

/// A transaction of `tag` for which another account pays, as an owner does for its hotkeys.
fn paid_by(payer: u8, tag: u8, nonce: u64, fee: u64) -> Offer {
    Offer { payer: account(payer), ..offer(tag, nonce, fee) }
}

fn accounts<const N: usize>(tags: [u8; N]) -> BTreeSet<AccountId> {
    tags.map(account).into()
}

#[test]
fn a_sender_is_served_in_order_of_nonce_and_never_across_a_gap() {
    let mut pool = Mempool::new(LIMITS);
    for (nonce, fee) in [(2, 900), (0, 100)] {
        add(&mut pool, 1, nonce, fee).unwrap();
    }
    assert_eq!(served(&pool), [(account(1), 0)], "nonce 2 waits for nonce 1");
    add(&mut pool, 1, 1, 100).unwrap();
    assert_eq!(served(&pool), [0, 1, 2].map(|nonce| (account(1), nonce)));
}

#[test]
fn who_pays_more_for_a_byte_goes_first_then_who_came_first() {
    let mut pool = Mempool::new(LIMITS);
    for (tag, fee) in [(9, 100), (1, 100), (5, 300), (3, 100)] {
        add(&mut pool, tag, 0, fee).unwrap();
    }
    assert_eq!(served(&pool), [5, 9, 1, 3].map(|tag| (account(tag), 0)));
    // A dear transaction behind a cheap one of the same sender does not pull it forward, and overtakes nothing.
    add(&mut pool, 3, 1, 900).unwrap();
    assert_eq!(served(&pool).last(), Some(&(account(3), 1)));
}

#[test]
fn a_taken_nonce_names_the_first_free_one() {
    let mut pool = Mempool::new(LIMITS);
    add(&mut pool, 1, 0, 100).unwrap();
    add(&mut pool, 1, 1, 100).unwrap();
    let expected = Rejection::Nonce { expected: Nonce::new(2), found: Nonce::ZERO };
    // Another signature over the same content is another transaction.
    assert_eq!(add(&mut pool, 1, 0, 100), Err(PoolError::Rejected(expected)));
}

#[test]
fn a_replacement_pays_a_tenth_more() {
    let mut pool = Mempool::new(LIMITS);
    let old = add(&mut pool, 1, 0, 1_000).unwrap();
    let short = add(&mut pool, 1, 0, 1_099).unwrap_err();
    let needs = Nacu::new(1_100);
    assert!(matches!(short, PoolError::Replacement { needs: found, .. } if found == needs), "{short}");
    assert!(pool.contains(&old), "a refusal changes nothing");
    let new = add(&mut pool, 1, 0, 1_100).unwrap();
    assert!(pool.contains(&new) && !pool.contains(&old));
    assert_eq!((pool.len(), served(&pool).len()), (1, 1));
    assert_eq!(pool.verified(&new).unwrap().id(), new);
}

#[test]
fn one_sender_is_bounded() {
    let mut pool = Mempool::new(LIMITS);
    for nonce in 0..3 {
        add(&mut pool, 1, nonce, 100).unwrap();
    }
    assert!(matches!(add(&mut pool, 1, 3, 900), Err(PoolError::Sender { count: 3, .. })));
    assert!(add(&mut pool, 1, 2, 900).is_ok(), "a replacement takes no more room");
}

#[test]
fn a_full_pool_gives_up_its_cheapest_last_transaction() {
    let mut pool = Mempool::new(LIMITS);
    for (tag, nonce, fee) in [(1, 0, 500), (1, 1, 200), (2, 0, 300), (3, 0, 400), (4, 0, 600)] {
        add(&mut pool, tag, nonce, fee).unwrap();
    }
    assert!(matches!(add(&mut pool, 5, 0, 200), Err(PoolError::Full { count: 5, .. })), "it pays no more");
    add(&mut pool, 5, 0, 250).unwrap();
    assert_eq!(served(&pool), [4, 1, 3, 2, 5].map(|tag| (account(tag), 0)));
}

#[test]
fn what_cannot_be_included_yet_is_given_up_first_and_evicts_nothing_that_can() {
    let mut pool = Mempool::new(LIMITS);
    for (tag, nonce, fee) in [(1, 0, 100), (2, 1, 900), (3, 0, 100), (4, 0, 100), (6, 0, 100)] {
        add(&mut pool, tag, nonce, fee).unwrap();
    }
    add(&mut pool, 5, 0, 50).unwrap();
    assert!(!served(&pool).contains(&(account(2), 1)));
    assert_eq!(pool.len(), 5);
    assert!(matches!(add(&mut pool, 7, 1, 9_000), Err(PoolError::Full { .. })), "a gap buys no place");
}

#[test]
fn bytes_are_bounded_too() {
    let size = offer(1, 0, 1).verified.size();
    let mut pool = Mempool::new(Limits { transactions: 10, bytes: 2 * size, per_sender: 3 });
    add(&mut pool, 1, 0, 100).unwrap();
    add(&mut pool, 2, 0, 200).unwrap();
    assert!(matches!(add(&mut pool, 3, 0, 100), Err(PoolError::Full { count: 2, .. })));
    add(&mut pool, 3, 0, 300).unwrap();
    assert_eq!(served(&pool), [3, 2].map(|tag| (account(tag), 0)));
    assert_eq!(pool.bytes(), 2 * size);
}

#[test]
fn one_balance_must_cover_all_that_wait() {
    let mut pool = Mempool::new(LIMITS);
    let with = |tag, nonce| Offer { funds: Nacu::new(150), payer: account(8), ..offer(tag, nonce, 100) };
    pool.add(with(1, 0)).unwrap();
    let refused = pool.add(with(2, 0)).unwrap_err();
    let expected = Rejection::Balance { account: account(8), has: Nacu::new(150), needs: Nacu::new(200) };
    assert_eq!(refused, PoolError::Rejected(expected), "another hotkey of the same owner");
}

#[test]
fn a_block_takes_what_it_includes_and_what_can_no_longer_be_paid() {
    let mut pool = Mempool::new(LIMITS);
    let first = offer(1, 0, 100);
    let included = [first.signed.clone()];
    pool.add(first).unwrap();
    add(&mut pool, 1, 1, 100).unwrap();
    add(&mut pool, 1, 2, 100).unwrap();
    add(&mut pool, 2, 0, 100).unwrap();
    let account_of = |sender| {
        assert_eq!(sender, account(1), "only senders and payers of the block are asked for");
        Ok((Nonce::new(1), Nacu::new(150)))
    };
    pool.after_block(Height::new(1), &included, &accounts([1]), account_of).unwrap();
    assert_eq!(served(&pool), [(account(1), 1), (account(2), 0)], "the balance is enough for one more");
}

#[test]
fn nothing_waits_for_ever() {
    let mut pool = Mempool::new(LIMITS);
    add(&mut pool, 1, 0, 100).unwrap();
    let none = |_| Ok((Nonce::ZERO, RICH));
    pool.after_block(Height::new(MAX_WAIT_BLOCKS - 1), &[], &accounts([]), none).unwrap();
    assert_eq!(pool.len(), 1);
    pool.after_block(Height::new(MAX_WAIT_BLOCKS), &[], &accounts([]), none).unwrap();
    assert!(pool.is_empty() && pool.bytes() == 0);
}

/// Every index of the pool says the same.
fn assert_books(pool: &Mempool) {
    let entries = || pool.queues.values().flat_map(|queue| queue.entries.values());
    assert_eq!(entries().count(), pool.ids.len());
    assert_eq!(pool.expiries.len(), pool.ids.len());
    assert_eq!(entries().map(Entry::size).sum::<usize>(), pool.bytes);
    assert!(pool.ids.len() <= pool.limits.transactions && pool.bytes <= pool.limits.bytes);
    let worths: BTreeSet<Worth> =
        pool.queues.iter().filter_map(|(sender, queue)| queue.worth_of_last(*sender)).collect();
    assert_eq!(worths, pool.worths);
    let mut bills = Bills::new();
    entries().for_each(|entry| bills.add(entry));
    assert_eq!(bills, pool.bills);
    let reports = entries().filter_map(|entry| Some((entry.convicts?, entry.place())));
    assert_eq!(reports.collect::<BTreeMap<_, _>>(), pool.reports);
    for (sender, queue) in &pool.queues {
        assert!(!queue.entries.is_empty() && queue.entries.len() <= pool.limits.per_sender);
        assert_eq!(queue.entries.values().map(Entry::size).sum::<usize>(), queue.bytes);
        assert!(queue.entries.values().all(|entry| entry.verified.get().sender == *sender));
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn the_books_agree_after_any_sequence(
        events in prop::collection::vec((0_u8..6, 0_u64..5, 1_u64..50, 0_u8..8, 0_u8..6), 1..40),
    ) {
        let mut pool = Mempool::new(Limits { transactions: 6, bytes: 1_100, per_sender: 3 });
        let mut height = 0;
        let mut next = [0_u64; 6];
        for (tag, ahead, fee, kind, payer) in events {
            let index = usize::from(tag);
            if kind > 0 {
                let mut offer = paid_by(payer, tag, next[index] + ahead, fee * 100);
                (offer.next, offer.tip, offer.funds) = (Nonce::new(next[index]), Height::new(height), Nacu::new(9_000));
                let before = (pool.len(), pool.bytes());
                if pool.add(offer).is_err() {
                    prop_assert_eq!((pool.len(), pool.bytes()), before, "a refusal changes nothing");
                }
            } else {
                let drawn = pool.draw().next(&pool, 2);
                let block: Vec<SignedTransaction> = drawn.into_iter().map(|(signed, _)| signed).collect();
                height += 1 + ahead * 60;
                for signed in &block {
                    let sender = signed.unverified().sender;
                    let tag = (0..6_u8).find(|tag| account(*tag) == sender).unwrap();
                    prop_assert_eq!(signed.unverified().nonce.get(), next[usize::from(tag)], "no gap, no repetition");
                    next[usize::from(tag)] += 1;
                }
                let account_of = |sender| {
                    let tag = (0..6_u8).find(|tag| account(*tag) == sender).unwrap();
                    Ok((Nonce::new(next[usize::from(tag)]), Nacu::new(fee * 200)))
                };
                let payers = accounts([payer, (payer + 1) % 6]);
                pool.after_block(Height::new(height), &block, &payers, account_of).unwrap();
                for payer in payers {
                    prop_assert!(pool.bills.owed(&payer) <= u128::from(fee * 200), "they can pay for all that wait");
                }
            }
            assert_books(&pool);
        }
    }
}

fn report(tag: u8, nonce: u64, key: u8) -> Offer {
    let voter = ConsensusKeypair::from_seed(&[key; 32]);
    let signed = |block| {
        let (kind, height) = (VoteKind::Prevote, Height::new(3));
        let message = Vote { kind, height, round: 0, block, voter: voter.public() };
        Signed { message, signature: message.sign(&GENESIS, &voter) }
    };
    let evidence = Box::new(Equivocation::votes(signed(None), signed(Some(Hash([1; 32])))));
    let plain = offer(tag, nonce, 0);
    let transaction =
        Transaction { call: Call::ReportEquivocation { evidence }, ..plain.verified.get().clone() };
    let signed = transaction.sign(&Keypair::from_seed(&[tag; 32]));
    let verified = signed.clone().verify(&GENESIS).unwrap();
    Offer { signed, verified, funds: Nacu::ZERO, convicts: Some(voter.public()), ..plain }
}

#[test]
fn a_report_goes_first_for_nothing_and_once_for_each_key() {
    let mut pool = Mempool::new(Limits { transactions: 2, ..LIMITS });
    add(&mut pool, 1, 0, 900).unwrap();
    add(&mut pool, 2, 0, 800).unwrap();
    pool.add(report(3, 0, 7)).unwrap();
    assert_eq!(served(&pool), [(account(3), 0), (account(1), 0)], "the cheapest other makes room");
    let key = ConsensusKeypair::from_seed(&[7; 32]).public();
    assert_eq!(pool.add(report(4, 0, 7)), Err(PoolError::Reported { key }));
    pool.add(report(4, 0, 8)).unwrap();
    assert_eq!(pool.len(), 2);
    // Another node was quicker: the report here convicts nobody any more, and the place is free.
    let quicker = report(5, 0, 7).signed;
    let unknown = |_| Ok((Nonce::ZERO, Nacu::ZERO));
    pool.after_block(Height::new(1), &[quicker], &accounts([5]), unknown).unwrap();
    assert_eq!(served(&pool), [(account(4), 0)]);
    pool.add(report(6, 0, 7)).unwrap();
}

#[test]
fn whatever_a_payer_can_no_longer_pay_leaves_whoever_sent_it() {
    let mut pool = Mempool::new(Limits { transactions: 20, ..LIMITS });
    for hotkey in [1, 2, 3] {
        for nonce in 0..3 {
            pool.add(paid_by(8, hotkey, nonce, 1_000)).unwrap();
        }
    }
    add(&mut pool, 4, 0, 100).unwrap();
    // The owner's balance goes with a block that holds none of these.
    let moved = offer(8, 0, 500).signed;
    let left = |funds| move |_| Ok((Nonce::new(1), Nacu::new(funds)));
    pool.after_block(Height::new(1), std::slice::from_ref(&moved), &accounts([8]), left(4_000)).unwrap();
    let first = [(account(1), 0), (account(1), 1), (account(2), 0), (account(3), 0), (account(4), 0)];
    let rest: BTreeSet<_> = served(&pool).into_iter().collect();
    assert_eq!(rest, BTreeSet::from(first), "the nearest nonces stay");
    pool.after_block(Height::new(2), &[moved], &accounts([8]), left(0)).unwrap();
    assert_eq!(served(&pool), [(account(4), 0)], "nothing that nobody can pay takes a place");
    assert_books(&pool);
}

#[test]
fn what_a_block_includes_is_no_longer_owed() {
    let mut pool = Mempool::new(LIMITS);
    let first = paid_by(8, 1, 0, 100);
    let included = [first.signed.clone()];
    pool.add(first).unwrap();
    pool.add(paid_by(8, 2, 0, 100)).unwrap();
    let account_of = |id| Ok((if id == account(1) { Nonce::new(1) } else { Nonce::ZERO }, Nacu::new(100)));
    pool.after_block(Height::new(1), &included, &accounts([1, 8]), account_of).unwrap();
    assert_eq!(served(&pool), [(account(2), 0)], "what is left is enough for it");
}

#[test]
fn a_report_that_its_payer_cannot_pay_frees_the_place() {
    let mut pool = Mempool::new(LIMITS);
    // The offender's own report, with a tip, to keep others from reporting; then its hotkeys' fees drain the account.
    pool.add(Offer { fee: Nacu::new(50), funds: Nacu::new(60), ..report(3, 0, 7) }).unwrap();
    let key = ConsensusKeypair::from_seed(&[7; 32]).public();
    assert!(pool.is_reported(&key));
    let drained = |_| Ok((Nonce::ZERO, Nacu::new(49)));
    pool.after_block(Height::new(1), &[offer(6, 0, 10).signed], &accounts([3, 6]), drained).unwrap();
    assert!(!pool.is_reported(&key));
    pool.add(report(4, 0, 7)).unwrap();
    assert_books(&pool);
}

#[test]
fn a_draw_goes_on_beside_a_pool_that_changes() {
    let mut pool = Mempool::new(Limits { transactions: 9, ..LIMITS });
    for (tag, nonce, fee) in [(1, 0, 900), (1, 1, 800), (2, 0, 700), (3, 0, 600), (3, 1, 600), (4, 0, 500)] {
        add(&mut pool, tag, nonce, fee).unwrap();
    }
    let mut draw = pool.draw();
    let mut next = |pool: &Mempool, count, over: Option<u8>| {
        over.into_iter().for_each(|tag| draw.end_turn(account(tag)));
        let drawn = draw.next(pool, count);
        drawn.iter().map(|(_, tx)| (tx.get().sender, tx.get().nonce.get())).collect::<Vec<_>>()
    };
    assert_eq!(next(&pool, 1, None), [(account(1), 0)]);
    // The block refused it: its sender's others cannot stand there either, and take nobody's room.
    assert_eq!(next(&pool, 1, Some(1)), [(account(2), 0)]);
    let refused = offer(3, 0, 0).verified.get().sender;
    let id = *pool.ids.iter().find(|(_, place)| **place == (refused, Nonce::ZERO)).unwrap().0;
    pool.drop_refused(&id);
    assert_eq!(next(&pool, 9, None), [(account(4), 0)], "what has gone is left out, with what needs it");
    assert_eq!(next(&pool, 9, None), []);
    assert_books(&pool);
}
