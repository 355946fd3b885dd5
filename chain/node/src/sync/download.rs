//! The pieces of a state, from all nodes that have it at once.

use std::sync::Arc;
use std::time::{Duration, Instant};

use acumen_chain_store::{Piece, Prefix, Restore, RestoreError};
use tokio::task::JoinSet;

use super::error::{Failure, SyncError};
use super::source::{PAUSE, Source, Sources};

/// Pieces asked of each node at a time: the next one is on its way while one is put to disk.
const PER_SOURCE: usize = 2;

/// How often progress is told.
const TELL: Duration = Duration::from_secs(5);

/// Asks until nothing is missing.
pub(super) async fn all(sources: &mut Sources, restore: &Arc<Restore>) -> Result<(), SyncError> {
    let height = restore.target().block.header.height;
    let mut told = Instant::now();
    loop {
        let usable = sources.usable();
        let missing = restore.missing(usable.len().max(1) * PER_SOURCE)?;
        if missing.is_empty() {
            return Ok(());
        }
        if usable.is_empty() {
            let pruned = sources.any_pruned();
            return Err(if pruned { SyncError::Pruned { height } } else { sources.exhausted() });
        }
        if told.elapsed() >= TELL {
            told = Instant::now();
            tracing::info!(%height, keys = restore.keys()?, "receiving the state");
        }
        let mut asked = JoinSet::new();
        for ((prefix, _), source) in missing.into_iter().zip(usable.iter().cycle().cloned()) {
            asked.spawn(async move {
                let answer = source.piece(height, &prefix).await;
                (source, prefix, answer)
            });
        }
        let mut busy = false;
        while let Some(done) = asked.join_next().await {
            let (source, prefix, answer) =
                done.map_err(|error| SyncError::Task { reason: error.to_string() })?;
            busy |= matches!(answer, Err(Failure::Busy(_) | Failure::Missing(_)));
            take(sources, restore, source, prefix, answer).await?;
        }
        if busy {
            tokio::time::sleep(PAUSE).await;
        }
    }
}

async fn take(
    sources: &mut Sources,
    restore: &Arc<Restore>,
    source: Source,
    prefix: Prefix,
    answer: Result<Piece, Failure>,
) -> Result<(), SyncError> {
    let piece = match answer {
        Ok(piece) => piece,
        Err(failure) => {
            sources.failed(&source, failure);
            return Ok(());
        }
    };
    let restore = Arc::clone(restore);
    let put = tokio::task::spawn_blocking(move || restore.put(&prefix, &piece)).await;
    match put.map_err(|error| SyncError::Task { reason: error.to_string() })? {
        Ok(()) => sources.answered(&source),
        Err(RestoreError::Piece(error)) => sources.failed(&source, Failure::Lying(error.to_string())),
        Err(RestoreError::Store(error)) => return Err(error.into()),
    }
    Ok(())
}
