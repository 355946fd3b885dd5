//! Conservation, order and the steps of the curve.

use proptest::prelude::*;

use super::*;

fn total(parts: &[u64]) -> u128 {
    parts.iter().map(|&part| u128::from(part)).sum()
}

proptest! {
    #[test]
    fn an_epoch_is_split_without_rest(amount in any::<u64>(), cut in any::<u16>()) {
        let split = split_epoch(amount, cut);
        let sum = total(&[split.owner, split.servers, split.validators]);
        prop_assert_eq!(sum, u128::from(amount));
        prop_assert!(split.validators - split.servers <= 1);
    }

    #[test]
    fn shares_get_the_whole_amount(
        amount in any::<u64>(),
        shares in prop::collection::vec(prop_oneof![any::<u64>(), 0u64..4], 1..40),
    ) {
        let parts = match largest_remainder(amount, &shares) {
            Ok(parts) => parts,
            Err(error) => {
                prop_assert!(total(&shares) == 0 && amount > 0, "{error}");
                return Ok(());
            }
        };
        let whole = total(&shares);
        if whole == 0 {
            return Ok(());
        }
        prop_assert_eq!(total(&parts), u128::from(amount));
        for (&part, &share) in parts.iter().zip(&shares) {
            let floor = u128::from(amount) * u128::from(share) / whole;
            let extra = u128::from(part) - floor;
            prop_assert!(extra <= 1 && (share > 0 || part == 0), "{part} of {share}");
        }
    }

    #[test]
    fn delegates_and_stakers_get_the_whole_amount(
        amount in any::<u64>(), take in any::<u16>(),
        shares in prop::collection::vec(0u64..1_000, 0..20),
    ) {
        let paid = pay_delegators(amount, take, &shares);
        prop_assert_eq!(total(&paid.stakers) + u128::from(paid.take), u128::from(amount));
        prop_assert_eq!(paid.stakers.len(), shares.len());
    }

    #[test]
    fn emission_never_passes_the_supply(issuance in any::<u64>()) {
        let emission = block_emission(issuance);
        let rest = MAX_SUPPLY.saturating_sub(issuance);
        prop_assert!(emission <= rest);
        prop_assert!(emission <= INITIAL_BLOCK_EMISSION);
    }
}

#[test]
fn emission_halves_on_the_exact_unit() {
    let (mut threshold, mut emission) = (0, INITIAL_BLOCK_EMISSION);
    for _ in 0..12 {
        threshold += (MAX_SUPPLY - threshold) / 2;
        assert_eq!(block_emission(threshold - 1), emission);
        emission /= 2;
        assert_eq!(block_emission(threshold), emission);
    }
    assert_eq!(block_emission(MAX_SUPPLY), 0);
    assert_eq!(block_emission(u64::MAX), 0);
}

#[test]
fn the_default_split_is_18_41_41() {
    let split = split_epoch(1_000_000_000, OWNER_CUT);
    assert_eq!(split, EpochSplit { owner: 179_995_422, servers: 410_002_289, validators: 410_002_289 });
}

#[test]
fn spare_units_go_to_the_largest_remainders_then_to_the_lower_index() {
    assert_eq!(largest_remainder(10, &[1, 1, 1]).unwrap(), [4, 3, 3]);
    assert_eq!(largest_remainder(10, &[3, 3, 1]).unwrap(), [4, 4, 2]);
    assert_eq!(largest_remainder(2, &[1, 1, 1, 0]).unwrap(), [1, 1, 0, 0]);
    assert_eq!(largest_remainder(0, &[0, 0]).unwrap(), [0, 0]);
    assert_eq!(largest_remainder(1, &[]), Err(EmissionError::NoShares { total: 1 }));
}

#[test]
fn a_delegate_without_stakers_keeps_all() {
    let alone = pay_delegators(100, MAX_TAKE, &[]);
    assert_eq!((alone.take, alone.stakers), (100, vec![]));
    let shared = pay_delegators(100, MAX_TAKE, &[3, 1]);
    assert_eq!((shared.take, shared.stakers), (17, vec![62, 21]));
}
