//! The streams of one request: one per miner, in lock-step.
//!
//! Invariant: what is pooled at a step are the checked answers of exactly the members that answered *this* step before
//! its deadline. A member that is late, wrong or gone is dropped for the rest of the request, with the reason.

use std::time::Duration;

use acumen_miner_client::{ClientError, PredictSession};
use acumen_proto::inference::Distribution;
use futures::future::join_all;
use tokio::time::{Instant, timeout_at};

use super::contacts::EndpointSource;
use super::directory::Miner;
use super::{Candidate, VOCABULARY};
use crate::core::pooling::{Pool, checked};

/// Why a member was dropped.
#[derive(Clone, Debug)]
pub struct Dropped {
    /// For metrics: one word of a small set.
    pub kind: &'static str,
    /// For a person.
    pub reason: String,
    /// The pause that the miner asked for.
    pub retry_after: Option<Duration>,
    /// Whether the miner may not be where it was asked.
    pub astray: bool,
}

impl Dropped {
    fn late(limit: Duration) -> Self {
        let reason = format!("no answer within {} ms", limit.as_millis());
        Self { kind: "late", reason, retry_after: None, astray: true }
    }
}

impl From<ClientError> for Dropped {
    fn from(error: ClientError) -> Self {
        let (kind, retry_after) = match &error {
            ClientError::Refused { retry_after, .. } => ("refused", *retry_after),
            ClientError::Unreachable { .. } | ClientError::Endpoint { .. } => ("unreachable", None),
            ClientError::Late { .. } => ("late", None),
            ClientError::BadReceipt { .. } | ClientError::OtherMiner { .. } => ("receipt", None),
            ClientError::Malformed(_) => ("invalid", None),
            _ => ("closed", None),
        };
        Self { kind, reason: error.to_string(), retry_after, astray: error.may_have_moved() }
    }
}

/// One miner in a request.
#[derive(Debug)]
pub struct Member {
    /// Who.
    pub miner: Miner,
    /// Who says where it serves.
    pub source: EndpointSource,
    /// Answers that were used.
    pub answered: u64,
    /// Why it takes part no more.
    pub dropped: Option<Dropped>,
    session: Option<PredictSession>,
    latest: Vec<Vec<f64>>,
}

/// All miners of one request, those that were dropped too.
#[derive(Debug, Default)]
pub struct Ensemble {
    members: Vec<Member>,
}

impl Ensemble {
    /// Opens a stream to each of `candidates` and adds them as members.
    pub async fn open(&mut self, candidates: Vec<Candidate>, contexts: &[Vec<u32>], limit: Duration) {
        let deadline = Instant::now() + limit;
        let open = |candidate: Candidate| async move {
            let opened = timeout_at(deadline, candidate.client.open(contexts.to_vec(), None)).await;
            let mut member = Member {
                miner: candidate.miner,
                source: candidate.source,
                answered: 0,
                dropped: None,
                session: None,
                latest: Vec::new(),
            };
            match opened {
                Ok(Ok((session, answer))) => {
                    member.session = Some(session);
                    member.accept(&answer);
                }
                Ok(Err(error)) => member.drop_for(error.into()),
                Err(_) => member.drop_for(Dropped::late(limit)),
            }
            member
        };
        self.members.extend(join_all(candidates.into_iter().map(open)).await);
    }

    /// Tells every live member the chosen `tokens` and takes their next answers.
    pub async fn step(&mut self, tokens: &[u32], limit: Duration) {
        let deadline = Instant::now() + limit;
        join_all(self.members.iter_mut().map(|member| member.step(tokens, deadline, limit))).await;
    }

    /// Members, in the order of weight within each wave.
    #[must_use]
    pub fn members(&self) -> &[Member] {
        &self.members
    }

    /// True if somebody still answers.
    #[must_use]
    pub fn is_alive(&self) -> bool {
        self.members.iter().any(Member::is_live)
    }

    /// The collective's distributions; `None` if nobody answers.
    #[must_use]
    pub fn pooled(&self, pool: Pool) -> Option<Vec<Vec<f64>>> {
        let live = || self.members.iter().filter(|member| member.is_live());
        let answers: Vec<&[Vec<f64>]> = live().map(|member| member.latest.as_slice()).collect();
        let weights: Vec<f64> = live().map(|member| member.miner.weight).collect();
        pool.pool(&answers, &weights)
    }
}

impl Member {
    const fn is_live(&self) -> bool {
        self.session.is_some()
    }

    async fn step(&mut self, tokens: &[u32], deadline: Instant, limit: Duration) {
        let Some(session) = &mut self.session else { return };
        match timeout_at(deadline, session.step(tokens.to_vec())).await {
            Ok(Ok(answer)) => self.accept(&answer),
            Ok(Err(error)) => self.drop_for(error.into()),
            Err(_) => self.drop_for(Dropped::late(limit)),
        }
    }

    fn accept(&mut self, answer: &[Distribution]) {
        match checked(answer, VOCABULARY) {
            Ok(latest) => {
                self.latest = latest;
                self.answered += 1;
            }
            Err(error) => {
                let reason = error.to_string();
                self.drop_for(Dropped { kind: "invalid", reason, retry_after: None, astray: false });
            }
        }
    }

    /// Ends the stream: dropping the session cancels what the miner may still be doing.
    fn drop_for(&mut self, dropped: Dropped) {
        tracing::debug!(miner = %self.miner.hotkey, kind = dropped.kind, reason = dropped.reason, "dropped");
        self.session = None;
        self.latest = Vec::new();
        self.dropped = Some(dropped);
    }
}
