//! The nodes: their folders, their processes, what they use.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use acumen_chain_ledger::Params;
use acumen_chain_ledger::genesis::{Genesis, GenesisBalance, GenesisTrack, GenesisValidator};
use acumen_chain_node::Config;
use acumen_proto::chain_v1 as wire;
use acumen_proto::chain_v1::chain_client::ChainClient;
use acumen_protocol::{AccountId, ConsensusKeypair, Hash, Nacu};
use tokio_util::sync::CancellationToken;

use crate::load::{SENDERS, sender};
use crate::{Outcome, PATIENCE, Plan};

fn key(index: usize) -> ConsensusKeypair {
    ConsensusKeypair::from_seed(&[u8::try_from(index).unwrap_or(0) + 50; 32])
}

fn genesis(nodes: usize) -> Genesis {
    let owner = AccountId([1; 32]);
    let amount = Nacu::from_acu(1_000).unwrap_or_default();
    let validator = |index| GenesisValidator { key: key(index).public(), power: 1 };
    Genesis {
        chain: "cluster".to_owned(),
        time_ms: 1,
        params: Params::default(),
        treasury: owner,
        balances: (0..SENDERS)
            .map(|index| GenesisBalance { account: sender(index).account(), amount })
            .collect(),
        tracks: vec![GenesisTrack { name: "bytes".to_owned(), owner, emission_share: 1 }],
        neurons: Vec::new(),
        validators: (0..nodes).map(validator).collect(),
    }
}

fn url(index: usize) -> String {
    format!("127.78.0.{}:9944", index + 1)
}

fn list(items: impl Iterator<Item = String>) -> String {
    items.map(|item| format!("\"{item}\"")).collect::<Vec<_>>().join(", ")
}

/// The configuration of a node, as an operator would write it.
fn configuration(index: usize, plan: &Plan, names: &[String]) -> String {
    let others = || (0..plan.nodes).filter(move |other| *other != index);
    let mut text = format!(
        "data_dir = \"data\"\ngenesis = \"../genesis.json\"\nlisten = \"{}\"\nconsensus_key = \"key\"\nblock_time_ms = {}\n\
         keep_states = 64\npool_transactions = 32768\npool_bytes = 67108864\npool_per_sender = 1024\n",
        url(index),
        plan.block_time_ms
    );
    if plan.nodes > 1 {
        let consensus = |index: usize| format!("/ip4/127.78.0.{}/tcp/26656", index + 1);
        let gossip = |index: usize| format!("/ip4/127.78.0.{}/tcp/9901", index + 1);
        let peers = list(others().map(consensus));
        let known = list(others().map(|other| format!("{}/p2p/{}", gossip(other), names[other])));
        text += &format!(
            "[consensus]\nlisten = \"{}\"\npeers = [{peers}]\npropose_timeout_ms = 1000\nvote_timeout_ms = 400\n\
             [network]\nlisten = [\"{}\"]\nbootstrap = [{known}]\nprivate_addresses = true\n",
            consensus(index),
            gossip(index)
        );
    }
    text
}

/// Is a node, until it is killed.
pub(crate) fn run(dir: &Path) -> Outcome<()> {
    let config: Config = toml::from_str(&std::fs::read_to_string(dir.join("node.toml"))?)?;
    let node = acumen_chain_node::run(config.resolve(dir), CancellationToken::new());
    Ok(tokio::runtime::Runtime::new()?.block_on(node)?)
}

/// What a process uses.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Usage {
    /// Seconds of processor time.
    pub(crate) processor: f64,
    pub(crate) resident: u64,
    pub(crate) peak: u64,
}

/// Running nodes; they end with this value.
pub(crate) struct Nodes {
    root: PathBuf,
    urls: Vec<String>,
    children: Vec<Child>,
}

impl Drop for Nodes {
    fn drop(&mut self) {
        for child in &mut self.children {
            drop(child.kill());
            drop(child.wait());
        }
    }
}

impl Nodes {
    pub(crate) fn start(root: &Path, plan: &Plan) -> Outcome<Self> {
        std::fs::write(root.join("genesis.json"), genesis(plan.nodes).to_json()?)?;
        let dir = |index: usize| root.join(format!("node-{index}"));
        let name = |index: usize| {
            let path = dir(index).join("data/network.key");
            let identity = acumen_chain_network::load_or_create_identity(&path)?;
            Ok(identity.public().to_peer_id().to_string())
        };
        let names = (0..plan.nodes).map(name).collect::<Outcome<Vec<String>>>()?;
        let mut nodes = Self { root: root.to_owned(), urls: Vec::new(), children: Vec::new() };
        for index in 0..plan.nodes {
            std::fs::write(dir(index).join("key"), hex::encode(key(index).to_seed()))?;
            std::fs::write(dir(index).join("node.toml"), configuration(index, plan, &names))?;
            let mut command = match &plan.program {
                Some(program) => {
                    let mut command = Command::new(program);
                    command.args(["node", "run", "--config"]).arg(dir(index).join("node.toml"));
                    command
                }
                None => {
                    let mut command = Command::new(std::env::current_exe()?);
                    command.arg("node").arg(dir(index));
                    command
                }
            };
            let log = std::fs::File::create(dir(index).join("log"))?;
            let command = command.stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log);
            nodes.children.push(command.spawn()?);
            nodes.urls.push(format!("http://{}", url(index)));
        }
        Ok(nodes)
    }

    pub(crate) fn urls(&self) -> &[String] {
        &self.urls
    }

    /// Waits for the third block on every node; the genesis hash.
    pub(crate) async fn ready(&self) -> Outcome<Hash> {
        let mut genesis = Hash::ZERO;
        let all = async {
            for url in &self.urls {
                loop {
                    if let Ok(mut client) = ChainClient::connect(url.clone()).await
                        && let Ok(status) = client.get_status(wire::GetStatusRequest {}).await
                        && status.get_ref().height >= 3
                    {
                        genesis = Hash(status.into_inner().genesis.try_into().unwrap_or_default());
                        break;
                    }
                    tokio::time::sleep(std::time::Duration::from_millis(50)).await;
                }
            }
        };
        let waited = tokio::time::timeout(PATIENCE, all).await;
        waited.map_err(|_| format!("the nodes did not begin:\n{}", self.logs()))?;
        Ok(genesis)
    }

    fn logs(&self) -> String {
        let read =
            |index| std::fs::read_to_string(self.root.join(format!("node-{index}/log"))).unwrap_or_default();
        (0..self.children.len()).map(read).collect()
    }

    pub(crate) fn usage(&self) -> Vec<Usage> {
        let usage = |child: &Child| Usage {
            processor: processor_seconds(child.id()),
            resident: memory(child.id(), "VmRSS:"),
            peak: memory(child.id(), "VmHWM:"),
        };
        self.children.iter().map(usage).collect()
    }

    /// Bytes in the first node's data directory.
    pub(crate) fn disk(&self) -> u64 {
        bytes_below(&self.root.join("node-0/data"))
    }
}

fn bytes_below(path: &Path) -> u64 {
    let Ok(entries) = std::fs::read_dir(path) else {
        return std::fs::metadata(path).map_or(0, |found| found.len());
    };
    entries.flatten().map(|entry| bytes_below(&entry.path())).sum()
}

fn memory(pid: u32, name: &str) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix(name));
    line.and_then(|rest| rest.split_whitespace().next()?.parse::<u64>().ok()).unwrap_or(0) * 1_024
}

/// Processor time of a process: fields 14 and 15 of its `stat`, in hundredths of a second.
pub(crate) fn processor_seconds(pid: u32) -> f64 {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
    let field = |place: usize| fields.get(place).and_then(|text| text.parse::<f64>().ok()).unwrap_or(0.0);
    (field(11) + field(12)) / 100.0
}
