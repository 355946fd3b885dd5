//! The voters of a height, and whose turn it is.

use acumen_protocol::{ConsensusPublic, ConsensusValidator, ValidatorSet};
use arc_malachitebft_app_channel::app::types::core;

use super::{At, Chain, Voter};

/// One voter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Member {
    address: Voter,
    power: u64,
}

impl From<&ConsensusValidator> for Member {
    fn from(validator: &ConsensusValidator) -> Self {
        Self { address: Voter(validator.key), power: validator.power }
    }
}

impl Member {
    pub(crate) const fn key(&self) -> ConsensusPublic {
        self.address.0
    }
}

impl core::Validator<Chain> for Member {
    fn address(&self) -> &Voter {
        &self.address
    }

    fn public_key(&self) -> &ConsensusPublic {
        &self.address.0
    }

    fn voting_power(&self) -> u64 {
        self.power
    }
}

/// All voters of a height, in increasing order of key; never empty.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Members {
    members: Vec<Member>,
    total: u64,
}

/// 2^64 divided by the golden ratio, to the nearest odd number.
const GOLDEN: u64 = 0x9E37_79B9_7F4A_7C15;

impl Members {
    /// Whose turn it is: multiples of the golden ratio, modulo one, fall evenly over the unit interval, on which each
    /// voter has a share as long as its power. So everybody's turns are in proportion to its power over any stretch of
    /// heights, nobody with less than 38 % of the power has two turns in a row, and the next round of a height is
    /// another one's.
    pub(crate) fn proposer(&self, height: At, round: u32) -> &Member {
        let turn = height.0.wrapping_add(u64::from(round)).wrapping_mul(GOLDEN);
        let point = u64::try_from((u128::from(turn) * u128::from(self.total)) >> 64).unwrap_or(u64::MAX);
        let mut below = 0_u64;
        let found = self.members.iter().position(|member| {
            below = below.saturating_add(member.power);
            point < below
        });
        &self.members[found.unwrap_or(0)]
    }

    pub(crate) fn contains(&self, key: &ConsensusPublic) -> bool {
        self.members.binary_search_by_key(key, |member| member.address.0).is_ok()
    }

    /// True if these voters have more than 1/3 of the power: one of them at least is correct.
    pub(crate) fn more_than_a_third<'a>(&self, keys: impl Iterator<Item = &'a ConsensusPublic>) -> bool {
        use core::ValidatorSet as _;
        let members = keys.filter_map(|key| self.get_by_address(&Voter(*key)));
        let power: u128 = members.map(|member| u128::from(member.power)).sum();
        power * 3 > u128::from(self.total)
    }

    pub(crate) const fn len(&self) -> usize {
        self.members.len()
    }
}

impl From<&ValidatorSet> for Members {
    fn from(set: &ValidatorSet) -> Self {
        let members: Vec<Member> = set.validators().iter().map(Member::from).collect();
        let total = members.iter().fold(0_u64, |sum, member| sum.saturating_add(member.power));
        Self { members, total }
    }
}

impl core::ValidatorSet<Chain> for Members {
    fn count(&self) -> usize {
        self.members.len()
    }

    fn total_voting_power(&self) -> u64 {
        self.total
    }

    fn get_by_address(&self, address: &Voter) -> Option<&Member> {
        let found = self.members.binary_search_by_key(address, |member| member.address).ok();
        found.and_then(|index| self.members.get(index))
    }

    fn get_by_index(&self, index: usize) -> Option<&Member> {
        self.members.get(index)
    }
}

#[cfg(test)]
mod tests {
    use arc_malachitebft_app_channel::app::types::core::Validator as _;

    use super::*;

    fn set(powers: &[u64]) -> Members {
        let validator = |(index, power): (usize, &u64)| ConsensusValidator {
            key: ConsensusPublic([u8::try_from(index).unwrap(); 32]),
            power: *power,
        };
        Members::from(&ValidatorSet::new(powers.iter().enumerate().map(validator).collect()).unwrap())
    }

    fn turn(set: &Members, height: u64, round: u32) -> u8 {
        set.proposer(At(height), round).address().0.0[0]
    }

    #[test]
    fn turns_follow_power_over_any_stretch() {
        for powers in [vec![1, 1, 1, 1], vec![10, 1, 1], vec![5, 3, 2, 7, 1, 1, 1, 4], vec![u64::MAX >> 4, 1]]
        {
            let (set, total) = (set(&powers), powers.iter().map(|power| u128::from(*power)).sum::<u128>());
            for start in [0, 1_000_000, u64::MAX - 500] {
                let mut turns = vec![0_u128; powers.len()];
                for step in 0..1_000 {
                    turns[usize::from(turn(&set, start + step.min(u64::MAX - start), 0))] += 1;
                    if start > 1_000_000 && step == 499 {
                        break;
                    }
                }
                let counted: u128 = turns.iter().sum();
                for (index, power) in powers.iter().enumerate() {
                    let share = counted * u128::from(*power) / total;
                    assert!(turns[index].abs_diff(share) <= 4, "{powers:?} {turns:?}");
                }
            }
        }
    }

    #[test]
    fn a_lost_round_passes_the_turn_on() {
        let set = set(&[1, 1, 1, 1]);
        for height in 0..1_000 {
            for round in 0..5 {
                assert_ne!(turn(&set, height, round), turn(&set, height, round + 1));
            }
        }
    }

    #[test]
    fn one_voter_alone_always_proposes() {
        let set = set(&[7]);
        assert!((0..100).all(|height| turn(&set, height, 3) == 0));
    }
}
