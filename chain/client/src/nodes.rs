//! The nodes that a client may ask, tried in order: the one that answered last, first.

use std::future::Future;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use acumen_proto::chain_v1::chain_client::ChainClient as Grpc;
use acumen_proto::chain_v1::miners_client::MinersClient;
use tonic::transport::{Channel, Endpoint};

use crate::ClientError;

/// How long a connection may take.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);

/// How long an answer may take; a stream's first message counts, its later ones do not.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(10);

/// Idle connections are probed, so that a dead peer is noticed while a stream waits for the next block.
const KEEP_ALIVE: Duration = Duration::from_secs(10);

/// Largest message accepted: a full block with events, or 4,096 values with proofs.
const MAX_MESSAGE_BYTES: usize = 64 << 20;

/// One node. Cheap to clone; its connection is opened when needed and again when lost.
#[derive(Clone, Debug)]
pub(crate) struct Node {
    pub(crate) url: String,
    pub(crate) grpc: Grpc<Channel>,
    /// Its other service, over the same connection.
    pub(crate) miners: MinersClient<Channel>,
}

/// All nodes.
#[derive(Debug)]
pub(crate) struct Nodes {
    nodes: Vec<Node>,
    preferred: AtomicUsize,
}

impl Nodes {
    pub(crate) fn new(urls: &[String]) -> Result<Self, ClientError> {
        let nodes = urls.iter().map(|url| node(url)).collect::<Result<Vec<_>, _>>()?;
        if nodes.is_empty() {
            return Err(ClientError::NoNodes);
        }
        Ok(Self { nodes, preferred: AtomicUsize::new(0) })
    }

    /// Every node, in the order given.
    pub(crate) fn all(&self) -> impl Iterator<Item = Node> {
        self.nodes.iter().cloned()
    }

    /// Another node is asked first from now on, if there is one.
    pub(crate) fn pass_over(&self, url: &str) {
        let Some(index) = self.nodes.iter().position(|node| node.url == url) else { return };
        let next = index.saturating_add(1);
        self.preferred.store(if next < self.nodes.len() { next } else { 0 }, Ordering::Relaxed);
    }

    /// How many there are.
    pub(crate) const fn count(&self) -> usize {
        self.nodes.len()
    }

    /// Asks node after node until one gives a usable answer, or a refusal that another would repeat.
    pub(crate) async fn ask<T, F, Fut>(&self, attempt: F) -> Result<T, ClientError>
    where
        F: FnMut(Node) -> Fut,
        Fut: Future<Output = Result<T, ClientError>>,
    {
        self.ask_each(attempt).await.map_err(ClientError::of_all)
    }

    /// The same; if it fails, what each node said.
    pub(crate) async fn ask_each<T, F, Fut>(&self, mut attempt: F) -> Result<T, Vec<ClientError>>
    where
        F: FnMut(Node) -> Fut,
        Fut: Future<Output = Result<T, ClientError>>,
    {
        let first = self.preferred.load(Ordering::Relaxed);
        let mut failures = Vec::new();
        for index in (first..self.nodes.len()).chain(0..first) {
            let Some(node) = self.nodes.get(index).cloned() else { continue };
            match attempt(node).await {
                Ok(answer) => {
                    self.preferred.store(index, Ordering::Relaxed);
                    return Ok(answer);
                }
                Err(error) if error.try_another() => {
                    tracing::debug!(%error, "trying the next chain node");
                    failures.push(error);
                }
                Err(error) => return Err(vec![error]),
            }
        }
        Err(failures)
    }
}

/// Whether this may be a node's address, without asking anybody.
///
/// # Errors
/// [`ClientError::BadUrl`] with what is wrong.
pub fn check_url(url: &str) -> Result<(), ClientError> {
    endpoint(url).map(drop)
}

fn endpoint(url: &str) -> Result<Endpoint, ClientError> {
    let bad = |reason: String| ClientError::BadUrl { url: url.to_owned(), reason };
    let endpoint = Endpoint::from_shared(url.to_owned()).map_err(|error| bad(error.to_string()))?;
    if endpoint.uri().host().is_none() || endpoint.uri().scheme().is_none() {
        return Err(bad("scheme or host is missing".to_owned()));
    }
    Ok(endpoint)
}

fn node(url: &str) -> Result<Node, ClientError> {
    let channel = endpoint(url)?
        .connect_timeout(CONNECT_TIMEOUT)
        .timeout(ANSWER_TIMEOUT)
        .http2_keep_alive_interval(KEEP_ALIVE)
        .keep_alive_while_idle(true)
        .tcp_nodelay(true)
        .connect_lazy();
    let miners = MinersClient::new(channel.clone());
    let grpc = Grpc::new(channel).max_decoding_message_size(MAX_MESSAGE_BYTES);
    Ok(Node { url: url.to_owned(), grpc, miners })
}
