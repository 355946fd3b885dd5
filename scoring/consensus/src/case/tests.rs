//! What a case may leave out, and how a broken one is refused.

use serde_json::{Value, json};

use super::*;

fn case() -> Value {
    json!({
        "kind": "epoch_sequence",
        "inputs": {
            "params": { "emission": 1_000 },
            "tempo": 10,
            "steps": [{
                "label": "one",
                "state": {
                    "block": 20, "stakes": [4, 0, 0], "last_update": [19, 1, 1],
                    "block_at_registration": [1, 1, 1], "permits": [true, false, false],
                    "weights": [[[2, 30], [1, 10]], [], []], "bonds": [[], [], []]
                }
            }]
        }
    })
}

fn changed(pointer: &str, value: Value) -> String {
    let mut case = case();
    let (parent, name) = pointer.rsplit_once('/').unwrap();
    match case.pointer_mut(parent).unwrap() {
        Value::Array(list) => list[name.parse::<usize>().unwrap()] = value,
        object => object[name] = value,
    }
    case.to_string()
}

#[test]
fn defaults_and_rows_in_any_order() {
    let out = run_case(&case().to_string()).unwrap();
    let step = &out["steps"][0];
    assert_eq!(step["label"], "one");
    assert_eq!(step["incentive_u16"], json!([0, 16_383, 49_151]));
    assert_eq!(step["server_emission"], json!([0, 125, 375]));
    assert_eq!(step["validator_emission"], json!([500, 0, 0]));
    assert_eq!(out.get("ignored"), None);
}

#[test]
fn a_commit_masks_and_an_unknown_member_is_reported() {
    let state = "/inputs/steps/0/state";
    let masked = changed(&format!("{state}/commit_block"), json!([0, null, null]));
    let out = run_case(&masked).unwrap();
    assert_eq!(out["steps"][0]["incentive_u16"], json!([0, 0, 0]));
    let misspelt = run_case(&changed("/inputs/params/kapa", json!(1))).unwrap();
    assert_eq!(misspelt["ignored"], json!(["params.kapa"]));
}

#[test]
fn broken_cases_say_what_is_wrong() {
    let message = |text: &str| run_case(text).unwrap_err().to_string();
    let state = "/inputs/steps/0/state";
    assert!(message("{").contains("format"));
    assert!(message(&changed("/kind", json!("is_topk"))).contains("is_topk"));
    assert!(message(&changed(&format!("{state}/permits"), json!([true]))).contains("permits has 1"));
    let duplicate = json!([[[1, 5], [1, 6]], [], []]);
    assert!(message(&changed(&format!("{state}/weights"), duplicate)).contains("after uid 1"));
    let stranger = json!([[], [], [[3, 1]]]);
    assert!(message(&changed(&format!("{state}/bonds"), stranger)).starts_with("step \"one\", bonds: row 2"));
    assert!(message(&changed(&format!("{state}/stakes/0"), json!(-1))).contains("format"));
    let kappa = message(&changed("/inputs/params/kappa", json!(65_536)));
    assert!(kappa.contains("65536") && kappa.contains("line 1"), "{kappa}");
}
