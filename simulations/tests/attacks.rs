//! What each attack of the library earns. Bounds leave room for another seed; docs/simulations.md has the figures.

use acumen_simulations::{NeuronSummary, RunResult, Scenario, run, shipped};

fn scenario(name: &str, epochs: u64) -> Scenario {
    let mut scenario = shipped(name).unwrap().unwrap();
    scenario.epochs = epochs;
    scenario
}

fn play(scenario: &Scenario) -> RunResult {
    run(scenario, &mut |_| {}).unwrap()
}

fn named<'a>(result: &'a RunResult, name: &str) -> &'a NeuronSummary {
    result.summary.neurons.iter().find(|neuron| neuron.name == name).unwrap()
}

/// Incentive of a neuron in one epoch; 0 if it has no slot.
fn incentive(result: &RunResult, name: &str, epoch: u64) -> f64 {
    let row = result.rows.iter().find(|row| row.epoch == epoch && row.name == name);
    row.map_or(0.0, |row| row.incentive)
}

#[test]
fn incentive_follows_quality() {
    let mut settled = scenario("exact-clone", 30);
    settled.miners.truncate(5);
    let result = play(&settled);
    let order = ["strong", "good", "fair", "weak", "ignorant"].map(|name| named(&result, name).incentive);
    assert!(order.windows(2).all(|pair| pair[0] > pair[1]), "{order:?}");
    assert!(order[4] < 0.01, "nothing known, nothing earned: {order:?}");
}

#[test]
fn a_clone_earns_nothing_and_costs_nobody_anything() {
    let mut with = scenario("exact-clone", 24);
    with.miners[5].joins = 4;
    let mut without = with.clone();
    without.miners.truncate(5);
    let (with, without) = (play(&with), play(&without));
    let pair = named(&with, "strong").incentive + named(&with, "copy").incentive;
    let alone = named(&without, "strong").incentive;
    assert!(pair <= alone * 1.05, "the pair earns {pair}, the original alone {alone}");
    assert!(named(&with, "copy").incentive < 1e-3);
    assert!((named(&with, "good").incentive - named(&without, "good").incentive).abs() < 0.01);
}

#[test]
fn a_disguised_copy_is_paid_until_it_is_known_to_add_nothing() {
    let mut scenario = scenario("near-clones", 26);
    // 512 tokens per epoch: six epochs show what a miner adds.
    (scenario.world.documents, scenario.world.recheck_epochs) = (32, 2);
    scenario.miners.truncate(8);
    scenario.miners[5..].iter_mut().for_each(|copy| copy.joins = 2);
    let result = play(&scenario);
    assert!(incentive(&result, "copy, noise 1.0", 6) > 0.05, "noise hides it from the distance");
    assert_eq!(incentive(&result, "copy, noise 1.0", 26), 0.0);
    assert!(incentive(&result, "strong", 26) > incentive(&result, "strong", 6));
    scenario.world.least_added = 0.0;
    assert!(incentive(&play(&scenario), "copy, noise 1.0", 26) > 0.05, "0 asks nobody");
}

#[test]
fn a_dead_miner_is_gone_after_two_epochs() {
    let mut scenario = scenario("dying-miner", 14);
    scenario.miners[0].dies = Some(10);
    let result = play(&scenario);
    assert!(incentive(&result, "dies in epoch 50", 10) > 0.3);
    assert_eq!(incentive(&result, "dies in epoch 50", 12), 0.0);
    assert!(incentive(&result, "good", 12) > incentive(&result, "good", 10));
}

#[test]
fn a_weight_copier_earns_less_per_stake_than_the_honest() {
    let result = play(&scenario("weight-copier", 60));
    let copier = named(&result, "copier").dividend_per_stake;
    let honest = named(&result, "validator 0").dividend_per_stake;
    assert!(copier < 0.95 * honest, "copier {copier}, honest {honest}");
}

#[test]
fn a_minority_cannot_pay_its_friend_and_loses_dividends() {
    let result = play(&scenario("collusion", 20));
    assert!(named(&result, "friend").incentive < 0.01);
    let colluder = named(&result, "colluder 1").dividend_per_stake;
    assert!(colluder < 0.5 * named(&result, "validator 0").dividend_per_stake, "{colluder}");
}

#[test]
fn a_newcomer_in_a_full_track_takes_the_slot_of_the_lowest_earner() {
    let mut scenario = scenario("full-track", 16);
    scenario.miners[5].joins = 10;
    let result = play(&scenario);
    let holder = |epoch| {
        let row = result.rows.iter().find(|row| row.epoch == epoch && row.uid == 7).unwrap();
        row.name.clone()
    };
    assert_eq!((holder(9).as_str(), holder(10).as_str()), ("ignorant", "newcomer"));
    assert!(incentive(&result, "newcomer", 14) > 0.05);
}
