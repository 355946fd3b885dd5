//! Order, bounds, and nothing left behind. No test sleeps: futures are polled by hand.

use futures::FutureExt as _;
use futures::future::BoxFuture;

use super::*;

fn account(seed: u8) -> AccountId {
    AccountId([seed; 32])
}

fn acu(amount: u64) -> Nacu {
    Nacu::from_acu(amount).unwrap()
}

fn admission(change: impl FnOnce(&mut Limits)) -> Admission {
    let mut limits = Limits { prefill_tokens: 10, ..Limits::default() };
    change(&mut limits);
    Admission::new(&limits)
}

type Waits<'a> = BoxFuture<'a, Result<Ticket, Refusal>>;

/// Asks and polls once: a request that waits is in the queue now.
fn ask(admission: &Admission, sender: u8, stake: u64, cost: usize) -> Waits<'_> {
    let mut waits = admission.enter(account(sender), acu(stake), cost, None).boxed();
    match (&mut waits).now_or_never() {
        Some(result) => futures::future::ready(result).boxed(),
        None => waits,
    }
}

fn entered(waits: &mut Waits<'_>) -> Option<Ticket> {
    waits.now_or_never().map(Result::unwrap)
}

fn is_empty(admission: &Admission) -> bool {
    let state = admission.lock();
    state.waiting.is_empty() && state.by_sender.is_empty() && state.waiting_tokens == 0 && state.inside == 0
}

#[test]
fn as_many_tokens_as_fit_are_inside_and_always_one_request() {
    let admission = admission(|_| ());
    let huge = entered(&mut ask(&admission, 1, 0, 1_000)).expect("one request always gets in");
    let mut next = ask(&admission, 1, 0, 1);
    assert!(entered(&mut next).is_none());
    drop(huge);
    let one = entered(&mut next).unwrap();
    let nine = entered(&mut ask(&admission, 1, 0, 9)).unwrap();
    assert_eq!(admission.waiting().requests, 0);
    let more = ask(&admission, 1, 0, 1);
    assert_eq!((admission.waiting().requests, admission.waiting().tokens), (1, 1));
    drop((one, nine, more));
    assert!(is_empty(&admission));
}

/// A sender with three times the weight gets three times the tokens while both ask.
#[test]
fn stake_is_the_share_of_a_busy_model() {
    let admission = admission(|limits| limits.prefill_tokens = 1);
    let mut inside = entered(&mut ask(&admission, 9, 0, 10));
    let mut waiting: Vec<(u8, Waits<'_>)> = Vec::new();
    for _ in 0..40 {
        waiting.push((1, ask(&admission, 1, 0, 10)));
        waiting.push((2, ask(&admission, 2, 2_000, 10)));
    }
    let mut served = Vec::new();
    while served.len() < 40 {
        drop(inside.take());
        let (index, ticket) =
            waiting.iter_mut().enumerate().find_map(|(i, (_, w))| Some((i, entered(w)?))).unwrap();
        served.push(waiting.remove(index).0);
        inside = Some(ticket);
    }
    let of_the_rich = served.iter().filter(|sender| **sender == 2).count();
    assert!((29..=31).contains(&of_the_rich), "{of_the_rich} of 40: {served:?}");
    assert!(served[..8].contains(&1), "nobody starves: {served:?}");
}

/// Who has asked for much comes behind who asks for the first time, at equal stake.
#[test]
fn a_flood_waits_behind_a_newcomer() {
    let admission = admission(|limits| limits.prefill_tokens = 1);
    let inside = entered(&mut ask(&admission, 1, 0, 10));
    let mut flood: Vec<Waits<'_>> = (0..20).map(|_| ask(&admission, 1, 0, 10)).collect();
    let mut newcomer = ask(&admission, 2, 0, 10);
    drop(inside);
    let first = flood.iter_mut().find_map(entered);
    assert!(first.is_none() && entered(&mut newcomer).is_some(), "the newcomer is next");
}

#[test]
fn a_full_queue_refuses_or_makes_room_for_who_has_more_right() {
    let admission = admission(|limits| {
        (limits.prefill_tokens, limits.queue_requests, limits.retry_after_ms) = (1, 3, 77);
    });
    let _inside = entered(&mut ask(&admission, 9, 0, 1));
    let mut flood: Vec<Waits<'_>> = (0..3).map(|_| ask(&admission, 1, 0, 10)).collect();
    let mut fourth = ask(&admission, 1, 0, 10);
    let refused = (&mut fourth).now_or_never().unwrap().unwrap_err();
    let Refusal::Queue { limit: "queue_requests", allowed: 3, retry_after } = refused else {
        panic!("{refused}")
    };
    assert_eq!(retry_after, Duration::from_millis(77), "the least pause");
    let staked = ask(&admission, 2, 5_000, 10);
    assert_eq!(admission.waiting().requests, 3);
    let evicted = (&mut flood[2]).now_or_never().expect("the last of the flood is told").unwrap_err();
    assert!(matches!(evicted, Refusal::Queue { .. }), "{evicted}");
    assert!((&mut flood[1]).now_or_never().is_none(), "the others wait on");
    drop(staked);
}

#[test]
fn tokens_and_hotkeys_have_their_bounds() {
    let admission = admission(|limits| {
        (limits.prefill_tokens, limits.queue_tokens, limits.queue_requests_per_hotkey) = (1, 100, 2);
    });
    let _inside = entered(&mut ask(&admission, 9, 0, 1));
    let refusal = |mut waits: Waits<'_>| match (&mut waits).now_or_never() {
        Some(Err(Refusal::Queue { limit, .. })) => limit,
        other => panic!("{other:?}"),
    };
    assert_eq!(refusal(ask(&admission, 1, 0, 101)), "queue_tokens");
    let _mine = [ask(&admission, 1, 0, 60), ask(&admission, 1, 0, 1)];
    assert_eq!(refusal(ask(&admission, 1, 0, 1)), "queue_requests_per_hotkey");
    let _other = ask(&admission, 2, 0, 30);
    assert_eq!(refusal(ask(&admission, 3, 0, 70)), "queue_tokens");
}

#[test]
fn who_goes_away_leaves_nothing_and_opens_the_way() {
    let admission = admission(|_| ());
    let inside = entered(&mut ask(&admission, 1, 0, 5)).unwrap();
    let blocks = ask(&admission, 2, 0, 8);
    let mut small = ask(&admission, 3, 0, 5);
    assert!(entered(&mut small).is_none(), "it waits behind one that does not fit");
    drop(blocks);
    let small = entered(&mut small).expect("it fits");
    drop((inside, small));
    assert!(is_empty(&admission));
}

#[tokio::test]
async fn a_deadline_ends_the_wait_and_a_hopeless_one_is_refused_at_once() {
    let admission = admission(|limits| limits.retry_after_ms = 1);
    let inside = entered(&mut ask(&admission, 1, 0, 10)).unwrap();
    let past = Some(Instant::now());
    let late = admission.enter(account(2), Nacu::ZERO, 1, past).await.unwrap_err();
    assert!(matches!(late, Refusal::Deadline), "{late}");
    assert_eq!(admission.waiting().requests, 0);
    admission.lock().pace.done(10, Instant::now() + Duration::from_secs(10));
    let soon = Some(Instant::now() + Duration::from_secs(1));
    let hopeless = admission.enter(account(2), Nacu::ZERO, 1, soon).await.unwrap_err();
    let Refusal::Wait { wait, retry_after, .. } = hopeless else { panic!("{hopeless}") };
    assert!(
        wait > Duration::from_secs(9) && retry_after > Duration::from_secs(8),
        "{wait:?} {retry_after:?}"
    );
    drop(inside);
}
