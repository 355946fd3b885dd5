//! Used nonces, on disk before a request is answered.
//!
//! One thread owns the database. It takes whatever inserts are waiting, up to [`BATCH`], and commits them together, so
//! that the disk's flush is paid once for many requests.
//!
//! Invariants: `Ok(true)` is said at most once for a (sender, nonce), over any number of restarts and kills; a nonce is
//! forgotten only when it lies below the *floor*, and below the floor everything counts as used. The floor is stored
//! with the nonces and never falls: a clock that steps back brings no forgotten nonce back to life.

use std::path::Path;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::JoinHandle;

use acumen_protocol::AccountId;
use acumen_protocol::auth::ReplayStore;
use acumen_protocol::limits::AUTH_RETENTION_NS;
use redb::{Database, ReadableTable as _, TableDefinition};

use crate::Error;

/// Name of the file in `data_dir`.
const FILE: &str = "nonces.redb";

/// Most inserts in one commit, and most that wait.
const BATCH: usize = 256;

/// (nonce, sender): sorted by age, so that the old ones are one range.
const NONCES: TableDefinition<'_, (u64, &[u8; 32]), ()> = TableDefinition::new("nonces");
/// One entry, [`FLOOR_KEY`]: every nonce below it counts as used.
const FLOOR: TableDefinition<'_, &str, u64> = TableDefinition::new("floor");
const FLOOR_KEY: &str = "floor";

enum Job {
    Insert { sender: AccountId, nonce: u64, now: u64, reply: SyncSender<Result<bool, String>> },
    Stop,
}

/// The thread with the database.
#[derive(Debug)]
pub(crate) struct NonceStore {
    jobs: SyncSender<Job>,
    thread: Option<JoinHandle<()>>,
}

/// A way to the thread, cheap to clone. [`ReplayStore::insert`] blocks until the nonce is on disk.
#[derive(Clone, Debug)]
pub(crate) struct Nonces(SyncSender<Job>);

impl NonceStore {
    /// Opens or creates the store in `dir`.
    pub(crate) fn open(dir: &Path) -> Result<Self, Error> {
        let path = dir.join(FILE);
        let fail = |reason: String| Error::Nonces { path: path.clone(), reason };
        std::fs::create_dir_all(dir).map_err(|error| fail(error.to_string()))?;
        let database = Database::create(&path).map_err(|error| fail(error.to_string()))?;
        let (jobs, waiting) = sync_channel(BATCH);
        let thread = std::thread::Builder::new()
            .name("acumen-nonces".to_owned())
            .spawn(move || serve(&database, &waiting))
            .map_err(|error| fail(error.to_string()))?;
        Ok(Self { jobs, thread: Some(thread) })
    }

    pub(crate) fn handle(&self) -> Nonces {
        Nonces(self.jobs.clone())
    }
}

impl Drop for NonceStore {
    /// Ends the thread, which closes the file: the next process can open it at once.
    fn drop(&mut self) {
        // If the thread is gone already, there is nobody to tell.
        let _ = self.jobs.send(Job::Stop);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

impl ReplayStore for Nonces {
    fn insert(&mut self, sender: &AccountId, nonce: u64, now: u64) -> Result<bool, String> {
        let closed = || "the store is closed".to_owned();
        let (reply, answer) = sync_channel(1);
        self.0.send(Job::Insert { sender: *sender, nonce, now, reply }).map_err(|_| closed())?;
        answer.recv().map_err(|_| closed())?
    }
}

type Insert = (AccountId, u64, u64, SyncSender<Result<bool, String>>);

fn serve(database: &Database, jobs: &Receiver<Job>) {
    let mut stop = false;
    while !stop {
        let mut batch: Vec<Insert> = Vec::new();
        let Ok(first) = jobs.recv() else { return };
        for job in std::iter::once(first).chain(jobs.try_iter().take(BATCH - 1)) {
            match job {
                Job::Insert { sender, nonce, now, reply } => batch.push((sender, nonce, now, reply)),
                Job::Stop => stop = true,
            }
        }
        let verdicts = commit(database, &batch).map_err(|error| error.to_string());
        for (index, (.., reply)) in batch.iter().enumerate() {
            let verdict = verdicts.as_ref().map(|fresh| fresh[index]).map_err(Clone::clone);
            // A caller that has gone needs no answer; its nonce stays used.
            let _ = reply.send(verdict);
        }
    }
}

/// Marks a batch as used in one durable transaction; true for those that were fresh.
fn commit(database: &Database, batch: &[Insert]) -> Result<Vec<bool>, redb::Error> {
    let Some(now) = batch.iter().map(|(_, _, now, _)| *now).max() else { return Ok(Vec::new()) };
    let transaction = database.begin_write()?;
    let mut fresh = Vec::with_capacity(batch.len());
    {
        let mut floors = transaction.open_table(FLOOR)?;
        let mut nonces = transaction.open_table(NONCES)?;
        let floor = floors.get(FLOOR_KEY)?.map_or(0, |floor| floor.value());
        for (sender, nonce, ..) in batch {
            let known = *nonce < floor || nonces.insert((*nonce, &sender.0), ())?.is_some();
            fresh.push(!known);
        }
        let floor = floor.max(now.saturating_sub(AUTH_RETENTION_NS));
        nonces.retain_in(..(floor, &[0; 32]), |_, ()| false)?;
        floors.insert(FLOOR_KEY, floor)?;
    }
    transaction.commit()?;
    Ok(fresh)
}

#[cfg(test)]
mod tests;
