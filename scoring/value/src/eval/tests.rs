//! The JSON of `acumen eval value`: a worked example by hand, and what is refused.

use super::*;
use crate::testing::assert_close;

fn list(output: &Value, field: &str) -> Vec<f64> {
    output[field].as_array().unwrap().iter().map(|x| x.as_f64().unwrap()).collect()
}

/// Two tokens, two specialists: everything follows from ln 2 and ln of simple fractions.
#[test]
fn worked_example() {
    let output = eval_value(r#"{"probs":[[0.8,0.2],[0.2,0.8]],"reference":[0.25,0.25]}"#).unwrap();
    let alone = 0.5 * (0.8f64.ln() + 0.2f64.ln()) - 0.25f64.ln();
    let both = 0.5f64.ln() - 0.25f64.ln();
    assert_close(&list(&output, "own_gain"), &[alone; 2], 1e-12);
    assert_close(&list(&output, "loo"), &[both - alone; 2], 1e-12);
    for field in ["shapley", "banzhaf", "owen"] {
        assert_close(&list(&output, field), &[both / 2.0; 2], 1e-12);
    }
    assert_close(&list(&output, "stacking"), &[0.5; 2], 1e-9);
    assert_close(&list(&output, "reward"), &[0.5; 2], 1e-12);
    assert!((output["pool_loss"].as_f64().unwrap() - 2f64.ln()).abs() < 1e-12);
    assert_eq!(output["method"]["shapley"], "exact");
    assert!(output.get("ignored").is_none());
}

#[test]
fn clusters_seniority_weights_and_alpha() {
    let output = eval_value(
        r#"{"probs":[[0.5,0.5],[0.5,0.5],[0.1,0.9]],"reference":[0.25,0.25],"documents":["a","b"],
            "clusters":["x","x","y"],"seniority":[2,-1,0],"weights":[1,2,1],"alpha":1,"note":"kept"}"#,
    )
    .unwrap();
    let other = 0.5 * (0.1f64.ln() + 0.9f64.ln()) - 0.25f64.ln();
    assert_close(&list(&output, "own_gain"), &[2f64.ln(), 2f64.ln(), other], 1e-12);
    let total = 2f64.ln() + other;
    assert_close(&list(&output, "reward"), &[0.0, 2f64.ln() / total, other / total], 1e-12);
    // The cluster plays with the weight of its senior, 2 against 1.
    let both = 0.5 * ((1.1f64 / 3.0).ln() + (1.9f64 / 3.0).ln()) - 0.25f64.ln();
    let senior = 0.5 * (2f64.ln() + both - other);
    assert_close(&list(&output, "owen"), &[0.0, senior, both - senior], 1e-12);
    assert_eq!(output["ignored"], json!(["note"]));
}

/// Intervals surround the values they are of, and are left out where they would be infinite.
#[test]
fn intervals_by_document() {
    let row =
        |i: usize| (0..40).map(|t| 0.1 + 0.8 * ((i * 7 + t * 3) % 11) as f64 / 11.0).collect::<Vec<_>>();
    let game = |miners: usize, documents: usize| {
        let probs: Vec<Vec<f64>> = (0..miners).map(row).collect();
        let documents: Vec<usize> = (0..40).map(|t| t % documents).collect();
        let text = json!({"probs": probs, "reference": vec![0.2; 40], "documents": documents}).to_string();
        eval_value(&text).unwrap()
    };
    let output = game(3, 5);
    for field in ["own_gain", "owen"] {
        for (value, ends) in list(&output, field).iter().zip(output["intervals"][field].as_array().unwrap()) {
            let (low, high) = (ends[0].as_f64().unwrap(), ends[1].as_f64().unwrap());
            assert!(low < *value && *value < high, "{field}: {value} in {ends}");
        }
    }
    assert!(game(3, 2).get("intervals").is_none(), "two documents say nothing of others");
    assert!(
        game(13, 5)["intervals"].get("owen").is_none() && game(13, 5)["intervals"]["own_gain"].is_array()
    );
}

#[test]
fn golden_example() {
    let input = include_str!("../../tests/data/game.json");
    let golden: Value = serde_json::from_str(include_str!("../../tests/data/game.expected.json")).unwrap();
    let output = eval_value(input).unwrap();
    for field in ["own_gain", "loo", "shapley", "banzhaf", "owen", "reward"] {
        assert_close(&list(&output, field), &list(&golden, field), 1e-12);
    }
    assert_close(&list(&output, "stacking"), &list(&golden, "stacking"), 1e-9);
    assert!((output["pool_loss"].as_f64().unwrap() - golden["pool_loss"].as_f64().unwrap()).abs() < 1e-12);
}

#[test]
fn beyond_twenty_it_samples_and_says_so() {
    let row = |i: usize| (0..8).map(|t| 0.1 + 0.9 * ((i * 7 + t * 3) % 11) as f64 / 11.0).collect::<Vec<_>>();
    let probs: Vec<Vec<f64>> = (0..22).map(row).collect();
    let text = json!({"probs": probs, "reference": vec![0.2; 8]}).to_string();
    let output = eval_value(&text).unwrap();
    assert_eq!(output["method"]["shapley"]["sampled"]["seed"], json!(DEFAULT_SEED));
    assert_eq!(output["method"]["owen"], "sampled");
    assert_eq!(output, eval_value(&text).unwrap());
    let total: f64 = list(&output, "shapley").iter().sum();
    assert!((total + output["pool_loss"].as_f64().unwrap() + 0.2f64.ln()).abs() < 1e-9, "efficient");
}

#[test]
fn refusals_say_what_is_wrong() {
    let message = |text: &str| eval_value(text).unwrap_err().to_string();
    assert!(message("{").contains("game file"));
    assert!(message(r#"{"probs":[[0.5]]}"#).contains("reference"));
    assert!(message(r#"{"probs":[[0.5]],"reference":[0.5],"alpha":1.5}"#).contains("alpha is 1.5"));
    assert!(message(r#"{"probs":[[0.0]],"reference":[0.5]}"#).contains("probs of miner 0 at token 0 is 0.0"));
    assert!(message(r#"{"probs":[[0.5,0.1]],"reference":[0.5]}"#).contains("has 2 entries, expected 1"));
    assert!(message("[]").contains("an object with `probs` and `reference`"));
    let field = |rest: &str| message(&format!(r#"{{"probs":[[0.5]],"reference":[0.5],{rest}}}"#));
    assert!(field(r#""clusters":[1.5]"#).contains("1.5 is not a whole number"));
    assert!(field(r#""seniority":["a"]"#).contains("is not a whole number"));
    assert!(field(r#""weights":[0]"#).contains("positive finite number"));
    assert!(field(r#""alpha":-1e-9"#).contains("alpha is"));
}

/// Whole numbers up to 2^64 − 1 keep their order, null is as good as absent, and no number in the output is missing.
#[test]
fn unusual_but_valid() {
    let output = eval_value(
        r#"{"probs":[[0.5],[0.5]],"reference":[0.25],"clusters":[18446744073709551615,18446744073709551615],
            "seniority":[18446744073709551615,-9223372036854775808],"documents":null,"weights":null,"alpha":null}"#,
    )
    .unwrap();
    assert_eq!(list(&output, "reward"), [0.0, 1.0], "the second is senior");
    let tiny = eval_value(r#"{"probs":[[1e-75,1.0]],"reference":[1.0,1e-75]}"#).unwrap();
    assert!(!tiny.to_string().contains("null"), "{tiny}");
}
