//! Between the engine and the chain: answers the engine's questions, one at a time.

mod evidence;
mod proposals;

use std::sync::Arc;
use std::time::Duration;

use acumen_protocol::Height;
use acumen_protocol::codec::Encode as _;
use arc_malachitebft_app_channel::app::engine::host::Next;
use arc_malachitebft_app_channel::app::types::core::{HeightParams, LinearTimeouts};
use arc_malachitebft_app_channel::app::types::sync::RawDecidedValue;
use arc_malachitebft_app_channel::{AppMsg, NetworkMsg, Reply};
use tokio::sync::mpsc;

use crate::application::{Application, Observation};
use crate::error::Error;
use crate::parts::{Now, Parts};
use crate::send::Streams;
use crate::signing::Hand;
use crate::types::{At, Chain, Members};
use crate::wire;

/// Bytes of blocks in one answer to a node that catches up: it must fit into a message of 10 MiB.
const MAX_ANSWER: usize = 6 << 20;

/// State of the conversation.
pub(crate) struct Driver<A> {
    pub(crate) app: Arc<A>,
    /// Signs, if this node may vote.
    pub(crate) hand: Option<Hand>,
    pub(crate) parts: Parts,
    pub(crate) streams: Streams,
    /// Where parts go; `None` if nobody is there to take them.
    pub(crate) publish: Option<mpsc::Sender<NetworkMsg<Chain>>>,
    pub(crate) timeouts: LinearTimeouts,
    pub(crate) block_time: Duration,
    pub(crate) warm_up: Duration,
    /// The set of the height after the tip.
    pub(crate) set: Members,
    pub(crate) now: Now,
    /// The height of which the engine was told everything that is on disk.
    pub(crate) told: At,
}

pub(crate) type Outcome<T, A> = Result<T, Error<<A as Application>::Error>>;

/// The engine may have ended while its question was answered.
fn answer<T>(reply: Reply<T>, value: T) {
    let _ = reply.send(value);
}

impl<A: Application> Driver<A> {
    /// Answers one question.
    pub(crate) async fn handle(&mut self, message: AppMsg<Chain>) -> Outcome<(), A> {
        match message {
            AppMsg::ConsensusReady { reply } => {
                if self.set.len() > 1 {
                    tokio::time::sleep(self.warm_up).await;
                }
                self.refresh().await?;
                answer(reply, (self.next(), self.params()));
            }
            AppMsg::StartedRound { height, round, reply_value, role, .. } => {
                self.now.round = round.as_u32().unwrap_or(0);
                self.started(height, role);
                let values = self.known_values(height).await?;
                answer(reply_value, values);
            }
            AppMsg::GetValue { height, round, reply, .. } => self.propose(height, round, reply).await?,
            AppMsg::RestreamProposal { height, round, valid_round, address, value_id } => {
                self.restream(height, round, valid_round, address, value_id).await?;
            }
            AppMsg::ReceivedProposalPart { from, published_by, part, reply } => {
                let value = self.part(published_by.unwrap_or(from), part).await?;
                answer(reply, value);
            }
            AppMsg::ProcessSyncedValue { height, round, proposer, value_bytes, reply } => {
                let outcome = self.synced(height, round, proposer, &value_bytes).await?;
                answer(reply, outcome);
            }
            AppMsg::Decided { certificate, reply, .. } => {
                self.commit(wire::certificate(&certificate)).await?;
                answer(reply, ());
            }
            AppMsg::Finalized { evidence, reply, .. } => {
                self.accuse(&evidence).await?;
                answer(reply, Next::Start(self.next(), self.params()));
            }
            AppMsg::GetHistoryMinHeight { reply } => {
                let first = self.ask(Application::first).await?;
                answer(reply, first.into());
            }
            AppMsg::GetDecidedValues { range, reply } => {
                let values = self.decided(range.start().height(), range.end().height()).await?;
                answer(reply, values);
            }
            AppMsg::ExtendVote { reply, .. } => answer(reply, None),
            AppMsg::VerifyVoteExtensions { extensions, reply, .. } => {
                answer(reply, extensions.into_iter().map(|(voter, ())| (voter, Ok(()))).collect());
            }
        }
        Ok(())
    }

    /// Asks the chain, off the async threads.
    async fn ask<T: Send + 'static>(
        &self,
        question: impl FnOnce(&A) -> Result<T, A::Error> + Send + 'static,
    ) -> Outcome<T, A> {
        let app = self.app.clone();
        let answered = tokio::task::spawn_blocking(move || question(&app)).await;
        let answered = answered.map_err(|error| Error::Ended { reason: error.to_string() })?;
        answered.map_err(Error::Application)
    }

    /// Reads where the chain is.
    async fn refresh(&mut self) -> Outcome<(), A> {
        let (tip, set) = self.ask(|app| Ok((app.tip().0, app.validators()?))).await?;
        let tip = At::from(tip);
        self.set = Members::from(&set);
        if tip != self.now.tip {
            self.now = Now { tip, round: 0 };
        }
        Ok(())
    }

    const fn next(&self) -> At {
        At(self.now.tip.0.saturating_add(1))
    }

    /// True if the next height is decided already, and only this node does not know how.
    fn behind(&self) -> bool {
        self.parts.ahead_of(self.next(), &self.set)
    }

    /// The next height's set and pace. A node that is behind does not wait: it would stay behind.
    fn params(&self) -> HeightParams<Chain> {
        let pace = if self.behind() { Duration::ZERO } else { self.block_time };
        HeightParams::new(self.set.clone(), self.timeouts, Some(pace))
    }

    fn started(&self, height: At, role: arc_malachitebft_app_channel::app::consensus::Role) {
        use arc_malachitebft_app_channel::app::consensus::Role;
        let (height, round) = (height.height(), self.now.round);
        let voting = !matches!(role, Role::None);
        if round > 0 {
            tracing::debug!(%height, round, "the rounds before were lost");
        }
        self.app.observe(Observation::Round { height, round, voting });
    }

    /// Commits what was decided. The engine repeats a decision that it is not sure about.
    async fn commit(&mut self, certificate: acumen_protocol::Certificate) -> Outcome<(), A> {
        if certificate.height <= self.now.tip.height() {
            return Ok(());
        }
        self.ask(move |app| app.commit(certificate)).await?;
        self.refresh().await
    }

    async fn decided(&self, first: Height, last: Height) -> Outcome<Vec<RawDecidedValue<Chain>>, A> {
        let blocks = self.ask(move |app| app.decided((first, last), MAX_ANSWER)).await?;
        Ok(blocks
            .into_iter()
            .map(|(block, certificate)| wire::decided(block.encode(), certificate))
            .collect())
    }
}
