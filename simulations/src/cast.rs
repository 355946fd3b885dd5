//! Who takes part: keys, names, and the genesis that holds them.

use acumen_chain_ledger::Genesis;
use acumen_chain_ledger::genesis::{GenesisBalance, GenesisNeuron, GenesisTrack, GenesisValidator};
use acumen_protocol::{AccountId, ConsensusKeypair, Nacu, TrackId};

use crate::chain::Sender;
use crate::seeded::bytes;
use crate::{MinerBehaviour, Role, Scenario, ValidatorBehaviour};

/// The one track of a simulation.
pub(crate) const TRACK: TrackId = TrackId::ZERO;

/// Free balance of each coldkey at genesis: fees of a million epochs, and a registration at the highest default price.
const POCKET: Nacu = Nacu::new(1_000 * Nacu::PER_ACU);

/// 2025-01-01, 00:00 UTC: a fixed beginning, so that no clock is read.
const GENESIS_MS: u64 = 1_735_689_600_000;

/// A neuron's owner and itself.
#[derive(Debug)]
pub(crate) struct Actor {
    /// Signs registration and stake.
    pub(crate) coldkey: Sender,
    /// Signs weights.
    pub(crate) hotkey: Sender,
    /// Name in tables.
    pub(crate) name: String,
    /// What it is there for.
    pub(crate) role: Role,
    /// How it behaves, in a word or two.
    pub(crate) behaviour: String,
    /// The epoch of its registration; 0 is genesis.
    pub(crate) joins: u64,
    /// What it stakes.
    pub(crate) stake: Nacu,
}

/// Validators first, then miners, in the scenario's order.
pub(crate) fn actors(scenario: &Scenario) -> Vec<Actor> {
    let validators = scenario.validators.iter().enumerate().map(|(index, validator)| {
        let name = validator.name.clone().unwrap_or_else(|| format!("validator {index}"));
        let stake = Nacu::new(validator.stake_acu * Nacu::PER_ACU);
        let behaviour = validator_word(&validator.behaviour).to_owned();
        actor(scenario.seed, index, (Role::Validator, name, behaviour), validator.joins, stake)
    });
    let miners = scenario.miners.iter().enumerate().map(|(index, miner)| {
        let name = miner.name.clone().unwrap_or_else(|| format!("miner {index}"));
        actor(
            scenario.seed,
            index,
            (Role::Miner, name, miner_word(&miner.behaviour)),
            miner.joins,
            Nacu::ZERO,
        )
    });
    validators.chain(miners).collect()
}

fn actor(seed: u64, index: usize, who: (Role, String, String), joins: u64, stake: Nacu) -> Actor {
    let (role, name, behaviour) = who;
    let (cold, hot) = match role {
        Role::Validator => ("validator coldkey", "validator hotkey"),
        Role::Miner => ("miner coldkey", "miner hotkey"),
    };
    Actor {
        coldkey: Sender::new(seed, cold, index),
        hotkey: Sender::new(seed, hot, index),
        name,
        role,
        behaviour,
        joins,
        stake,
    }
}

const fn validator_word(behaviour: &ValidatorBehaviour) -> &'static str {
    match behaviour {
        ValidatorBehaviour::Honest => "honest",
        ValidatorBehaviour::Copier => "copier",
        ValidatorBehaviour::Lazy => "lazy",
        ValidatorBehaviour::Colluder(_) => "colluder",
        ValidatorBehaviour::Silent => "silent",
    }
}

fn miner_word(behaviour: &MinerBehaviour) -> String {
    match behaviour {
        MinerBehaviour::Honest => "honest".to_owned(),
        MinerBehaviour::CloneOf(original) => format!("clone of {original}"),
        MinerBehaviour::Exaggerator(power) => format!("exaggerator {power}"),
        MinerBehaviour::TwoFaced(least) => format!("two-faced below {least} ACU"),
    }
}

/// The document that the simulated chain begins with.
pub(crate) fn genesis(scenario: &Scenario, actors: &[Actor]) -> Genesis {
    let account = |role: &str| -> AccountId { Sender::new(scenario.seed, role, 0).account };
    // A late validator brings its stake along as free balance.
    let free = |actor: &Actor| if actor.joins == 0 { POCKET } else { sum(POCKET, actor.stake) };
    let balance = |actor: &Actor| GenesisBalance { account: actor.coldkey.account, amount: free(actor) };
    let neuron = |actor: &Actor| GenesisNeuron {
        track: TRACK.get(),
        hotkey: actor.hotkey.account,
        coldkey: actor.coldkey.account,
        stake: actor.stake,
    };
    let node = ConsensusKeypair::from_seed(&bytes(scenario.seed, "node", [0; 3]));
    Genesis {
        chain: "simulation".to_owned(),
        time_ms: GENESIS_MS,
        params: scenario.params.clone(),
        treasury: account("treasury"),
        balances: actors.iter().map(balance).collect(),
        tracks: vec![GenesisTrack {
            name: "simulated".to_owned(),
            owner: account("owner"),
            emission_share: 1,
        }],
        neurons: actors.iter().filter(|actor| actor.joins == 0).map(neuron).collect(),
        validators: vec![GenesisValidator { key: node.public(), power: 1 }],
    }
}

/// Bounded by the scenario: 20 million ACU and a pocket.
fn sum(a: Nacu, b: Nacu) -> Nacu {
    Nacu::new(a.get().saturating_add(b.get()))
}
