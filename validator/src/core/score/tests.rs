//! What the subnet promises its miners, on miners of known quality.

use crate::core::report::MinerReport;
use crate::core::simulation::{Miner, Mood, RULES, Subnet};

use super::*;

fn field() -> Vec<Miner> {
    [4.0, 7.0, 5.0, 6.0, 3.0].iter().enumerate().map(|(uid, s)| Miner::new(uid as u16, *s)).collect()
}

fn ranking(miners: &[MinerReport], value: impl Fn(&MinerReport) -> f64) -> Vec<u16> {
    let mut order: Vec<&MinerReport> = miners.iter().collect();
    order.sort_by(|a, b| value(b).total_cmp(&value(a)));
    order.iter().map(|miner| miner.uid).collect()
}

fn shares(outcome: &Outcome) -> BTreeMap<u16, f64> {
    let total: f64 = outcome.weights.entries().iter().map(|(_, weight)| f64::from(*weight)).sum();
    outcome.weights.entries().iter().map(|(uid, weight)| (uid.get(), f64::from(*weight) / total)).collect()
}

#[test]
fn weights_rank_miners_as_their_loss_does_from_the_first_epoch_on() {
    let mut subnet = Subnet::default();
    for _ in 0..5 {
        let outcome = subnet.epoch(&field()).unwrap();
        let by_weight = ranking(&outcome.report.miners, |miner| f64::from(miner.weight));
        assert_eq!(by_weight, [1, 3, 2, 0, 4]);
        assert_eq!(by_weight, ranking(&outcome.report.miners, |miner| -miner.held_out_bits_per_byte));
        let sum: f64 = outcome.report.miners.iter().map(|miner| miner.reward).sum();
        assert!((sum - 1.0).abs() < 1e-9);
    }
}

#[test]
fn the_collective_is_better_than_its_best_miner() {
    let mut subnet = Subnet::default();
    let report = (0..5).map(|_| subnet.epoch(&field()).unwrap().report).last().unwrap();
    let best = report.miners.iter().map(|miner| miner.held_out_bits_per_byte).fold(f64::INFINITY, f64::min);
    assert_eq!(report.held_out_bytes, 4 * 8 * 32, "the first epoch only fits");
    assert!(report.collective_bits_per_byte < best, "{} against {best}", report.collective_bits_per_byte);
}

#[test]
fn a_copy_adds_nothing_to_the_pair_and_takes_nothing_from_others() {
    let (mut alone, mut copied) = (Subnet::default(), Subnet::default());
    let copy = Miner { uid: 9, identity: 1, registered_at: 50, ..Miner::new(1, 7.0) };
    for _ in 0..4 {
        let without = alone.epoch(&field()).unwrap();
        let with = copied.epoch(&[field(), vec![copy]].concat()).unwrap();
        let (before, after) = (shares(&without), shares(&with));
        let pair = after[&1] + after.get(&9).copied().unwrap_or(0.0);
        assert!(pair <= 1.05 * before[&1], "{pair} against {}", before[&1]);
        assert!((after[&3] - before[&3]).abs() < 1e-3 && after[&1] > 0.0);
        let reports = &with.report.miners;
        assert_eq!(reports.iter().find(|miner| miner.uid == 9).map(|miner| miner.cluster), Some(1));
        assert!(reports.iter().all(|miner| miner.uid == 9 || miner.cluster == miner.uid));
    }
}

/// Noise of this size is far beyond the clustering distance: only what it fails to add gives the copy away, and only once
/// the window holds enough of its answers. The price: a miner as weak as 4, which adds nothing to 1 either, goes with it.
#[test]
fn a_disguised_copy_is_paid_until_it_is_known_to_add_nothing() {
    let mut subnet = Subnet::default();
    let copy = Miner { uid: 9, identity: 1, registered_at: 50, disguise: 3.0, ..Miner::new(1, 7.0) };
    let miners = [field(), vec![copy]].concat();
    let clusters = |outcome: &Outcome| outcome.report.miners.iter().map(|m| m.cluster).collect::<Vec<_>>();
    let first = subnet.epoch(&miners).unwrap();
    assert_eq!(clusters(&first), [0, 1, 2, 3, 4, 9]);
    assert!(shares(&first)[&9] > 0.05);
    let mut last = first;
    for _ in 0..13 {
        last = subnet.epoch(&miners).unwrap();
    }
    assert_eq!(clusters(&last), [0, 1, 2, 3, 1, 1]);
    assert!(!shares(&last).contains_key(&9) && shares(&last).len() == 4);
    let rules = Rules { encompass: EncompassRule { least_added: 0.0, ..RULES.encompass }, ..RULES };
    let mut trusting = subnet;
    assert_eq!(clusters(&trusting.epoch_by(&miners, &rules).unwrap()), [0, 1, 2, 3, 4, 9], "0 asks nobody");
}

#[test]
fn a_copy_that_registered_first_is_the_one_that_is_paid() {
    let mut subnet = Subnet::default();
    let elder = Miner { uid: 9, identity: 1, registered_at: 0, ..Miner::new(1, 7.0) };
    let mut miners = field();
    miners[1].registered_at = 7;
    miners.push(elder);
    let shares = shares(&subnet.epoch(&miners).unwrap());
    assert!(shares.contains_key(&9) && !shares.contains_key(&1));
}

#[test]
fn a_killed_miner_earns_nothing_in_the_next_epoch_and_returns_with_its_record() {
    let mut subnet = Subnet::default();
    let mut miners = field();
    let before = subnet.epoch(&miners).unwrap().report.miners[1].own_gain;
    for mood in [Mood::Dead, Mood::Overclaims, Mood::Nan] {
        miners[1].mood = mood;
        let outcome = subnet.epoch(&miners).unwrap();
        let (killed, shares) = (&outcome.report.miners[1], shares(&outcome));
        assert!(!shares.contains_key(&1) && shares.len() == 4, "{mood:?}");
        assert_eq!((killed.availability, killed.pool_weight, killed.answered), (0.0, 0.0, 0));
        assert_eq!(killed.faults.values().sum::<u64>(), 512);
        assert!(killed.fault.is_some());
    }
    miners[1].mood = Mood::Answers;
    let back = subnet.epoch(&miners).unwrap();
    assert_eq!(ranking(&back.report.miners, |miner| f64::from(miner.weight))[0], 1);
    assert!((back.report.miners[1].own_gain - before).abs() < 0.3);
}

#[test]
fn not_asked_is_not_failed() {
    let (mut asked, mut skipped) = (Subnet::default(), Subnet::default());
    let mut miners = field();
    for _ in 0..3 {
        asked.epoch(&miners).unwrap();
        skipped.epoch(&miners).unwrap();
    }
    let all = asked.epoch(&miners).unwrap().report.miners[1].clone();
    miners[1].mood = Mood::NotAsked;
    let outcome = skipped.epoch(&miners).unwrap();
    let left_out = &outcome.report.miners[1];
    assert!(!left_out.asked && left_out.availability == 1.0 && left_out.faults.is_empty());
    assert!((left_out.own_gain - all.own_gain).abs() < 0.1, "{} against {}", left_out.own_gain, all.own_gain);
    assert_eq!(ranking(&outcome.report.miners, |miner| f64::from(miner.weight))[0], 1);
    miners[4] = Miner { mood: Mood::NotAsked, ..Miner::new(8, 9.0) };
    let unknown = skipped.epoch(&miners).unwrap();
    assert_eq!(unknown.report.miners[4].weight, 0, "of a miner that was never asked nothing is known");
}

#[test]
fn half_an_answer_is_worth_less_than_half() {
    let (mut whole, mut half) = (Subnet::default(), Subnet::default());
    let mut miners = field();
    let full = whole.epoch(&miners).unwrap();
    miners[1].mood = Mood::Stops(16);
    let cut = half.epoch(&miners).unwrap();
    let report = &cut.report.miners[1];
    assert_eq!((report.availability, report.faults.get("unreachable")), (0.5, Some(&256)));
    assert!(report.own_gain < 0.6 * full.report.miners[1].own_gain);
    assert!(shares(&cut)[&1] < 0.5 * shares(&full)[&1]);
}

#[test]
fn an_epoch_without_any_answer_is_not_counted() {
    let mut subnet = Subnet::default();
    let mut miners = field();
    subnet.epoch(&miners).unwrap();
    let memory = subnet.memory.clone();
    miners.iter_mut().for_each(|miner| miner.mood = Mood::Dead);
    assert!(matches!(subnet.epoch(&miners), Err(ScoreError::Void { asked: 5, .. })));
    assert_eq!(subnet.memory, memory);
    assert!(matches!(subnet.epoch(&[]), Err(ScoreError::Void { asked: 0, .. })));
}

#[test]
fn when_the_original_is_silent_its_copy_serves_and_is_paid() {
    let mut subnet = Subnet::default();
    let copy = Miner { uid: 9, identity: 1, registered_at: 50, ..Miner::new(1, 7.0) };
    let mut miners = [field(), vec![copy]].concat();
    subnet.epoch(&miners).unwrap();
    miners[1].mood = Mood::Dead;
    let shares = shares(&subnet.epoch(&miners).unwrap());
    assert!(shares[&9] > 0.0 && !shares.contains_key(&1));
}

#[test]
fn memory_survives_json_and_forgets_who_has_left() {
    let mut subnet = Subnet::default();
    let outcome = subnet.epoch(&field()).unwrap();
    let text = serde_json::to_string(&subnet.memory).unwrap();
    let back: Memory = serde_json::from_str(&text).unwrap();
    assert_eq!(back.newest(), Some(Epoch::new(1)));
    subnet.memory = back;
    let left: Vec<Miner> = field().into_iter().filter(|miner| miner.uid != 1).collect();
    subnet.epoch(&left).unwrap();
    let gone = Miner::new(1, 7.0).hotkey().to_string();
    assert!(text.contains(&gone) && !serde_json::to_string(&subnet.memory).unwrap().contains(&gone));
    let report = serde_json::to_string(&outcome.report).unwrap();
    assert_eq!(serde_json::from_str::<EpochReport>(&report).unwrap().epoch, 1);
}
