//! `acumen node | miner | validator | gateway`: run a role, or check its configuration.

use std::future::Future;
use std::path::{Path, PathBuf};

use acumen_protocol::Keypair;
use anyhow::{Context as _, Result, anyhow};
use clap::Subcommand;
use serde::de::DeserializeOwned;
use tokio_util::sync::CancellationToken;

use crate::wallet::Role;
use crate::{config, output, runtime};

/// Commands of a role.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Run until SIGINT or SIGTERM. Example: acumen miner run --config miner.toml
    Run {
        /// The role's configuration (docs/configuration.md)
        #[arg(long, value_name = "FILE.toml")]
        config: PathBuf,
        /// End when standard input closes: for supervisors, whose death must not leave orphans
        #[arg(long, hide = true)]
        exit_with_stdin: bool,
    },
    /// Check a configuration, the files that it names and its hotkey, without running it.
    /// Example: acumen miner check-config --config miner.toml
    CheckConfig {
        /// The role's configuration
        #[arg(long, value_name = "FILE.toml")]
        config: PathBuf,
        /// Print one JSON object
        #[arg(long)]
        json: bool,
    },
}

/// A role's own part of its configuration file.
trait RoleConfig: DeserializeOwned {
    /// Makes relative paths relative to the file's folder.
    fn resolve(&mut self, base: &Path);
    /// What cannot work.
    fn verify(&self) -> Result<(), String>;
    /// What is wrong with the files that it names.
    fn verify_files(&self) -> Result<(), String>;
}

macro_rules! role_config {
    ($($config:ty),*) => {$(
        impl RoleConfig for $config {
            fn resolve(&mut self, base: &Path) {
                self.resolve_paths(base);
            }
            fn verify(&self) -> Result<(), String> {
                self.check().map_err(|error| error.to_string())
            }
            fn verify_files(&self) -> Result<(), String> {
                self.check_files().map_err(|error| error.to_string())
            }
        }
    )*};
}
role_config!(acumen_miner::Config, acumen_validator::Config, acumen_gateway::Config);

impl RoleConfig for acumen_chain_node::Config {
    fn resolve(&mut self, base: &Path) {
        *self = self.clone().resolve(base);
    }

    fn verify(&self) -> Result<(), String> {
        self.check_values().map_err(|error| error.to_string())
    }

    /// Whether a chain can begin with the genesis document, too; a node that starts finds out by itself, unless its chain has
    /// begun with it, and a document of a million accounts takes seconds.
    fn verify_files(&self) -> Result<(), String> {
        self.check().map_err(|error| error.to_string())
    }
}

/// Runs a chain node. It needs no wallet: its consensus key is a file of its own.
pub(crate) fn node(command: &Command) -> Result<()> {
    let run = |config, _, shutdown| async move { Ok(acumen_chain_node::run(config, shutdown).await?) };
    dispatch(command, run, false)
}

/// Runs a miner.
pub(crate) fn miner(command: &Command) -> Result<()> {
    with_hotkey(command, acumen_miner::run)
}

/// Runs a validator.
pub(crate) fn validator(command: &Command) -> Result<()> {
    with_hotkey(command, acumen_validator::run)
}

/// Runs a gateway.
pub(crate) fn gateway(command: &Command) -> Result<()> {
    with_hotkey(command, acumen_gateway::run)
}

fn with_hotkey<C, F, E>(command: &Command, run: impl FnOnce(C, Keypair, CancellationToken) -> F) -> Result<()>
where
    C: RoleConfig,
    F: Future<Output = Result<(), E>>,
    E: std::error::Error + Send + Sync + 'static,
{
    let run = |config, hotkey: Option<Keypair>, shutdown| {
        let future = hotkey.map(|hotkey| run(config, hotkey, shutdown));
        async move {
            match future {
                Some(future) => future.await.map_err(anyhow::Error::from),
                None => Err(anyhow!("this role needs a hotkey")),
            }
        }
    };
    dispatch(command, run, true)
}

fn dispatch<C, F>(
    command: &Command,
    run: impl FnOnce(C, Option<Keypair>, CancellationToken) -> F,
    needs_hotkey: bool,
) -> Result<()>
where
    C: RoleConfig,
    F: Future<Output = Result<()>>,
{
    let (path, exit_with_stdin) = match command {
        Command::Run { config, exit_with_stdin } => (config, *exit_with_stdin),
        Command::CheckConfig { config, json } => return check::<C>(config, needs_hotkey, *json),
    };
    let (config, wallet) = load::<C>(path)?;
    let hotkey = needs_hotkey.then(|| wallet.open()?.keypair(Role::Hotkey)).transpose();
    let hotkey = hotkey.context("the [wallet] of the configuration")?;
    runtime::block_on(async {
        let shutdown = runtime::shutdown_signal()?;
        if exit_with_stdin {
            cancel_at_end_of_stdin(shutdown.clone());
        }
        run(config, hotkey, shutdown).await
    })
}

/// Checks whatever can be checked without asking anybody: the file, what it names, the hotkey.
fn check<C: RoleConfig>(path: &Path, needs_hotkey: bool, json: bool) -> Result<()> {
    let (config, wallet) = load::<C>(path)?;
    let shown = path.display();
    config.verify_files().map_err(|reason| anyhow!("{shown}: {reason}"))?;
    let hotkey = needs_hotkey.then(|| wallet.open()?.address(Role::Hotkey)).transpose();
    let hotkey = hotkey.with_context(|| format!("{shown}: the [wallet]"))?.map(|address| address.to_string());
    if json {
        return output::json_line(&serde_json::json!({"config": path, "good": true, "hotkey": hotkey}));
    }
    output::line(format_args!("{shown} is good"))
}

fn load<C: RoleConfig>(path: &Path) -> Result<(C, crate::wallet::WalletOptions)> {
    let mut loaded = config::load::<C>(path)?;
    loaded.role.resolve(&loaded.base);
    loaded.role.verify().map_err(|reason| anyhow!("{}: {reason}", path.display()))?;
    Ok((loaded.role, loaded.wallet))
}

/// A thread of its own, because a blocking read on the runtime would hold up the end of the process.
fn cancel_at_end_of_stdin(shutdown: CancellationToken) {
    std::thread::spawn(move || {
        // What is read is of no interest; an error ends the wait like the end of the stream.
        let _ = std::io::copy(&mut std::io::stdin().lock(), &mut std::io::sink());
        shutdown.cancel();
    });
}
