//! Whole epochs: every `derived` number exactly, every `asserted` number as upstream asserts it.

use serde_json::Value;

use crate::case::run_case;

pub(super) fn sequence(text: &str, case: &Value) {
    let name = &case["name"];
    let out = run_case(text).unwrap();
    assert_eq!(out.get("ignored"), None, "{name}");
    let expected = case["expected"]["steps"].as_array().unwrap();
    let found = out["steps"].as_array().unwrap();
    assert_eq!(found.len(), expected.len(), "{name}");
    for (found, expected) in found.iter().zip(expected) {
        assert_eq!(found["label"], expected["label"], "{name}");
        let derived = expected["derived"].as_object().unwrap();
        assert_eq!(derived.len(), 10, "{name}");
        for (output, numbers) in derived {
            assert_eq!(&found[output], numbers, "{name} {} {output}", found["label"]);
        }
        for (assertion, numbers) in expected["asserted"].as_object().unwrap() {
            asserted(found, assertion, numbers);
        }
    }
}

fn asserted(found: &Value, assertion: &str, numbers: &Value) {
    let numbers = || numbers.as_array().unwrap().iter();
    match assertion {
        "bonds_u16_at" => numbers().for_each(|at| {
            let (i, j) = (at[0].as_u64().unwrap(), at[1].as_u64().unwrap());
            assert_eq!(bond(found, i, j), at[2].as_u64().unwrap(), "{}", found["label"]);
        }),
        "dividends_float" => numbers().enumerate().for_each(|(i, share)| {
            close(&found["dividends_u16"][i], share);
        }),
        "bonds_float" => numbers().enumerate().for_each(|(i, row)| {
            for (j, share) in row.as_array().unwrap().iter().enumerate() {
                close(&bond(found, i as u64, j as u64).into(), share);
            }
        }),
        "logged_emission_unasserted" => {}
        _ => {
            let output = assertion.strip_suffix("_at").unwrap();
            for at in numbers() {
                let uid = at[0].as_u64().unwrap() as usize;
                assert_eq!(found[output][uid], at[1], "{} {output}", found["label"]);
            }
        }
    }
}

/// Upstream's tolerance for these is 1e-3; unlisted ones are null.
#[allow(
    clippy::disallowed_types,
    reason = "upstream states these expectations as floats; only the test compares them"
)]
fn close(found: &Value, share: &Value) {
    let Some(share) = share.as_f64() else { return };
    let found = found.as_f64().unwrap() / 65_535.0;
    assert!((found - share).abs() <= 1e-3, "{found} is not {share}");
}

fn bond(found: &Value, i: u64, j: u64) -> u64 {
    let row = found["bonds_u16"][i as usize].as_array().unwrap();
    let entry = row.iter().find(|entry| entry[0] == j);
    entry.map_or(0, |entry| entry[1].as_u64().unwrap())
}

pub(super) fn generated(text: &str, case: &Value) {
    let generator = &case["inputs"]["generator"];
    let n = generator["n"].as_u64().unwrap();
    let validators = generator["validators"].as_u64().unwrap();
    let out = run_case(text).unwrap();
    let steps = out["steps"].as_array().unwrap();
    assert_eq!(steps.len() as u64, 1 + generator["epochs"].as_u64().unwrap());
    for step in &steps[1..] {
        for uid in 0..n {
            let role = if uid < validators { "validator" } else { "server" };
            let expected = &case["expected"][role];
            for output in ["consensus_u16", "incentive_u16", "dividends_u16", "emission"] {
                assert_eq!(step[output][uid as usize], expected[output], "{uid} {output}");
            }
            assert_eq!(bond(step, uid, 0), expected["bond_on_validator"]);
            assert_eq!(bond(step, uid, n - 1), expected["bond_on_server"]);
        }
    }
}

pub(super) fn permits(text: &str, case: &Value) {
    let out = run_case(text).unwrap();
    let mut steps = out["steps"].as_array().unwrap().iter();
    for case in case["inputs"]["cases"].as_array().unwrap() {
        for expected in ["expected_permits", "expected_permits_after"] {
            let step = steps.next().unwrap();
            assert_eq!(step["validator_permits"], case[expected], "{}", step["label"]);
        }
    }
    assert!(steps.next().is_none());
}
