//! The doors of a call, in the order of docs/spec/auth.md: shape → receiver → freshness → signature → replay →
//! permission → rate; a stream goes on to the slots and the waiting queue.

use std::sync::Arc;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use acumen_proto::auth;
use acumen_proto::inference::Answer;
use acumen_proto::verifier::Claim;
use acumen_protocol::auth::{AuthError, AuthHeaders};
use acumen_protocol::session::{Direction, Transcript};
use acumen_protocol::{AccountId, Nacu};
use tokio_util::task::task_tracker::TaskTrackerToken;
use tonic::metadata::MetadataMap;

use crate::deadline;
use crate::engine::Engine;
use crate::refusal::Refusal;
use crate::service::Shared;

/// A call whose metadata have the right shape.
#[derive(Debug)]
pub(crate) struct Caller {
    headers: AuthHeaders,
    /// What will answer: a new checkpoint changes nothing for a call that is under way.
    pub(crate) engine: Arc<Engine>,
    pub(crate) started: Instant,
    /// When the client stops waiting.
    pub(crate) deadline: Option<Instant>,
    /// Held for its drop: a drain waits for it.
    pub(crate) tracked: TaskTrackerToken,
}

/// A proven caller that may ask.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Admitted {
    pub(crate) sender: AccountId,
    pub(crate) stake: Nacu,
    /// Includes the request.
    pub(crate) transcript: Transcript,
}

impl Caller {
    /// The first door: the miner takes calls, and the metadata can be read.
    pub(crate) fn new(shared: &Shared, metadata: &MetadataMap) -> Result<Self, Refusal> {
        let started = Instant::now();
        let tracked = shared.streams.token();
        if shared.draining.is_cancelled() {
            return Err(Refusal::Draining);
        }
        if !shared.is_open() {
            return Err(Refusal::Loading);
        }
        let engine = shared.engine.ready()?;
        let headers = auth::extract(metadata)?;
        Ok(Self { headers, engine, started, deadline: deadline::of(metadata, started), tracked })
    }

    /// The doors from receiver to rate, for a call on `path` with these bytes.
    pub(crate) async fn admit(&self, shared: &Shared, path: &str, bytes: &[u8]) -> Result<Admitted, Refusal> {
        let sender = authenticate(shared, &self.headers, path, bytes).await?;
        let stake = shared.access.admit(sender).await?;
        shared.rate.count(sender, stake, Instant::now())?;
        let transcript = Transcript::open(&self.headers.signature).absorb(Direction::Client, bytes);
        Ok(Admitted { sender, stake, transcript })
    }
}

/// Receiver, freshness, signature, replay. The signature takes some tens of microseconds, the store seldom waits for
/// the disk: neither needs a thread of its own.
async fn authenticate(
    shared: &Shared,
    headers: &AuthHeaders,
    path: &str,
    bytes: &[u8],
) -> Result<AccountId, Refusal> {
    let now = now_ns();
    let AuthHeaders { sender, nonce, signature, .. } = *headers;
    let message = headers.claim(&shared.account, path, bytes, now)?.into_bytes();
    if !shared.verifier.verify(Claim { signer: sender, message, signature }).await {
        return Err(AuthError::Signature.into());
    }
    let fresh = shared.nonces.insert(&sender, nonce, now).await;
    match fresh.map_err(|reason| AuthError::Store { reason })? {
        true => Ok(sender),
        false => Err(AuthError::Replay { nonce }.into()),
    }
}

/// The clock in nanoseconds since the Unix epoch; 0 before it, which makes every request stale.
pub(crate) fn now_ns() -> u64 {
    let elapsed = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(elapsed.as_nanos()).unwrap_or(u64::MAX)
}

/// Adds an answer to the conversation and signs what has been said so far.
pub(crate) fn seal<A: Answer>(shared: &Shared, transcript: &mut Transcript, mut answer: A) -> A {
    *transcript = transcript.absorb(Direction::Miner, &answer.bytes());
    answer.set_receipt(transcript.receipt(&shared.hotkey).0.to_vec());
    answer
}

/// Refuses what is above a limit.
pub(crate) fn at_most(
    what: &'static str,
    limit: &'static str,
    found: usize,
    allowed: usize,
) -> Result<(), Refusal> {
    if found <= allowed {
        return Ok(());
    }
    Err(Refusal::Limit { what, limit, found: found as u64, allowed: allowed as u64 })
}

/// Refuses token ids outside the vocabulary.
pub(crate) fn check_tokens(tokens: &[u32], vocabulary: u32) -> Result<(), Refusal> {
    match tokens.iter().find(|token| **token >= vocabulary) {
        None => Ok(()),
        Some(token) => Err(Refusal::Limit {
            what: "a token id",
            limit: "largest token id",
            found: u64::from(*token),
            allowed: u64::from(vocabulary.saturating_sub(1)),
        }),
    }
}
