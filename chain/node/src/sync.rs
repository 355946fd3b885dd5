//! How a node without data begins: it follows the certificates from genesis to a recent block, receives that block's state
//! in pieces from other nodes, each verified alone against the certified state root, and puts it in place by one rename.
//! After that it goes on block by block.
//!
//! Nobody is believed. A node whose answer does not verify is named in the log and asked no more; one that is down or has
//! pruned the state is passed over; one that claims a tip and has no block there is not asked again where the chain
//! stands. A start that was interrupted goes on where it stopped.

mod download;
mod error;
mod follow;
mod headers;
mod source;

use std::path::Path;
use std::sync::Arc;

use acumen_chain_ledger::Genesis;
use acumen_chain_store::{Options, Restore, StoredBlock};
use acumen_protocol::{Hash, Height};

pub use error::SyncError;
pub(crate) use follow::Follow;
use headers::CertifiedPath;
use source::{PAUSE, Sources};

/// A state this far behind the newest tip will do: nodes that lag a little can then serve it too.
const LAG: u64 = 8;

/// States begun, at most, because those before were pruned in the meantime.
const ATTEMPTS: usize = 5;

/// Receives a state into `dir` from the nodes at `urls`, if there is no chain yet. A chain that has no block, or nobody
/// to ask who has one, is begun from genesis.
pub(crate) async fn restore(
    dir: &Path,
    genesis: &Genesis,
    urls: &[String],
    options: Options,
) -> Result<(), SyncError> {
    if urls.is_empty() || !Restore::is_needed(dir) {
        return Ok(());
    }
    for attempt in 1..=ATTEMPTS {
        match begin(dir, genesis, urls, options).await {
            Err(SyncError::Pruned { height }) if attempt < ATTEMPTS => {
                tracing::warn!(%height, "no node keeps this state any longer; beginning again with a newer one");
                remove_partial(dir, options)?;
            }
            result => return result,
        }
    }
    Ok(())
}

async fn begin(dir: &Path, genesis: &Genesis, urls: &[String], options: Options) -> Result<(), SyncError> {
    let mut sources = Sources::new(urls)?;
    let mut path = CertifiedPath::new(genesis)?;
    let unfinished = Restore::resume(dir, options)?;
    let begun = unfinished.as_ref().map(|restore| restore.target().block.header.height);
    let (wanted, block) = loop {
        let wanted = match begun {
            Some(height) => height,
            None => target(&mut sources, path.genesis()).await?,
        };
        if wanted == Height::ZERO {
            return Ok(());
        }
        tracing::info!(height = %wanted, "following the chain's certificates to a state");
        match path.follow(&mut sources, wanted).await? {
            Some(block) => break (wanted, block),
            None if begun.is_some() => return Err(SyncError::Pruned { height: wanted }),
            // Who claimed so much is not counted any more.
            None => {}
        }
    };
    let restore = match unfinished {
        Some(restore) if restore.target().block == block.block => restore,
        _ => Restore::begin(dir, block, options)?,
    };
    let restore = Arc::new(restore);
    download::all(&mut sources, &restore).await?;
    let document = genesis.clone();
    let finished = tokio::task::spawn_blocking(move || match Arc::try_unwrap(restore) {
        Ok(restore) => restore.finish(&document, &path.into_ends()).map_err(SyncError::from),
        Err(_) => Err(SyncError::Task { reason: "a download goes on after its end".to_owned() }),
    });
    finished.await.map_err(|error| SyncError::Task { reason: error.to_string() })??;
    tracing::info!(height = %wanted, "the state is in place");
    Ok(())
}

/// The height whose state is worth receiving: a little behind the newest tip that anybody claims. A claim that is a lie
/// shows when its block is asked for, and the next target is chosen without it.
async fn target(sources: &mut Sources, genesis: Hash) -> Result<Height, SyncError> {
    let claims = loop {
        let unasked = sources.unasked();
        for source in &unasked {
            match source.tip(genesis).await {
                Ok(tip) => sources.claimed(source, tip),
                Err(failure) => sources.failed(source, failure),
            }
        }
        let claims = sources.claims();
        if !claims.is_empty() || unasked.is_empty() {
            break claims;
        }
        tokio::time::sleep(PAUSE).await;
    };
    let (Some(newest), Some(oldest)) = (claims.iter().max(), claims.iter().min()) else {
        return Err(sources.exhausted());
    };
    Ok((*oldest).max(Height::new(newest.get().saturating_sub(LAG))))
}

/// A state that nobody serves any longer is of no use.
fn remove_partial(dir: &Path, options: Options) -> Result<(), SyncError> {
    if let Some(restore) = Restore::resume(dir, options)? {
        restore.discard()?;
    }
    Ok(())
}

/// A block as it came, in the store's form.
fn to_stored(block: acumen_chain_client::light::FinalizedBlock) -> StoredBlock {
    StoredBlock {
        block: acumen_protocol::Block { header: block.signed.header, transactions: block.transactions },
        certificate: block.signed.certificate,
        next_validators: block.signed.next_validators,
        events: block.events,
        audit: None,
    }
}
