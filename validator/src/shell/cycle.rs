//! A validator's life: at each block do what the [`Rhythm`] says, and keep on disk what must not be lost.
//!
//! Nothing here ends because a node or a miner fails: an action that did not work is logged, counted and tried again at
//! the next block, as long as its epoch lasts. Only a disk that cannot be written ends the validator.

use std::sync::Arc;
use std::time::Instant;

use acumen_proto::RequestId;
use acumen_protocol::{Call, Epoch, Hash, Height};
use tokio::sync::watch;
use tracing::Instrument as _;

use super::chain::{Chain, ChainError, View};
use super::evaluate::{Field, Manner, Occasion, evaluate};
use super::metrics::Metrics;
use super::reports::Reports;
use super::store::{Commitment, State, Store, random};
use crate::core::hotkey::Hotkey;
use crate::core::plan::{Asker, Question, Size, Source, plan};
use crate::core::reference::Reference;
use crate::core::rhythm::{Action, Progress, Rhythm};
use crate::core::score::{Candidate, Outcome, Round, Rules, ScoreError, score};
use crate::core::windows::Text;
use crate::{Config, Error};

/// One running validator.
pub(crate) struct Cycle<C> {
    pub(crate) chain: Arc<C>,
    pub(crate) store: Arc<Store>,
    pub(crate) state: State,
    pub(crate) reports: Reports,
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) texts: Vec<Text>,
    pub(crate) reference: Arc<Reference>,
    pub(crate) manner: Manner,
    pub(crate) size: Size,
    pub(crate) rules: Rules,
    pub(crate) config: Config,
    /// Tip at which a transaction failed: it is tried again at the next one.
    pub(crate) failed_at: Option<Height>,
    /// The warning about a missing registration is written once.
    pub(crate) warned: bool,
}

impl<C: Chain> Cycle<C> {
    /// Runs until the chain's follower is gone.
    pub(crate) async fn run(mut self) -> Result<(), Error> {
        let mut tips = self.chain.tips();
        let rhythm = self.rhythm(&mut tips).await;
        loop {
            let tip = *tips.borrow_and_update();
            self.metrics.height.set(i64::try_from(tip.get()).unwrap_or(i64::MAX));
            self.drop_dead(&rhythm, tip)?;
            let blocked = self.failed_at == Some(tip);
            let progress: Vec<Progress> = self.state.commitments.iter().map(Commitment::progress).collect();
            let evaluated = self.state.evaluated.map(Epoch::new);
            let progressed = match rhythm.action(tip, if blocked { &[] } else { &progress }, evaluated) {
                Action::Reveal(epoch) => self.send(epoch, tip, true).await?,
                Action::Commit(epoch) => self.send(epoch, tip, false).await?,
                Action::Evaluate { epoch, close } => self.evaluate(epoch, close).await?,
                Action::Wait => false,
            };
            // After a failed transaction the same tip is looked at once more: an evaluation may be due.
            let again = progressed || (self.failed_at == Some(tip) && !blocked);
            if !again && tips.changed().await.is_err() {
                return Err(Error::Chain("nobody follows its blocks any more".to_owned()));
            }
        }
    }

    /// The track's rhythm; asked for until the chain answers.
    async fn rhythm(&self, tips: &mut watch::Receiver<Height>) -> Rhythm {
        loop {
            match self.chain.tempo().await {
                Ok(tempo) => return Rhythm::new(tempo),
                Err(error) => {
                    tracing::warn!(%error, "the parameters cannot be read, trying again at the next block");
                }
            }
            if tips.changed().await.is_err() {
                return Rhythm::new(1);
            }
        }
    }

    /// Forgets commitments that can no longer be of use.
    fn drop_dead(&mut self, rhythm: &Rhythm, tip: Height) -> Result<(), Error> {
        let before = self.state.commitments.len();
        self.state.commitments.retain(|commitment| {
            let progress = commitment.progress();
            let alive = rhythm.is_alive(&progress, tip);
            if !alive && !progress.revealed {
                tracing::error!(epoch = commitment.epoch, "weights were not revealed in time and are lost");
            }
            alive
        });
        if self.state.commitments.len() == before { Ok(()) } else { self.store.save(&self.state) }
    }

    /// Sends the commitment of `epoch`, or its reveal, and remembers that it is in a block.
    async fn send(&mut self, epoch: Epoch, tip: Height, reveal: bool) -> Result<bool, Error> {
        let Some(at) = self.state.commitments.iter().position(|c| c.epoch == epoch.get()) else {
            return Ok(false);
        };
        let Some((weights, salt)) = self.state.commitments[at].opening() else {
            tracing::error!(%epoch, "the state file holds no usable weights of this epoch, they are dropped");
            self.state.commitments.remove(at);
            self.store.save(&self.state)?;
            return Ok(true);
        };
        let (track, key) = (self.config.track(), Arc::clone(&self.manner.key));
        let call = if reveal {
            Call::RevealWeights { track, weights, salt }
        } else {
            let commitment = weights.commitment(&key.account(), track, epoch, &salt);
            Call::CommitWeights { track, commitment }
        };
        let name = call.name();
        let sent = self.chain.submit(call, &key).await;
        self.metrics.transaction(name, sent.is_ok());
        match sent {
            Ok(()) => tracing::info!(%epoch, "{name} is in a block"),
            Err(ChainError::Retry(error)) => {
                tracing::warn!(%epoch, error, "{name} did not work, trying again at the next block");
                self.failed_at = Some(tip);
                return Ok(false);
            }
            // What was to be done is done or impossible; the next epoch begins anew.
            Err(ChainError::Failed(error)) => tracing::error!(%epoch, error, "{name} failed and is given up"),
        }
        let commitment = &mut self.state.commitments[at];
        if reveal {
            commitment.revealed = true;
        } else {
            commitment.committed = true;
        }
        self.store.save(&self.state)?;
        Ok(true)
    }

    /// Evaluates `epoch`, closing at height `close`. False if the next block must be waited for.
    async fn evaluate(&mut self, epoch: Epoch, close: Height) -> Result<bool, Error> {
        let view = match self.chain.view(self.manner.key.account()).await {
            Ok(view) => view,
            Err(error) => {
                tracing::warn!(%error, "the metagraph cannot be read, trying again at the next block");
                return Ok(false);
            }
        };
        if !self.is_registered(&view) {
            return Ok(false);
        }
        let started = Instant::now();
        let questions = Arc::new(self.begin(epoch)?);
        let seed = Hash::of_encoded(&("acumen/order/1", self.store.secret(), epoch, self.state.attempt.1));
        let mut tips = self.chain.tips();
        let closed = async move {
            // An error means that the chain's follower is gone; then nothing is left to close for.
            let _ = tips.wait_for(|tip| *tip >= close).await;
        };
        let occasion = Occasion { seed, request_id: RequestId::fresh() };
        let span = tracing::info_span!("evaluation", %epoch, id = occasion.request_id.as_str());
        let field = Field { miners: view.miners, chain: Arc::clone(&self.chain) };
        let asked = evaluate(field, Arc::clone(&questions), &self.manner, &occasion, closed);
        let candidates = asked.instrument(span.clone()).await;
        match self.score(epoch, questions, candidates).await? {
            Ok(outcome) => span.in_scope(|| self.finish(epoch, outcome, started))?,
            Err(error) => {
                tracing::warn!(%epoch, %error, "no weights from this epoch");
                self.state.evaluated = Some(epoch.get());
                self.store.save(&self.state)?;
            }
        }
        Ok(true)
    }

    fn is_registered(&mut self, view: &View) -> bool {
        self.metrics.registered.set(i64::from(view.registered));
        self.metrics.permit.set(i64::from(view.permit));
        if !view.registered && !std::mem::replace(&mut self.warned, true) {
            let (hotkey, track) = (self.manner.key.account(), self.config.track);
            tracing::warn!(
                "hotkey {hotkey} has no slot in track {track}: run `acumen tx register --track {track} --hotkey {hotkey}` \
                 with its coldkey; waiting"
            );
        }
        if view.registered && !view.permit {
            tracing::info!(
                "no permit yet: weights count once the stake is among the track's highest at an epoch's end"
            );
        }
        view.registered
    }

    /// Draws the questions of the next attempt; on disk before any of them is asked.
    fn begin(&mut self, epoch: Epoch) -> Result<Vec<Question>, Error> {
        let (newest, tries) = self.state.attempt;
        let attempt = if newest == epoch.get() { tries.saturating_add(1) } else { 0 };
        self.state.attempt = (epoch.get(), attempt);
        let asker = Asker {
            secret: self.store.secret(),
            hotkey: self.manner.key.account(),
            track: self.config.track(),
            epoch,
            attempt,
        };
        let questions = plan(&asker, self.size, &self.texts, &self.state.recent);
        self.state.recent.extend(questions.iter().filter_map(|question| match &question.source {
            Source::HeldOut(window) => Some(window.clone()),
            Source::Generated { .. } => None,
        }));
        self.store.save(&self.state)?;
        Ok(questions)
    }

    /// Scores on a thread of its own: the marginal values of many miners take a while.
    async fn score(
        &mut self,
        epoch: Epoch,
        questions: Arc<Vec<Question>>,
        candidates: Vec<Candidate>,
    ) -> Result<Result<Outcome, ScoreError>, Error> {
        let (mut memory, rules) = (self.state.memory.clone(), self.rules);
        let (reference, track) = (Arc::clone(&self.reference), self.config.track());
        let validator = Hotkey(self.manner.key.account());
        let scored = tokio::task::spawn_blocking(move || {
            let round =
                Round { epoch, track, validator, questions: &questions, reference: &reference, candidates };
            score(&mut memory, round, &rules).map(|outcome| (outcome, memory))
        });
        let scored = scored.await.map_err(|error| Error::Chain(format!("scoring ended: {error}")))?;
        Ok(scored.map(|(outcome, memory)| {
            self.state.memory = memory;
            outcome
        }))
    }

    /// Scores, salt and weights go to disk together, then the report is shown; the commitment follows at the next turn.
    fn finish(&mut self, epoch: Epoch, outcome: Outcome, started: Instant) -> Result<(), Error> {
        self.state.evaluated = Some(epoch.get());
        if !outcome.weights.entries().is_empty() {
            let commitment = Commitment::new(epoch, &outcome.weights, random()?);
            self.state.commitments.push(commitment);
        }
        self.store.save(&self.state)?;
        let took = started.elapsed();
        self.metrics.scored(&outcome.report, took);
        tracing::info!(
            %epoch,
            miners = outcome.report.miners.len(),
            weights = outcome.weights.entries().len(),
            collective_bits_per_byte = outcome.report.collective_bits_per_byte,
            ?took,
            "evaluated"
        );
        self.reports.publish(outcome.report)
    }
}
