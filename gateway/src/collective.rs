//! Asking the subnet's miners together: who they are, streams to the best of them, pooled steps.
//!
//! [`Collective`] holds what requests share: the newest [`Roster`], one connection per miner, and pauses after
//! failures. [`generate`] runs one request as a task of its own; dropping its receiver cancels the miners' streams.

pub mod backoff;
pub mod contacts;
pub mod directory;
pub mod ensemble;
pub mod generate;
pub mod provenance;
pub mod refresh;
pub mod subnet;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use acumen_chain_client::RecordFinder;
use acumen_miner_client::{ClientError, ClientOptions, MinerClient};
use acumen_protocol::call::Endpoint;
use acumen_protocol::miner_record::MinerRecord;
use acumen_protocol::{AccountId, Keypair};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::Instant;
use tracing::Instrument as _;

use crate::core::pooling::Pool;
use crate::metrics::Metrics;
use contacts::{Contacts, EndpointSource};
use directory::{Miner, Roster};
use ensemble::{Dropped, Member};

/// Ids of track 0: the byte values.
pub const VOCABULARY: u32 = 256;

/// How the collective is asked.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Miners per request.
    pub miners: usize,
    /// How their answers become one.
    pub pool: Pool,
    /// For the first answer of a stream, connection and prompt included.
    pub open_timeout: Duration,
    /// For each later answer.
    pub step_timeout: Duration,
    /// For a whole request.
    pub request_timeout: Duration,
}

/// What all requests share.
#[derive(Debug)]
pub struct Collective {
    settings: Settings,
    key: Arc<Keypair>,
    roster: watch::Receiver<Arc<Roster>>,
    contacts: Mutex<Contacts>,
    finder: Option<Arc<RecordFinder>>,
    metrics: Arc<Metrics>,
}

/// A miner with its connection.
#[derive(Clone, Debug)]
pub struct Candidate {
    /// Who.
    pub miner: Miner,
    /// How to ask.
    pub client: MinerClient,
    /// Who says where it serves.
    pub source: EndpointSource,
}

impl Collective {
    /// Asks on behalf of `key` the miners that `roster` lists, and `finder` where they are if the chain's endpoint does
    /// not lead to them.
    #[must_use]
    pub fn new(
        settings: Settings,
        key: Keypair,
        roster: watch::Receiver<Arc<Roster>>,
        finder: Option<Arc<RecordFinder>>,
        metrics: Arc<Metrics>,
    ) -> Self {
        Self { settings, key: Arc::new(key), roster, contacts: Mutex::default(), finder, metrics }
    }

    /// The newest list of miners.
    #[must_use]
    pub fn roster(&self) -> Arc<Roster> {
        Arc::clone(&self.roster.borrow())
    }

    /// How the collective is asked.
    #[must_use]
    pub const fn settings(&self) -> &Settings {
        &self.settings
    }

    /// Miners that may be asked now, best first, with connections; forgets those that are gone.
    fn candidates(&self, roster: &Roster) -> Vec<Candidate> {
        let now = Instant::now();
        let mut contacts = self.contacts();
        contacts.retain(|hotkey| roster.miners.iter().any(|miner| miner.hotkey == *hotkey));
        let askable: Vec<&Miner> =
            roster.miners.iter().filter(|miner| contacts.may_ask(&miner.hotkey, now)).collect();
        askable.into_iter().filter_map(|miner| self.candidate(&mut contacts, miner, now)).collect()
    }

    fn candidate(&self, contacts: &mut Contacts, miner: &Miner, now: Instant) -> Option<Candidate> {
        if let Some((client, source)) = contacts.get(miner) {
            return Some(Candidate { miner: miner.clone(), client, source });
        }
        match self.connect(miner, &miner.endpoint) {
            Ok(client) => {
                contacts.meet(miner, client.clone());
                Some(Candidate { miner: miner.clone(), client, source: EndpointSource::Chain })
            }
            Err(error) => {
                tracing::warn!(miner = %miner.hotkey, %error, "endpoint cannot be used");
                contacts.failed(miner.hotkey, now, None, false);
                None
            }
        }
    }

    fn connect(&self, miner: &Miner, endpoint: &Endpoint) -> Result<MinerClient, ClientError> {
        let options = ClientOptions {
            connect_timeout: self.settings.open_timeout,
            answer_timeout: self.settings.step_timeout,
            vocabulary: VOCABULARY,
        };
        MinerClient::connect_lazy(endpoint, miner.hotkey, Arc::clone(&self.key), options)
    }

    fn contacts(&self) -> MutexGuard<'_, Contacts> {
        self.contacts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Looks for the record of a miner that the chain's endpoint did not lead to, in the background; what it finds is
    /// followed from then on. `None` if there is nobody to ask.
    fn look_up(self: &Arc<Self>, hotkey: AccountId) -> Option<JoinHandle<()>> {
        let (collective, finder) = (Arc::clone(self), Arc::clone(self.finder.as_ref()?));
        let search = async move {
            if let Some(found) = finder.find(hotkey).await {
                collective.follow(&found.record);
            }
        };
        Some(tokio::spawn(search.in_current_span()))
    }

    fn follow(&self, record: &MinerRecord) {
        let roster = self.roster();
        let Some(miner) = roster.miners.iter().find(|miner| miner.hotkey == record.hotkey) else { return };
        let mut contacts = self.contacts();
        if !contacts.is_news(miner, record) {
            return;
        }
        let (hotkey, url) = (&miner.hotkey, record.endpoint.url());
        match self.connect(miner, &record.endpoint) {
            Ok(client) => {
                tracing::info!(miner = %hotkey, url, "the chain's endpoint leads nowhere; trying that of its record");
                self.metrics.record_endpoints.inc();
                contacts.follow(miner, record, client, Instant::now());
            }
            Err(error) => tracing::debug!(miner = %hotkey, %error, "the record's endpoint cannot be used"),
        }
    }

    /// Notes that a member was dropped. True if its miner may serve elsewhere than the chain says.
    fn note_failure(&self, member: &Member, dropped: &Dropped) -> bool {
        let astray = dropped.astray && member.answered == 0;
        self.contacts().failed(member.miner.hotkey, Instant::now(), dropped.retry_after, astray);
        astray && member.source == EndpointSource::Chain
    }

    fn note_success(&self, hotkey: &AccountId) {
        self.contacts().succeeded(hotkey);
    }
}
