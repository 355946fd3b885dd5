//! Asking every node about the same block: who lies, who lags, whether the chain has forked.

use acumen_protocol::{Hash, Height};

use crate::light::{Fork, LightError};
use crate::{ChainClient, ClientError};

/// What one node says about a block.
#[derive(Clone, Debug, PartialEq)]
pub struct Witness {
    /// Its address.
    pub node: String,
    /// What it says.
    pub testimony: Testimony,
}

/// What a node's answer is worth.
#[derive(Clone, Debug, PartialEq)]
pub enum Testimony {
    /// A certified block, the same as the others'.
    Agrees(Hash),
    /// A certified block, and another certified one is known: the chain has forked, and the certificates are evidence.
    Forked(Box<Fork>),
    /// An answer that does not verify: the node lies.
    Lies(ClientError),
    /// No usable answer.
    Silent(ClientError),
}

impl ChainClient {
    /// Asks all nodes for the block at `height`, one after the other, and verifies each answer.
    pub async fn witnesses(&self, height: Height) -> Vec<Witness> {
        let mut witnesses = Vec::new();
        for node in self.shared.nodes.all() {
            let url = node.url.clone();
            let testimony = match self.header_of(node, height).await {
                Ok(signed) => Testimony::Agrees(signed.header.id()),
                Err(ClientError::Forked { fork, .. }) => Testimony::Forked(fork),
                Err(error @ ClientError::Lying { .. }) => Testimony::Lies(error),
                Err(error) => Testimony::Silent(error),
            };
            witnesses.push(Witness { node: url, testimony });
        }
        witnesses
    }
}

/// A fork is more than a lie of the node that shows it.
pub(crate) fn blamed(node: &str, error: LightError) -> ClientError {
    match error {
        LightError::Fork(fork) => ClientError::Forked { node: node.to_owned(), fork },
        error => ClientError::lying(node, error),
    }
}
