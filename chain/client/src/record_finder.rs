//! Looking up miners' records on behalf of a reader, within bounds: whoever asks a miner that the chain's endpoint does not
//! lead to asks here where else to try.
//!
//! A miner is asked for once in [`book::ASK_EVERY_MS`], whoever wants it and however often; at most [`AT_ONCE`] questions
//! run, each for [`LIMIT`] at most. A failure is no record: a hint that cannot be had is done without.

mod book;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use acumen_protocol::miner_record::SignedMinerRecord;
use acumen_protocol::{AccountId, Hash};
use tokio::sync::{OnceCell, Semaphore};

use crate::{ChainClient, ClientError};
use book::RecordBook;

/// Questions that run at once: a node asks some twenty peers for each.
const AT_ONCE: usize = 8;

/// How long one question may take, connecting included.
const LIMIT: Duration = Duration::from_secs(10);

type Turn = tokio::sync::Mutex<()>;

/// Finds records. Share it with an [`Arc`].
#[derive(Debug)]
pub struct RecordFinder {
    nodes: Vec<String>,
    genesis: Option<Hash>,
    client: OnceCell<ChainClient>,
    book: Mutex<RecordBook>,
    /// Those who wait for the same question wait for one another.
    turns: Mutex<BTreeMap<AccountId, Weak<Turn>>>,
    permits: Semaphore,
}

impl RecordFinder {
    /// Asks through `client`.
    #[must_use]
    pub fn new(client: ChainClient) -> Self {
        Self { client: OnceCell::new_with(Some(client)), ..Self::lazy(Vec::new(), None) }
    }

    /// Asks `nodes`, connecting when it is first needed; with `genesis` a node of another chain is refused.
    #[must_use]
    pub fn lazy(nodes: Vec<String>, genesis: Option<Hash>) -> Self {
        Self {
            nodes,
            genesis,
            client: OnceCell::new(),
            book: Mutex::default(),
            turns: Mutex::default(),
            permits: Semaphore::new(AT_ONCE),
        }
    }

    /// The newest record of `hotkey` that this reader knows, the nodes asked if it is time. Signature, chain and time are
    /// verified.
    pub async fn find(&self, hotkey: AccountId) -> Option<SignedMinerRecord> {
        let turn = self.turn(hotkey);
        let _guard = turn.lock().await;
        if lock(&self.book).may_ask(&hotkey, now_ms()) {
            // The semaphore is never closed.
            let _permit = self.permits.acquire().await.ok()?;
            lock(&self.book).asked(hotkey, now_ms());
            match tokio::time::timeout(LIMIT, self.ask(hotkey)).await {
                Ok(Ok(Some(found))) => lock(&self.book).learn(found),
                Ok(Ok(None)) => tracing::debug!(miner = %hotkey, "no node knows a record of the miner"),
                Ok(Err(error)) => tracing::debug!(miner = %hotkey, %error, "no record of the miner"),
                Err(_) => tracing::debug!(miner = %hotkey, limit = ?LIMIT, "no record of the miner in time"),
            }
        }
        lock(&self.book).get(&hotkey, now_ms()).cloned()
    }

    fn turn(&self, hotkey: AccountId) -> Arc<Turn> {
        let mut turns = lock(&self.turns);
        turns.retain(|_, turn| turn.strong_count() > 0);
        turns.get(&hotkey).and_then(Weak::upgrade).unwrap_or_else(|| {
            let turn = Arc::default();
            turns.insert(hotkey, Arc::downgrade(&turn));
            turn
        })
    }

    async fn ask(&self, hotkey: AccountId) -> Result<Option<SignedMinerRecord>, ClientError> {
        let connect = || ChainClient::connect(&self.nodes, self.genesis);
        let client = self.client.get_or_try_init(connect).await?;
        client.find_record(hotkey, now_ms()).await
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn now_ms() -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(now.as_millis()).unwrap_or(u64::MAX)
}
