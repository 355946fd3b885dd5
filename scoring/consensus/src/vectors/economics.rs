//! Emission curve and registration price, exactly.

use serde_json::Value;

use super::integers;
use crate::emission::halved_emission;
use crate::registration::{PriceRule, decay_factor_q32};

pub(super) fn block_emission(case: &Value) {
    let inputs = &case["inputs"];
    let max = inputs["total_supply_rao"].as_u64().unwrap();
    let initial = inputs["base_emission_rao"].as_u64().unwrap();
    let expected = integers(&case["expected"]["block_emission_rao"]);
    let found: Vec<u64> = integers(&inputs["issuance_rao"])
        .into_iter()
        .map(|issuance| halved_emission(initial, max, issuance))
        .collect();
    assert_eq!(found, expected);
}

pub(super) fn registration(case: &Value) {
    let inputs = &case["inputs"];
    for (half_life, factor) in inputs["derived_decay_factor_q32"].as_object().unwrap() {
        let half_life = half_life.parse().unwrap();
        assert_eq!(decay_factor_q32(half_life), factor.as_u64().unwrap(), "{half_life}");
    }
    for case in inputs["cases"].as_array().unwrap() {
        price_sequence(case);
    }
}

fn price_sequence(case: &Value) {
    let number = |name: &str| match &case[name] {
        Value::String(text) if text == "u64max" => u64::MAX,
        value => value.as_u64().unwrap(),
    };
    let multiplier = u32::try_from(number("mult") * 1_000_000).unwrap();
    let half_life = u16::try_from(number("half_life")).unwrap();
    let rule = PriceRule::new(number("min"), number("max"), half_life, multiplier).unwrap();
    let mut price = number("burn");
    let expected = integers(&case["expected"]);
    let ops = case["ops"].as_array().unwrap();
    assert_eq!(ops.len(), expected.len());
    for (op, expected) in ops.iter().zip(expected) {
        price = match op.as_str().unwrap() {
            "register" => rule.after_registration(price),
            "next_block" => rule.next_block(price),
            "2 blocks" => rule.next_block(rule.next_block(price)),
            op => panic!("unknown operation {op:?}"),
        };
        assert_eq!(price, expected, "{op}");
    }
}
