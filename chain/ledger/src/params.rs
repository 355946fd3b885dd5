//! The chain's parameters, with their defaults. The defaults are those of a new subnet upstream
//! (`opentensor/subtensor@14bc6f9f`) where it has the parameter; docs/spec/ledger.md lists them with units.

mod bounds;
mod change;

use acumen_protocol::{Epoch, Height, Nacu};
use acumen_scoring_consensus::registration::PriceRule;
use acumen_scoring_consensus::{self as consensus, LiquidAlpha};
use parity_scale_codec::{Decode, Encode};
use serde::{Deserialize, Serialize};

pub(crate) use bounds::MAX_SUPPLY_LIMIT;
pub use bounds::ParamsError;
pub use change::{ChangeError, FIXED};

use crate::serde_text::nacu;

/// What every node must agree on beyond the code. Proportions are of 65,535.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Params {
    /// Blocks per epoch, at least two.
    pub tempo_blocks: u64,
    /// Base units that a block's emission begins with; it halves each time half of what is left was issued.
    #[serde(with = "nacu")]
    pub initial_block_emission: Nacu,
    /// Issuance that emission approaches.
    #[serde(with = "nacu")]
    pub max_supply: Nacu,
    /// A track owner's part of its emission.
    pub owner_cut: u16,
    /// Largest take.
    pub max_take: u16,
    /// Take of a new hotkey.
    pub default_take: u16,
    /// Slots of a track.
    pub max_uids: u16,
    /// Permits of a track.
    pub max_validators: u16,
    /// Stake below this counts as none in an epoch, so that what a miner earns does not make it a validator.
    #[serde(with = "nacu")]
    pub stake_threshold: Nacu,
    /// A newcomer keeps its slot for so many blocks.
    pub immunity_blocks: u64,
    /// With no more than so many slots without immunity, an immune one is pruned instead.
    pub min_non_immune: u16,
    /// Share of stake that must back a weight.
    pub kappa: u16,
    /// Share of an old bond that survives an epoch, in parts per million.
    pub bonds_moving_average_ppm: u32,
    /// How far weights above consensus are cut before they become bonds.
    pub bonds_penalty: u16,
    /// Yuma 3; off is the form before.
    pub yuma3: bool,
    /// A moving average for each entry (Yuma 3 only).
    pub liquid_alpha: Option<LiquidAlphaParams>,
    /// Blocks without new weights after which a validator no longer counts.
    pub activity_cutoff_blocks: u64,
    /// Price of a track's first registration.
    #[serde(with = "nacu")]
    pub initial_price: Nacu,
    /// Lowest price of a registration.
    #[serde(with = "nacu")]
    pub min_price: Nacu,
    /// Highest price of a registration.
    #[serde(with = "nacu")]
    pub max_price: Nacu,
    /// Blocks in which the price halves; 0 keeps it.
    pub price_half_life_blocks: u16,
    /// Factor of the price after a registration, in parts per million.
    pub price_multiplier_ppm: u32,
    /// Fee of any transaction.
    #[serde(with = "nacu")]
    pub fee_base: Nacu,
    /// Fee of each byte of the signed transaction.
    #[serde(with = "nacu")]
    pub fee_per_byte: Nacu,
    /// Epoch records kept; older ones are deleted.
    pub epoch_records: u64,
    /// Weights are committed before they are shown; off, they are set openly.
    pub commit_reveal: bool,
    /// Whole epochs after the present one before stake that was taken off is free; 0 pays it at once.
    pub unbonding_epochs: u16,
    /// Whole epochs after the present one before a higher take counts.
    pub take_notice_epochs: u16,
    /// Most nodes that decide blocks: those with the most stake behind them.
    pub consensus_validators: u16,
    /// Stake that a hotkey needs for its node to be among them.
    #[serde(with = "nacu")]
    pub validator_min_stake: Nacu,
    /// Genesis' validators decide until this many hotkeys qualify …
    pub bootstrap_validators: u16,
    /// … with so much stake together.
    #[serde(with = "nacu")]
    pub bootstrap_stake: Nacu,
    /// Part of the stake, unbonding included, that an equivocation costs, in parts per million.
    pub slash_ppm: u32,
    /// Part of what is slashed that whoever proved it receives, in parts per million; the rest is burned.
    pub reporter_ppm: u32,
    /// Whole epochs for which the hotkey of a key that equivocated may not bind another.
    pub jail_epochs: u16,
    /// What a proposal burns.
    #[serde(with = "nacu")]
    pub proposal_price: Nacu,
    /// Whole epochs after the present one in which votes on a proposal count.
    pub voting_epochs: u16,
    /// Epochs between a proposal's adoption and its effect.
    pub timelock_epochs: u16,
    /// Part of all stake that must vote on a proposal, in parts per million.
    pub quorum_ppm: u32,
    /// Part of the voting stake that must be in favour, in parts per million: more than this.
    pub approval_ppm: u32,
}

/// Bounds and slope of liquid alpha.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LiquidAlphaParams {
    /// Smallest share of a new weight.
    pub low: u16,
    /// Largest share of a new weight.
    pub high: u16,
    /// Slope of the sigmoid, in hundredths.
    pub steepness: i16,
}

impl Default for Params {
    fn default() -> Self {
        Self {
            tempo_blocks: 360,
            initial_block_emission: Nacu::new(1_000_000_000),
            max_supply: Nacu::new(21_000_000_000_000_000),
            owner_cut: 11_796,
            max_take: 11_796,
            default_take: 11_796,
            max_uids: 256,
            max_validators: 64,
            stake_threshold: Nacu::new(1_000_000_000_000),
            immunity_blocks: 5_000,
            min_non_immune: 10,
            kappa: 32_767,
            bonds_moving_average_ppm: 900_000,
            bonds_penalty: u16::MAX,
            yuma3: true,
            liquid_alpha: None,
            activity_cutoff_blocks: 5_000,
            initial_price: Nacu::new(1_000_000_000),
            min_price: Nacu::new(500_000),
            max_price: Nacu::new(100_000_000_000),
            price_half_life_blocks: 360,
            price_multiplier_ppm: 1_260_000,
            fee_base: Nacu::new(100_000),
            fee_per_byte: Nacu::new(100),
            epoch_records: 256,
            commit_reveal: true,
            unbonding_epochs: 20,
            take_notice_epochs: 20,
            consensus_validators: 64,
            validator_min_stake: Nacu::new(1_000_000_000_000),
            bootstrap_validators: 4,
            bootstrap_stake: Nacu::new(100_000_000_000_000),
            slash_ppm: 50_000,
            reporter_ppm: 50_000,
            jail_epochs: 20,
            proposal_price: Nacu::new(10_000_000_000),
            voting_epochs: 10,
            timelock_epochs: 5,
            quorum_ppm: 333_334,
            approval_ppm: 500_000,
        }
    }
}

impl Params {
    /// The parameters of consensus: the one place where the chain's become the epoch's.
    #[must_use]
    pub fn consensus(&self) -> consensus::Params {
        consensus::Params {
            kappa: self.kappa,
            bonds_moving_average: u64::from(self.bonds_moving_average_ppm),
            bonds_penalty: self.bonds_penalty,
            yuma3: self.yuma3,
            liquid_alpha: self.liquid_alpha.map(|alpha| LiquidAlpha {
                low: alpha.low,
                high: alpha.high,
                steepness: alpha.steepness,
            }),
            activity_cutoff: self.activity_cutoff_blocks,
            max_allowed_validators: self.max_validators,
            min_stake: self.stake_threshold.get(),
            commit_reveal: self.commit_reveal,
            bonds_reset: false,
        }
    }

    /// How the registration price moves.
    #[must_use]
    pub fn price_rule(&self) -> PriceRule {
        self.try_price_rule().unwrap_or_default()
    }

    fn try_price_rule(&self) -> Result<PriceRule, ParamsError> {
        let (min, max) = (self.min_price.get(), self.max_price.get());
        PriceRule::new(min, max, self.price_half_life_blocks, self.price_multiplier_ppm)
            .map_err(|error| ParamsError { name: "price", reason: error.to_string() })
    }

    /// The epoch to which the block at `height` belongs: epoch `n` ends with block `n × tempo_blocks`. Genesis is in
    /// epoch 0.
    #[must_use]
    pub fn epoch_of(&self, height: Height) -> Epoch {
        let finished = height.get().checked_add(self.tempo_blocks).and_then(|sum| sum.checked_sub(1));
        Epoch::new(finished.and_then(|sum| sum.checked_div(self.tempo_blocks)).unwrap_or(0))
    }

    /// The block that ends `epoch`.
    #[must_use]
    pub const fn last_block_of(&self, epoch: Epoch) -> Height {
        Height::new(epoch.get().saturating_mul(self.tempo_blocks))
    }

    /// The first block of `epoch`.
    #[must_use]
    pub const fn first_block_of(&self, epoch: Epoch) -> Height {
        Height::new(epoch.get().saturating_sub(1).saturating_mul(self.tempo_blocks).saturating_add(1))
    }

    /// The oldest epoch of which evidence counts in the block at `height`: stake that stood behind a vote then is still
    /// there.
    #[must_use]
    pub fn oldest_evidence(&self, height: Height) -> Epoch {
        let window = u64::from(self.unbonding_epochs.max(1));
        Epoch::new(self.epoch_of(height).get().saturating_sub(window))
    }

    /// The epoch that is `epochs` whole epochs after the one of the block at `height`.
    #[must_use]
    pub fn epochs_after(&self, height: Height, epochs: u16) -> Epoch {
        Epoch::new(self.epoch_of(height).get().saturating_add(u64::from(epochs)))
    }

    /// True if the block at `height` ends an epoch.
    #[must_use]
    pub fn ends_epoch(&self, height: Height) -> bool {
        height > Height::ZERO && height.get().checked_rem(self.tempo_blocks) == Some(0)
    }
}

#[cfg(test)]
mod tests;
