//! One module per command; this one only routes.

pub(crate) mod account;
pub(crate) mod amounts;
pub(crate) mod bench;
pub(crate) mod chain;
pub(crate) mod completions;
pub(crate) mod consensus;
pub(crate) mod doctor;
pub(crate) mod eval;
pub(crate) mod keys;
pub(crate) mod miner;
pub(crate) mod model;
pub(crate) mod reads;
pub(crate) mod roles;
pub(crate) mod sim;
pub(crate) mod tx;
pub(crate) mod verify;
pub(crate) mod when;

use std::process::ExitCode;

use anyhow::Result;

use crate::args::{Acumen, Command};
use crate::localnet;
use crate::runtime::{block_on, init_logs};

/// Tools speak through their output; roles and localnet log what happens.
const QUIET: &str = "error";
/// The consensus engine speaks of every peer that it cannot reach, many lines at a time; what a person must know of it, the
/// node says itself.
const TALKATIVE: &str = "warn,acumen=info,arc_malachitebft=off,libp2p=off";

/// Runs the command.
pub(crate) fn run(args: Acumen) -> Result<ExitCode> {
    let role = matches!(
        args.command,
        Command::Node(_)
            | Command::Miner(miner::Command::Role(_))
            | Command::Validator(_)
            | Command::Gateway(_)
    );
    init_logs(args.log.as_deref(), args.log_json, if role { TALKATIVE } else { QUIET })?;
    match args.command {
        Command::Localnet(args) => return block_on(localnet::run(args)),
        Command::Node(command) => roles::node(&command)?,
        Command::Miner(command) => return miner::run(command),
        Command::Validator(command) => roles::validator(&command)?,
        Command::Gateway(command) => roles::gateway(&command)?,
        Command::Keys(command) => return keys::run(command),
        Command::Tx(args) => block_on(tx::run(args))?,
        Command::Account(args) => block_on(account::account(args))?,
        Command::Validators(args) => block_on(consensus::validators(args))?,
        Command::Proposals(args) => block_on(consensus::proposals(args))?,
        Command::Transaction(args) => block_on(consensus::transaction(args))?,
        Command::Metagraph(args) => block_on(reads::metagraph(args))?,
        Command::Emission(args) => block_on(reads::emission(args))?,
        Command::Block(args) => block_on(reads::block(args))?,
        Command::Verify(args) => block_on(verify::run(args))?,
        Command::Model(command) => model::run(&command)?,
        Command::Eval(command) => eval::run(&command)?,
        Command::Sim(command) => sim::run(&command)?,
        Command::Bench(command) => block_on(bench::run(command))?,
        Command::Doctor(args) => return doctor::run(&args),
        Command::Completions(args) => completions::run(&args)?,
    }
    Ok(ExitCode::SUCCESS)
}
