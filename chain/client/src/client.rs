//! Connecting: which node, and where trust begins.

use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use acumen_chain_ledger::Genesis;
use acumen_proto::chain::{SignedHeader, validator_set};
use acumen_proto::chain_v1 as wire;
use acumen_protocol::codec::decode_all;
use acumen_protocol::{AccountId, Certificate, Hash, Header, Height};

use crate::error::Blame;
use crate::light::{Checkpoint, LightClient};
use crate::nodes::{Node, Nodes};
use crate::{ClientError, Status, VerifiedAt};

/// Where trust begins.
#[derive(Clone, Debug, Default)]
pub struct Trust {
    /// The chain: a node of another genesis is refused. Without it the first node's genesis is believed.
    pub genesis: Option<Hash>,
    /// A block to begin from instead of genesis. It must be younger than the unbonding time
    /// ([`ChainClient::old_checkpoint`] tells), and whoever gave it must be trusted as much as a genesis document. Without
    /// one, on a chain older than that time, validators of long ago can show a history of their own: LC-1 in
    /// docs/spec/light-client.md.
    pub checkpoint: Option<Checkpoint>,
}

/// A verified connection to the chain through one or more nodes. Cheap to clone; clones share what they know.
#[derive(Clone, Debug)]
pub struct ChainClient {
    pub(crate) shared: Arc<Shared>,
    /// The block whose state is read; `None` for the newest.
    pub(crate) pinned: Option<Height>,
}

#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) nodes: Nodes,
    pub(crate) genesis: Genesis,
    pub(crate) genesis_hash: Hash,
    light: Mutex<LightClient>,
    /// What trust begins with: from here everything can be verified once more.
    pub(crate) anchor: LightClient,
    /// One lock for each sender: its transactions take their nonces one after the other.
    pub(crate) senders: Mutex<BTreeMap<AccountId, Arc<tokio::sync::Mutex<()>>>>,
}

impl ChainClient {
    /// Connects to the first of `urls` that serves the chain. With `expected_genesis`, a node of another chain is
    /// refused; without, the first node's genesis is trusted.
    pub async fn connect(urls: &[String], expected_genesis: Option<Hash>) -> Result<Self, ClientError> {
        Self::connect_with(urls, Trust { genesis: expected_genesis, checkpoint: None }).await
    }

    /// Connects to the first of `urls` that serves the chain that is trusted.
    pub async fn connect_with(urls: &[String], trust: Trust) -> Result<Self, ClientError> {
        let nodes = Nodes::new(urls)?;
        let (genesis, light) = nodes.ask(|node| begin(node, &trust)).await?;
        let genesis_hash = light.genesis();
        let anchor = light.clone();
        let (light, senders) = (Mutex::new(light), Mutex::new(BTreeMap::new()));
        let shared = Arc::new(Shared { nodes, genesis, genesis_hash, light, anchor, senders });
        Ok(Self { shared, pinned: None })
    }

    /// The same client reading the state after the block at `height`, as long as a node keeps it. For reads: what is
    /// submitted through it would take its nonce from then.
    #[must_use]
    pub fn at(&self, height: Height) -> Self {
        Self { pinned: Some(height), ..self.clone() }
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

    /// Where trust began: genesis, or the checkpoint's height.
    #[must_use]
    pub fn anchor(&self) -> Height {
        self.shared.anchor.anchor()
    }

    /// The set that decides the block after the newest verified one.
    #[must_use]
    pub fn validators(&self) -> acumen_protocol::ValidatorSet {
        self.light().validators().clone()
    }

    /// Where the chain stands now.
    pub async fn status(&self) -> Result<Status, ClientError> {
        self.shared.nodes.ask(|node| self.status_of(node)).await
    }

    pub(crate) async fn status_of(&self, mut node: Node) -> Result<Status, ClientError> {
        let url = node.url.clone();
        let answer = node.grpc.get_status(wire::GetStatusRequest {}).await;
        let answer = answer.map_err(|status| ClientError::from_status(&url, &status))?.into_inner();
        let found = acumen_proto::chain::hash("genesis", &answer.genesis).blame(&url)?;
        if found != self.genesis_hash() {
            return Err(ClientError::WrongChain { node: url, expected: self.genesis_hash(), found });
        }
        let signed = match fetch_header(&mut node, answer.height).await {
            Err(error) if error.is_denial() => {
                return Err(ClientError::lying(&url, "it has no header at its own tip"));
            }
            result => result?,
        };
        self.follow(&mut node, &signed).await?;
        let tip = VerifiedAt::from(&signed.header);
        Ok(Status {
            chain: self.shared.genesis.chain.clone(),
            genesis: found,
            tip,
            node: url,
            version: answer.version,
            first_block: (answer.first_block > 0).then(|| Height::new(answer.first_block)),
        })
    }

    /// A header at a given height, verified: by the certificate of the set that decided it, or, before the checkpoint
    /// with which trust began, by the chain of parents.
    pub async fn header(&self, height: Height) -> Result<Header, ClientError> {
        let attempt = |mut node: Node| async move {
            let signed = fetch_header(&mut node, height.get()).await?;
            self.follow(&mut node, &signed).await?;
            Ok(signed.header)
        };
        self.shared.nodes.ask(attempt).await
    }

    pub(crate) fn light(&self) -> MutexGuard<'_, LightClient> {
        self.shared.light.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The genesis document, and a light client where trust begins.
async fn begin(mut node: Node, trust: &Trust) -> Result<(Genesis, LightClient), ClientError> {
    let answer = node.grpc.get_genesis(wire::GetGenesisRequest {}).await;
    let answer = answer.map_err(|status| ClientError::from_status(&node.url, &status))?.into_inner();
    let genesis: Genesis = decode_all("genesis document", &answer.genesis_scale).blame(&node.url)?;
    let light = LightClient::from_genesis(&genesis).blame(&node.url)?;
    if let Some(expected) = trust.genesis.filter(|expected| *expected != light.genesis()) {
        return Err(ClientError::WrongChain { node: node.url, expected, found: light.genesis() });
    }
    let Some(checkpoint) = &trust.checkpoint else { return Ok((genesis, light)) };
    let signed = fetch_header(&mut node, checkpoint.height.get()).await?;
    let request = wire::GetValidatorsRequest { height: checkpoint.height.get() };
    let answer = node.grpc.get_validators(request).await;
    let answer = answer.map_err(|status| ClientError::from_status(&node.url, &status))?.into_inner();
    let set = validator_set(&answer.validators_scale).blame(&node.url)?;
    let light = light.at_checkpoint(checkpoint, signed.header, set);
    Ok((genesis, light.blame(&node.url)?))
}

/// Exactly the header at `height`, as the node gives it. A node that began with a state gives the next one that it has
/// instead, which is no lie.
pub(crate) async fn fetch_header(node: &mut Node, height: u64) -> Result<SignedHeader, ClientError> {
    let request = wire::GetHeadersRequest { from: height, limit: 1, step: 1 };
    let found = fetch_headers(node, request).await?.into_iter().next();
    let missing =
        || ClientError::Missing { node: node.url.clone(), what: format!("the header of block {height}") };
    let signed = found.ok_or_else(missing)?;
    match signed.header.height.get().cmp(&height) {
        Ordering::Equal => Ok(signed),
        Ordering::Greater if is_whole(&signed) => Err(not_kept(&node.url, height, signed.header.height)),
        _ => Err(ClientError::lying(&node.url, format!("asked for header {height}, got another"))),
    }
}

/// True if the certificate is one of this header, good or not.
fn is_whole(signed: &SignedHeader) -> bool {
    let header = &signed.header;
    let of_it =
        |certificate: &Certificate| (certificate.height, certificate.block) == (header.height, header.id());
    signed.certificate.as_ref().is_some_and(of_it)
}

/// The node has not the header at `wanted`, but a later one.
pub(crate) fn not_kept(node: &str, wanted: u64, found: Height) -> ClientError {
    let reason = format!(
        "it does not keep the header of block {wanted}, the next one that it has is of block {found}; ask a node that \
         has kept all, or begin with a newer checkpoint"
    );
    ClientError::NotKept { node: node.to_owned(), reason }
}

pub(crate) async fn fetch_headers(
    node: &mut Node,
    request: wire::GetHeadersRequest,
) -> Result<Vec<SignedHeader>, ClientError> {
    let answer = node.grpc.get_headers(request).await;
    let answer = answer.map_err(|status| ClientError::from_status(&node.url, &status))?.into_inner();
    answer.headers.into_iter().map(SignedHeader::try_from).collect::<Result<_, _>>().blame(&node.url)
}
