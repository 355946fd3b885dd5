//! The chain's parameters, with their defaults. The defaults are those of a new subnet upstream
//! (`opentensor/subtensor@14bc6f9f`) where it has the parameter; docs/spec/ledger.md lists them with units.

use acumen_protocol::{Epoch, Height, Nacu};
use acumen_scoring_consensus::registration::PriceRule;
use acumen_scoring_consensus::{self as consensus, LiquidAlpha};
use parity_scale_codec::{Decode, Encode};
use serde::{Deserialize, Serialize};

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
        }
    }
}

/// A parameter that no chain can run with.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("parameter `{name}`: {reason}")]
pub struct ParamsError {
    /// The parameter.
    pub name: &'static str,
    /// What is wrong, and what is allowed.
    pub reason: String,
}

impl Params {
    /// Refuses values that no chain can run with.
    pub fn check(&self) -> Result<(), ParamsError> {
        let refuse = |name, reason: &str| Err(ParamsError { name, reason: reason.to_owned() });
        if !(2..=MAX_TEMPO).contains(&self.tempo_blocks) {
            return refuse("tempo_blocks", "must lie between 2 and 50400");
        }
        if self.max_uids == 0 || self.max_validators == 0 {
            return refuse("max_uids, max_validators", "must be above zero");
        }
        if self.max_take < self.default_take {
            return refuse("default_take", "is above max_take");
        }
        if self.epoch_records == 0 {
            return refuse("epoch_records", "must be above zero: payouts could not be read");
        }
        if self.max_supply > MAX_SUPPLY_LIMIT {
            return refuse("max_supply", "must not exceed 2^55 base units");
        }
        self.consensus()
            .check()
            .map_err(|error| ParamsError { name: "consensus", reason: error.to_string() })?;
        self.try_price_rule().map(|_| ())
    }

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
            commit_reveal: true,
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

    /// True if the block at `height` ends an epoch.
    #[must_use]
    pub fn ends_epoch(&self, height: Height) -> bool {
        height > Height::ZERO && height.get().checked_rem(self.tempo_blocks) == Some(0)
    }
}

/// Longest tempo: upstream's limit, and a bound of the minting loop.
const MAX_TEMPO: u64 = 50_400;

/// Issuance below 2^55 keeps every product of shares and stake in 128 bits (see `mint`).
pub(crate) const MAX_SUPPLY_LIMIT: Nacu = Nacu::new(1 << 55);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn epochs_end_with_multiples_of_the_tempo() {
        let params = Params { tempo_blocks: 5, ..Params::default() };
        let epochs: Vec<u64> = (0..=11).map(|h| params.epoch_of(Height::new(h)).get()).collect();
        assert_eq!(epochs, [0, 1, 1, 1, 1, 1, 2, 2, 2, 2, 2, 3]);
        let ends: Vec<u64> = (0..=11).filter(|h| params.ends_epoch(Height::new(*h))).collect();
        assert_eq!(ends, [5, 10]);
    }

    #[test]
    fn impossible_parameters_are_refused() {
        assert_eq!(Params::default().check(), Ok(()));
        let changes: [fn(&mut Params); 6] = [
            |p| p.tempo_blocks = 1,
            |p| p.max_uids = 0,
            |p| p.default_take = u16::MAX,
            |p| p.bonds_moving_average_ppm = 1_000_001,
            |p| p.min_price = Nacu::new(u64::MAX),
            |p| p.max_supply = Nacu::new(1 << 56),
        ];
        for change in changes {
            let mut params = Params::default();
            change(&mut params);
            assert!(params.check().is_err(), "{params:?}");
        }
    }
}
