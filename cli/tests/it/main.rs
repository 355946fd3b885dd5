//! The binary as its users meet it: real processes, real files, exit codes and messages.

mod configs;
mod keys;
mod localnet;
mod reads;
mod records;
mod refusals;
mod tools;

use std::process::{Command, Output};

/// The binary under test.
fn acumen() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_acumen"));
    for variable in ["ACUMEN_WALLET_PASSWORD", "ACUMEN_WALLET_PATH", "ACUMEN_NODE", "RUST_LOG"] {
        command.env_remove(variable);
    }
    command
}

/// Runs it with arguments.
fn run(args: &[&str]) -> Output {
    acumen().args(args).output().expect("the binary runs")
}

fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).expect("text")
}

fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).expect("text")
}

/// A path of the repository.
fn repository(path: &str) -> String {
    format!("{}/../{path}", env!("CARGO_MANIFEST_DIR"))
}
