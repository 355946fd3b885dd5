//! What a run must be whatever the scenario: the same each time, balanced to the base unit, complete on disk.

use std::collections::BTreeMap;
use std::path::Path;

use acumen_simulations::{RunResult, Scenario, list, plot, run, shipped, write};

fn play(name: &str, epochs: u64) -> RunResult {
    let mut scenario = shipped(name).unwrap().unwrap();
    scenario.epochs = epochs;
    run(&scenario, &mut |_| {}).unwrap()
}

fn files(dir: &Path) -> BTreeMap<String, Vec<u8>> {
    let entries = std::fs::read_dir(dir).unwrap().map(Result::unwrap);
    entries.map(|e| (e.file_name().into_string().unwrap(), std::fs::read(e.path()).unwrap())).collect()
}

#[test]
fn the_same_seed_gives_the_same_bytes_for_any_number_of_threads() {
    let written = |threads: usize| {
        let dir = tempfile::tempdir().unwrap();
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        write(&pool.install(|| play("thousand-epochs", 14)), dir.path()).unwrap();
        files(dir.path())
    };
    let one = written(1);
    let names: Vec<&str> = one.keys().map(String::as_str).collect();
    let expected =
        ["dividends.svg", "epochs.csv", "incentive.svg", "issuance.svg", "summary.json", "supply.csv"];
    assert_eq!(names, expected);
    assert!(one == written(3), "threads or a second run changed the output");
}

#[test]
fn another_seed_gives_other_numbers() {
    let mut scenario = shipped("newcomer").unwrap().unwrap();
    scenario.epochs = 6;
    let first = run(&scenario, &mut |_| {}).unwrap();
    scenario.seed += 1;
    assert_ne!(first.rows, run(&scenario, &mut |_| {}).unwrap().rows);
}

#[test]
fn every_shipped_scenario_runs_and_balances() {
    for listed in list() {
        assert!(
            listed.description.len() > 20 && listed.description.ends_with('.'),
            "{}: {}",
            listed.name,
            listed.description
        );
        let mut heard = Vec::new();
        let mut scenario = Scenario::from_toml(listed.toml).unwrap();
        assert_eq!(scenario.name, listed.name);
        scenario.epochs = 5;
        let result = run(&scenario, &mut |epoch| heard.push(epoch)).unwrap();
        assert_eq!(heard, [1, 2, 3, 4, 5]);
        let genesis: u64 = result.summary.issuance_at_genesis.parse().unwrap();
        for row in &result.supply {
            assert_eq!(row.balances_total, row.issuance, "{}", listed.name);
            assert_eq!(row.issuance + row.burned, genesis + row.minted, "{}", listed.name);
        }
        let last = result.supply.last().unwrap();
        assert!(last.minted > 0 && last.burned > 0, "{}: nothing happened", listed.name);
        let paid: u64 = result.rows.iter().map(|row| row.emission).sum();
        let owner: u64 = result.supply.iter().map(|row| row.owner).sum();
        assert_eq!(paid + owner, last.minted, "{}", listed.name);
    }
}

#[test]
fn plots_are_redrawn_from_the_tables_alone() {
    let dir = tempfile::tempdir().unwrap();
    write(&play("collusion", 6), dir.path()).unwrap();
    let before = files(dir.path());
    for name in before.keys().filter(|name| name.ends_with(".svg")) {
        std::fs::remove_file(dir.path().join(name)).unwrap();
    }
    plot(dir.path()).unwrap();
    assert!(before == files(dir.path()));
    std::fs::remove_file(dir.path().join("epochs.csv")).unwrap();
    let message = plot(dir.path()).unwrap_err().to_string();
    assert!(message.contains("epochs.csv") && message.contains("acumen sim run"), "{message}");
}

#[test]
fn a_quality_that_no_miner_can_have_is_refused() {
    let mut scenario = shipped("newcomer").unwrap().unwrap();
    scenario.miners[2].quality = 5.0;
    let message = run(&scenario, &mut |_| {}).unwrap_err().to_string();
    assert!(message.contains("miner 2") && message.contains("world.sharpness"), "{message}");
}
