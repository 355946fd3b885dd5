//! A whole subnet as processes: it pays, conserves, survives `kill -9` of every role, and resumes.

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, ChildStdout, Stdio};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;

use crate::{acumen, repository, run, stderr, stdout};

const TEMPO: u64 = 20;

struct Localnet {
    child: Child,
    lines: std::io::Lines<BufReader<ChildStdout>>,
}

impl Localnet {
    fn start(dir: &Path, epochs: u64) -> Self {
        // The n-gram and the small GPT: light enough for a busy machine and a build without optimisation.
        let miners = dir.with_extension("toml");
        let checkpoint = |name: &str| repository(&format!("models/checkpoints/{name}"));
        let text = format!(
            "[[miner]]\nname = \"ngram\"\nmodel = {:?}\n[[miner]]\nname = \"small\"\nmodel = {:?}\n",
            checkpoint("bytes.ngram"),
            checkpoint("gpt-small.safetensors")
        );
        std::fs::write(&miners, text).unwrap();
        let mut child = acumen()
            .args(["localnet", "--json", "--validators", "2", "--block-time", "250"])
            .args(["--tempo", &TEMPO.to_string(), "--epochs", &epochs.to_string()])
            .arg("--miners")
            .arg(miners)
            .arg("--dir")
            .arg(dir)
            .stdout(Stdio::piped())
            .stderr(Stdio::inherit())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        Self { child, lines }
    }

    fn next(&mut self) -> Value {
        let line = self.lines.next().expect("the localnet goes on").unwrap();
        serde_json::from_str(&line).unwrap()
    }

    fn finish(mut self) {
        assert!(self.child.wait().unwrap().success());
    }
}

impl Drop for Localnet {
    /// A failed test must not leave a subnet running.
    fn drop(&mut self) {
        let _ = self.child.kill();
    }
}

fn amount(line: &Value, name: &str) -> u64 {
    line[name].as_str().unwrap_or_else(|| panic!("{name} in {line}")).parse().unwrap()
}

#[track_caller]
fn check_conservation(line: &Value, before: Option<&Value>) {
    assert_eq!(line["event"], "epoch");
    assert_eq!(amount(line, "issuance"), amount(line, "balances_total"), "{line}");
    let Some(before) = before else { return };
    assert_eq!(
        line["height"].as_u64().unwrap(),
        before["height"].as_u64().unwrap() + TEMPO,
        "no block is lost"
    );
    let grown = amount(before, "issuance") + amount(line, "minted") - amount(line, "burned");
    assert_eq!(amount(line, "issuance"), grown, "{line}");
}

fn pid(dir: &Path, name: &str) -> Pid {
    let list: Value =
        serde_json::from_str(&std::fs::read_to_string(dir.join("localnet.json")).unwrap()).unwrap();
    let entry = list.as_array().unwrap().iter().find(|entry| entry["name"] == name).unwrap();
    Pid::from_raw(i32::try_from(entry["pid"].as_i64().unwrap()).unwrap())
}

fn node_address(dir: &Path) -> String {
    let list: Value =
        serde_json::from_str(&std::fs::read_to_string(dir.join("localnet.json")).unwrap()).unwrap();
    list[0]["address"].as_str().unwrap().to_owned()
}

fn incentive(line: &Value, name: &str) -> f64 {
    let neurons = line["neurons"].as_array().unwrap();
    let neuron = neurons.iter().find(|neuron| neuron["name"] == name).unwrap();
    neuron["incentive"].as_f64().unwrap()
}

#[test]
fn a_subnet_pays_conserves_and_survives_kill_9_of_every_role() {
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path().join("net");
    let mut localnet = Localnet::start(&dir, 8);
    let mut before = localnet.next();
    check_conservation(&before, None);
    let mut paid = false;
    for victim in ["node-0", "validator-0", "gateway", "", "", "", ""] {
        if !victim.is_empty() {
            kill(pid(&dir, victim), Signal::SIGKILL).unwrap();
        }
        let line = localnet.next();
        check_conservation(&line, Some(&before));
        if incentive(&line, "miner-small") > 0.0 {
            paid = true;
            let (better, worse) = (incentive(&line, "miner-small"), incentive(&line, "miner-ngram"));
            assert!(better > worse, "the better model earns more: {line}");
        }
        if victim == "gateway" {
            verified_reads(&dir, &line);
        }
        before = line;
    }
    assert!(paid, "nobody was paid in eight epochs");
    let summary = localnet.next();
    assert_eq!(summary["event"], "summary");
    localnet.finish();

    // The folder is resumed: the chain goes on where it was.
    let mut resumed = Localnet::start(&dir, 1);
    let line = resumed.next();
    assert!(line["height"].as_u64() > before["height"].as_u64());
    assert_eq!(amount(&line, "issuance"), amount(&line, "balances_total"));
    resumed.next();
    resumed.finish();
}

/// While the subnet runs: a payout is proven, and finality is followed from the genesis document.
fn verified_reads(dir: &Path, line: &Value) {
    let node = node_address(dir);
    let output = run(&["emission", "--epoch", &line["epoch"].to_string(), "--node", &node, "--json"]);
    assert!(output.status.success(), "{}", stderr(&output));
    let proven: Value = serde_json::from_str(&stdout(&output)).unwrap();
    assert_eq!(proven["minted"], line["minted"]);
    assert_eq!(proven["issuance"], line["issuance"]);
    let genesis = dir.join("genesis.json");
    let output = run(&["verify", "--from-genesis", genesis.to_str().unwrap(), "--node", &node, "--json"]);
    assert!(output.status.success(), "{}", stderr(&output));
    let followed: Value = serde_json::from_str(&stdout(&output)).unwrap();
    assert!(followed["blocks"].as_u64() >= line["height"].as_u64(), "{followed}");
}
