//! Bad input: exit code 1 (2 for wrong usage), a message that says what to do, nothing lost.

use std::net::TcpListener;
use std::path::Path;

use crate::{repository, run, stderr};

#[track_caller]
fn refused(args: &[&str], code: i32, words: &[&str]) {
    let output = run(args);
    let message = stderr(&output);
    assert_eq!(output.status.code(), Some(code), "{message}");
    for word in words {
        assert!(message.contains(word), "`{word}` is missing in: {message}");
    }
}

fn write(folder: &Path, name: &str, content: impl AsRef<[u8]>) -> String {
    let path = folder.join(name);
    std::fs::write(&path, content).unwrap();
    path.to_str().unwrap().to_owned()
}

#[test]
fn wrong_usage_exits_with_2() {
    refused(&["no-such-command"], 2, &["no-such-command"]);
    refused(&["metagraph", "--track", "x"], 2, &["--track"]);
    let to = "5GrwvaEF5zXb26Fz9rcQpDWS57CtERHpNehXCPcNoHGKutQY";
    refused(&["tx", "transfer", "--to", to, "--amount", "-1"], 2, &["`-1` is no amount", "1.5"]);
    refused(&["model", "logits", "--model", "m"], 2, &["--prompt"]);
}

#[test]
fn an_unknown_key_is_named_with_the_nearest_known_one() {
    let folder = tempfile::tempdir().unwrap();
    let config =
        write(folder.path(), "gateway.toml", "nodes = [\"http://127.0.0.1:1\"]\nlistn = \"127.0.0.1:0\"\n");
    refused(
        &["gateway", "check-config", "--config", &config],
        1,
        &["line 2", "`listn`", "did you mean `listen`?"],
    );
    let config = write(folder.path(), "miner.toml", "listen = 7");
    refused(&["miner", "check-config", "--config", &config], 1, &["miner.toml"]);
    refused(&["miner", "check-config", "--config", "/no/such.toml"], 1, &["cannot read", "/no/such.toml"]);
}

#[test]
fn a_file_or_a_hotkey_that_a_configuration_names_in_vain_is_found() {
    let folder = tempfile::tempdir().unwrap();
    let wallets = folder.path().to_str().unwrap();
    let text = "listen = \"127.0.0.1:0\"\npublic_url = \"http://127.0.0.1:1\"\ndata_dir = \"d\"\n\
                nodes = [\"http://127.0.0.1:1\"]\nmodel = { path = \"gone.ngram\" }\n[wallet]\npath = \"w\"\n";
    let config = write(folder.path(), "miner.toml", text);
    let check = ["miner", "check-config", "--config", &config];
    refused(&check, 1, &["miner.toml", "`model.path`", "gone.ngram"]);
    std::fs::copy(repository("models/checkpoints/bytes.ngram"), folder.path().join("gone.ngram")).unwrap();
    refused(&check, 1, &["[wallet]", "acumen keys new"]);
    let wallet = format!("{wallets}/w");
    assert!(run(&["keys", "new", "--only", "hotkey", "--wallet.path", &wallet]).status.success());
    assert!(run(&check).status.success());
}

#[test]
fn a_damaged_model_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let good = std::fs::read(repository("models/checkpoints/gpt-small.safetensors")).unwrap();
    let half = write(folder.path(), "half.safetensors", &good[..good.len() / 2]);
    refused(&["model", "inspect", &half], 1, &["half.safetensors"]);
    let text = write(folder.path(), "text.pt", "not a model");
    refused(&["model", "inspect", &text], 1, &["text.pt"]);
    refused(&["model", "inspect", "/no/such.pt"], 1, &["/no/such.pt"]);
    let odd = write(folder.path(), "model.xyz", "x");
    refused(&["model", "inspect", &odd], 1, &["model.xyz"]);
}

#[test]
fn a_busy_port_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let path = folder.path().to_str().unwrap();
    run(&["keys", "new", "--no-password", "--json", "--wallet.path", path]);
    let config = write(
        folder.path(),
        "gateway.toml",
        format!("listen = \"{address}\"\nnodes = [\"http://127.0.0.1:1\"]\n[wallet]\npath = \".\"\n"),
    );
    refused(&["gateway", "run", "--config", &config], 1, &[&address]);
}

/// Options of the wallet and the chain stand after the call, as people write them.
#[test]
fn options_of_a_transaction_may_follow_its_call() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().to_str().unwrap();
    let call: &[&str] =
        &["tx", "register", "--max-price", "2", "--wallet.path", path, "--wallet.name", "alice"];
    refused(call, 1, &["alice/coldkey", "acumen keys new"]);
    run(&["keys", "new", "--no-password", "--json", "--wallet.path", path, "--wallet.name", "alice"]);
    refused(&[call, &["--node", "http://127.0.0.1:1"]].concat(), 1, &["http://127.0.0.1:1"]);
}

#[test]
fn a_chain_out_of_reach_says_which_option_to_use() {
    let node = ["metagraph", "--node", "http://127.0.0.1:1"];
    refused(&node, 1, &["http://127.0.0.1:1", "--node", "acumen localnet"]);
    refused(&["metagraph", "--node", "127.0.0.1:1"], 1, &["write http://HOST:PORT"]);
}

#[test]
fn a_localnet_that_cannot_work_is_refused_before_anything_is_written() {
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path().join("net");
    let path = dir.to_str().unwrap();
    refused(&["localnet", "--nodes", "99", "--dir", path], 2, &["--nodes 99"]);
    refused(&["localnet", "--epochs", "0", "--dir", path], 2, &["--epochs 0"]);
    assert!(!dir.exists());
    let stray = write(folder.path(), "stray", "x");
    refused(&["localnet", "--dir", folder.path().to_str().unwrap()], 1, &["not empty"]);
    assert!(Path::new(&stray).exists() && !folder.path().join("lock").exists());
    let miners = write(folder.path(), "miners.toml", "[[miner]]\nname = \"a\"\nmodel = \"nowhere.pt\"\n");
    refused(&["localnet", "--miners", &miners, "--dir", path], 1, &["nowhere.pt"]);
}
