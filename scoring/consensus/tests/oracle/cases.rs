//! Cases as files: every vector with epochs, changed at random, read once more here without the
//! crate's own reader, run by `run_case` and compared with the dense oracle.

use acumen_scoring_consensus::case::run_case;
use acumen_scoring_consensus::{EpochInput, LiquidAlpha, Neuron, Params, SparseRows};
use serde_json::{Value, json};

use crate::dense;
use crate::random::{self, Random};

/// Variants of each file.
const VARIANTS: u64 = 60;

fn sequences() -> Vec<(String, Value)> {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("vectors");
    let mut files: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    let read = |path: &std::path::PathBuf| -> Option<(String, Value)> {
        let case: Value = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).ok()?;
        (case["kind"] == "epoch_sequence").then(|| (path.display().to_string(), case))
    };
    files.iter().filter_map(read).collect()
}

fn params_json(p: &Params, owner: Option<u16>, emission: u64) -> Value {
    let liquid = p.liquid_alpha.unwrap_or_default();
    json!({
        "kappa": p.kappa, "bonds_penalty": p.bonds_penalty, "bonds_moving_average": p.bonds_moving_average,
        "yuma3": p.yuma3, "liquid_alpha": p.liquid_alpha.is_some(), "alpha_low": liquid.low,
        "alpha_high": liquid.high, "alpha_sigmoid_steepness": liquid.steepness,
        "max_validators": p.max_allowed_validators, "min_stake": p.min_stake,
        "activity_cutoff": p.activity_cutoff, "commit_reveal": p.commit_reveal,
        "bonds_reset": p.bonds_reset, "owner_uid": owner, "emission": emission,
    })
}

/// Replaces some numbers of a state and shuffles its rows.
fn disturb(state: &mut Value, r: &mut Random) {
    let n = state["stakes"].as_array().unwrap().len();
    let any = |r: &mut Random| usize::try_from(r.below(n as u64)).unwrap();
    for _ in 0..r.below(4) {
        let (i, by) = (any(r), r.below(3));
        state["stakes"][i] = json!(r.next() >> (20 + r.below(44)));
        let block = state["block"].as_u64().unwrap();
        state["last_update"][any(r)] = json!(block.saturating_sub(by));
        state["block_at_registration"][any(r)] = json!(block.saturating_sub(r.below(4)));
        state["permits"][i] = json!(r.below(3) > 0);
    }
    for matrix in ["weights", "bonds"] {
        let row = &mut state[matrix][any(r)];
        *row = (0..n)
            .filter_map(|j| {
                let value = r.next() as u16;
                (r.below(3) > 0).then_some(json!([j, value]))
            })
            .collect();
        for row in state[matrix].as_array_mut().unwrap() {
            let row = row.as_array_mut().unwrap();
            let by = usize::try_from(r.below(row.len().max(1) as u64)).unwrap();
            row.rotate_left(by);
        }
    }
    if r.below(2) == 0 {
        let commits: Vec<Value> =
            (0..n).map(|_| [json!(null), json!(r.below(9))][any(r) % 2].clone()).collect();
        state["commit_block"] = Value::Array(commits);
        state["bonds_reset"] = (0..n).map(|_| json!(r.below(4) == 0)).collect();
    }
}

fn rows(n: usize, rows: &Value) -> SparseRows {
    let entry = |e: &Value| (e[0].as_u64().unwrap() as u16, e[1].as_u64().unwrap() as u16);
    let row = |row: &Value| {
        let mut row: Vec<(u16, u16)> = row.as_array().unwrap().iter().map(entry).collect();
        row.sort_unstable();
        row
    };
    SparseRows::new(n, rows.as_array().unwrap().iter().map(row).collect()).unwrap()
}

fn input(case: &Value, state: &Value) -> EpochInput {
    let n = state["stakes"].as_array().unwrap().len();
    let at = |list: &str, i: usize| state[list][i].as_u64().unwrap();
    let neuron = |i| Neuron {
        stake: at("stakes", i),
        last_update: at("last_update", i),
        block_at_registration: at("block_at_registration", i),
        permit: state["permits"][i].as_bool().unwrap(),
        commit_block: state["commit_block"][i].as_u64(),
        bonds_reset: state["bonds_reset"][i].as_bool().unwrap_or(false),
    };
    let params = &case["inputs"]["params"];
    EpochInput {
        block: state["block"].as_u64().unwrap(),
        last_tempo: state["last_tempo"].as_u64(),
        tempo: case["inputs"]["tempo"].as_u64().unwrap(),
        owner_uid: params["owner_uid"].as_u64().map(|uid| uid as u16),
        neurons: (0..n).map(neuron).collect(),
        weights: rows(n, &state["weights"]),
        bonds: rows(n, &state["bonds"]),
        emission: params["emission"].as_u64().unwrap(),
    }
}

/// The ten numbers of a step, by the names of the format.
fn expected(params: &Params, input: &EpochInput) -> Value {
    let out = dense::epoch(params, input);
    json!({
        "consensus_u16": out.consensus, "incentive_u16": out.incentive, "dividends_u16": out.dividends,
        "validator_trust_u16": out.validator_trust, "stake_weight_u16": out.stake_weight,
        "validator_permits": out.validator_permits, "bonds_u16": out.bonds,
        "server_emission": out.server_emission, "validator_emission": out.validator_emission,
        "emission": out.emission,
    })
}

#[test]
fn changed_vectors_run_as_the_oracle_says() {
    let sequences = sequences();
    assert!(sequences.len() >= 9, "the folder has lost its sequences");
    for ((name, case), seed) in sequences.iter().flat_map(|s| (0..VARIANTS).map(move |seed| (s, seed))) {
        let mut r = Random(3_000_000 + seed);
        let mut case = case.clone();
        let n = case["inputs"]["steps"][0]["state"]["stakes"].as_array().unwrap().len() as u64;
        let mut params = random::params(&mut r);
        params.liquid_alpha = params.liquid_alpha.or_else(|| (seed % 2 == 0).then(LiquidAlpha::default));
        let owner = (r.below(3) == 0).then(|| r.below(n) as u16);
        case["inputs"]["params"] = params_json(&params, owner, r.next());
        // Long sequences repeat themselves: eight steps of each are enough.
        case["inputs"]["steps"].as_array_mut().unwrap().truncate(8);
        for step in case["inputs"]["steps"].as_array_mut().unwrap() {
            disturb(&mut step["state"], &mut r);
        }
        let out = run_case(&case.to_string()).unwrap();
        assert_eq!(out.get("ignored"), None, "{name} {seed}");
        let steps = case["inputs"]["steps"].as_array().unwrap();
        assert_eq!(out["steps"].as_array().unwrap().len(), steps.len());
        for (step, found) in steps.iter().zip(out["steps"].as_array().unwrap()) {
            let numbers = expected(&params, &input(&case, &step["state"]));
            for (output, numbers) in numbers.as_object().unwrap() {
                assert_eq!(&found[output], numbers, "{name} {seed} {} {output}", step["label"]);
            }
        }
    }
}
