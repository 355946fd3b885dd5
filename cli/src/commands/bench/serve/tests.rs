//! The arithmetic of the report, and one load on a real miner in this process.

use std::time::Duration;

use clap::Parser as _;

use super::call::{Outcome, Sample};
use super::drive::{Run, arrivals};
use super::options::{Call, Load, Target};
use super::report::{Report, Times};

#[derive(clap::Parser)]
struct Cli {
    #[command(flatten)]
    target: Target,
    #[command(flatten)]
    load: Load,
}

fn parse(arguments: &[&str]) -> Cli {
    let model = concat!(env!("CARGO_MANIFEST_DIR"), "/../models/checkpoints/bytes.ngram");
    let head = ["bench", "--model", model];
    Cli::try_parse_from(head.iter().chain(arguments)).unwrap()
}

#[test]
fn percentiles_are_nearest_ranks() {
    let values = (1..=200).rev().map(Duration::from_millis).collect();
    let times = Times::of(values).unwrap();
    assert_eq!((times.p50, times.p95, times.p99, times.mean), (100.0, 190.0, 198.0, 100.5));
    assert_eq!(Times::of(Vec::new()), None);
}

#[test]
fn goodput_counts_what_met_the_objective() {
    let load = parse(&["--slo-first-ms", "10", "--slo-next-ms", "2"]).load;
    let sample = |outcome, first, gap| Sample {
        outcome,
        first: Duration::from_millis(first),
        gaps: vec![Duration::from_millis(gap); 2],
        whole: Duration::from_millis(first + 2 * gap),
        tokens: 3,
    };
    let samples = vec![
        sample(Outcome::Good, 10, 2),
        sample(Outcome::Good, 11, 1),
        sample(Outcome::Good, 1, 3),
        sample(Outcome::Refused, 1, 1),
        sample(Outcome::Failed, 1, 1),
    ];
    let run = Run { samples, took: Duration::from_secs(2), failure: Some("why".to_owned()) };
    let report = serde_json::to_value(Report::new(&load, &run, None, None)).unwrap();
    assert_eq!(
        (report["good"].as_u64(), report["refused"].as_u64(), report["failed"].as_u64()),
        (Some(3), Some(1), Some(1))
    );
    assert_eq!(
        (report["goodput_per_second"].as_f64(), report["requests_per_second"].as_f64()),
        (Some(0.5), Some(1.5))
    );
    assert_eq!(
        (report["tokens_per_second"].as_f64(), report["refusal_ms"]["p50"].as_f64()),
        (Some(4.5), Some(3.0))
    );
}

#[test]
fn arrivals_are_a_poisson_process_of_the_seed() {
    let times = arrivals(3, 100.0, 20_000);
    assert_eq!(times, arrivals(3, 100.0, 20_000));
    assert_ne!(times, arrivals(4, 100.0, 20_000));
    assert!(times.windows(2).all(|pair| pair[0] <= pair[1]));
    let whole = times.last().unwrap().as_secs_f64();
    // Mean 200 s, standard deviation 1.4 s.
    assert!((194.0..206.0).contains(&whole), "{whole}");
    let mean = whole / times.len() as f64;
    let late = times.windows(2).filter(|pair| (pair[1] - pair[0]).as_secs_f64() > mean).count();
    assert!(
        (0.35..0.39).contains(&(late as f64 / times.len() as f64)),
        "e^-1 of the gaps are longer than the mean"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_kind_of_request_is_answered() {
    for call in ["tokenize", "generate", "predict", "fan-out"] {
        let loops: [&[&str]; 2] = [&["--concurrency", "3"], &["--rate", "500"]];
        for drive in loops {
            let mut arguments =
                vec!["--call", call, "--requests", "6", "--warm-up", "1", "--output-tokens", "3"];
            arguments.extend([
                "--miners",
                "2",
                "--connections",
                "2",
                "--documents",
                "2",
                "--prompt-tokens",
                "5",
            ]);
            arguments.extend(drive);
            let cli = parse(&arguments);
            let wallet = || anyhow::bail!("no wallet is needed");
            let report = super::measure(&cli.load, &cli.target, wallet).await.unwrap();
            let report = serde_json::to_value(report).unwrap();
            assert_eq!(
                (report["good"].as_u64(), &report["failure"]),
                (Some(6), &serde_json::Value::Null),
                "{call}"
            );
            let streams = matches!(cli.load.call, Call::Generate | Call::Predict);
            assert_eq!(report["next_ms"].is_object(), streams, "{call}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_server_is_compared_with_its_bare_model_step_by_step() {
    let small = concat!(env!("CARGO_MANIFEST_DIR"), "/../models/checkpoints/gpt-small.safetensors");
    let shape = ["--call", "predict", "--requests", "3", "--warm-up", "1", "--output-tokens", "4"];
    let wallet = || anyhow::bail!("no wallet is needed");
    let mut cli = parse(&shape);
    cli.target.model = Some(small.into());
    let report = serde_json::to_value(super::added(&cli.load, &cli.target, wallet).await.unwrap()).unwrap();
    assert_eq!(report["steps"], 9, "three documents of three steps after their first answer");
    for part in ["engine_ms", "served_ms", "added_ms"] {
        assert!(report[part]["p50"].as_f64().unwrap() > 0.0, "{part}: {report}");
    }
    for wrong in [&["--call", "generate"][..], &["--call", "predict", "--miners", "2"]] {
        let cli = parse(wrong);
        assert!(super::added(&cli.load, &cli.target, wallet).await.is_err(), "{wrong:?}");
    }
}
