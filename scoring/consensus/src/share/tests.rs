//! The integer forms against the library's own operations.

use proptest::prelude::*;
use substrate_fixed::types::{I32F32, I64F64, I96F32};

use super::*;

/// Raw values around every boundary that the fast forms branch on, up to the largest that occur.
fn bits() -> impl Strategy<Value = i64> {
    prop_oneof![
        0..=0x1_0000_0000_i64,
        0..(1i64 << 48),
        (0u32..48).prop_map(|k| 1i64 << k),
        (0u32..48).prop_map(|k| (1i64 << k) - 1),
        prop_oneof![Just(0), Just(1), Just(0xFFFF_FFFF), Just(0x1_0000_0000)],
    ]
}

fn both(bits: i64) -> (I32F32, Share) {
    (I32F32::from_bits(bits), Share::from_bits(u64::try_from(bits).unwrap()))
}

fn raw(x: I32F32) -> u64 {
    u64::try_from(x.to_bits()).unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(20_000))]

    #[test]
    fn products_are_the_librarys(a in bits(), b in bits()) {
        let ((fa, a), (fb, b)) = (both(a), both(b));
        if let Some(product) = fa.checked_mul(fb) {
            prop_assert_eq!(a.times(b).bits(), raw(product));
        }
    }

    #[test]
    fn quotients_are_the_librarys(a in bits(), b in bits()) {
        let ((fa, a), (fb, b)) = (both(a), both(b));
        match fa.checked_div(fb) {
            Some(quotient) => prop_assert_eq!(a.over(b).bits(), raw(quotient)),
            // What does not fit the library's type is no share.
            None => prop_assert!(b.bits() == 0 && a.over(b) == Share::ZERO || a.over(b).bits() > i64::MAX as u64),
        }
    }

    #[test]
    fn products_rounded_up_are_the_librarys_of_a_negative_step(a in 0..=0x1_0000_0000_i64, b in 0..=0x1_0000_0000_i64) {
        let ((fa, a), (fb, b)) = (both(a), both(b));
        prop_assert_eq!(a.times_up(b).bits(), raw(-fa.saturating_mul(-fb)));
    }

    #[test]
    fn weight_shares_are_the_librarys(w in any::<u16>(), others in 0u32..0x7FFF_0000) {
        let sum = u32::from(w) + others;
        let expected = I32F32::from_num(w).checked_div(I32F32::from_num(sum)).unwrap_or_default();
        prop_assert_eq!(Divisor::new(sum).share(w).bits(), raw(expected));
    }

    /// Beyond the sums that the library's type holds too.
    #[test]
    fn weight_shares_are_exact(w in any::<u16>(), sum in prop_oneof![
        any::<u32>(),
        1u32..200_000,
        (0u32..32).prop_map(|k| 1u32 << k),
        (0u32..32).prop_map(|k| (1u32 << k).wrapping_sub(1)),
        (0u32..32).prop_map(|k| (1u32 << k).wrapping_add(1)),
    ]) {
        let exact = (u64::from(w) << 32).checked_div(u64::from(sum)).unwrap_or(0);
        prop_assert_eq!(Divisor::new(sum).share(w).bits(), exact);
    }

    #[test]
    fn stake_shares_are_the_librarys(s in any::<u32>(), others in any::<u32>(), shift in 0u32..30) {
        let (s, others) = (u64::from(s) << shift, u64::from(others) << shift);
        let sum = I64F64::from_num(s + others);
        let wide = I64F64::from_num(s).checked_div(sum).unwrap_or_default();
        let exact = Share::of(u128::from(s), u128::from(s + others));
        prop_assert_eq!(exact.bits(), raw(I32F32::saturating_from_num(wide)));
    }

    #[test]
    fn stored_proportions_are_the_librarys(x in 0..=0x1_0000_0000_i64, emission in any::<u64>()) {
        let (fx, x) = both(x);
        let stored: u16 = fx.saturating_mul(I32F32::from_num(65_535)).saturating_to_num();
        prop_assert_eq!(x.to_u16(), stored);
        let paid = I96F32::from_num(fx).saturating_mul(I96F32::from_num(emission));
        prop_assert!(paid.saturating_to_num::<u64>() <= emission);
    }
}

/// Every sum that ends a run of the factor's table: the worst cases of the rounding argument.
#[test]
fn weight_shares_are_exact_for_every_small_sum() {
    for sum in 1..=65_535u32 {
        let divisor = Divisor::new(sum);
        for w in [1, 2, sum / 2, sum.saturating_sub(1), sum] {
            let exact = (u64::from(w) << 32) / u64::from(sum);
            assert_eq!(divisor.share(w.try_into().unwrap()).bits(), exact, "{w} of {sum}");
        }
    }
}

#[test]
fn stored_proportions_come_back_as_themselves_or_one_less() {
    for x in 0..=u16::MAX {
        let share = Share::of_u16(x);
        let library = I32F32::from_num(x).checked_div(I32F32::from_num(u16::MAX)).unwrap();
        assert_eq!(share.bits(), raw(library));
        let back = share.to_u16();
        assert!(back == x || back + 1 == x, "{x} became {back}");
    }
}

#[test]
fn what_does_not_fit_saturates() {
    let largest = Share::from_bits(u64::MAX);
    assert_eq!(largest.times(largest), largest);
    assert_eq!(largest.plus(Share::ONE), largest);
    assert_eq!(largest.over(Share::from_bits(1)), largest);
    assert_eq!(Share::ZERO.minus(Share::ONE), Share::ZERO);
    assert_eq!(largest.to_u16(), u16::MAX);
    assert_eq!(Share::ZERO.reciprocal(), Share::ZERO);
}
