//! The command line, top level. Each command's own arguments live beside its code.

use clap::{Parser, Subcommand};

use crate::commands::{account, bench, consensus, doctor, eval, keys, model, reads, roles, sim, tx, verify};
use crate::localnet;

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
    /// Serve a model
    #[command(subcommand)]
    Miner(roles::Command),
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
}
