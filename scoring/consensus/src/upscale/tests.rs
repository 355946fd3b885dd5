//! Rounding and both branches; the vectors hold upstream's cases.

use super::*;

#[test]
fn the_largest_becomes_full_and_zero_stays_zero() {
    for largest in [1, 2, 100, 32_767, 32_768, 32_769, 65_534, 65_535] {
        assert_eq!(max_upscale(&[0, largest]), [0, 65_535], "{largest}");
    }
    assert_eq!(max_upscale(&[0, 0]), [0, 0]);
    assert_eq!(max_upscale(&[]), [0u16; 0]);
}

#[test]
fn order_survives() {
    for largest in [9, 32_768, 60_000] {
        let weights: Vec<u16> = (0..=largest).collect();
        let scaled = max_upscale(&weights);
        assert!(scaled.windows(2).all(|pair| pair[0] <= pair[1]), "{largest}");
    }
}

#[test]
fn halves_round_up() {
    assert_eq!(max_upscale(&[1, 2]), [32_768, 65_535]);
}
