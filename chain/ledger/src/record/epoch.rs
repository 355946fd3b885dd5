//! What an epoch decided, kept for a bounded number of epochs so that everybody can read and prove a payout.

use acumen_protocol::{AccountId, Epoch, Height, Nacu, TimestampMs, TrackId};
use parity_scale_codec::{Decode, Encode};

/// The result of one epoch of one track. Vectors are indexed by uid; proportions are of 65,535.
#[derive(Clone, Debug, Default, PartialEq, Eq, Encode, Decode)]
pub struct EpochRecord {
    /// The track.
    pub track: TrackId,
    /// The epoch's number.
    pub epoch: Epoch,
    /// The block that ended it.
    pub height: Height,
    /// That block's time.
    pub time: TimestampMs,
    /// Who held the slot.
    pub hotkeys: Vec<AccountId>,
    /// Stake behind the hotkey, before the payout.
    pub stake: Vec<Nacu>,
    /// Largest weight that a majority of stake backs.
    pub consensus: Vec<u16>,
    /// Miners' shares.
    pub incentive: Vec<u16>,
    /// Validators' shares.
    pub dividends: Vec<u16>,
    /// How much of each validator's weights lies within consensus.
    pub validator_trust: Vec<u16>,
    /// Permits of the next epoch.
    pub permits: Vec<bool>,
    /// Paid for incentive.
    pub server_emission: Vec<Nacu>,
    /// Paid for dividends, delegators' part included.
    pub validator_emission: Vec<Nacu>,
    /// Paid to the track's owner: its cut and what rounding left.
    pub owner_emission: Nacu,
    /// Minted in this epoch by all tracks.
    pub minted: Nacu,
    /// Burned since the epoch before, by all fees and registrations.
    pub burned: Nacu,
    /// Issuance after the epoch: that of the epoch before, plus `minted`, minus `burned`.
    pub issuance: Nacu,
}
