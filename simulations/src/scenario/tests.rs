//! Scenarios parse strictly, and every shipped one runs.

use super::*;

const SMALL: &str = "
name = \"small\"
epochs = 3
[[validators]]
stake_acu = 2000
[[miners]]
quality = 0.5
";

fn refused(text: &str) -> String {
    Scenario::from_toml(text).unwrap_err().to_string()
}

#[test]
fn the_least_that_a_scenario_needs() {
    let scenario = Scenario::from_toml(SMALL).unwrap();
    assert_eq!(scenario.params.tempo_blocks, 4);
    assert_eq!(scenario.validators[0].behaviour, ValidatorBehaviour::Honest);
    assert_eq!(scenario.world, World::default());
}

#[test]
fn unknown_keys_are_refused_wherever_they_stand() {
    for text in [
        format!("epoch = 3{SMALL}"),
        format!("{SMALL}colour = 1"),
        SMALL.replace("stake_acu", "behavior = \"honest\"\nstake_acu"),
        format!("{SMALL}[params]\nkapa = 1"),
        format!("{SMALL}[world]\nalfa = 1"),
    ] {
        assert!(refused(&text).contains("unknown field"), "{text}");
    }
}

#[test]
fn impossible_values_are_refused_by_name() {
    for (text, named) in [
        (SMALL.replace("epochs = 3", "epochs = 0"), "epochs"),
        (format!("tempo_blocks = 1{SMALL}"), "params.tempo_blocks"),
        (format!("tempo_blocks = 5{SMALL}[params]\ntempo_blocks = 6"), "params.tempo_blocks"),
        (format!("{SMALL}[world]\nalpha = 1.5"), "world.alpha"),
        (format!("{SMALL}[world]\ndocuments = 1"), "world.documents"),
        (format!("{SMALL}[params]\nmax_uids = 1"), "params.max_uids"),
        (SMALL.replace("0.5", "-0.5"), "miners[0].quality"),
        (format!("{SMALL}behaviour = {{ clone-of = 0 }}"), "miners[0].behaviour"),
        (format!("{SMALL}behaviour = {{ exaggerator = 0.0 }}"), "miners[0].behaviour"),
        (SMALL.replace("2000", "2000\nbehaviour = { colluder = [1] }"), "validators[0].behaviour"),
    ] {
        let message = refused(&text);
        assert!(message.contains(named), "{message}\n{text}");
    }
}

#[test]
fn a_swing_alternates() {
    let scenario = Scenario::from_toml(&format!("{SMALL}swing = {{ quality = 0.1, every = 2 }}")).unwrap();
    let qualities: Vec<f64> = (1..=6).map(|epoch| scenario.miners[0].quality_in(epoch)).collect();
    assert_eq!(qualities, [0.5, 0.5, 0.1, 0.1, 0.5, 0.5]);
}
