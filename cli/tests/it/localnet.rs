//! A whole subnet as processes: it pays, conserves, survives `kill -9` of every role, and resumes.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
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
            // So much that a request leaves a line in the log of each process that it reaches.
            .env("RUST_LOG", "info,acumen_miner=debug,acumen_gateway=debug")
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

/// What `localnet.json` says of the running processes.
fn processes(dir: &Path) -> Vec<Value> {
    serde_json::from_str(&std::fs::read_to_string(dir.join("localnet.json")).unwrap()).unwrap()
}

fn pid(dir: &Path, name: &str) -> Pid {
    let list = processes(dir);
    let entry = list.iter().find(|entry| entry["name"] == name).unwrap();
    Pid::from_raw(i32::try_from(entry["pid"].as_i64().unwrap()).unwrap())
}

fn address(dir: &Path, role: &str) -> String {
    let list = processes(dir);
    list.iter().find(|entry| entry["role"] == role).unwrap()["address"].as_str().unwrap().to_owned()
}

/// While the subnet runs: one search finds a request in the logs of the gateway and of every miner that it asked.
fn one_id_through_every_hop(dir: &Path) {
    const ID: &str = "app-4711";
    let body = r#"{"model": "acumen-bytes", "prompt": "the ", "max_tokens": 3}"#;
    let head = format!(
        "POST /v1/completions HTTP/1.1\r\nhost: localhost\r\nx-request-id: {ID}\r\nconnection: close\r\n\
         content-length: {}\r\n\r\n",
        body.len()
    );
    let mut gateway = TcpStream::connect(address(dir, "gateway").trim_start_matches("http://")).unwrap();
    gateway.write_all(format!("{head}{body}").as_bytes()).unwrap();
    let mut answer = String::new();
    gateway.read_to_string(&mut answer).unwrap();
    assert!(
        answer.starts_with("HTTP/1.1 200 ") && answer.contains(&format!("x-request-id: {ID}")),
        "{answer}"
    );
    for process in processes(dir).iter().filter(|p| p["role"] == "gateway" || p["role"] == "miner") {
        let log = std::fs::read_to_string(process["log"].as_str().unwrap()).unwrap();
        assert!(log.contains(ID), "{} does not name the request: {log}", process["name"]);
    }
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
        if victim == "gateway" {
            one_id_through_every_hop(&dir);
        }
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
    let node = address(dir, "node");
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
