//! What answers: one loaded model behind its replica, or another server.
//!
//! Every session holds the engine that it was opened on, so a new checkpoint takes over for new requests while old
//! sessions finish on the old one. Dropping the last holder ends the model's thread without waiting for it: a model that
//! hangs must not take a thread of the server with it.

use std::sync::Arc;

use acumen_models::{Load, LogProbs, ModelInfo, Replica, ReplicaError, SessionHandle, Tokenizer};
use acumen_proto::inference_v1 as wire;

mod slot;

use crate::upstream::{Upstream, UpstreamError, UpstreamSession};

pub(crate) use slot::EngineSlot;

/// Name of the tokenizer whose ids are bytes.
pub(crate) const BYTES: &str = "bytes";

/// A distribution as the model gives it.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Row {
    /// Every token's log-probability, in order of id.
    Full(LogProbs),
    /// Some tokens, best first, and the mass of the others.
    Listed(wire::Distribution),
}

/// Why there is no answer.
#[derive(Clone, Debug, thiserror::Error)]
pub(crate) enum EngineError {
    #[error(transparent)]
    Replica(#[from] ReplicaError),
    #[error(transparent)]
    Upstream(#[from] UpstreamError),
}

#[derive(Debug)]
enum Backend {
    /// `None` only while it is dropped.
    Replica(Option<Replica>),
    Upstream(Arc<Upstream>),
}

/// A loaded model.
#[derive(Debug)]
pub(crate) struct Engine {
    backend: Backend,
    info: ModelInfo,
    tokenizer: Option<Arc<Tokenizer>>,
    generation: u64,
}

impl Engine {
    /// On a replica of this process.
    pub(crate) fn new(replica: Replica, tokenizer: Option<Tokenizer>, generation: u64) -> Self {
        let info = replica.info().clone();
        Self::with(Backend::Replica(Some(replica)), info, tokenizer, generation)
    }

    /// On another server.
    pub(crate) fn upstream(upstream: Arc<Upstream>, generation: u64) -> Self {
        let info = upstream.info().clone();
        let tokenizer = (info.tokenizer == BYTES).then(Tokenizer::of_bytes);
        Self::with(Backend::Upstream(upstream), info, tokenizer, generation)
    }

    fn with(backend: Backend, info: ModelInfo, tokenizer: Option<Tokenizer>, generation: u64) -> Self {
        Self { backend, info, tokenizer: tokenizer.map(Arc::new), generation }
    }

    pub(crate) const fn info(&self) -> &ModelInfo {
        &self.info
    }

    /// How the model's text becomes tokens, if that is known.
    pub(crate) const fn tokenizer(&self) -> Option<&Arc<Tokenizer>> {
        self.tokenizer.as_ref()
    }

    /// Counts the models of this miner from 1 on.
    pub(crate) const fn generation(&self) -> u64 {
        self.generation
    }

    /// Whether the model is loaded and alive.
    pub(crate) fn is_ready(&self) -> bool {
        match &self.backend {
            Backend::Replica(replica) => replica.as_ref().is_some_and(Replica::is_ready),
            Backend::Upstream(upstream) => upstream.is_ready(),
        }
    }

    /// How often the model has hung; its replica has loaded it again each time. One of another server never does.
    pub(crate) fn hangs(&self) -> u64 {
        match &self.backend {
            Backend::Replica(replica) => replica.as_ref().map_or(0, Replica::hangs),
            Backend::Upstream(_) => 0,
        }
    }

    /// Whether the replica has ended: it is for us to bring the model back.
    pub(crate) fn is_dead(&self) -> bool {
        match &self.backend {
            Backend::Replica(replica) => replica.as_ref().is_none_or(Replica::is_dead),
            Backend::Upstream(_) => false,
        }
    }

    /// How busy the model is.
    pub(crate) fn load(&self) -> Load {
        match &self.backend {
            Backend::Replica(replica) => replica.as_ref().map(Replica::load).unwrap_or_default(),
            Backend::Upstream(upstream) => upstream.load(),
        }
    }

    /// Positions of the cache that a session over contexts of these lengths holds; another server has its own.
    pub(crate) fn positions(&self, lengths: impl Iterator<Item = usize>) -> usize {
        match &self.backend {
            Backend::Replica(Some(replica)) => replica.positions(lengths),
            Backend::Replica(None) | Backend::Upstream(_) => 0,
        }
    }

    /// Most ids in one of its distributions.
    pub(crate) fn most_listed(&self) -> u32 {
        match &self.backend {
            Backend::Replica(_) => self.info.vocab,
            Backend::Upstream(upstream) => upstream.most_listed(),
        }
    }

    /// Reads the contexts and predicts what follows each.
    pub(crate) async fn open(
        self: &Arc<Self>,
        contexts: Vec<Vec<u32>>,
    ) -> Result<(EngineSession, Vec<Row>), EngineError> {
        let (session, rows) = match &self.backend {
            Backend::Replica(replica) => {
                let replica = replica.as_ref().ok_or(ReplicaError::Dead)?;
                let (handle, rows) = replica.open(contexts).await?;
                (Session::Replica(handle), full(rows))
            }
            Backend::Upstream(upstream) => {
                let (session, rows) = upstream.open(contexts).await?;
                (Session::Upstream(session), listed(rows))
            }
        };
        Ok((EngineSession { session, _engine: Arc::clone(self) }, rows))
    }
}

fn full(rows: Vec<LogProbs>) -> Vec<Row> {
    rows.into_iter().map(Row::Full).collect()
}

fn listed(rows: Vec<wire::Distribution>) -> Vec<Row> {
    rows.into_iter().map(Row::Listed).collect()
}

impl Drop for Engine {
    fn drop(&mut self) {
        if let Backend::Replica(replica) = &mut self.backend
            && let Some(replica) = replica.take()
        {
            // Waits for the forward pass that may still run; a thread of the runtime must not.
            let ending = std::thread::Builder::new().name("acumen-model-end".to_owned());
            // Without a thread the model is dropped here, which waits too but loses nothing.
            let _ = ending.spawn(move || drop(replica));
        }
    }
}

#[derive(Debug)]
enum Session {
    Replica(SessionHandle),
    Upstream(UpstreamSession),
}

/// Documents that advance together on one engine.
#[derive(Debug)]
pub(crate) struct EngineSession {
    /// Dropped before the engine that it belongs to.
    session: Session,
    /// Held: the model lives as long as its last session.
    _engine: Arc<Engine>,
}

impl EngineSession {
    /// Appends one token to each document and predicts again.
    pub(crate) async fn advance(&mut self, tokens: Vec<u32>) -> Result<Vec<Row>, EngineError> {
        Ok(match &mut self.session {
            Session::Replica(handle) => full(handle.advance(tokens).await?),
            Session::Upstream(session) => listed(session.advance(&tokens).await?),
        })
    }
}
