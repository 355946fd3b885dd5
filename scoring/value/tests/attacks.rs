//! What attackers make of the reward, each as a named test, with the gain that is left.
//!
//! A gain is the change of the attacker's total reward against playing honestly, in % of the honest reward. It is stated
//! for two guards: clusters by distance alone, and with the test of what a junior adds. The table of docs/scoring.md is
//! written from the same code: `the_documented_table_is_what_is_measured` fails if it is stale, and rewrites it with
//! `UPDATE_DOCS=1`.
#![allow(missing_docs, unreachable_pub)]

mod docs;
mod strategies;
// Shared with the example that draws the pictures, which uses the rest.
#[allow(dead_code)]
mod world;

use strategies::{Attack, attacks};
use world::{Guard, HONEST, base};

/// Rounding of a percentage.
const NOTHING: f64 = 1e-9;

#[track_caller]
fn attack(name: &str) -> Attack {
    attacks().into_iter().find(|attack| attack.name == name).unwrap_or_else(|| panic!("no attack {name}"))
}

/// Asserts the attacker's gain in %, within `tolerance`.
#[track_caller]
fn gains(name: &str, guard: Guard, expected: f64, tolerance: f64) {
    let gain = attack(name).run(guard);
    assert!(
        (gain.attacker - expected).abs() <= tolerance,
        "{name}: attacker gains {:+.2} %, expected {expected:+} ± {tolerance}",
        gain.attacker
    );
}

#[track_caller]
fn harms_nobody(name: &str) {
    let gain = attack(name).run(Guard::Whole);
    assert!(gain.victim.abs() < NOTHING, "{name}: victim {:+.2} %", gain.victim);
}

#[test]
fn honest_miners_are_not_merged() {
    let paid = &base().1;
    assert_eq!(paid.clusters, (0..HONEST).collect::<Vec<_>>());
    assert!((paid.reward.iter().sum::<f64>() - 1.0).abs() < 1e-12);
}

#[test]
fn exact_clone() {
    for name in ["1 exact clone", "4 exact clones"] {
        gains(name, Guard::Distance, 0.0, NOTHING);
        gains(name, Guard::Whole, 0.0, NOTHING);
        harms_nobody(name);
    }
}

/// Within τ both guards hold; beyond it only the second does.
#[test]
fn noisy_clone() {
    gains("noisy clone, σ = 0.1 on the logits", Guard::Distance, 0.0, NOTHING);
    gains("noisy clone, σ = 0.5", Guard::Distance, 55.0, 4.0);
    gains("noisy clone, σ = 1", Guard::Distance, 35.0, 4.0);
    gains("farm of 4 noisy clones, σ = 0.5", Guard::Distance, 146.0, 10.0);
    for sigma in ["0.1 on the logits", "0.3", "0.5", "0.7", "1", "2"] {
        gains(&format!("noisy clone, σ = {sigma}"), Guard::Whole, 0.0, NOTHING);
    }
    gains("farm of 4 noisy clones, σ = 0.5", Guard::Whole, 0.0, NOTHING);
}

#[test]
fn clone_at_another_temperature() {
    for name in ["clone at β = 0.7", "clone at β = 1.3"] {
        gains(name, Guard::Distance, 0.0, NOTHING);
        gains(name, Guard::Whole, 0.0, NOTHING);
    }
}

#[test]
fn griefing_copier() {
    gains("copier of another miner (its share of all)", Guard::Whole, 0.0, NOTHING);
    harms_nobody("copier of another miner (its share of all)");
}

/// Not stopped by the rule: seniority is all. Its number must say when the model was first committed to.
#[test]
fn copier_registered_before_its_victim() {
    gains("the same, registered before its victim", Guard::Whole, 19.8, 1.0);
    assert_eq!(attack("the same, registered before its victim").run(Guard::Whole).victim, -100.0);
}

/// Not stopped: who mixes two models knows what neither knows alone.
#[test]
fn mixture_of_two_others() {
    gains("newcomer mixes the answers of two others (its share of all)", Guard::Whole, 18.1, 1.0);
}

#[test]
fn exaggeration() {
    gains("exaggeration, β = 1.25", Guard::Whole, -5.0, 1.0);
    gains("exaggeration, β = 2", Guard::Whole, -52.0, 2.0);
    gains("point mass on the mode", Guard::Whole, -100.0, 1.0);
    gains("modesty, β = 0.8", Guard::Whole, -3.0, 1.5);
}

#[test]
fn unnormalised_mass() {
    gains("total mass 1.5", Guard::Whole, -100.0, NOTHING);
    gains("total mass 1.0009", Guard::Whole, 0.0, 1e-6);
}

/// Not stopped by the rule: who knows the text knows it. Fresh texts and secret-seed generators are the remedy.
#[test]
fn memoriser() {
    gains("memoriser of 10 % of the texts", Guard::Whole, 34.0, 3.0);
    gains("the same, half of the texts from secret seeds", Guard::Whole, 18.2, 2.0);
}

#[test]
fn two_faced() {
    gains("two-faced: honest to 60 % of the stake, noise to the rest", Guard::Whole, -40.0, 3.0);
}

#[test]
fn late_answer() {
    gains("late on 10 % of the positions, to see the truth", Guard::Whole, -15.5, 2.0);
}

#[test]
fn lazy_answer() {
    gains("lazy: a stale answer at every second position", Guard::Whole, -100.0, NOTHING);
}

#[test]
fn coalition_with_a_common_wrong_mode() {
    gains("3 miners push a common wrong mode", Guard::Whole, -100.0, 1.0);
}

#[test]
fn coalition_that_shares_its_answers() {
    gains("3 miners all answer their common mixture", Guard::Whole, -36.7, 2.0);
}

#[test]
fn the_documented_table_is_what_is_measured() {
    let plain = |x: f64| if x.abs() < 0.05 { "0".to_owned() } else { format!("{x:+.1}") };
    let mut lines = vec![
        "| attack | distance | attacker, clusters by distance alone | attacker | victim |".to_owned(),
        "|---|--:|--:|--:|--:|".to_owned(),
    ];
    for attack in attacks() {
        let (before, after) = (attack.run(Guard::Distance), attack.run(Guard::Whole));
        let distance = after.distance.map_or_else(|| "–".to_owned(), |distance| format!("{distance:.2}"));
        lines.push(format!(
            "| {} | {distance} | {} | {} | {} |",
            attack.name,
            plain(before.attacker),
            plain(after.attacker),
            plain(after.victim)
        ));
    }
    docs::block("attacks", &lines.join("\n"));
}
