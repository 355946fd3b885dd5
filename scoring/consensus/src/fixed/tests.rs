//! The fast forms against the library's own operations.

use proptest::prelude::*;
use substrate_fixed::types::{I64F64, I96F32};

use super::*;

/// Raw values around every boundary that the fast forms branch on, and anything else.
fn bits() -> impl Strategy<Value = i64> {
    prop_oneof![
        any::<i64>(),
        0..=0x1_0000_0000_i64,
        (0u32..63).prop_map(|k| 1i64 << k),
        (0u32..63).prop_map(|k| (1i64 << k) - 1),
        prop_oneof![Just(0), Just(1), Just(-1), Just(i64::MAX), Just(i64::MIN)],
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(20_000))]

    #[test]
    fn products_are_the_librarys(a in bits(), b in bits()) {
        let (a, b) = (Fix::from_bits(a), Fix::from_bits(b));
        prop_assert_eq!(mul(a, b), a.saturating_mul(b));
    }

    #[test]
    fn quotients_are_the_librarys(a in bits(), b in bits()) {
        let (a, b) = (Fix::from_bits(a), Fix::from_bits(b));
        prop_assert_eq!(div(a, b), a.checked_div(b).unwrap_or_default());
    }

    #[test]
    fn weight_shares_are_the_librarys(w in any::<u16>(), others in 0u64..0x7FFF_0000) {
        let sum = u64::from(w) + others;
        let expected = Fix::from_num(w).checked_div(Fix::from_num(sum)).unwrap_or_default();
        prop_assert_eq!(ratio(u64::from(w), sum), expected);
    }

    #[test]
    fn stake_shares_are_the_librarys(s in any::<u32>(), others in any::<u32>(), shift in 0u32..30) {
        let (s, others) = (u64::from(s) << shift, u64::from(others) << shift);
        let sum = I64F64::from_num(s + others);
        let wide = I64F64::from_num(s).checked_div(sum).unwrap_or_default();
        let exact = wide_ratio(u128::from(s), u128::from(s + others));
        prop_assert_eq!(exact, Fix::saturating_from_num(wide));
    }

    #[test]
    fn stored_proportions_are_the_librarys(x in 0..=0x1_0000_0000_i64, emission in any::<u64>()) {
        let x = Fix::from_bits(x);
        let stored: u16 = x.saturating_mul(Fix::from_num(65_535)).saturating_to_num();
        prop_assert_eq!(to_u16(x), stored);
        let paid = I96F32::from_num(x).saturating_mul(I96F32::from_num(emission));
        prop_assert!(paid.saturating_to_num::<u64>() <= emission);
    }
}

#[test]
fn a_stored_proportion_comes_back_as_itself_or_one_less() {
    for x in 0..=u16::MAX {
        let back = to_u16(proportion(x));
        assert!(back == x || back + 1 == x, "{x} became {back}");
    }
}
