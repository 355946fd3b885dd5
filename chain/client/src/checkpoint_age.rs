//! Whether the checkpoint with which trust began is too old to be trusted.

use std::fmt;

use acumen_protocol::{Height, TimestampMs};

use crate::{ChainClient, ClientError};

/// A checkpoint that is older than the chain's unbonding time. Validators of then may have taken their stake away: with
/// their keys another history can be signed from there on at no cost, and no proof shows which one is the chain's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OldCheckpoint {
    /// Its height.
    pub checkpoint: Height,
    /// The newest block, as far as the history that begins there is to be believed.
    pub tip: Height,
    /// The unbonding time in blocks.
    pub unbonding_blocks: u64,
}

impl fmt::Display for OldCheckpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "the checkpoint at height {} is older than the unbonding time of {} blocks (the tip is at height {}): \
             validators of then lose nothing by signing another history; take a newer checkpoint from somebody you trust",
            self.checkpoint, self.unbonding_blocks, self.tip
        )
    }
}

/// What is known about a checkpoint: its height and time, those of the newest block's height, and genesis' time.
struct Ages {
    checkpoint: (Height, TimestampMs),
    tip: Height,
    genesis: TimestampMs,
    now: TimestampMs,
}

impl Ages {
    /// By the blocks since then, or by the clock with blocks as long as those before the checkpoint were: a forged
    /// history may be short, but it cannot change what lies before.
    fn exceed(&self, blocks: u64) -> bool {
        let (height, time) = self.checkpoint;
        if self.tip.get().saturating_sub(height.get()) > blocks {
            return true;
        }
        let before = u128::from(time.get().saturating_sub(self.genesis.get()));
        let since = u128::from(self.now.get().saturating_sub(time.get()));
        since.saturating_mul(u128::from(height.get())) > before.saturating_mul(u128::from(blocks))
    }
}

impl ChainClient {
    /// Says so if trust began with a checkpoint that is older than the unbonding time, by the newest block or by the
    /// clock, which shows `now`. The shorter of the unbonding times of genesis and of now counts.
    pub async fn old_checkpoint(&self, now: TimestampMs) -> Result<Option<OldCheckpoint>, ClientError> {
        let anchor = self.shared.anchor.tip();
        if anchor.height == Height::ZERO {
            return Ok(None);
        }
        let first = &self.genesis().params;
        let params = Self { pinned: None, ..self.clone() }.params().await?;
        let epochs = u64::from(first.unbonding_epochs.min(params.value.unbonding_epochs));
        let unbonding_blocks = epochs.saturating_mul(first.tempo_blocks);
        let ages = Ages {
            checkpoint: (anchor.height, anchor.time),
            tip: params.at.height,
            genesis: TimestampMs::new(self.genesis().time_ms),
            now,
        };
        let old = OldCheckpoint { checkpoint: anchor.height, tip: ages.tip, unbonding_blocks };
        Ok(ages.exceed(unbonding_blocks).then_some(old))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lc3_a_checkpoint_is_old_by_blocks_or_by_the_clock() {
        let ages = |tip, now| Ages {
            checkpoint: (Height::new(100), TimestampMs::new(1_000_000)),
            tip: Height::new(tip),
            genesis: TimestampMs::new(900_000),
            now: TimestampMs::new(now),
        };
        // Blocks took a second before the checkpoint: fifty take 50,000 ms.
        for (tip, now, old) in [
            (100, 1_000_000, false),
            (150, 1_050_000, false),
            (151, 1_000_000, true),
            (101, 1_050_001, true),
            (100, 0, false),
            (u64::MAX, u64::MAX, true),
        ] {
            assert_eq!(ages(tip, now).exceed(50), old, "{tip} {now}");
        }
    }
}
