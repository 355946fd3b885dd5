//! Keeps the miner and the chain in step: copies stakes, publishes the endpoint when it differs, says when the hotkey is
//! not registered.
//!
//! Nothing here ends the miner. A node that is down is tried again at every refresh; the copy of the stakes stays.

use std::sync::Arc;
use std::time::{Duration, Instant};

use acumen_protocol::AccountId;
use acumen_protocol::call::Endpoint;
use tokio::sync::watch;
use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;

use crate::access::Access;
use crate::chain::{ChainError, ChainView, Neuron};

/// The same complaint is logged again after this long.
const COMPLAIN_EVERY: Duration = Duration::from_secs(60);

/// What the watcher works on.
pub(crate) struct Watch<C> {
    pub(crate) chain: Arc<C>,
    pub(crate) access: Arc<Access>,
    pub(crate) hotkey: AccountId,
    pub(crate) track: u16,
    /// What to publish; it changes with the model.
    pub(crate) endpoint: watch::Receiver<Endpoint>,
    /// Told whether the hotkey has a slot.
    pub(crate) registered: watch::Sender<bool>,
    pub(crate) every: Duration,
}

impl<C: ChainView> Watch<C> {
    /// Runs until `stop`.
    pub(crate) async fn run(mut self, stop: CancellationToken) {
        let mut ticks = tokio::time::interval(self.every);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut complaint = Complaint::default();
        loop {
            tokio::select! {
                () = stop.cancelled() => return,
                _ = ticks.tick() => {
                    tokio::select! {
                        () = stop.cancelled() => return,
                        result = self.refresh() => complaint.about(result, Instant::now()),
                    }
                }
                Ok(()) = self.endpoint.changed() => ticks.reset_immediately(),
            }
        }
    }

    async fn refresh(&self) -> Result<(), ChainError> {
        let neurons = self.chain.neurons().await?;
        self.access.replace(neurons.iter().map(|neuron| (neuron.hotkey, neuron.stake)));
        let me = neurons.into_iter().find(|neuron| neuron.hotkey == self.hotkey);
        self.registered.send_if_modified(|known| std::mem::replace(known, me.is_some()) != me.is_some());
        match me {
            Some(me) => self.publish(&me).await,
            None => Err(ChainError(format!(
                "hotkey {hotkey} is not registered in track {track}, so no validator asks it: run \
                 `acumen tx register --track {track} --hotkey {hotkey}`",
                hotkey = self.hotkey,
                track = self.track,
            ))),
        }
    }

    async fn publish(&self, me: &Neuron) -> Result<(), ChainError> {
        let endpoint = self.endpoint.borrow().clone();
        if me.endpoint.as_ref() == Some(&endpoint) {
            return Ok(());
        }
        self.chain.publish(endpoint.clone()).await?;
        tracing::info!(url = endpoint.url(), model = %endpoint.model, "endpoint published");
        Ok(())
    }
}

/// Says a thing when it is new, and again after a while; says when it is over.
#[derive(Default)]
struct Complaint(Option<(ChainError, Instant)>);

impl Complaint {
    fn about(&mut self, result: Result<(), ChainError>, now: Instant) {
        match (result, &self.0) {
            (Ok(()), None) => {}
            (Ok(()), Some(_)) => {
                tracing::info!("registered, and the chain answers");
                self.0 = None;
            }
            (Err(error), Some((said, at))) if *said == error && now.duration_since(*at) < COMPLAIN_EVERY => {}
            (Err(error), _) => {
                tracing::warn!(%error, "cannot keep in step with the chain; trying again");
                self.0 = Some((error, now));
            }
        }
    }
}
