//! What a scenario must satisfy before it is run.

use super::{
    MAX_EPOCHS, MAX_NEURONS, Miner, MinerBehaviour, Scenario, ScenarioError, Validator, ValidatorBehaviour,
};
use acumen_chain_ledger::Params;
use acumen_scoring_value::cluster::MIN_SHARED_POSITIONS;

type Checked = Result<(), ScenarioError>;

fn refuse(field: impl Into<String>, reason: impl Into<String>) -> ScenarioError {
    ScenarioError::Invalid { field: field.into(), reason: reason.into() }
}

fn demand(holds: bool, field: impl Into<String>, reason: impl Into<String>) -> Checked {
    if holds { Ok(()) } else { Err(refuse(field, reason)) }
}

/// Checks `scenario`, and puts its tempo where the ledger looks for it.
pub(super) fn check(scenario: &mut Scenario) -> Checked {
    demand(
        (1..=MAX_EPOCHS).contains(&scenario.epochs),
        "epochs",
        format!("must lie between 1 and {MAX_EPOCHS}"),
    )?;
    let tempo = scenario.params.tempo_blocks;
    let free = tempo == Params::default().tempo_blocks || tempo == scenario.tempo_blocks;
    demand(free, "params.tempo_blocks", "give the tempo once, as `tempo_blocks` at the top")?;
    scenario.params.tempo_blocks = scenario.tempo_blocks;
    scenario.params.check().map_err(|error| refuse(format!("params.{}", error.name), error.reason))?;
    world(scenario)?;
    let counts = [scenario.validators.len(), scenario.miners.len()];
    demand(
        counts.iter().all(|count| (1..=MAX_NEURONS).contains(count)),
        "validators, miners",
        format!("give 1 to {MAX_NEURONS} of each"),
    )?;
    let genesis = scenario.validators.iter().filter(|validator| validator.joins == 0).count()
        + scenario.miners.iter().filter(|miner| miner.joins == 0).count();
    demand(
        genesis <= usize::from(scenario.params.max_uids),
        "params.max_uids",
        format!("{genesis} neurons at genesis need as many slots"),
    )?;
    for (index, validator) in scenario.validators.iter().enumerate() {
        check_validator(index, validator, scenario.miners.len())?;
    }
    for (index, miner) in scenario.miners.iter().enumerate() {
        check_miner(index, miner, &scenario.miners)?;
    }
    Ok(())
}

fn world(scenario: &Scenario) -> Checked {
    let world = &scenario.world;
    demand((2..=1_024).contains(&world.outcomes), "world.outcomes", "must lie between 2 and 1024")?;
    demand(
        world.sharpness > 0.0 && world.sharpness <= 10.0,
        "world.sharpness",
        "must lie above 0 and up to 10",
    )?;
    let least = MIN_SHARED_POSITIONS as usize;
    demand(
        (least..=65_536).contains(&world.tokens()),
        "world.documents, world.positions",
        format!("their product must lie between {least}, below which copies cannot be told, and 65536"),
    )?;
    demand((0.0..=1.0).contains(&world.alpha), "world.alpha", "must lie between 0 and 1")?;
    demand((0.0..=1.0).contains(&world.tau), "world.tau", "must lie between 0 and 1")?;
    demand((0.0..=1.0).contains(&world.least_added), "world.least_added", "must lie between 0 and 1")?;
    demand(world.half_life_epochs > 0.0, "world.half_life_epochs", "must be above 0")?;
    demand(world.recheck_epochs > 0, "world.recheck_epochs", "must be above 0")
}

fn check_validator(index: usize, validator: &Validator, miners: usize) -> Checked {
    let field = |name: &str| format!("validators[{index}].{name}");
    // 20 million: what genesis may hold, and still leave something to emit.
    demand(validator.stake_acu <= 20_000_000, field("stake_acu"), "must not exceed 20000000")?;
    match &validator.behaviour {
        ValidatorBehaviour::Colluder(favours) => {
            let known = !favours.is_empty() && favours.iter().all(|miner| *miner < miners);
            demand(known, field("behaviour"), format!("name miners from 0 to {}", miners - 1))
        }
        _ => Ok(()),
    }
}

fn check_miner(index: usize, miner: &Miner, miners: &[Miner]) -> Checked {
    let field = |name: &str| format!("miners[{index}].{name}");
    let amount = |value: f64| value.is_finite() && value >= 0.0;
    demand(amount(miner.quality), field("quality"), "must be 0 or above, in nats per token")?;
    demand(amount(miner.noise), field("noise"), "must be 0 or above, in nats")?;
    if let Some(swing) = miner.swing {
        demand(amount(swing.quality), field("swing.quality"), "must be 0 or above, in nats per token")?;
        demand(swing.every > 0, field("swing.every"), "must be above 0")?;
    }
    match miner.behaviour {
        MinerBehaviour::CloneOf(other) => {
            let original = miners.get(other).filter(|_| other != index);
            let real = original.is_some_and(|miner| !matches!(miner.behaviour, MinerBehaviour::CloneOf(_)));
            demand(
                real,
                field("behaviour"),
                format!("miner {other} is no original: name another miner that is no clone"),
            )
        }
        MinerBehaviour::Exaggerator(power) => demand(
            power > 0.0 && power <= 100.0,
            field("behaviour"),
            "the power must lie above 0 and up to 100",
        ),
        _ => Ok(()),
    }
}
