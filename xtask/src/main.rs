//! The project's own commands: set-up, localnet, test and layer checks, run as `cargo xtask …`.
//!
//! Invariant: standard output belongs to the command that is run (localnet's JSON lines, cargo's test lines);
//! everything that xtask itself says goes to standard error. Exit codes: 0 ok, 1 failed, 2 usage.

mod checks;
mod command;
mod layers;
mod localnet;
mod process;
mod setup;
mod workspace;

use std::env;
use std::process::ExitCode;

use command::{Command, Parsed};

fn main() -> ExitCode {
    let args: Vec<String> = env::args().skip(1).collect();
    match command::parse(&args) {
        Parsed::Help(text) => {
            println!("{text}");
            ExitCode::SUCCESS
        }
        Parsed::Usage(problem) => {
            eprintln!("error: {problem}\n\n{}", command::OVERVIEW);
            ExitCode::from(2)
        }
        Parsed::Run(command) => match run(command) {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => {
                eprintln!("error: {error:#}");
                ExitCode::FAILURE
            }
        },
    }
}

fn run(command: Command) -> anyhow::Result<()> {
    let root = workspace::root()?;
    match command {
        Command::Setup(options) => setup::run(&root, &options).map(|_| ()),
        Command::Localnet(args) => localnet::run(&root, &args),
        Command::Test(options) => checks::run(&root, &options),
        Command::Smollm2 => setup::smollm2::run(),
        Command::Layers => layers::run(&root),
    }
}
