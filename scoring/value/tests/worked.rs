//! The worked example of docs/scoring.md, recomputed: the page cannot drift from the code.
#![allow(missing_docs)]

use acumen_scoring_value::accumulate::Score;
use acumen_scoring_value::confidence::bootstrap;
use acumen_scoring_value::eval::eval_value;
use acumen_scoring_value::{Game, GameSpec, Report, pool};
use serde_json::{Value, json};

const DOCS: &str = include_str!("../../../docs/scoring.md");

#[track_caller]
fn documented(line: &str) {
    println!("{line}");
    assert!(DOCS.contains(line), "docs/scoring.md lacks: {line}");
}

fn row(name: &str, output: &Value, miner: usize) -> String {
    let fields = ["own_gain", "loo", "shapley", "banzhaf", "owen", "stacking", "reward"];
    let cells: Vec<String> =
        fields.iter().map(|field| format!("{:.3}", output[field][miner].as_f64().unwrap() + 0.0)).collect();
    format!("| {name} | {} |", cells.join(" | "))
}

const A: [f64; 4] = [0.7, 0.7, 0.1, 0.2];
const B: [f64; 4] = [0.1, 0.2, 0.7, 0.7];
const C: [f64; 4] = [0.4; 4];

fn tables() -> [(Value, &'static [&'static str]); 3] {
    let reference = [0.25; 4];
    let run = |game: Value| eval_value(&game.to_string()).unwrap();
    [
        (run(json!({"probs": [A, B, C], "reference": reference})), &["A", "B", "C"]),
        (run(json!({"probs": [A, B, C, A], "reference": reference})), &["A", "B", "C", "A′, not recognised"]),
        (
            run(json!({"probs": [A, B, C, A], "reference": reference, "clusters": [0, 1, 2, 0]})),
            &["A", "B", "C", "A′, in A's cluster"],
        ),
    ]
}

/// The file on the page is the game of the tables, and its steps by hand are right.
#[test]
fn the_game_on_the_page() {
    let from = DOCS.find("```json game\n").expect("a game") + 13;
    let file = &DOCS[from..from + DOCS[from..].find("```").expect("an end")];
    assert_eq!(eval_value(file).unwrap(), tables()[0].0);
    let game: GameSpec = serde_json::from_str(file).unwrap();
    let game = Game::new(game).unwrap();
    documented(&format!("own gain ¼ (ln .7 + ln .7 + ln .1 + ln .2) − ln ¼ = {:.3}", game.value(&[0])));
    documented(&format!("and v = {:.3}; with B too", game.value(&[0, 2])));
    documented(&format!("v = {:.3}. All values", game.value(&[0, 1, 2])));
    let output = &tables()[0].0;
    let sum = |field: &str| (0..3).map(|i| output[field][i].as_f64().unwrap()).sum::<f64>();
    let short = |x: f64| format!("{x:.3}").trim_start_matches('0').to_owned();
    let (gains, owen) = (short(sum("own_gain")), short(sum("owen")));
    documented(&format!("= {gains}, Owen values to"));
    documented(&format!(
        "= {owen}; ½ · .470/{gains} + ½ · .220/{owen} = {}",
        short(output["reward"][2].as_f64().unwrap())
    ));
}

#[test]
fn values_of_three_miners_and_a_copy() {
    let lines: Vec<String> = tables()
        .iter()
        .flat_map(|(output, names)| names.iter().enumerate().map(|(i, name)| row(name, output, i)))
        .collect();
    println!("{}", lines.join("\n"));
    lines.iter().for_each(|line| documented(line));
    for (output, _) in &tables() {
        documented(&format!("pool loss {:.4}", output["pool_loss"].as_f64().unwrap()));
    }
}

#[test]
fn a_report() {
    let logprobs = [0.5f64, 0.2, 0.1].map(|prob| prob.ln() as f32);
    let report = Report::from_top_k(&[7, 2, 4], &logprobs, 0.2, 8).unwrap();
    documented(&format!("ln p(7) = {:.4}", report.log_score(7)));
    documented(&format!("ln p(0) = {:.4}", report.log_score(0)));
    let sure = Report::from_top_k(&[7], &[0.0], 0.0, 8).unwrap();
    documented(&format!("a certain miner that is wrong loses {:.2} nats", -sure.log_score(0)));
}

#[test]
fn pools() {
    let (sure, mild): ([f64; 3], [f64; 3]) = ([0.90, 0.09, 0.01], [0.20, 0.30, 0.50]);
    let show = |dist: &[f64]| dist.iter().map(|x| format!("{x:.3}")).collect::<Vec<_>>().join(", ");
    documented(&format!("linear ({})", show(&pool::linear(&[&sure, &mild], &[1.0, 1.0]))));
    documented(&format!("geometric ({})", show(&pool::geometric(&[&sure, &mild], &[1.0, 1.0]))));
}

#[test]
fn confidence_and_accumulation() {
    let values: Vec<f64> =
        (0..60).map(|t| [0.2, 0.9, 0.4, 0.1, 0.6, 0.5][t / 10] + [0.3, -0.3][t % 2]).collect();
    let by_document: Vec<u64> = (0..60).map(|t| t / 10).collect();
    let by_token: Vec<u64> = (0..60).collect();
    for (name, documents) in [("documents", &by_document), ("tokens", &by_token)] {
        let interval = bootstrap(&values, documents, 1, 10_000);
        documented(&format!("by {name}: {:.2} [{:.2}, {:.2}]", interval.mean, interval.low, interval.high));
    }
    let mut score = Score::new(1_000.0);
    score.update(0.30, 2_000);
    documented(&format!("{:.2} with {:.0} effective samples", score.mean, score.n_eff));
    score.update(0.10, 1_000);
    documented(&format!("{:.2} with {:.0} effective samples", score.mean, score.n_eff));
}
