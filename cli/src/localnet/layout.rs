//! The folder of a localnet: plan, genesis, and for each process its wallet, configuration and data.
//!
//! ```text
//! DIR/plan.json  DIR/genesis.json  DIR/localnet.json  DIR/lock  DIR/models/  DIR/held-out/
//! DIR/<name>/{<role>.toml, log.txt, wallets/localnet/…, data/}
//! ```

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use acumen_chain_client::ledger::Params;
use acumen_chain_client::ledger::genesis::{Genesis, GenesisBalance, GenesisTrack, GenesisValidator};
use acumen_protocol::{AccountId, Nacu};
use anyhow::{Context as _, Result, bail};
use serde_json::{Value, json};

use super::plan::{Plan, Process, Role};
use super::{Args, held_out, keys};
use crate::shipped;
use crate::wallet::{Role as KeyRole, WalletOptions};

/// Name of the one wallet of each process.
const WALLET: &str = "localnet";
/// What each validator's coldkey owns at genesis, of which it stakes most.
const VALIDATOR_FUNDS_ACU: u64 = 12_000;
/// What each miner's coldkey owns at genesis: registration and fees.
const MINER_FUNDS_ACU: u64 = 1_000;

/// A folder that this process alone uses.
pub(crate) struct Layout {
    pub(crate) dir: PathBuf,
    pub(crate) plan: Plan,
    /// True if the folder was there before.
    pub(crate) resumed: bool,
    /// Held as long as the localnet runs.
    _lock: File,
}

impl Layout {
    /// Opens the folder, or makes it.
    pub(crate) fn open(args: &Args) -> Result<Self> {
        let shown = args.dir.display().to_string();
        fs::create_dir_all(&args.dir).with_context(|| format!("cannot create {shown}"))?;
        let dir = fs::canonicalize(&args.dir).with_context(|| format!("cannot open {shown}"))?;
        refuse_foreign(&dir)?;
        let lock = File::create(dir.join("lock")).with_context(|| format!("cannot write to {shown}"))?;
        if lock.try_lock().is_err() {
            bail!("another localnet runs in {shown}: end it, or choose another folder with --dir");
        }
        let path = dir.join("plan.json");
        let resumed = path.exists();
        let plan = if resumed {
            let text =
                fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
            serde_json::from_str(&text).with_context(|| {
                format!("{} is damaged: delete the folder to start a new chain", path.display())
            })?
        } else {
            create(args, &dir)?
        };
        Ok(Self { dir, plan, resumed, _lock: lock })
    }
}

/// Refuses a folder with things in it that no localnet has put there, before anything is written to it.
fn refuse_foreign(dir: &Path) -> Result<()> {
    let shown = dir.display();
    let mut entries = fs::read_dir(dir).with_context(|| format!("cannot read {shown}"))?;
    let stray = entries.any(|entry| entry.is_ok_and(|entry| entry.file_name() != "lock"));
    if stray && !dir.join("plan.json").exists() {
        bail!("{shown} is not empty and no localnet's folder: choose another with --dir");
    }
    Ok(())
}

fn create(args: &Args, dir: &Path) -> Result<Plan> {
    let plan = Plan::new(args)?;
    held_out::write(&dir.join("held-out"))?;
    write(&dir.join("genesis.json"), genesis(&plan)?.to_json()?.as_bytes())?;
    let gateway = hotkey(&plan, "gateway");
    for process in &plan.processes {
        let folder = dir.join(&process.name);
        fs::create_dir_all(folder.join("data"))
            .with_context(|| format!("cannot create {}", folder.display()))?;
        write_keys(&plan, process, &folder)?;
        let command = process.role.command();
        let text = configuration(&plan, process, dir, gateway)?;
        write(&folder.join(format!("{command}.toml")), text.as_bytes())?;
    }
    // Last: a folder with a plan is complete.
    write(&dir.join("plan.json"), &serde_json::to_vec_pretty(&plan)?)?;
    Ok(plan)
}

fn write(path: &Path, bytes: &[u8]) -> Result<()> {
    fs::write(path, bytes).with_context(|| format!("cannot write {}", path.display()))
}

/// The address of a process's coldkey.
pub(crate) fn coldkey(plan: &Plan, name: &str) -> AccountId {
    keys::wallet_key(plan.seed, name, KeyRole::Coldkey).keypair().account()
}

/// The address of a process's hotkey.
pub(crate) fn hotkey(plan: &Plan, name: &str) -> AccountId {
    keys::wallet_key(plan.seed, name, KeyRole::Hotkey).keypair().account()
}

fn write_keys(plan: &Plan, process: &Process, folder: &Path) -> Result<()> {
    if process.role == Role::Node {
        let gossip = hex::encode(keys::gossip_seed(plan.seed, &process.name));
        crate::wallet::write(&folder.join("data/network.key"), gossip.as_bytes(), 0o600, true)?;
        let seed = keys::consensus_key(plan.seed, &process.name).to_seed();
        return crate::wallet::write(
            &folder.join("consensus.key"),
            hex::encode(seed).as_bytes(),
            0o600,
            true,
        );
    }
    let options = WalletOptions {
        path: Some(folder.join("wallets")),
        name: WALLET.to_owned(),
        ..WalletOptions::default()
    };
    let wallet = options.open()?;
    for role in [KeyRole::Coldkey, KeyRole::Hotkey] {
        wallet.save(role, &keys::wallet_key(plan.seed, &process.name, role), None, true)?;
    }
    Ok(())
}

fn genesis(plan: &Plan) -> Result<Genesis> {
    let acu = |amount| Nacu::from_acu(amount).context("the amount fits");
    let mut balances = Vec::new();
    for process in &plan.processes {
        let funds = match process.role {
            Role::Validator => VALIDATOR_FUNDS_ACU,
            Role::Miner => MINER_FUNDS_ACU,
            Role::Node | Role::Gateway => continue,
        };
        balances.push(GenesisBalance { account: coldkey(plan, &process.name), amount: acu(funds)? });
    }
    let owner = coldkey(plan, "owner");
    let now = SystemTime::now().duration_since(UNIX_EPOCH).context("the clock is before 1970")?;
    let validators = plan
        .of(Role::Node)
        .map(|node| GenesisValidator { key: keys::consensus_key(plan.seed, &node.name).public(), power: 1 });
    Ok(Genesis {
        chain: "localnet".to_owned(),
        time_ms: u64::try_from(now.as_millis())?,
        params: Params { tempo_blocks: plan.tempo, ..Params::default() },
        treasury: owner,
        balances,
        tracks: vec![GenesisTrack { name: "bytes".to_owned(), owner, emission_share: 1 }],
        neurons: Vec::new(),
        validators: validators.collect(),
    })
}

/// The configuration of a process. Paths are relative to its folder, so that the whole localnet can be moved.
fn configuration(plan: &Plan, process: &Process, dir: &Path, gateway: AccountId) -> Result<String> {
    let mut table = match process.role {
        Role::Node => node(plan, process),
        Role::Miner => miner(plan, process, dir, gateway)?,
        Role::Validator => validator(plan, process),
        Role::Gateway => gateway_table(plan, process),
    };
    if process.role != Role::Node {
        table["wallet"] = json!({ "path": "wallets", "name": WALLET });
    }
    Ok(toml::to_string_pretty(&table)?)
}

fn node(plan: &Plan, process: &Process) -> Value {
    let mut table = json!({
        "data_dir": "data",
        "genesis": "../genesis.json",
        "consensus_key": "consensus.key",
        "listen": process.listen,
        "metrics_listen": process.metrics_listen,
        "block_time_ms": plan.block_time_ms,
    });
    if let Some(listen) = process.consensus_address() {
        let others = plan.of(Role::Node).filter(|other| other.name != process.name);
        let peers: Vec<String> = others.filter_map(Process::consensus_address).collect();
        table["consensus"] = json!({ "listen": listen, "peers": peers });
    }
    if let Some(listen) = process.gossip_address() {
        let others = plan.of(Role::Node).filter(|other| other.name != process.name);
        let bootstrap: Vec<String> = others.filter_map(|other| peer_address(plan, other)).collect();
        table["network"] = json!({ "listen": [listen], "bootstrap": bootstrap, "private_addresses": true });
    }
    table
}

/// Where a node hears of transactions, with its name among peers.
fn peer_address(plan: &Plan, node: &Process) -> Option<String> {
    let seed = keys::gossip_seed(plan.seed, &node.name);
    let key = acumen_chain_network::Keypair::ed25519_from_bytes(seed).ok()?;
    Some(format!("{}/p2p/{}", node.gossip_address()?, key.public().to_peer_id()))
}

fn miner(plan: &Plan, process: &Process, dir: &Path, gateway: AccountId) -> Result<Value> {
    let spec = process.miner.as_ref().context("a miner has a model")?;
    let path = shipped::materialize(&spec.model, &dir.join("models"))?;
    // Shipped models move with the folder; a person's own stay where they are.
    let path = path.strip_prefix(dir).map_or_else(|_| path.clone(), |inside| Path::new("..").join(inside));
    Ok(json!({
        "listen": process.listen,
        "metrics_listen": process.metrics_listen,
        "public_url": process.url(),
        "data_dir": "data",
        "nodes": plan.node_urls(),
        // Validators ask for bytes, whatever the model's own tokens are.
        "model": { "path": path, "name": spec.name, "bytes": true },
        // The gateway holds no stake: it is let in by name.
        "access": { "min_stake": "1", "allow": [gateway.to_string()] },
    }))
}

fn validator(plan: &Plan, process: &Process) -> Value {
    json!({
        "listen": process.listen,
        "metrics_listen": process.metrics_listen,
        "data_dir": "data",
        "held_out": "../held-out",
        "nodes": plan.node_urls(),
    })
}

fn gateway_table(plan: &Plan, process: &Process) -> Value {
    let validators: Vec<String> = plan.of(Role::Validator).map(Process::url).collect();
    json!({ "listen": process.listen, "nodes": plan.node_urls(), "validators": validators })
}
