//! From genesis to the wanted block, by certificates alone.

use acumen_chain_client::light::{LightClient, LightError, SignedHeader};
use acumen_chain_ledger::Genesis;
use acumen_chain_store::StoredBlock;
use acumen_protocol::Height;

use super::error::{Failure, SyncError};
use super::source::{Source, Sources};
use super::to_stored;

/// Headers asked for at a time.
const AT_A_TIME: u32 = 256;

/// Follows the chain to the block at `wanted`, with whichever node can show the way. The headers at which the validator
/// set changed come back with it, for those who will ask this node.
pub(super) async fn follow(
    sources: &mut Sources,
    light: &mut LightClient,
    genesis: &Genesis,
    wanted: Height,
) -> Result<(Vec<SignedHeader>, StoredBlock), SyncError> {
    let mut changes = Vec::new();
    let tempo = genesis.params.tempo_blocks;
    loop {
        let Some(source) = sources.usable().into_iter().next() else { return Err(sources.exhausted()) };
        match with(&source, light, &mut changes, wanted, tempo).await {
            Ok(block) => return Ok((changes, block)),
            Err(failure) => sources.failed(&source, failure),
        }
    }
}

async fn with(
    source: &Source,
    light: &mut LightClient,
    changes: &mut Vec<SignedHeader>,
    wanted: Height,
    tempo: u64,
) -> Result<StoredBlock, Failure> {
    let lying = |error: LightError| Failure::Lying(error.to_string());
    let block = source.block(wanted).await?;
    if block.signed.header.height != wanted {
        return Err(Failure::Lying(format!(
            "asked for block {wanted}, it gave {}",
            block.signed.header.height
        )));
    }
    while let Err(error) = light.verify(&block.signed) {
        let known = light.height();
        let ahead = matches!(error, LightError::UnknownSet { .. }) && known < wanted;
        if !ahead {
            return Err(lying(error));
        }
        // The set changes with an epoch's last block; if the tempo itself has changed, every header is looked at.
        advance(source, light, changes, known.get() - known.get() % tempo + tempo, tempo, wanted).await?;
        if light.height() == known {
            advance(source, light, changes, known.get() + 1, 1, wanted).await?;
        }
        if light.height() == known {
            return Err(Failure::Lying("its headers do not lead to its tip".to_owned()));
        }
    }
    light.clone().advance_block(block.clone()).map_err(lying)?;
    Ok(to_stored(block))
}

/// Takes headers from `from` on as far as they can be trusted.
async fn advance(
    source: &Source,
    light: &mut LightClient,
    changes: &mut Vec<SignedHeader>,
    from: u64,
    step: u64,
    wanted: Height,
) -> Result<(), Failure> {
    let headers = source.headers(Height::new(from), AT_A_TIME, step).await?;
    for signed in headers.into_iter().filter(|signed| signed.header.height <= wanted) {
        match light.advance(&signed) {
            Ok(_) => {}
            Err(LightError::UnknownSet { .. }) => return Ok(()),
            Err(error) => return Err(Failure::Lying(error.to_string())),
        }
        if signed.next_validators.is_some() {
            changes.push(signed);
        }
    }
    Ok(())
}
