//! Parameters of consensus, with the defaults of a new subnet upstream.
//!
//! `u16` proportions are of 65 535. Source: `init_new_network` of `opentensor/subtensor@14bc6f9f`.

use crate::Error;

/// A moving average cannot keep more than all of it: parts per million.
const PPM: u64 = 1_000_000;

/// What the chain fixes about one track's consensus.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Params {
    /// Share of stake that must back a weight for it to be consensus, of 65 535.
    pub kappa: u16,
    /// Share of the old bond that survives an epoch, parts per million.
    pub bonds_moving_average: u64,
    /// How far weights above consensus are cut before they become bonds: 0 not at all, 65 535 wholly.
    pub bonds_penalty: u16,
    /// Bonds as absolute proportions, stake applied to dividends (Yuma 3); off is the earlier form.
    pub yuma3: bool,
    /// Per-entry moving average (Yuma 3 only); `None` uses `bonds_moving_average` for all.
    pub liquid_alpha: Option<LiquidAlpha>,
    /// Blocks without new weights after which a validator counts as inactive.
    pub activity_cutoff: u64,
    /// Permits handed out each epoch.
    pub max_allowed_validators: u16,
    /// Stake below this, in base units, counts as none (the owner's always counts).
    pub min_stake: u64,
    /// Weights committed before the target registered are dropped.
    pub commit_reveal: bool,
    /// Neurons that ask for it ([`crate::Neuron::bonds_reset`]) lose the bonds held on them.
    pub bonds_reset: bool,
}

/// Bounds and slope of the per-entry moving average.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LiquidAlpha {
    /// Smallest share of the new weight, of 65 535.
    pub low: u16,
    /// Largest share of the new weight, of 65 535.
    pub high: u16,
    /// Slope of the sigmoid, in hundredths.
    pub steepness: i16,
}

impl Default for LiquidAlpha {
    fn default() -> Self {
        Self { low: 45_875, high: 58_982, steepness: 1_000 }
    }
}

impl Default for Params {
    fn default() -> Self {
        Self {
            kappa: 32_767,
            bonds_moving_average: 900_000,
            bonds_penalty: u16::MAX,
            yuma3: true,
            liquid_alpha: None,
            activity_cutoff: 5_000,
            max_allowed_validators: 64,
            min_stake: 0,
            commit_reveal: true,
            bonds_reset: false,
        }
    }
}

impl Params {
    /// Refuses values that no epoch can run with.
    ///
    /// # Errors
    /// A moving average above 1 000 000 ppm, or liquid alpha bounds the wrong way round.
    pub fn check(&self) -> Result<(), Error> {
        if self.bonds_moving_average > PPM {
            return Err(Error::BondsMovingAverage { ppm: self.bonds_moving_average });
        }
        match self.liquid_alpha {
            Some(LiquidAlpha { low, high, .. }) if low > high => Err(Error::LiquidAlphaRange { low, high }),
            _ => Ok(()),
        }
    }
}
