//! Tools that need no chain: evaluation, models, simulations.

use serde_json::{Value, json};

use crate::{repository, run, stderr, stdout};

#[test]
fn yuma_cases_run_with_the_names_of_the_vectors() {
    let case = repository("scoring/consensus/vectors/epoch_02_ten_nodes_self_weights.json");
    let output = run(&["eval", "yuma", "--case", &case, "--json"]);
    assert!(output.status.success(), "{}", stderr(&output));
    let printed: Value = serde_json::from_str(&stdout(&output)).unwrap();
    let vector: Value = serde_json::from_str(&std::fs::read_to_string(case).unwrap()).unwrap();
    let derived = vector["expected"]["steps"][0]["derived"].as_object().unwrap();
    for (name, value) in derived {
        assert_eq!(&printed["steps"][0][name], value, "{name}");
    }
}

#[test]
fn a_value_game_is_evaluated() {
    let folder = tempfile::tempdir().unwrap();
    let game = folder.path().join("game.json");
    std::fs::write(
        &game,
        json!({ "probs": [[0.5, 0.5], [0.25, 0.25]], "reference": [0.25, 0.25] }).to_string(),
    )
    .unwrap();
    let output = run(&["eval", "value", "--game", game.to_str().unwrap(), "--json"]);
    assert!(output.status.success(), "{}", stderr(&output));
    let printed: Value = serde_json::from_str(&stdout(&output)).unwrap();
    let gain = |index: usize| printed["own_gain"][index].as_f64().unwrap();
    assert!((gain(0) - std::f64::consts::LN_2).abs() < 1e-12);
    assert!(gain(1).abs() < 1e-12);
    let shapley: f64 = printed["shapley"].as_array().unwrap().iter().map(|v| v.as_f64().unwrap()).sum();
    assert!((shapley - (0.375_f64 / 0.25).ln()).abs() < 1e-12, "the pool's gain is shared without rest");
}

#[test]
fn generation_is_replayed_by_its_seed() {
    let model = repository("models/checkpoints/gpt-small.safetensors");
    let generate = |seed: &str| {
        let output = run(&[
            "model",
            "generate",
            "--model",
            &model,
            "--prompt",
            "Fellow citizens",
            "--max-tokens",
            "12",
            "--temperature",
            "1",
            "--seed",
            seed,
            "--json",
        ]);
        assert!(output.status.success(), "{}", stderr(&output));
        serde_json::from_str::<Value>(&stdout(&output)).unwrap()
    };
    let first = generate("1");
    assert_eq!(first, generate("1"));
    assert_ne!(first["ids"], generate("2")["ids"]);
    assert_eq!(first["usage"]["completion_tokens"], 12);
    assert_eq!(first["finish_reason"], "length");
    // For people the text comes before the same object.
    let both =
        run(&["model", "generate", "--model", &model, "--prompt", "Fellow citizens", "--max-tokens", "3"]);
    let (shown, last) = (stdout(&both), serde_json::from_str::<Value>(stdout(&both).lines().last().unwrap()));
    assert!(shown.starts_with(last.unwrap()["text"].as_str().unwrap()), "{shown}");
}

#[test]
fn logits_are_one_line_per_position_best_first() {
    let model = repository("models/checkpoints/gpt-traced.pt");
    let output = run(&[
        "model",
        "logits",
        "--model",
        &model,
        "--ids",
        "84,104,101",
        "--positions",
        "all",
        "--top",
        "3",
    ]);
    assert!(output.status.success(), "{}", stderr(&output));
    let lines: Vec<Value> = stdout(&output).lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines.iter().map(|line| line["pos"].as_u64().unwrap()).collect::<Vec<_>>(), [0, 1, 2]);
    for line in lines {
        let values: Vec<f64> =
            line["logits"].as_array().unwrap().iter().map(|pair| pair[1].as_f64().unwrap()).collect();
        assert_eq!(values.len(), 3);
        assert!(values.is_sorted_by(|a, b| a >= b));
    }
}

#[test]
fn shells_get_their_completions() {
    for shell in ["bash", "zsh", "fish"] {
        let script = stdout(&run(&["completions", shell]));
        assert!(script.contains("check-config") && script.contains("wallet.name"), "{shell}");
    }
}

#[test]
fn a_shipped_scenario_runs_by_name() {
    let listed = stdout(&run(&["sim", "list"]));
    assert!(listed.contains("exact-clone"), "{listed}");
}
