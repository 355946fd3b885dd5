//! A short run learns, repeats itself, and refuses what cannot work.

use super::*;
use crate::testing::TINY;

fn config(folder: &std::path::Path) -> TrainConfig {
    let heldout = folder.join("heldout");
    std::fs::create_dir_all(&heldout).unwrap();
    let text = "the sea was calm and the ship was slow. ".repeat(40);
    std::fs::write(folder.join("corpus.txt"), &text).unwrap();
    std::fs::write(heldout.join("a.txt"), &text[..200]).unwrap();
    TrainConfig {
        name: "short".into(),
        output: folder.join("short.safetensors"),
        model: GptConfig { context: 32, ..TINY },
        corpus: vec![folder.join("corpus.txt")],
        heldout,
        task_share: 0.25,
        steps: 60,
        batch: 8,
        learning_rate: 0.02,
        warmup_steps: 5,
        weight_decay: 0.01,
        seed: 11,
        evaluate_every: 30,
        threads: 1,
    }
}

#[test]
fn a_run_learns_and_its_checkpoint_says_how() {
    let _alone = crate::testing::generator();
    let folder = tempfile::tempdir().unwrap();
    let config = config(folder.path());
    let mut seen = Vec::new();
    let losses = run(&config, &mut |progress| seen.push(*progress)).unwrap();
    assert_eq!(seen.iter().map(|progress| progress.step).collect::<Vec<_>>(), [30, 60]);
    assert!(seen[1].heldout.text < seen[0].heldout.text, "{seen:?}");
    assert!(losses.text < 4.0, "{losses:?}, and 8 is a coin for every bit");

    let model = GptModel::read(&config.output, 1 << 20).unwrap();
    assert_eq!(model.card()["seed"], 11);
    assert_eq!(model.card()["steps"], 60);
    assert_eq!(model.card()["corpus"][0][0], "corpus.txt");
    let heldout = crate::corpus::documents(&config.heldout).unwrap();
    let again = crate::evaluate::evaluate(&model, &heldout).unwrap();
    assert!((again.mix - losses.mix).abs() < 0.01, "f16 costs next to nothing: {again:?} {losses:?}");
}

#[test]
fn a_run_can_be_repeated_and_traced() {
    let _alone = crate::testing::generator();
    let folder = tempfile::tempdir().unwrap();
    let mut config = TrainConfig { steps: 6, evaluate_every: 6, ..config(folder.path()) };
    run(&config, &mut |_| {}).unwrap();
    let first = std::fs::read(&config.output).unwrap();
    run(&config, &mut |_| {}).unwrap();
    assert_eq!(first, std::fs::read(&config.output).unwrap());
    config.seed += 1;
    run(&config, &mut |_| {}).unwrap();
    assert_ne!(first, std::fs::read(&config.output).unwrap());

    config.output = folder.path().join("traced.pt");
    let losses = run(&config, &mut |_| {}).unwrap();
    let traced = crate::load(&config.output, &crate::LoadOptions::default()).unwrap();
    assert_eq!(traced.info().context, 32);
    let heldout = crate::corpus::documents(&config.heldout).unwrap();
    let again = crate::evaluate::evaluate(traced.as_ref(), &heldout).unwrap();
    assert!((again.mix - losses.mix).abs() < 0.01, "{again:?} {losses:?}");
    assert!(!folder.path().join("traced.safetensors").exists());
}

#[test]
fn a_configuration_that_cannot_work_is_refused_by_field() {
    let folder = tempfile::tempdir().unwrap();
    let good = config(folder.path());
    let bad = [
        ("task_share", TrainConfig { task_share: f64::NAN, ..good.clone() }),
        ("batch", TrainConfig { batch: 0, ..good.clone() }),
        ("learning_rate", TrainConfig { learning_rate: 0.0, ..good.clone() }),
        ("warmup_steps", TrainConfig { warmup_steps: 60, ..good.clone() }),
        ("evaluate_every", TrainConfig { evaluate_every: 0, ..good.clone() }),
        ("corpus", TrainConfig { corpus: Vec::new(), ..good.clone() }),
        ("heads", TrainConfig { model: GptConfig { heads: 3, ..TINY }, ..good.clone() }),
    ];
    for (name, config) in bad {
        match run(&config, &mut |_| {}) {
            Err(ModelError::Config { field, .. }) => assert_eq!(field, name),
            other => panic!("{name}: {other:?}"),
        }
    }
    assert!(!good.output.exists());
}

#[test]
fn the_learning_rate_rises_then_falls() {
    let folder = tempfile::tempdir().unwrap();
    let config = config(folder.path());
    let rates: Vec<f64> = (0..config.steps).map(|step| learning_rate(&config, step)).collect();
    assert!(rates[..5].is_sorted() && rates[5..].is_sorted_by(|a, b| a >= b), "{rates:?}");
    assert_eq!(rates[4], config.learning_rate);
    assert!(rates[59] < 0.06 * config.learning_rate);
}
