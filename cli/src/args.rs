//! The command line, top level. Each command's own arguments live beside its code.

use clap::{CommandFactory as _, FromArgMatches as _, Parser, Subcommand};

use crate::commands::{
    account, bench, completions, consensus, doctor, eval, keys, miner, model, reads, roles, sim, tx, verify,
};
use crate::localnet;

/// Exit code of wrong usage, as clap has it.
pub(crate) const USAGE: u8 = 2;

/// Wrong usage that clap cannot see: an option's value that goes with no other, or is out of range.
#[derive(Debug)]
pub(crate) struct Usage(pub(crate) String);

impl std::fmt::Display for Usage {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Usage {}

/// Reads the command line; ends the process with help, version or what is wrong.
pub(crate) fn parse() -> Acumen {
    let matches = command().get_matches();
    Acumen::from_arg_matches(&matches).unwrap_or_else(|error| error.exit())
}

/// The whole command line. The roles share their subcommands, and each shows examples of its own.
pub(crate) fn command() -> clap::Command {
    ["node", "miner", "validator", "gateway"].into_iter().fold(Acumen::command(), |command, role| {
        command.mut_subcommand(role, |of_role| {
            of_role
                .mut_subcommand("run", |run| {
                    run.about(format!(
                        "Run until SIGINT or SIGTERM. Example: acumen {role} run --config {role}.toml"
                    ))
                })
                .mut_subcommand("check-config", |check| {
                    check.about(format!(
                        "Check a configuration, the files that it names and its hotkey, without running it. Example: \
                         acumen {role} check-config --config {role}.toml"
                    ))
                })
        })
    })
}

/// Decentralized intelligence: miners serve models, validators score what each answer adds, the chain pays.
#[derive(Debug, Parser)]
#[command(name = "acumen", version, propagate_version = true, after_help = EXAMPLES)]
pub(crate) struct Acumen {
    #[command(subcommand)]
    pub(crate) command: Command,
    /// Log filter, as RUST_LOG: error, warn, info, debug, trace, or target=level pairs
    #[arg(long, global = true, env = "RUST_LOG", value_name = "FILTER")]
    pub(crate) log: Option<String>,
    /// Logs as JSON lines
    #[arg(long, global = true)]
    pub(crate) log_json: bool,
}

const EXAMPLES: &str = "\
Examples:
  acumen localnet                       a whole subnet on this machine
  acumen keys new --wallet.name alice   a wallet
  acumen metagraph --node http://127.0.0.1:9944
  acumen COMMAND --help                 more, with an example each";

/// What to do.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Run a whole subnet on this machine: node, validators, miners, gateway
    Localnet(localnet::Args),
    /// Run a chain node
    #[command(subcommand)]
    Node(roles::Command),
    /// Serve a model, or see where a miner says that it serves
    #[command(subcommand)]
    Miner(miner::Command),
    /// Score the miners
    #[command(subcommand)]
    Validator(roles::Command),
    /// Answer apps with the collective of the miners
    #[command(subcommand)]
    Gateway(roles::Command),
    /// Make, import and use keys (Bittensor's wallet format)
    #[command(subcommand)]
    Keys(keys::Command),
    /// Send a transaction
    Tx(tx::Args),
    /// Show an account: balance and stakes, proven. Example: acumen account 5Grwva… --json
    Account(account::AccountArgs),
    /// Show the neurons of a track, proven. Example: acumen metagraph --track 0 --json
    Metagraph(reads::MetagraphArgs),
    /// Show what an epoch paid, proven. Example: acumen emission --epoch 3
    Emission(reads::EmissionArgs),
    /// Show a block, its certificate verified. Example: acumen block 20
    Block(reads::BlockArgs),
    /// Show who decides blocks, proven. Example: acumen validators
    Validators(consensus::ValidatorsArgs),
    /// Show what is voted on, proven. Example: acumen proposals
    Proposals(consensus::ProposalsArgs),
    /// Show what a transaction did, its events proven. Example: acumen transaction 0x…
    Transaction(consensus::TransactionArgs),
    /// Follow finality as a light client. Example: acumen verify --from-genesis localnet/genesis.json
    Verify(verify::Args),
    /// Train, inspect and run models
    #[command(subcommand)]
    Model(model::Command),
    /// Run a case of consensus or of the value game
    #[command(subcommand)]
    Eval(eval::Command),
    /// Simulate thousands of epochs with the chain's own code
    #[command(subcommand)]
    Sim(sim::Command),
    /// Measure a miner under load
    #[command(subcommand)]
    Bench(bench::Command),
    /// Check that this machine can run Acumen, or why an address cannot be reached.
    /// Examples: acumen doctor; acumen doctor /dns4/boot.example.org/tcp/9901
    Doctor(doctor::Args),
    /// Print a completion script of a shell. Example: acumen completions bash >
    /// ~/.local/share/bash-completion/completions/acumen
    Completions(completions::Args),
}

#[cfg(test)]
mod tests {
    /// clap's own check: no two arguments clash.
    #[test]
    fn the_command_line_is_consistent() {
        super::command().debug_assert();
    }

    /// Whoever reads `--help` learns what every command and every option is for, and sees an example.
    #[test]
    fn everything_is_explained() {
        fn check(command: &mut clap::Command, path: &str) {
            let undocumented = command.get_arguments().find(|arg| arg.get_help().is_none());
            assert!(undocumented.is_none(), "{path}: {undocumented:?} has no help");
            assert!(command.get_about().is_some(), "{path} says not what it does");
            let leaf = !command.has_subcommands();
            let example = command.render_long_help().to_string().contains("Example");
            assert!(!leaf || example, "{path} shows no example");
            for sub in command.get_subcommands_mut().filter(|sub| sub.get_name() != "help") {
                let path = format!("{path} {}", sub.get_name());
                check(sub, &path);
            }
        }
        let mut command = super::command();
        command.build();
        check(&mut command, "acumen");
    }
}
