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

/// A random network of 47 ids in a folder of its own, with a tokenizer of whole words that knows fewer, and a chat template.
fn padded() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let from = repository("models/tests/parity/references/llama-theta");
    for name in ["config.json", "model.safetensors"] {
        std::fs::copy(format!("{from}/{name}"), folder.path().join(name)).unwrap();
    }
    let write = |name: &str, value: Value| {
        std::fs::write(folder.path().join(name), value.to_string()).unwrap();
    };
    let special = |id: u32, content: &str| {
        json!({ "id": id, "content": content, "special": true, "single_word": false, "lstrip": false,
                "rstrip": false, "normalized": false })
    };
    let begin = json!([{ "SpecialToken": { "id": "<s>", "type_id": 0 } }, { "Sequence": { "id": "A", "type_id": 0 } }]);
    write(
        "tokenizer.json",
        json!({
            "version": "1.0", "normalizer": null, "decoder": null, "pre_tokenizer": { "type": "Whitespace" },
            "added_tokens": [special(1, "<s>"), special(2, "<answer>")],
            "post_processor": {
                "type": "TemplateProcessing", "single": begin, "pair": begin,
                "special_tokens": { "<s>": { "id": "<s>", "ids": [1], "tokens": ["<s>"] } },
            },
            "model": {
                "type": "WordLevel", "unk_token": "?",
                "vocab": { "?": 0, "<s>": 1, "<answer>": 2, "call": 3, "me": 4, "be": 5, "brief": 6 },
            },
        }),
    );
    let template = "{{ bos_token }}{% for message in messages %}{{ message.content }} {% endfor %}\
                    {% if add_generation_prompt %}<answer>{% endif %}";
    write("tokenizer_config.json", json!({ "bos_token": "<s>", "chat_template": template }));
    folder
}

fn generated(model: &str, more: &[&str]) -> Value {
    let output =
        run(&[&["model", "generate", "--json", "--max-tokens", "6", "--model", model][..], more].concat());
    assert!(output.status.success(), "{}", stderr(&output));
    serde_json::from_str(&stdout(&output)).unwrap()
}

#[test]
fn ids_that_the_tokenizer_does_not_know_do_not_cost_the_answer() {
    let folder = padded();
    let model = folder.path().to_str().unwrap();
    let ids = |answer: &Value| answer["ids"].as_array().unwrap().clone();
    let by_text = generated(model, &["--prompt", "call me"]);
    assert_eq!(by_text["usage"]["prompt_tokens"], 3);
    assert!(ids(&by_text).iter().any(|id| id.as_u64() > Some(6)), "{by_text}");
    assert!(by_text["text"].is_string(), "{by_text}");
    assert_eq!(ids(&by_text), ids(&generated(model, &["--ids", "1,3,4"])));
}

#[test]
fn a_chat_is_written_by_the_models_template() {
    let folder = padded();
    let model = folder.path().to_str().unwrap();
    let chat = generated(model, &["--chat", "--system", "be brief", "--prompt", "call me"]);
    let plain = generated(model, &["--ids", "1,5,6,3,4,2"]);
    assert_eq!((&chat["ids"], &chat["usage"]), (&plain["ids"], &plain["usage"]));
    let alone = generated(model, &["--chat", "--prompt", "call me"]);
    assert_eq!(alone["usage"]["prompt_tokens"], 4);
    let fails = |code: i32, args: &[&str], said: &str| {
        let output = run(&[&["model", "generate", "--model", model][..], args].concat());
        assert_eq!(output.status.code(), Some(code));
        assert!(stderr(&output).contains(said), "{}", stderr(&output));
    };
    fails(2, &["--chat", "--ids", "1"], "--chat");
    fails(2, &["--system", "x", "--prompt", "y"], "--chat");
    std::fs::remove_file(folder.path().join("tokenizer_config.json")).unwrap();
    fails(1, &["--chat", "--prompt", "y"], "without a chat template");
}

#[test]
fn encoders_and_tokenizers_are_inspected() {
    let inspected = |model: &str| {
        let output = run(&["model", "inspect", "--json", model]);
        assert!(output.status.success(), "{}", stderr(&output));
        let text = run(&["model", "inspect", model]);
        (serde_json::from_str::<Value>(&stdout(&output)).unwrap(), stdout(&text))
    };
    let (encoder, text) = inspected(&repository("models/tests/parity/encoders/bert-mean"));
    assert_eq!((&encoder["architecture"], &encoder["tokenizer"]), (&json!("bert"), &json!("none")));
    let numbers = encoder["vector"].as_u64().unwrap();
    assert!(numbers > 0 && encoder["parameters"].as_u64() > Some(0));
    assert!(encoder["tensors"].as_array().unwrap().len() > 10 && encoder["file_bytes"].as_u64() > Some(0));
    assert!(text.contains(&format!("vector        {numbers} numbers")), "{text}");
    let folder = padded();
    let (decoder, text) = inspected(folder.path().to_str().unwrap());
    assert_eq!(decoder["tokenization"]["kind"], "wordlevel");
    assert_eq!(decoder["tokenization"]["tokens"], 7);
    assert!(decoder["tokenization"]["chat_template"].as_str().unwrap().contains("<answer>"));
    assert!(text.contains("wordlevel, 7 tokens") && text.contains("chat template "), "{text}");
    std::fs::write(folder.path().join("tokenizer.json"), "{}").unwrap();
    let (broken, text) = inspected(folder.path().to_str().unwrap());
    assert!(broken["tokenization"].is_null() && broken["tokenizer_fault"].is_string(), "{broken}");
    assert!(text.contains("cannot be used"), "{text}");
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
