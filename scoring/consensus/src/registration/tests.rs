//! The price between its bounds; the vectors hold upstream's numbers.

use proptest::prelude::*;
use substrate_fixed::types::U64F64;

use super::*;

const TOKEN: u64 = 1_000_000_000;

#[test]
fn a_half_life_halves_within_rounding() {
    let rule = PriceRule::default();
    let start = 50 * TOKEN;
    let price = (0..360).fold(start, |price, _| rule.next_block(price));
    assert!(price <= start / 2 && start / 2 - price < 10_000, "{price}");
}

#[test]
fn without_a_half_life_the_price_stays() {
    let rule = PriceRule::new(0, u64::MAX, 0, 2_000_000).unwrap();
    assert_eq!(rule.next_block(7), 7);
    assert_eq!(rule.next_block(u64::MAX), u64::MAX);
    assert_eq!(rule.after_registration(u64::MAX), u64::MAX);
}

proptest! {
    #[test]
    fn the_multiplier_in_ppm_is_upstreams(price in 0u64..2_000_000 * TOKEN) {
        let rule = PriceRule::new(0, u64::MAX, 360, 1_260_000).unwrap();
        // A floating-point literal, as upstream writes it.
        let upstream = U64F64::from_num(1.26).saturating_mul(U64F64::from_num(price));
        prop_assert_eq!(rule.after_registration(price), upstream.to_num::<u64>());
    }
}

#[test]
fn a_registration_costs_the_next_one_26_percent_more() {
    assert_eq!(PriceRule::default().after_registration(TOKEN), 1_260_000_000);
}

#[test]
fn a_rule_that_cannot_hold_is_refused() {
    assert_eq!(PriceRule::new(2, 1, 360, 1_260_000), Err(RegistrationError::Bounds { min: 2, max: 1 }));
    assert_eq!(PriceRule::new(1, 2, 360, 999_999), Err(RegistrationError::Multiplier { ppm: 999_999 }));
}

proptest! {
    #[test]
    fn the_price_keeps_its_bounds(
        price in any::<u64>(), a in any::<u64>(), b in any::<u64>(),
        half_life in any::<u16>(), multiplier in 1_000_000u32..,
    ) {
        let (min, max) = (a.min(b), a.max(b));
        let rule = PriceRule::new(min, max, half_life, multiplier).unwrap();
        let within = price.clamp(min, max);
        prop_assert!((min..=within).contains(&rule.next_block(within)));
        prop_assert!((within..=max).contains(&rule.after_registration(within)));
        prop_assert!((min..=max).contains(&rule.next_block(price)));
    }

    #[test]
    fn the_factor_is_the_largest_that_halves(half_life in 1u16..) {
        let factor = decay_factor_q32(half_life);
        prop_assert!(pow_q32(factor, half_life) <= HALF_Q32);
        prop_assert!(pow_q32(factor + 1, half_life) > HALF_Q32);
    }
}
