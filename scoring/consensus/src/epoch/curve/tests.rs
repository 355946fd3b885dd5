//! The series against the library's exponential, and the shape of the curve.

use proptest::prelude::*;
use substrate_fixed::transcendental;
use substrate_fixed::types::I32F32;

use super::*;

fn library(x: I32F32) -> Share {
    let cut = x.max(I32F32::from_num(-20)).min(I32F32::from_num(20));
    let exp: I32F32 = transcendental::exp(cut).unwrap();
    Share::from_bits(exp.to_bits().try_into().unwrap())
}

/// The whole of alpha in the library's operations, as upstream writes it.
fn library_alpha(params: LiquidAlpha, distance: Share) -> Share {
    let of = |x: u16| I32F32::from_num(x).checked_div(I32F32::from_num(u16::MAX)).unwrap();
    let (low, high) = (of(params.low), of(params.high));
    let distance = I32F32::from_bits(distance.bits().try_into().unwrap());
    let slope = I32F32::from_num(params.steepness).saturating_div(I32F32::from_num(-100));
    let exponent = slope.saturating_mul(distance - I32F32::from_num(0.5));
    let exp = I32F32::from_bits(library(exponent).bits().try_into().unwrap());
    let sigmoid = I32F32::from_num(1).saturating_div(I32F32::from_num(1) + exp);
    let alpha = low.saturating_add(sigmoid.saturating_mul(high - low)).min(high).max(low);
    Share::from_bits(alpha.to_bits().try_into().unwrap())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(20_000))]

    #[test]
    fn the_exponential_is_the_librarys(x in prop_oneof![
        -0x16_0000_0000_i64..0x16_0000_0000,
        -0x2_0000_0000_i64..0x2_0000_0000,
        -5_000i64..5_000,
    ]) {
        prop_assert_eq!(exp(x), library(I32F32::from_bits(x)));
    }

    /// Lanes end their sums at different terms; none may disturb another.
    #[test]
    fn every_lane_is_the_librarys_alpha(
        low in any::<u16>(), high in any::<u16>(),
        steepness in prop_oneof![any::<i16>(), Just(1_000), Just(-1_000)],
        bits in prop::array::uniform4(prop_oneof![0..=0x1_0000_0000_u64, 0..3u64, 0x7FFF_FFF0..0x8000_0010_u64]),
    ) {
        let params = LiquidAlpha { low: low.min(high), high: low.max(high), steepness };
        let curve = Curve::new(params);
        let distances = bits.map(Share::from_bits);
        let expected = distances.map(|distance| library_alpha(params, distance));
        prop_assert_eq!(curve.alphas(distances), expected);
        prop_assert_eq!(curve.at_zero(), library_alpha(params, Share::ZERO));
    }
}

#[test]
fn whole_numbers_and_both_cuts() {
    for x in -25..=25 {
        assert_eq!(exp(x << 32), library(I32F32::from_num(x)), "{x}");
    }
    for x in [1_000i64 << 32, i64::MAX] {
        assert_eq!(exp(x), exp(20 << 32));
        assert_eq!(exp(-x), exp(-20 << 32));
    }
}

#[test]
fn the_further_from_consensus_the_faster_the_bond_follows() {
    let curve = Curve::new(LiquidAlpha::default());
    let eighth = |k: u64| curve.alphas([Share::from_bits(k << 29); LANES])[0];
    assert!((0..8).all(|k| eighth(k) < eighth(k + 1)));
}

#[test]
fn a_weight_equal_to_its_bond_buys() {
    let half = Share::from_bits(1 << 31);
    assert_eq!(distance(Share::ZERO, half, half), half, "distance from consensus");
    assert_eq!(distance(half, half, Share::ZERO), Share::ZERO, "within consensus");
    assert_eq!(distance(Share::ZERO, Share::ZERO, half), half, "sells");
}
