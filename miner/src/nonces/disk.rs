//! The mark on disk: one number in one table, and the thread that moves it.

use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::thread::JoinHandle;

use redb::{Database, ReadableDatabase as _, ReadableTable as _, TableDefinition, TableError};
use tokio::sync::oneshot;

use super::window::Window;
use crate::Error;

/// Name of the file in `data_dir`.
const FILE: &str = "nonces.redb";

/// Moves that may wait; a full queue means that one is on its way.
const WAITING: usize = 256;

/// One entry, [`FLOOR_KEY`]: every nonce below it counts as used after a start.
const FLOOR: TableDefinition<'_, &str, u64> = TableDefinition::new("floor");
const FLOOR_KEY: &str = "floor";

/// Version 0.1.0 kept the nonces themselves here: (nonce, sender).
const NONCES_OF_0_1: TableDefinition<'_, (u64, &[u8; 32]), ()> = TableDefinition::new("nonces");

type Reply = oneshot::Sender<Result<(), String>>;

enum Job {
    Move { window: Arc<Window>, mark: u64, reply: Option<Reply> },
    Close { floor: u64 },
}

/// The thread with the database.
#[derive(Debug)]
pub(super) struct Disk {
    jobs: SyncSender<Job>,
    thread: Option<JoinHandle<()>>,
}

/// A way to the thread.
#[derive(Clone, Debug)]
pub(super) struct Marks(SyncSender<Job>);

impl Disk {
    /// Opens the file and returns the floor for this start.
    pub(super) fn open(dir: &Path) -> Result<(Self, u64), Error> {
        let path = dir.join(FILE);
        let fail = |reason: String| Error::Nonces { path: path.clone(), reason };
        std::fs::create_dir_all(dir).map_err(|error| fail(error.to_string()))?;
        let database = Database::create(&path).map_err(|error| fail(error.to_string()))?;
        let floor = read(&database).map_err(|error| fail(error.to_string()))?;
        let (jobs, waiting) = sync_channel(WAITING);
        let named = path.clone();
        let thread = std::thread::Builder::new()
            .name("acumen-nonces".to_owned())
            .spawn(move || serve(&database, &waiting, floor, &named))
            .map_err(|error| fail(error.to_string()))?;
        Ok((Self { jobs, thread: Some(thread) }, floor))
    }

    pub(super) fn marks(&self) -> Marks {
        Marks(self.jobs.clone())
    }

    /// Writes the floor for the next start and ends the thread, which closes the file.
    pub(super) fn close(&mut self, floor: u64) {
        // If the thread is gone already, there is nobody to tell.
        let _ = self.jobs.send(Job::Close { floor });
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

impl Marks {
    /// Moves the mark in the background.
    pub(super) fn ask(&self, window: &Arc<Window>, mark: u64) {
        if window.ask(mark) {
            // A full queue means that the mark is moving; whoever needs it further waits in `reach`.
            let _ = self.0.try_send(Job::Move { window: Arc::clone(window), mark, reply: None });
        }
    }

    /// Moves the mark and waits until it is on disk.
    pub(super) async fn reach(&self, window: &Arc<Window>, mark: u64) -> Result<(), String> {
        let (reply, moved) = oneshot::channel();
        window.ask(mark);
        self.0.try_send(Job::Move { window: Arc::clone(window), mark, reply: Some(reply) }).map_err(
            |error| match error {
                TrySendError::Full(_) => "too many requests wait for the disk".to_owned(),
                TrySendError::Disconnected(_) => "the store is closed".to_owned(),
            },
        )?;
        moved.await.map_err(|_| "the store is closed".to_owned())?
    }
}

/// The floor, and what version 0.1.0 left.
fn read(database: &Database) -> Result<u64, redb::Error> {
    let transaction = database.begin_read()?;
    let floor = match transaction.open_table(FLOOR) {
        Ok(table) => table.get(FLOOR_KEY)?.map_or(0, |floor| floor.value()),
        Err(TableError::TableDoesNotExist(_)) => 0,
        Err(error) => return Err(error.into()),
    };
    let newest = match transaction.open_table(NONCES_OF_0_1) {
        Ok(table) => table.last()?.map_or(0, |(key, _)| key.value().0.saturating_add(1)),
        Err(TableError::TableDoesNotExist(_)) => 0,
        Err(error) => return Err(error.into()),
    };
    Ok(floor.max(newest))
}

fn serve(database: &Database, jobs: &Receiver<Job>, mut on_disk: u64, path: &Path) {
    while let Ok(job) = jobs.recv() {
        match job {
            Job::Move { window, mark, reply } => {
                let moved = if mark <= on_disk { Ok(()) } else { write(database, mark) };
                if moved.is_ok() {
                    on_disk = on_disk.max(mark);
                    window.marked(on_disk);
                }
                let moved = moved.map_err(|error| error.to_string());
                if let Err(reason) = &moved {
                    tracing::error!(path = %path.display(), reason, "the store of used nonces failed");
                }
                // A caller that has gone needs no answer.
                let _ = reply.map(|reply| reply.send(moved));
            }
            Job::Close { floor } => {
                // The mark may be ahead of what was used; if this fails, the next start waits until it has passed.
                if let Err(error) = write(database, floor) {
                    tracing::warn!(path = %path.display(), %error, "the store of used nonces was not closed cleanly");
                }
                return;
            }
        }
    }
}

fn write(database: &Database, floor: u64) -> Result<(), redb::Error> {
    let transaction = database.begin_write()?;
    transaction.open_table(FLOOR)?.insert(FLOOR_KEY, floor)?;
    transaction.delete_table(NONCES_OF_0_1)?;
    transaction.commit()?;
    Ok(())
}
