//! Single functions of the epoch. Upstream's literals are floats, converted as upstream converts
//! them; results are compared exactly, or within the tolerance that the vector states.
#![allow(
    clippy::disallowed_types,
    reason = "upstream states these expectations as floats; only the test compares them"
)]

use serde_json::Value;

use crate::epoch::internals;
use crate::fixed::{Fix, ONE, ZERO, div, mul};
use crate::upscale::max_upscale_fixed;

fn fix(x: &Value) -> Fix {
    Fix::from_num(x.as_f64().unwrap() as f32)
}

fn list(xs: &Value) -> Vec<Fix> {
    xs.as_array().unwrap().iter().map(fix).collect()
}

fn cases(case: &Value) -> &Vec<Value> {
    case["inputs"]["cases"].as_array().unwrap()
}

pub(super) fn weighted_median(case: &Value) {
    let kappa = fix(&case["inputs"]["majority"]);
    for case in cases(case) {
        let (stake, score) = (list(&case["stake"]), list(&case["score"]));
        let median = internals::median(&stake, &score, kappa);
        assert_eq!(median.to_bits(), case["expected_raw_i32f32"], "{case}");
    }
    let (quarter, half) = (ONE / 4, ONE / 2);
    let median = internals::median(&[quarter, quarter], &[half, ONE], half);
    assert_eq!(median, ONE, "the median is over stake normalised once more");
}

pub(super) fn col_clip(case: &Value) {
    let threshold = list(&case["inputs"]["threshold"]);
    let rows = case["inputs"]["matrix"].as_array().unwrap();
    let expected = case["expected"]["matrix"].as_array().unwrap();
    for (row, expected) in rows.iter().zip(expected) {
        let pairs = list(row).into_iter().zip(&threshold);
        let clipped: Vec<Fix> = pairs.map(|(w, &c)| internals::clip(w, c).unwrap_or(ZERO)).collect();
        assert_eq!(clipped, list(expected));
    }
    assert_eq!(internals::clip(ONE, ZERO), None, "clipped to zero");
    assert_eq!(internals::clip(ZERO, ZERO), Some(ZERO), "explicit zero");
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
            assert_eq!(found, *x != ZERO && expected.as_bool().unwrap(), "{case}");
        }
    }
}

pub(super) fn max_upscale(case: &Value) {
    for case in cases(case) {
        let found = max_upscale_fixed(&list(&case["vector"]));
        assert_eq!(Value::from(found), case["expected"], "{case}");
    }
    let stored = crate::upscale::max_upscale(&[0, 1, 65_534]);
    assert_eq!(stored, [0, 1, 65_535]);
}

pub(super) fn sigmoid(case: &Value) {
    for case in cases(case) {
        let (rho, kappa) = (fix(&case["rho"]), fix(&case["kappa"]));
        let expected = case["expected"].as_array().unwrap();
        for (x, expected) in list(&case["x"]).into_iter().zip(expected) {
            let exponent = mul(ZERO - rho, x - kappa);
            let found = div(ONE, internals::exp(exponent) + ONE);
            let off = found.to_num::<f64>() - expected.as_f64().unwrap();
            assert!(off.abs() < 1e-7, "{x} gives {found}, not {expected}");
        }
    }
}

pub(super) fn interpolate(case: &Value) {
    for case in cases(case) {
        let ratio = fix(&case["ratio"]);
        let flat =
            |name: &str| -> Vec<Fix> { case[name].as_array().unwrap().iter().flat_map(list).collect() };
        let eps = fix(&case["eps"]);
        let expected = flat("expected");
        for ((a, b), expected) in flat("a").into_iter().zip(flat("b")).zip(expected) {
            let found = internals::interpolate(a, Some(b), ratio).unwrap_or(ZERO);
            // The literals are f32, whose own step is 2^-23 of the value.
            let step = expected.checked_div(Fix::from_num(1 << 22)).unwrap();
            assert!((found - expected).abs() <= eps + step, "{case}: {found}");
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
        let eps = Fix::from_num(case["eps"].as_f64().unwrap() + 1.2e-7);
        let implicit_zero = case["path"].as_str().unwrap().contains("implicit");
        let columns = case["shape"][1].as_u64().unwrap_or(3) as usize;
        for (i, (&old, &new)) in old.iter().zip(&new).enumerate() {
            if implicit_zero && new == ZERO {
                continue;
            }
            let alpha = match &case["alpha"] {
                Value::Array(alphas) if alphas.len() == columns => fix(&alphas[i % columns]),
                Value::Array(alphas) => fix(&alphas[i]),
                alpha => fix(alpha),
            };
            let found = internals::capped_average(alpha, new, old);
            assert!((found - expected[i]).abs() <= eps, "{case} at {i}: {found}");
        }
    }
}
