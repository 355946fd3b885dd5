//! Asking the subnet's miners together: who they are, streams to the best of them, pooled steps.
//!
//! [`Collective`] holds what requests share: the newest [`Roster`], one connection per miner, and pauses after
//! failures. [`generate`] runs one request as a task of its own; dropping its receiver cancels the miners' streams.

pub mod backoff;
pub mod directory;
pub mod ensemble;
pub mod generate;
pub mod provenance;
pub mod refresh;
pub mod subnet;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use acumen_miner_client::{ClientOptions, MinerClient};
use acumen_protocol::call::Endpoint;
use acumen_protocol::{AccountId, Keypair};
use tokio::sync::watch;
use tokio::time::Instant;

use crate::core::pooling::Pool;
use crate::metrics::Metrics;
use backoff::Backoff;
use directory::{Miner, Roster};

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
    metrics: Arc<Metrics>,
}

#[derive(Debug, Default)]
struct Contacts {
    clients: BTreeMap<AccountId, (Endpoint, MinerClient)>,
    backoff: Backoff,
}

/// A miner with its connection.
#[derive(Clone, Debug)]
pub struct Candidate {
    /// Who.
    pub miner: Miner,
    /// How to ask.
    pub client: MinerClient,
}

impl Collective {
    /// Asks on behalf of `key` the miners that `roster` lists.
    #[must_use]
    pub fn new(
        settings: Settings,
        key: Keypair,
        roster: watch::Receiver<Arc<Roster>>,
        metrics: Arc<Metrics>,
    ) -> Self {
        Self { settings, key: Arc::new(key), roster, contacts: Mutex::default(), metrics }
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
        let mut contacts = self.contacts.lock().unwrap_or_else(PoisonError::into_inner);
        let listed = |hotkey: &AccountId| roster.miners.iter().any(|miner| miner.hotkey == *hotkey);
        contacts.clients.retain(|hotkey, _| listed(hotkey));
        contacts.backoff.retain(listed);
        let askable: Vec<&Miner> =
            roster.miners.iter().filter(|miner| contacts.backoff.may_ask(&miner.hotkey, now)).collect();
        askable.into_iter().filter_map(|miner| self.candidate(&mut contacts, miner, now)).collect()
    }

    fn candidate(&self, contacts: &mut Contacts, miner: &Miner, now: Instant) -> Option<Candidate> {
        if let Some((endpoint, client)) = contacts.clients.get(&miner.hotkey)
            && *endpoint == miner.endpoint
        {
            return Some(Candidate { miner: miner.clone(), client: client.clone() });
        }
        let options = ClientOptions {
            connect_timeout: self.settings.open_timeout,
            answer_timeout: self.settings.step_timeout,
            vocabulary: VOCABULARY,
        };
        match MinerClient::connect_lazy(&miner.endpoint, miner.hotkey, Arc::clone(&self.key), options) {
            Ok(client) => {
                contacts.clients.insert(miner.hotkey, (miner.endpoint.clone(), client.clone()));
                Some(Candidate { miner: miner.clone(), client })
            }
            Err(error) => {
                tracing::warn!(miner = %miner.hotkey, %error, "endpoint cannot be used");
                contacts.backoff.failed(miner.hotkey, now, None);
                None
            }
        }
    }

    fn note_failure(&self, hotkey: AccountId, retry_after: Option<Duration>) {
        let mut contacts = self.contacts.lock().unwrap_or_else(PoisonError::into_inner);
        contacts.backoff.failed(hotkey, Instant::now(), retry_after);
    }

    fn note_success(&self, hotkey: &AccountId) {
        self.contacts.lock().unwrap_or_else(PoisonError::into_inner).backoff.succeeded(hotkey);
    }
}
