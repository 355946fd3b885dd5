//! Who gets a place, who gives way, and that nothing is left behind. No test sleeps: futures are polled by hand.

use futures::FutureExt as _;
use futures::future::BoxFuture;

use super::*;

const A: AccountId = AccountId([1; 32]);
const B: AccountId = AccountId([2; 32]);

fn slots(max_streams: usize, per_hotkey: usize) -> Slots {
    Slots::new(&Limits {
        max_streams,
        max_streams_per_hotkey: per_hotkey,
        session_tokens: 1_000,
        session_tokens_per_hotkey: 1_000,
        ..Limits::default()
    })
}

type Waits<'a> = BoxFuture<'a, Result<Slot, Refusal>>;

/// A stream of so many positions.
fn ask(slots: &Slots, sender: AccountId, acu: u64, positions: usize) -> Waits<'_> {
    async move {
        let slot = slots.take(sender, Nacu::from_acu(acu).unwrap(), None).await?;
        slot.reserve(positions, None).await?;
        Ok(slot)
    }
    .boxed()
}

/// One that gets its place at once.
fn taken(slots: &Slots, sender: AccountId, acu: u64, positions: usize) -> Result<Slot, Refusal> {
    ask(slots, sender, acu, positions).now_or_never().expect("it waits")
}

fn leaves(slot: &Slot) -> bool {
    slot.leave.is_cancelled()
}

#[tokio::test]
async fn one_sender_cannot_take_all_and_slots_come_back() {
    let slots = slots(3, 2);
    let held = [taken(&slots, A, 0, 0).unwrap(), taken(&slots, A, 0, 0).unwrap()];
    let refused = taken(&slots, A, 0, 0).unwrap_err();
    assert!(matches!(refused, Refusal::Slots { limit: "max_streams_per_hotkey", .. }), "{refused}");
    let other = taken(&slots, B, 0, 0).unwrap();
    let refused = taken(&slots, B, 0, 0).unwrap_err();
    assert!(
        matches!(refused, Refusal::Slots { limit: "max_streams", .. }),
        "as much as the other: {refused}"
    );
    assert!(!held.iter().any(leaves), "who is refused costs nobody anything");
    drop(held);
    assert_eq!(slots.running(), 1);
    drop((taken(&slots, A, 0, 0).unwrap(), other));
    assert!(slots.0.lock().held.is_empty());
}

#[tokio::test]
async fn who_comes_gets_its_part_of_a_full_cache() {
    let slots = slots(100, 32);
    // All positions in the hands of one, all of them idle: the newcomer takes no more than equal shares allow.
    let mut held: Vec<Option<Slot>> = (0..10).map(|_| Some(taken(&slots, A, 0, 100).unwrap())).collect();
    held.iter().flatten().for_each(|slot| slot.set_idle(true));
    held[3].as_ref().unwrap().set_idle(false);
    let mut guests = Vec::new();
    for round in 0..5 {
        let mut guest = ask(&slots, B, 0, 100);
        assert!((&mut guest).now_or_never().is_none(), "it waits until somebody has gone");
        let gone = held.iter().position(|slot| slot.as_ref().is_some_and(leaves)).unwrap();
        assert_ne!(gone, 3, "one with a step under way is left alone while others are idle");
        assert_eq!(
            held.iter().flatten().filter(|slot| leaves(slot)).count(),
            1,
            "one is enough, round {round}"
        );
        held[gone] = None;
        guests.push(guest.await.unwrap());
    }
    let refused = taken(&slots, B, 0, 100).unwrap_err();
    assert!(matches!(refused, Refusal::Slots { limit: "session_tokens", .. }), "half each: {refused}");
    assert!(!guests.iter().any(leaves));
}

#[tokio::test]
async fn many_small_hotkeys_give_way_to_one_with_more_stake() {
    let slots = slots(8, 4);
    let held: Vec<Slot> = (0..8).map(|n| taken(&slots, AccountId([10 + n; 32]), 1, 0).unwrap()).collect();
    let refused = taken(&slots, A, 1, 0).unwrap_err();
    assert!(matches!(refused, Refusal::Slots { .. }), "no more right than any of them: {refused}");
    let mut guest = ask(&slots, B, 10_000, 0);
    assert!((&mut guest).now_or_never().is_none());
    assert_eq!(
        held.iter().filter(|slot| leaves(slot)).count(),
        1,
        "steps under way are finished, then one goes"
    );
    drop(held);
    let staked: Vec<Slot> = [guest.await.unwrap(), taken(&slots, B, 10_000, 0).unwrap()].into();
    let others: Vec<Slot> = (0..6).map(|n| taken(&slots, AccountId([10 + n; 32]), 1, 0).unwrap()).collect();
    assert!(taken(&slots, A, 1, 0).is_err(), "weight counts: two of 11 are less than one of 1");
    drop((staked, others));
}

#[tokio::test]
async fn who_stops_waiting_or_asks_for_too_much_leaves_nothing() {
    let slots = slots(2, 2);
    let held = [taken(&slots, A, 0, 400).unwrap(), taken(&slots, A, 0, 400).unwrap()];
    let mut guest = ask(&slots, B, 0, 300);
    assert!((&mut guest).now_or_never().is_none());
    assert_eq!(slots.running(), 3, "booked, and waiting");
    drop(guest);
    assert_eq!(slots.running(), 2);
    let past = Some(Instant::now());
    assert!(matches!(slots.take(B, Nacu::ZERO, past).await, Ok(_) | Err(Refusal::Slots { .. })));
    let refused = held[0].reserve(1_001, None).await.unwrap_err();
    assert!(matches!(refused, Refusal::Limit { limit: "session_tokens_per_hotkey", .. }), "{refused}");
}
