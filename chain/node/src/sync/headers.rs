//! From genesis to the wanted block, by certificates alone.

use std::collections::BTreeSet;

use acumen_chain_client::light::{LightClient, LightError, SignedHeader};
use acumen_chain_ledger::Genesis;
use acumen_chain_store::StoredBlock;
use acumen_protocol::{Hash, Height};

use super::error::{Failure, SyncError};
use super::source::{PAUSE, Source, Sources};
use super::to_stored;

/// Headers asked for at a time.
const AT_A_TIME: u32 = 256;

/// What has been verified on the way from genesis. The headers that end epochs are kept: those who ask this node later
/// must pass them too.
pub(super) struct CertifiedPath {
    light: LightClient,
    tempo: u64,
    ends: Vec<SignedHeader>,
}

impl CertifiedPath {
    pub(super) fn new(genesis: &Genesis) -> Result<Self, SyncError> {
        let light = LightClient::from_genesis(genesis)?;
        Ok(Self { light, tempo: genesis.params.tempo_blocks.max(1), ends: Vec::new() })
    }

    pub(super) const fn genesis(&self) -> Hash {
        self.light.genesis()
    }

    /// The headers of the epochs' last blocks.
    pub(super) fn into_ends(self) -> Vec<SignedHeader> {
        self.ends
    }

    /// Goes on to the block at `wanted`, with whichever node can show the way. `None`: nodes can be asked, and none of
    /// them has this block.
    pub(super) async fn follow(
        &mut self,
        sources: &mut Sources,
        wanted: Height,
    ) -> Result<Option<StoredBlock>, SyncError> {
        let mut without = BTreeSet::new();
        loop {
            let usable = sources.usable();
            if usable.is_empty() {
                let pruned = sources.any_pruned();
                return Err(if pruned { SyncError::Pruned { height: wanted } } else { sources.exhausted() });
            }
            let Some(source) = usable.into_iter().find(|source| !without.contains(&source.url)) else {
                return Ok(None);
            };
            match self.with(&source, wanted).await {
                Ok(block) => return Ok(Some(block)),
                Err(failure @ Failure::Missing(_)) => {
                    sources.lacks(&source, wanted, failure);
                    without.insert(source.url);
                }
                Err(failure) => {
                    let later = matches!(failure, Failure::Busy(_) | Failure::Unreachable(_));
                    sources.failed(&source, failure);
                    if later {
                        tokio::time::sleep(PAUSE).await;
                    }
                }
            }
        }
    }

    async fn with(&mut self, source: &Source, wanted: Height) -> Result<StoredBlock, Failure> {
        let lying = |error: LightError| Failure::Lying(error.to_string());
        let block = source.block(wanted).await?;
        let found = block.signed.header.height;
        if found != wanted {
            return Err(Failure::Lying(format!("asked for block {wanted}, it gave {found}")));
        }
        while self.light.horizon() < wanted {
            self.advance(source, wanted).await?;
        }
        self.light.clone().advance_block(block.clone()).map_err(lying)?;
        Ok(to_stored(block))
    }

    /// Takes over headers that end epochs before `wanted`: at least the next one.
    async fn advance(&mut self, source: &Source, wanted: Height) -> Result<(), Failure> {
        let first = self.light.horizon();
        let headers = source.headers(first, AT_A_TIME, self.tempo).await?;
        if headers.is_empty() {
            return Err(Failure::Lying(format!(
                "it gave block {wanted}, and no header from {first} on leads there"
            )));
        }
        for signed in headers.into_iter().filter(|signed| signed.header.height < wanted) {
            // A node that began with a state gives what it has from a height on, whatever the step.
            if signed.header.height == self.light.horizon() {
                self.light.advance(&signed).map_err(|error| Failure::Lying(error.to_string()))?;
                self.ends.push(signed);
            }
        }
        if self.light.horizon() == first {
            return Err(Failure::Missing(format!("the header of block {first}, which ends an epoch")));
        }
        Ok(())
    }
}
