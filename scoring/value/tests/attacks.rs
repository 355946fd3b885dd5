//! What attackers make of the reward, each as a named test, with the gain that is left.
//!
//! A gain is the change of the attacker's total reward against playing honestly, in % of the honest reward. The table of
//! docs/scoring.md holds the same numbers, and `the_documented_table_is_what_is_measured` fails if it does not.
#![allow(missing_docs, unreachable_pub)]

mod world;

use world::{Answers, HONEST, OUTCOMES, World, temper};

const SEED: u64 = 20;

/// Index of the attacker, or of the miner that is copied.
const STAR: usize = 0;

/// Reward of the attacker, and the change of another miner's, in %.
struct Gain {
    attacker: f64,
    victim: f64,
}

fn seniority(count: usize) -> Vec<u64> {
    (0..count as u64).collect()
}

fn percent(after: f64, before: f64) -> f64 {
    100.0 * (after / before - 1.0)
}

/// The star and `extra` miners are one agent; the victim is miner 1.
fn farm(world: &World, extra: Vec<Answers>) -> Gain {
    let before = world.pay(&world.honest, &seniority(HONEST)).reward;
    let mut miners = world.honest.clone();
    miners.extend(extra);
    let after = world.pay(&miners, &seniority(miners.len())).reward;
    let agent = after[STAR] + after[HONEST..].iter().sum::<f64>();
    Gain { attacker: percent(agent, before[STAR]), victim: percent(after[1], before[1]) }
}

/// The star answers something else.
fn lie(world: &World, answers: Answers) -> Gain {
    let before = world.pay(&world.honest, &seniority(HONEST)).reward;
    let mut miners = world.honest.clone();
    miners[STAR] = answers;
    let after = world.pay(&miners, &seniority(HONEST)).reward;
    Gain { attacker: percent(after[STAR], before[STAR]), victim: percent(after[1], before[1]) }
}

fn exact_clone(copies: usize) -> Gain {
    let world = World::new(SEED);
    let copy = world.honest[STAR].clone();
    farm(&world, vec![copy; copies])
}

fn noisy_clone(sigma: f64) -> Gain {
    let mut world = World::new(SEED);
    let star = world.honest[STAR].clone();
    let copy = world.noisy(&star, sigma);
    farm(&world, vec![copy])
}

fn tempered_clone(beta: f64) -> Gain {
    let world = World::new(SEED);
    let copy = temper(&world.honest[STAR], beta);
    farm(&world, vec![copy])
}

/// A newcomer with nothing of its own copies miner 1; its honest reward is none, so its share of all is given.
fn griefing_copier(seniority_of_copier: u64) -> Gain {
    let world = World::new(SEED);
    let ranks: Vec<u64> = (1..=HONEST as u64).collect();
    let before = world.pay(&world.honest, &ranks).reward;
    let mut miners = world.honest.clone();
    miners.push(world.honest[1].clone());
    let ranks: Vec<u64> = ranks.into_iter().chain([seniority_of_copier]).collect();
    let after = world.pay(&miners, &ranks).reward;
    Gain { attacker: 100.0 * after[HONEST], victim: percent(after[1], before[1]) }
}

fn exaggeration(beta: f64) -> Gain {
    let world = World::new(SEED);
    let answers = temper(&world.honest[STAR], beta);
    lie(&world, answers)
}

fn point_mass() -> Gain {
    let world = World::new(SEED);
    let sharpened = temper(&world.honest[STAR], 200.0);
    lie(&world, sharpened)
}

fn unnormalised_mass(factor: f64) -> Gain {
    let world = World::new(SEED);
    let inflated = world.honest[STAR]
        .iter()
        .map(|answer| answer.as_ref().map(|dist| dist.iter().map(|prob| prob * factor).collect()))
        .collect();
    lie(&world, inflated)
}

/// The star has seen this share of the texts and knows their tokens.
fn memoriser(percent_known: usize) -> Gain {
    let world = World::new(SEED);
    let answers = world.honest[STAR]
        .iter()
        .enumerate()
        .map(|(t, answer)| {
            if (t / 25) % 100 < percent_known {
                let mut sure = vec![0.01 / (OUTCOMES - 1) as f64; OUTCOMES];
                sure[world.realised[t]] = 0.99;
                Some(sure)
            } else {
                answer.clone()
            }
        })
        .collect();
    lie(&world, answers)
}

/// Miners 0, 2 and 3 agree to put 90 % on outcome 0 everywhere.
fn common_wrong_mode() -> Gain {
    let world = World::new(SEED);
    let before = world.pay(&world.honest, &seniority(HONEST)).reward;
    let mut mode = vec![0.1 / (OUTCOMES - 1) as f64; OUTCOMES];
    mode[0] = 0.9;
    let mut miners = world.honest.clone();
    for member in [0, 2, 3] {
        miners[member] = vec![Some(mode.clone()); world.realised.len()];
    }
    let after = world.pay(&miners, &seniority(HONEST)).reward;
    let total = |reward: &[f64]| reward[0] + reward[2] + reward[3];
    Gain { attacker: percent(total(&after), total(&before)), victim: percent(after[1], before[1]) }
}

#[test]
fn honest_miners_are_not_merged() {
    let world = World::new(SEED);
    let paid = world.pay(&world.honest, &seniority(HONEST));
    assert_eq!(paid.clusters, [0, 1, 2, 3, 4]);
    assert!((paid.reward.iter().sum::<f64>() - 1.0).abs() < 1e-12);
}

#[test]
fn exact_clones_gain_nothing_and_cost_nobody() {
    for copies in [1, 4] {
        let gain = exact_clone(copies);
        assert!(gain.attacker.abs() < 1e-9 && gain.victim.abs() < 1e-9, "{} {}", gain.attacker, gain.victim);
    }
}

#[test]
fn a_noisy_clone_below_tau_gains_nothing() {
    assert!(noisy_clone(0.1).attacker.abs() < 1e-9);
}

/// Not stopped: a copy disguised beyond τ is a second, worse miner, and is paid as one.
#[test]
fn a_noisy_clone_beyond_tau_gains() {
    let gain = noisy_clone(0.5).attacker;
    assert!(gain > 10.0 && gain < 100.0, "{gain}");
}

#[test]
fn a_clone_at_another_temperature_gains_nothing() {
    for beta in [0.7, 1.3] {
        assert!(tempered_clone(beta).attacker.abs() < 1e-9, "β = {beta}");
    }
}

#[test]
fn a_griefing_copier_earns_nothing_and_harms_nobody() {
    let gain = griefing_copier(99);
    assert_eq!(gain.attacker, 0.0);
    assert!(gain.victim.abs() < 1e-9);
}

/// Not stopped by the rule: seniority is all. A registration must not be older than the model it serves.
#[test]
fn a_copier_that_registered_first_takes_all() {
    let gain = griefing_copier(0);
    assert!(gain.attacker > 10.0);
    assert_eq!(gain.victim, -100.0);
}

#[test]
fn exaggeration_does_not_pay() {
    for beta in [1.1, 1.25, 1.5, 2.0] {
        assert!(exaggeration(beta).attacker < 0.5, "β = {beta}: {}", exaggeration(beta).attacker);
    }
    assert!(point_mass().attacker < -50.0, "{}", point_mass().attacker);
}

#[test]
fn unnormalised_mass_is_worth_nothing() {
    assert_eq!(unnormalised_mass(1.5).attacker, -100.0);
    assert!(unnormalised_mass(1.0009).attacker.abs() < 1e-6, "within the tolerance it is scaled back");
}

/// Not stopped by the rule: who knows the text knows it. Texts must be fresh or made from a secret seed.
#[test]
fn a_memoriser_gains() {
    assert!(memoriser(10).attacker > 5.0);
}

#[test]
fn a_coalition_with_a_common_wrong_mode_loses() {
    assert!(common_wrong_mode().attacker < -50.0);
}

#[test]
fn the_documented_table_is_what_is_measured() {
    let rows: Vec<(&str, Gain)> = vec![
        ("1 exact clone", exact_clone(1)),
        ("4 exact clones", exact_clone(4)),
        ("noisy clone, σ = 0.1 on the logits", noisy_clone(0.1)),
        ("noisy clone, σ = 0.5", noisy_clone(0.5)),
        ("noisy clone, σ = 1", noisy_clone(1.0)),
        ("clone at β = 1.3", tempered_clone(1.3)),
        ("copier of another miner (its share of all)", griefing_copier(99)),
        ("the same, registered before its victim", griefing_copier(0)),
        ("exaggeration, β = 1.25", exaggeration(1.25)),
        ("exaggeration, β = 2", exaggeration(2.0)),
        ("point mass on the mode", point_mass()),
        ("total mass 1.5", unnormalised_mass(1.5)),
        ("total mass 1.0009", unnormalised_mass(1.0009)),
        ("memoriser of 10 % of the texts", memoriser(10)),
        ("3 miners push a common wrong mode", common_wrong_mode()),
    ];
    let docs = include_str!("../../../docs/scoring.md");
    let plain = |x: f64| if x.abs() < 0.05 { "0".to_owned() } else { format!("{x:+.1}") };
    let mut missing = Vec::new();
    for (name, gain) in rows {
        let line = format!("| {name} | {} | {} |", plain(gain.attacker), plain(gain.victim));
        println!("{line}");
        if !docs.contains(&line) {
            missing.push(line);
        }
    }
    assert!(missing.is_empty(), "docs/scoring.md lacks:\n{}", missing.join("\n"));
}
