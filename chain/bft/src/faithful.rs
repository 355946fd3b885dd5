//! Who may have forgotten a vote does not vote.
//!
//! Invariant (C8): what the log of votes no longer tells, or tells of blocks that the chain beside it has lost, is not
//! forgotten durably before the heights that it may be about are committed. Until then the node follows; killed meanwhile,
//! it finds at its next start what it has found at this one.

use std::io::ErrorKind;
use std::sync::{Arc, Mutex, PoisonError};

use acumen_protocol::{ConsensusKeypair, Height};
use tokio_util::sync::CancellationToken;

use crate::application::Application;
use crate::config::Config;
use crate::driver::Outcome;
use crate::error::Error;
use crate::log::Log;
use crate::run::{Link, open, over};
use crate::types::At;

/// Name of the log of a node that follows until it may vote. Nothing is ever read from it.
pub(crate) const FOLLOWER_LOG: &str = "follower.wal";

/// Name of the file by which an operator says that the node is to vote all the same. Where no quorum can do without it,
/// the height that it waits for never comes.
const ANYWAY: &str = "vote-anyway";

/// Decides blocks until `shutdown`, after those heights in which the node must not vote again.
pub(crate) async fn run<A: Application, F: Future<Output = Link> + Send>(
    config: Config,
    app: Arc<A>,
    log: Arc<Mutex<Log>>,
    link: impl Fn() -> F + Send,
    shutdown: CancellationToken,
) -> Outcome<(), A> {
    if let Some(until) = forgotten(&log, &config, &*app)? {
        let (path, anyway) = (locked(&log).path().display().to_string(), config.dir.join(ANYWAY));
        tracing::warn!(
            %path,
            "the log of votes is damaged, missing or newer than the chain: this node does not vote up to block {until}. If the others cannot decide that block without it, make an empty file {} and start again; should the key have voted on it before, that can be punished",
            anyway.display()
        );
        let follower = Config { key: None, ..config.clone() };
        let scratch = open(config.dir.join(FOLLOWER_LOG)).await?;
        begin::<A>(&scratch, 0)?;
        over(follower, app.clone(), link().await, scratch, shutdown.clone(), Some(until)).await?;
        if app.tip().0 < until.height() {
            // Told to end before that.
            return Ok(());
        }
        begin::<A>(&log, app.tip().0.get().saturating_add(1))?;
        if shutdown.is_cancelled() {
            return Ok(());
        }
    }
    over(config, app, link().await, log, shutdown, None).await
}

fn locked(log: &Mutex<Log>) -> std::sync::MutexGuard<'_, Log> {
    log.lock().unwrap_or_else(PoisonError::into_inner)
}

fn begin<A: Application>(log: &Mutex<Log>, height: u64) -> Outcome<(), A> {
    let mut log = locked(log);
    let path = log.path().to_owned();
    log.start(height).map_err(|error| Error::Log { path, reason: error.to_string() })
}

/// The last height in which this node may have voted without knowing how, if there is one. A log that belongs to nobody
/// who could contradict itself begins anew.
fn forgotten<A: Application>(log: &Mutex<Log>, config: &Config, app: &A) -> Outcome<Option<At>, A> {
    let tip = app.tip().0;
    let next = tip.get().saturating_add(1);
    let (height, unreadable, blank) = {
        let log = locked(log);
        (log.height(), log.damaged(), log.blank())
    };
    // A log of later heights than the chain's next: the chain was moved away, or restored from a copy.
    let lost = unreadable || height > next || (blank && tip > Height::ZERO);
    if !lost {
        return Ok(None);
    }
    let set = app.validators().map_err(Error::Application)?;
    // One that decides alone goes on: nobody else would ever decide what it waits for.
    let contradicts = config.key.as_ref().map(ConsensusKeypair::public).is_some_and(|key| {
        let alone = set.validators().len() == 1 && set.power(&key).is_some();
        !alone
    });
    let anyway = config.dir.join(ANYWAY);
    if contradicts && !anyway.exists() {
        return Ok(Some(At(height.max(next))));
    }
    begin::<A>(log, 0)?;
    // Said once, meant once. A file that is not there is not wanted either.
    let removed = std::fs::remove_file(&anyway).err().filter(|error| error.kind() != ErrorKind::NotFound);
    removed.map_or(Ok(None), |error| Err(Error::Log { path: anyway, reason: error.to_string() }))
}
