//! `acumen doctor`: can this machine run Acumen, and if not, what is missing; and can it reach the nodes and peers that
//! are named, and if not, why.

mod dial;

use std::net::TcpListener;
use std::path::Path;
use std::process::ExitCode;

use acumen_protocol::Hash;
use anyhow::Result;

use crate::output;

/// Opening an encrypted coldkey takes 512 MiB; a localnet of eight processes about 2 GiB in all.
const WANTED_MEMORY_MIB: u64 = 2_048;

/// Checks this machine, or the addresses that are named.
#[derive(clap::Args, Debug)]
pub(crate) struct Args {
    /// Addresses to dial instead: of nodes (http://HOST:PORT) or of peers (/ip4/IP/tcp/PORT/p2p/ID)
    #[arg(value_name = "ADDRESS")]
    addresses: Vec<String>,
    /// Hash of the genesis header that they should have
    #[arg(long, value_name = "0x…", env = "ACUMEN_GENESIS")]
    genesis: Option<Hash>,
    /// Print one JSON object a line
    #[arg(long)]
    json: bool,
}

/// Prints one line per check; fails if one failed.
pub(crate) fn run(args: &Args) -> Result<ExitCode> {
    let checks = if args.addresses.is_empty() {
        [libtorch(), memory(), loopback(), wallets()]
            .map(|(name, outcome)| (name.to_owned(), outcome))
            .to_vec()
    } else {
        crate::runtime::block_on(async { Ok(dial_all(args).await) })?
    };
    let mut healthy = true;
    for (name, outcome) in checks {
        match outcome {
            _ if args.json => {
                healthy &= outcome.is_ok();
                let (ok, Ok(message) | Err(message)) = (outcome.is_ok(), outcome);
                output::json_line(&serde_json::json!({ "check": name, "ok": ok, "message": message }))?;
            }
            // An address stands in the message already.
            Err(advice) if !args.addresses.is_empty() && advice.contains(&name) => {
                healthy = false;
                output::line(format_args!("FAIL  {advice}"))?;
            }
            Ok(found) => output::line(format_args!("ok    {name:10} {found}"))?,
            Err(advice) => {
                healthy = false;
                output::line(format_args!("FAIL  {name:10} {advice}"))?;
            }
        }
    }
    Ok(if healthy { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

async fn dial_all(args: &Args) -> Vec<(String, Result<String, String>)> {
    let mut checks = Vec::new();
    for address in &args.addresses {
        checks.push((address.clone(), dial::dial(address, args.genesis).await));
    }
    checks
}

type Check = (&'static str, Result<String, String>);

/// A model that computes is the only proof that libtorch works.
fn libtorch() -> Check {
    let outcome = predict().map(|name| format!("{name} predicts"));
    let outcome = outcome.map_err(|error| format!("{error:#}: run `cargo xtask setup` and build again"));
    ("libtorch", outcome)
}

fn predict() -> Result<String> {
    let folder = std::env::temp_dir().join(format!("acumen-doctor-{}", std::process::id()));
    let outcome = crate::shipped::materialize(Path::new("gpt-small"), &folder).and_then(|path| {
        let model = acumen_models::load(&path, &acumen_models::LoadOptions::default())?;
        model.open(&[Vec::new()])?;
        Ok(model.info().name.clone())
    });
    // A folder left behind harms nobody.
    let _ = std::fs::remove_dir_all(&folder);
    outcome
}

fn memory() -> Check {
    let info = std::fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let available = info
        .lines()
        .find_map(|line| line.strip_prefix("MemAvailable:"))
        .and_then(|rest| rest.split_whitespace().next()?.parse::<u64>().ok())
        .map(|kib| kib / 1024);
    let outcome = match available {
        None => Ok("unknown on this system".to_owned()),
        Some(mib) if mib >= WANTED_MEMORY_MIB => Ok(format!("{mib} MiB available")),
        Some(mib) => {
            Err(format!("{mib} MiB available, a localnet wants {WANTED_MEMORY_MIB}: close something"))
        }
    };
    ("memory", outcome)
}

fn loopback() -> Check {
    let outcome = TcpListener::bind(("127.0.0.1", 0))
        .map(|_| "127.0.0.1 accepts servers".to_owned())
        .map_err(|error| format!("no server can listen on 127.0.0.1: {error}"));
    ("network", outcome)
}

fn wallets() -> Check {
    let root = crate::wallet::WalletOptions::default().root();
    let outcome = root.and_then(|root| {
        let count = crate::wallet::names_in(&root)?.len();
        Ok(format!("{count} in {}", root.display()))
    });
    ("wallets", outcome.map_err(|error| format!("{error:#}")))
}
