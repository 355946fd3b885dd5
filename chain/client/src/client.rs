//! Connecting, and following the chain's certificates.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use acumen_chain_ledger::Genesis;
use acumen_proto::chain::SignedHeader;
use acumen_proto::chain_v1 as wire;
use acumen_protocol::codec::decode_all;
use acumen_protocol::{AccountId, Hash, Header};

use crate::error::Blame;
use crate::light::{LightClient, LightError};
use crate::nodes::{Node, Nodes};
use crate::{ClientError, Status, VerifiedAt};

/// Headers asked for at a time while following a change of the validator set.
const HEADERS_AT_A_TIME: u32 = 256;

/// A verified connection to the chain through one or more nodes. Cheap to clone; clones share what they know.
#[derive(Clone, Debug)]
pub struct ChainClient {
    pub(crate) shared: Arc<Shared>,
}

#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) nodes: Nodes,
    pub(crate) genesis: Genesis,
    pub(crate) genesis_hash: Hash,
    light: Mutex<LightClient>,
    /// One lock for each sender: its transactions take their nonces one after the other.
    pub(crate) senders: Mutex<BTreeMap<AccountId, Arc<tokio::sync::Mutex<()>>>>,
}

impl ChainClient {
    /// Connects to the first of `urls` that serves the chain. With `expected_genesis`, a node of another chain is
    /// refused; without, the first node's genesis is trusted.
    pub async fn connect(urls: &[String], expected_genesis: Option<Hash>) -> Result<Self, ClientError> {
        let nodes = Nodes::new(urls)?;
        let (genesis, light) = nodes.ask(|node| fetch_genesis(node, expected_genesis)).await?;
        let genesis_hash = light.genesis();
        let (light, senders) = (Mutex::new(light), Mutex::new(BTreeMap::new()));
        Ok(Self { shared: Arc::new(Shared { nodes, genesis, genesis_hash, light, senders }) })
    }

    /// The genesis hash.
    #[must_use]
    pub fn genesis_hash(&self) -> Hash {
        self.shared.genesis_hash
    }

    /// The genesis document.
    #[must_use]
    pub fn genesis(&self) -> &Genesis {
        &self.shared.genesis
    }

    /// The newest block that this client has verified so far; asks nobody.
    #[must_use]
    pub fn tip(&self) -> VerifiedAt {
        self.light().tip().into()
    }

    /// Where the chain stands now.
    pub async fn status(&self) -> Result<Status, ClientError> {
        self.shared.nodes.ask(|node| self.status_of(node)).await
    }

    async fn status_of(&self, mut node: Node) -> Result<Status, ClientError> {
        let url = node.url.clone();
        let answer = node.grpc.get_status(wire::GetStatusRequest {}).await;
        let answer = answer.map_err(|status| ClientError::from_status(&url, &status))?.into_inner();
        let found = acumen_proto::chain::hash("genesis", &answer.genesis).blame(&url)?;
        if found != self.genesis_hash() {
            return Err(ClientError::WrongChain { node: url, expected: self.genesis_hash(), found });
        }
        let request = wire::GetHeadersRequest { from: answer.height, limit: 1 };
        let headers = fetch_headers(&mut node, request).await?;
        let tip =
            headers.first().ok_or_else(|| ClientError::lying(&url, "it has no header at its own tip"))?;
        self.follow(&mut node, tip).await?;
        let tip = VerifiedAt::from(&tip.header);
        Ok(Status {
            chain: self.shared.genesis.chain.clone(),
            genesis: found,
            tip,
            node: url,
            version: answer.version,
        })
    }

    /// A header at a given height, verified.
    pub async fn header(&self, height: acumen_protocol::Height) -> Result<Header, ClientError> {
        let attempt = |mut node: Node| async move {
            let request = wire::GetHeadersRequest { from: height.get(), limit: 1 };
            let headers = fetch_headers(&mut node, request).await?;
            let found = headers.into_iter().next().filter(|signed| signed.header.height == height);
            let signed = found.ok_or_else(|| ClientError::NotFound { what: format!("block {height}") })?;
            self.follow(&mut node, &signed).await?;
            Ok(signed.header)
        };
        self.shared.nodes.ask(attempt).await
    }

    /// Verifies a header that `node` gave, fetching headers in between if the validator set has changed since.
    pub(crate) async fn follow(&self, node: &mut Node, signed: &SignedHeader) -> Result<Hash, ClientError> {
        loop {
            let (result, known) = {
                let mut light = self.light();
                (light.advance(signed), light.height())
            };
            match result {
                Err(LightError::UnknownSet { height, .. }) if height > known => {
                    self.follow_from(node, known).await?;
                    if self.light().height() == known {
                        return Err(ClientError::lying(&node.url, "its headers do not lead to its tip"));
                    }
                }
                result => return result.blame(&node.url),
            }
        }
    }

    async fn follow_from(&self, node: &mut Node, known: acumen_protocol::Height) -> Result<(), ClientError> {
        let from = known.get().saturating_add(1);
        let headers = fetch_headers(node, wire::GetHeadersRequest { from, limit: HEADERS_AT_A_TIME }).await?;
        let mut light = self.light();
        for header in &headers {
            light.advance(header).blame(&node.url)?;
        }
        Ok(())
    }

    pub(crate) fn light(&self) -> MutexGuard<'_, LightClient> {
        self.shared.light.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn fetch_genesis(
    mut node: Node,
    expected: Option<Hash>,
) -> Result<(Genesis, LightClient), ClientError> {
    let answer = node.grpc.get_genesis(wire::GetGenesisRequest {}).await;
    let answer = answer.map_err(|status| ClientError::from_status(&node.url, &status))?.into_inner();
    let genesis: Genesis = decode_all("genesis document", &answer.genesis_scale).blame(&node.url)?;
    let light = LightClient::from_genesis(&genesis).blame(&node.url)?;
    match expected.filter(|expected| *expected != light.genesis()) {
        Some(expected) => Err(ClientError::WrongChain { node: node.url, expected, found: light.genesis() }),
        None => Ok((genesis, light)),
    }
}

pub(crate) async fn fetch_headers(
    node: &mut Node,
    request: wire::GetHeadersRequest,
) -> Result<Vec<SignedHeader>, ClientError> {
    let answer = node.grpc.get_headers(request).await;
    let answer = answer.map_err(|status| ClientError::from_status(&node.url, &status))?.into_inner();
    answer.headers.into_iter().map(SignedHeader::try_from).collect::<Result<_, _>>().blame(&node.url)
}
