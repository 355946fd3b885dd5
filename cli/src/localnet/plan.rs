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

impl Process {
    /// The address that others dial.
    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.listen)
    }
}

impl Plan {
    /// Plans a new localnet.
    pub(crate) fn new(args: &Args) -> Result<Self> {
        let mut ports = Ports::default();
        let mut processes = vec![ports.process(Role::Node, "node-0".to_owned(), 0, None)?];
        for (index, spec) in miners::resolve(&args.miners)?.into_iter().enumerate() {
            processes.push(ports.process(Role::Miner, format!("miner-{}", spec.name), index, Some(spec))?);
        }
        for index in 0..args.validators {
            processes.push(ports.process(Role::Validator, format!("validator-{index}"), index, None)?);
        }
        processes.push(ports.process(Role::Gateway, "gateway".to_owned(), 0, None)?);
        Ok(Self { seed: args.seed, tempo: args.tempo, block_time_ms: args.block_time, processes })
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
        Ok(Process { role, name, listen: self.take(preferred)?, metrics_listen: self.take(None)?, miner })
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
