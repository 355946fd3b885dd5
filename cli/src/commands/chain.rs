//! Which chain a command talks to.

use acumen_chain_client::{ChainClient, VerifiedAt};
use acumen_protocol::Hash;
use anyhow::{Context as _, Result};
use clap::Args;
use serde_json::{Value, json};

/// Options of every command that reads or writes the chain.
#[derive(Args, Clone, Debug)]
pub(crate) struct ChainOptions {
    /// A node; may be given more than once, the first that answers is used
    #[arg(
        long,
        global = true,
        value_name = "URL",
        default_value = "http://127.0.0.1:9944",
        env = "ACUMEN_NODE"
    )]
    node: Vec<String>,
    /// Hash of the genesis header: a node of another chain is refused [default: trust the node's]
    #[arg(long, global = true, value_name = "0x…", env = "ACUMEN_GENESIS")]
    genesis: Option<Hash>,
}

impl ChainOptions {
    /// Connects; everything read through the client is verified.
    pub(crate) async fn connect(&self) -> Result<ChainClient> {
        let nodes = self.node.join(", ");
        ChainClient::connect(&self.node, self.genesis)
            .await
            .with_context(|| format!("cannot reach the chain at {nodes} (say where it is with --node)"))
    }
}

/// What every verified answer carries.
pub(crate) fn verified(at: &VerifiedAt) -> Value {
    json!({ "height": at.height.get(), "block": at.block.to_string() })
}
