//! The plan of a localnet: which processes, where they listen. Kept in `plan.json`, so that a folder can be resumed
//! with the same ports.

use std::net::TcpListener;

use anyhow::{Context as _, Result};
use serde::{Deserialize, Serialize};

use super::Args;
use super::miners::{self, MinerSpec};

/// Everything that does not change over the life of a localnet's folder.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Plan {
    pub(crate) seed: u64,
    pub(crate) tempo: u64,
    pub(crate) block_time_ms: u64,
    /// In the order in which they start; they stop in the reverse order.
    pub(crate) processes: Vec<Process>,
}

/// One process.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Process {
    pub(crate) role: Role,
    /// Name, folder and key name.
    pub(crate) name: String,
    /// `127.0.0.1:PORT` of its gRPC or HTTP server.
    pub(crate) listen: String,
    /// `127.0.0.1:PORT` of its metrics.
    pub(crate) metrics_listen: String,
    /// `127.0.0.1:PORT` where it meets other nodes, if it is one of several.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) consensus_listen: Option<String>,
    /// `127.0.0.1:PORT` where it hears of transactions, if it is one of several.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) gossip_listen: Option<String>,
    /// The model, if it is a miner.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) miner: Option<MinerSpec>,
}

/// What a process does; also its subcommand.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Role {
    Node,
    Miner,
    Validator,
    Gateway,
}

impl Role {
    /// The subcommand of `acumen`.
    pub(crate) const fn command(self) -> &'static str {
        match self {
            Self::Node => "node",
            Self::Miner => "miner",
            Self::Validator => "validator",
            Self::Gateway => "gateway",
        }
    }

    /// The port that the first process of this role takes if it is free.
    const fn preferred_port(self) -> u16 {
        match self {
            Self::Node => 9944,
            Self::Miner => 8091,
            Self::Validator => 8191,
            Self::Gateway => 8000,
        }
    }
}

/// The port on which the first node hears of transactions, if it is free.
const GOSSIP_PORT: u16 = 9_901;

/// The port on which the first node meets the others, if it is free.
const CONSENSUS_PORT: u16 = 26_656;

fn multiaddress(listen: &str) -> Option<String> {
    let (host, port) = listen.rsplit_once(':')?;
    Some(format!("/ip4/{host}/tcp/{port}"))
}

impl Process {
    /// Where it meets other nodes, as a multiaddress.
    pub(crate) fn consensus_address(&self) -> Option<String> {
        multiaddress(self.consensus_listen.as_ref()?)
    }

    /// Where it hears of transactions, as a multiaddress.
    pub(crate) fn gossip_address(&self) -> Option<String> {
        multiaddress(self.gossip_listen.as_ref()?)
    }

    /// The address that others dial.
    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.listen)
    }
}

impl Plan {
    /// Plans a new localnet.
    pub(crate) fn new(args: &Args) -> Result<Self> {
        let mut ports = Ports::default();
        let mut processes = Vec::new();
        for index in 0..args.nodes {
            let mut node = ports.process(Role::Node, format!("node-{index}"), index, None)?;
            if args.nodes > 1 {
                let preferred = u16::try_from(index).ok().and_then(|index| CONSENSUS_PORT.checked_add(index));
                node.consensus_listen = Some(ports.take(preferred)?);
                let preferred = u16::try_from(index).ok().and_then(|index| GOSSIP_PORT.checked_add(index));
                node.gossip_listen = Some(ports.take(preferred)?);
            }
            processes.push(node);
        }
        for (index, spec) in miners::resolve(&args.miners)?.into_iter().enumerate() {
            processes.push(ports.process(Role::Miner, format!("miner-{}", spec.name), index, Some(spec))?);
        }
        for index in 0..args.validators {
            processes.push(ports.process(Role::Validator, format!("validator-{index}"), index, None)?);
        }
        processes.push(ports.process(Role::Gateway, "gateway".to_owned(), 0, None)?);
        Ok(Self { seed: args.seed, tempo: args.tempo, block_time_ms: args.block_time(), processes })
    }

    /// The processes of one role.
    pub(crate) fn of(&self, role: Role) -> impl Iterator<Item = &Process> {
        self.processes.iter().filter(move |process| process.role == role)
    }

    /// Addresses of the nodes.
    pub(crate) fn node_urls(&self) -> Vec<String> {
        self.of(Role::Node).map(Process::url).collect()
    }
}

/// Hands out ports: the preferred one if it is free, else any. All stay bound until the plan is done, so that none is
/// handed out twice.
#[derive(Default)]
struct Ports {
    held: Vec<TcpListener>,
}

impl Ports {
    fn process(
        &mut self,
        role: Role,
        name: String,
        index: usize,
        miner: Option<MinerSpec>,
    ) -> Result<Process> {
        let preferred = u16::try_from(index).ok().and_then(|index| role.preferred_port().checked_add(index));
        let (listen, metrics_listen) = (self.take(preferred)?, self.take(None)?);
        Ok(Process { role, name, listen, metrics_listen, consensus_listen: None, gossip_listen: None, miner })
    }

    fn take(&mut self, preferred: Option<u16>) -> Result<String> {
        let wanted = preferred.and_then(|port| TcpListener::bind(("127.0.0.1", port)).ok());
        let listener = match wanted {
            Some(listener) => listener,
            None => TcpListener::bind(("127.0.0.1", 0)).context("no free port on 127.0.0.1")?,
        };
        let address = listener.local_addr()?.to_string();
        self.held.push(listener);
        Ok(address)
    }
}
