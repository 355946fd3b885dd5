//! Single functions of the epoch. Upstream's literals are floats, converted as upstream converts
//! them; results are compared exactly, or within the tolerance that the vector states.
#![allow(
    clippy::disallowed_types,
    reason = "upstream states these expectations as floats; only the test compares them"
)]

use serde_json::Value;
use substrate_fixed::types::I32F32;

use crate::epoch::internals;
use crate::share::Share;
use crate::upscale::max_upscale_fixed;

fn fixed(x: &Value) -> I32F32 {
    I32F32::from_num(x.as_f64().unwrap() as f32)
}

fn share(x: &Value) -> Share {
    Share::from_bits(u64::try_from(fixed(x).to_bits()).unwrap())
}

fn list(xs: &Value) -> Vec<Share> {
    xs.as_array().unwrap().iter().map(share).collect()
}

/// Raw values no further apart than `eps`.
fn close(found: Share, expected: Share, eps: f64) -> bool {
    found.bits().abs_diff(expected.bits()) as f64 <= eps * 4_294_967_296.0
}

fn cases(case: &Value) -> &Vec<Value> {
    case["inputs"]["cases"].as_array().unwrap()
}

pub(super) fn weighted_median(case: &Value) {
    let kappa = share(&case["inputs"]["majority"]);
    for case in cases(case) {
        let (stake, score) = (list(&case["stake"]), list(&case["score"]));
        let median = internals::median(&stake, &score, kappa);
        assert_eq!(median.bits(), case["expected_raw_i32f32"], "{case}");
    }
    let (quarter, half) = (Share::from_bits(1 << 30), Share::from_bits(1 << 31));
    let median = internals::median(&[quarter, quarter], &[half, Share::ONE], half);
    assert_eq!(median, Share::ONE, "the median is over stake normalised once more");
}

pub(super) fn col_clip(case: &Value) {
    let threshold = list(&case["inputs"]["threshold"]);
    let rows = case["inputs"]["matrix"].as_array().unwrap();
    let expected = case["expected"]["matrix"].as_array().unwrap();
    for (row, expected) in rows.iter().zip(expected) {
        let pairs = list(row).into_iter().zip(&threshold);
        let clipped: Vec<Share> = pairs.map(|(w, &c)| internals::clip(w, c).unwrap_or_default()).collect();
        assert_eq!(clipped, list(expected));
    }
    assert_eq!(internals::clip(Share::ONE, Share::ZERO), None, "clipped to zero");
    assert_eq!(internals::clip(Share::ZERO, Share::ZERO), Some(Share::ZERO), "explicit zero");
}

/// The vector is of the variant that may choose zeros; production never does.
pub(super) fn top_k(case: &Value) {
    for case in cases(case) {
        let vector = list(&case["vector"]);
        let k = case["k"].as_u64().unwrap() as usize;
        let expected = case["expected"].as_array().unwrap();
        let found = internals::top_k(&vector, k);
        assert_eq!(found.len(), expected.len());
        for ((x, found), expected) in vector.iter().zip(found).zip(expected) {
            assert_eq!(found, *x != Share::ZERO && expected.as_bool().unwrap(), "{case}");
        }
    }
}

pub(super) fn max_upscale(case: &Value) {
    for case in cases(case) {
        let found =
            max_upscale_fixed(&case["vector"].as_array().unwrap().iter().map(fixed).collect::<Vec<_>>());
        assert_eq!(Value::from(found), case["expected"], "{case}");
    }
    let stored = crate::upscale::max_upscale(&[0, 1, 65_534]);
    assert_eq!(stored, [0, 1, 65_535]);
}

pub(super) fn sigmoid(case: &Value) {
    for case in cases(case) {
        let (rho, kappa) = (fixed(&case["rho"]), fixed(&case["kappa"]));
        let expected = case["expected"].as_array().unwrap();
        for (x, expected) in case["x"].as_array().unwrap().iter().zip(expected) {
            let exponent = -(rho * (fixed(x) - kappa));
            let found = Share::ONE.plus(internals::exp(exponent.to_bits())).reciprocal();
            let off = found.bits() as f64 / 4_294_967_296.0 - expected.as_f64().unwrap();
            assert!(off.abs() < 1e-7, "{x} gives {found:?}, not {expected}");
        }
    }
}

pub(super) fn interpolate(case: &Value) {
    for case in cases(case) {
        let ratio = share(&case["ratio"]);
        let flat =
            |name: &str| -> Vec<Share> { case[name].as_array().unwrap().iter().flat_map(list).collect() };
        let eps = case["eps"].as_f64().unwrap();
        let expected = flat("expected");
        for ((a, b), expected) in flat("a").into_iter().zip(flat("b")).zip(expected) {
            let found = internals::interpolate(a, Some(b), ratio).unwrap_or_default();
            // The literals are f32, whose own step is 2^-23 of the value.
            let step = expected.bits() as f64 / 4_294_967_296.0 / 4_194_304.0;
            assert!(close(found, expected, eps + step), "{case}: {found:?}");
        }
    }
}

/// The average of entries that are present. (An absent new entry drops the bond: the tests of the
/// epoch and the oracle hold that.)
pub(super) fn ema_alpha(case: &Value) {
    for case in cases(case) {
        let (old, new) = (list(&case["old"]), list(&case["new"]));
        let expected = list(&case["expected"]);
        // The literals are f32: a step of 2^-23 beside the tolerance.
        let eps = case["eps"].as_f64().unwrap() + 1.2e-7;
        let implicit_zero = case["path"].as_str().unwrap().contains("implicit");
        let columns = case["shape"][1].as_u64().unwrap_or(3) as usize;
        for (i, (&old, &new)) in old.iter().zip(&new).enumerate() {
            if implicit_zero && new == Share::ZERO {
                continue;
            }
            let alpha = match &case["alpha"] {
                Value::Array(alphas) if alphas.len() == columns => share(&alphas[i % columns]),
                Value::Array(alphas) => share(&alphas[i]),
                alpha => share(alpha),
            };
            let found = internals::capped_average(alpha, new, old);
            assert!(close(found, expected[i], eps), "{case} at {i}: {found:?}");
        }
    }
}
