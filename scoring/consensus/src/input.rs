//! What an epoch reads and what it returns. All vectors are indexed by uid.

use crate::{Error, MAX_NEURONS, SparseRows};

/// One slot of a track as the epoch sees it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Neuron {
    /// Stake weight in base units, inheritance and conversion already applied.
    pub stake: u64,
    /// Block of the last accepted weights.
    pub last_update: u64,
    /// Block in which the current holder took the slot.
    pub block_at_registration: u64,
    /// May its weights count this epoch? (The permit given by the epoch before.)
    pub permit: bool,
    /// Block of its earliest unexpired commit, if it has one (read under commit-reveal only).
    pub commit_block: Option<u64>,
    /// Asked for the bonds held on it to be cleared (read where the parameter allows it).
    pub bonds_reset: bool,
}

/// The state an epoch starts from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EpochInput {
    /// Current block.
    pub block: u64,
    /// First block after the previous epoch; `None` before the first, which counts as `block - tempo`.
    pub last_tempo: Option<u64>,
    /// Blocks per epoch.
    pub tempo: u64,
    /// Slot of the track's owner: always permitted, and may weigh itself.
    pub owner_uid: Option<u16>,
    /// The slots, in order of uid.
    pub neurons: Vec<Neuron>,
    /// Row `i`: weights that uid `i` set, any scale.
    pub weights: SparseRows,
    /// Row `i`: bonds of uid `i` as the previous epoch returned them.
    pub bonds: SparseRows,
    /// Base units to be split over both halves, miners' and validators'.
    pub emission: u64,
}

impl EpochInput {
    /// The block that separates bonds to keep from bonds on slots registered since.
    pub(crate) fn bonds_horizon(&self) -> u64 {
        self.last_tempo.unwrap_or_else(|| self.block.saturating_sub(self.tempo))
    }

    /// Refuses shapes that do not fit together.
    ///
    /// # Errors
    /// Too many neurons, matrices of another size, an owner that is no uid.
    pub fn check(&self) -> Result<(), Error> {
        let n = self.neurons.len();
        if n > MAX_NEURONS {
            return Err(Error::TooManyNeurons { n, max: MAX_NEURONS });
        }
        for rows in [self.weights.n(), self.bonds.n()] {
            if rows != n {
                return Err(Error::RowCount { n, rows });
            }
        }
        match self.owner_uid {
            Some(owner) if usize::from(owner) >= n => Err(Error::OwnerOutOfRange { owner, n }),
            _ => Ok(()),
        }
    }
}

/// What an epoch decided. Proportions are `u16` of 65 535, rounded down.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EpochOutput {
    /// Largest weight that `kappa` of the active stake backs, per uid.
    pub consensus: Vec<u16>,
    /// Miners' shares.
    pub incentive: Vec<u16>,
    /// Validators' shares.
    pub dividends: Vec<u16>,
    /// How much of each validator's weights lies within consensus.
    pub validator_trust: Vec<u16>,
    /// Normalised stake.
    pub stake_weight: Vec<u16>,
    /// Set weights recently enough to count.
    pub active: Vec<bool>,
    /// Permits of the next epoch.
    pub validator_permits: Vec<bool>,
    /// Bonds to store.
    pub bonds: SparseRows,
    /// Base units for incentive.
    pub server_emission: Vec<u64>,
    /// Base units for dividends (or stake, where nobody earned either).
    pub validator_emission: Vec<u64>,
    /// Both together, rounded once: the number that orders pruning.
    pub emission: Vec<u64>,
}

impl EpochOutput {
    /// Base units of `emission` that rounding left over: `emission - Σ server - Σ validator`.
    ///
    /// Every payout is a floor of shares that sum to at most one, so this is never negative.
    #[must_use]
    pub fn remainder(&self, emission: u64) -> u64 {
        let paid = self.server_emission.iter().chain(&self.validator_emission);
        emission.saturating_sub(paid.fold(0, |sum, &part| sum.saturating_add(part)))
    }
}
