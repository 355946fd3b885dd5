//! The engine's write-ahead log, kept in [`Log`]. A failure is reported before the engine hears of it: the engine stops
//! signing and waits for ever, the node ends with a report.

use std::io;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use arc_malachitebft_app_channel::app::consensus::Input;
use arc_malachitebft_app_channel::app::engine::wal::{Msg, WalRef, WalReply, decode_entry, encode_entry};
use async_trait::async_trait;
use ractor::{Actor, ActorProcessingErr, ActorRef, SpawnErr};
use tokio::sync::mpsc;

use crate::log::Log;
use crate::types::Chain;
use crate::wire::Scale;

/// What the disk said.
#[derive(Debug)]
pub(crate) struct Fault {
    pub(crate) path: PathBuf,
    pub(crate) error: io::Error,
}

struct Journal {
    log: Arc<Mutex<Log>>,
    faults: mpsc::Sender<Fault>,
}

/// Spawns it over an open log.
pub(crate) async fn spawn(
    log: Arc<Mutex<Log>>,
    faults: mpsc::Sender<Fault>,
) -> Result<WalRef<Chain>, SpawnErr> {
    let (journal, _) = Actor::spawn(None, Journal { log, faults }, ()).await?;
    Ok(journal)
}

impl Journal {
    /// Works on the log off the async threads.
    async fn on<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Log) -> io::Result<T> + Send + 'static,
    ) -> io::Result<T> {
        let log = self.log.clone();
        let done = tokio::task::spawn_blocking(move || {
            let mut log = log.lock().unwrap_or_else(PoisonError::into_inner);
            let path = log.path().to_owned();
            work(&mut log).map_err(|error| Fault { path, error })
        });
        match done.await {
            Ok(Ok(value)) => Ok(value),
            Ok(Err(fault)) => {
                let told = io::Error::new(fault.error.kind(), fault.error.to_string());
                // The first fault is the one that counts; who listens may be gone already.
                let _ = self.faults.try_send(fault);
                Err(told)
            }
            Err(error) => Err(io::Error::other(error)),
        }
    }
}

fn answer<T>(reply: WalReply<T>, result: io::Result<T>) {
    // The engine that asked may be gone.
    let _ = reply.send(result.map_err(Into::into));
}

type Entries = Vec<io::Result<Input<Chain>>>;

/// Never goes back: what this node has signed at a later height is not forgotten for an earlier one.
fn begin(log: &mut Log, height: u64) -> io::Result<()> {
    let newest = log.height();
    if newest > height {
        return Err(io::Error::other(format!("it is about block {newest}, the chain is at {height}")));
    }
    log.start(height)
}

fn read(log: &mut Log, height: u64) -> io::Result<Entries> {
    if log.height() != height || log.blank() {
        begin(log, height)?;
    }
    Ok(log.records().iter().map(|record| decode_entry(&Scale, record.as_slice())).collect())
}

#[async_trait]
impl Actor for Journal {
    type Msg = Msg<Chain>;
    /// The height whose records were read.
    type State = Option<u64>;
    type Arguments = ();

    async fn pre_start(&self, _: ActorRef<Self::Msg>, (): ()) -> Result<Option<u64>, ActorProcessingErr> {
        Ok(None)
    }

    async fn handle(
        &self,
        _: ActorRef<Self::Msg>,
        message: Self::Msg,
        started: &mut Option<u64>,
    ) -> Result<(), ActorProcessingErr> {
        match message {
            Msg::StartedHeight(height, reply) if *started == Some(height.0) => answer(reply, Ok(Vec::new())),
            Msg::StartedHeight(height, reply) => {
                *started = Some(height.0);
                answer(reply, self.on(move |log| read(log, height.0)).await);
            }
            Msg::Reset(height, reply) => {
                *started = Some(height.0);
                answer(reply, self.on(move |log| begin(log, height.0)).await);
            }
            Msg::Append(height, _, reply) if *started != Some(height.0) => answer(reply, Ok(())),
            Msg::Append(_, entry, reply) => {
                let mut bytes = Vec::new();
                let encoded = encode_entry(entry, &Scale, &mut bytes);
                let appended = match encoded {
                    Ok(()) => self.on(move |log| log.append(&bytes)).await,
                    Err(error) => Err(error),
                };
                answer(reply, appended);
            }
            Msg::Flush(reply) => answer(reply, self.on(Log::flush).await),
            Msg::Dump => {}
        }
        Ok(())
    }
}
