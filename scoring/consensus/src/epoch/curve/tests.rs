//! The series against the library's exponential, and the shape of the curve.

use proptest::prelude::*;
use substrate_fixed::transcendental;

use super::*;

fn library(x: Fix) -> Fix {
    let cut = x.max(Fix::from_num(-20)).min(Fix::from_num(20));
    transcendental::exp(cut).unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(20_000))]

    #[test]
    fn the_exponential_is_the_librarys(x in prop_oneof![
        -0x16_0000_0000_i64..0x16_0000_0000,
        -0x2_0000_0000_i64..0x2_0000_0000,
        -5_000i64..5_000,
    ]) {
        let x = Fix::from_bits(x);
        prop_assert_eq!(exp(x), library(x));
    }

    #[test]
    fn alpha_stays_within_its_bounds(
        low in any::<u16>(), high in any::<u16>(), steepness in any::<i16>(),
        c in 0..=0x1_0000_0000_i64, w in 0..=0x1_0000_0000_i64, b in 0..=0x1_0000_0000_i64,
    ) {
        let (low, high) = (low.min(high), low.max(high));
        let curve = Curve::new(LiquidAlpha { low, high, steepness });
        let alpha = curve.alpha(Fix::from_bits(c), Fix::from_bits(w), Fix::from_bits(b));
        prop_assert!(proportion(low) <= alpha && alpha <= proportion(high));
    }
}

#[test]
fn whole_numbers_and_both_cuts() {
    for x in -25..=25 {
        let x = Fix::from_num(x);
        assert_eq!(exp(x), library(x), "{x}");
    }
    assert_eq!(exp(Fix::from_num(1_000)), exp(Fix::from_num(20)));
    assert_eq!(exp(Fix::from_num(-1_000)), exp(Fix::from_num(-20)));
    assert_eq!(exp(GREATEST), exp(Fix::from_num(20)));
}

#[test]
fn the_further_from_consensus_the_faster_the_bond_follows() {
    let curve = Curve::new(LiquidAlpha::default());
    let alphas: Vec<Fix> =
        (0..=8).map(|eighths| curve.alpha(ZERO, Fix::from_num(eighths) / 8, ZERO)).collect();
    assert!(alphas.windows(2).all(|pair| pair[0] < pair[1]), "{alphas:?}");
}

#[test]
fn a_weight_equal_to_its_bond_buys() {
    let curve = Curve::new(LiquidAlpha::default());
    let equal = curve.alpha(ZERO, HALF, HALF);
    assert_eq!(equal, curve.alpha(ZERO, HALF, ZERO), "distance from consensus");
    assert_ne!(equal, curve.alpha(HALF, HALF, ZERO), "no distance");
}
