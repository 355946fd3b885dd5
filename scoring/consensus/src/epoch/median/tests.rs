//! Selection against a plain sort, also of votes made to defeat the pivots.

use proptest::prelude::*;

use super::*;

/// The definition, over sorted votes.
fn sorted_median(electorate: &Electorate, votes: &[Vote]) -> Share {
    let mut votes = votes.to_vec();
    votes.sort_unstable();
    let mut below = electorate.total.minus(electorate.stake_of(&votes));
    if votes.len() < electorate.voters && electorate.total < below.plus(electorate.kappa) {
        return Share::ZERO;
    }
    for vote in &votes {
        below = below.plus(at(&electorate.stake, vote.voter()));
        if electorate.total < below.plus(electorate.kappa) {
            return vote.value();
        }
    }
    votes.last().map_or(Share::ZERO, |vote| vote.value())
}

fn votes(values: &[u64]) -> Vec<Vote> {
    values.iter().zip(0..).map(|(&value, voter)| Vote::new(Share::from_bits(value), voter)).collect()
}

fn agree(stake: &[u64], kappa: u64, values: &[u64]) {
    let total: u64 = stake.iter().sum();
    let stake: Vec<Share> = stake.iter().map(|&s| Share::of(s.into(), total.into())).collect();
    let electorate = Electorate::new(&stake, Share::from_bits(kappa));
    let mut cast = votes(values);
    let expected = sorted_median(&electorate, &cast);
    assert_eq!(electorate.median(&mut cast), expected, "{stake:?} {kappa} {values:?}");
    cast.sort_unstable_by_key(|vote| vote.voter());
    assert_eq!(cast, votes(values), "votes were lost");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn selection_is_the_sorts(
        pairs in prop::collection::vec((1u64..1_000, prop_oneof![1..=0x1_0000_0000_u64, 1..5u64]), 1..300),
        absent in 0usize..20,
        kappa in prop_oneof![0..=0x1_0000_0000_u64, Just(0), Just(0x1_0000_0000), Just(0x7FFF_8000)],
    ) {
        let stake: Vec<u64> = pairs.iter().map(|p| p.0).chain(vec![500; absent]).collect();
        let values: Vec<u64> = pairs.iter().map(|p| p.1).collect();
        agree(&stake, kappa, &values);
    }
}

/// Orders in which the first, the middle and the last are small again and again: the divisions run
/// out, and the rest is sorted.
#[test]
fn votes_that_defeat_the_pivots() {
    let n = 4_000u64;
    let up: Vec<u64> = (1..=n).collect();
    let down: Vec<u64> = (1..=n).rev().collect();
    let equal = vec![7; 4_000];
    let organ: Vec<u64> = (0..n).map(|k| k.min(n - k) + 1).collect();
    let killer: Vec<u64> = (0..n).map(|k| if k % 2 == 0 { k / 2 + 1 } else { n / 2 + k / 2 + 1 }).collect();
    for values in [up, down, equal, organ, killer] {
        for kappa in [0, 1, 0x4000_0000, 0x8000_0000, 0x1_0000_0000] {
            agree(&vec![3; 4_000], kappa, &values);
        }
    }
}

#[test]
fn a_vote_keeps_both_of_its_parts() {
    for (value, voter) in [(0x1_0000_0000, u16::MAX), (1, 0), (0xFFFF_FFFF, 7)] {
        let vote = Vote::new(Share::from_bits(value), voter);
        assert_eq!((vote.value().bits(), vote.voter()), (value, voter));
    }
    assert!(Vote::new(Share::from_bits(1), u16::MAX) < Vote::new(Share::from_bits(2), 0));
}
