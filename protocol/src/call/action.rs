//! What a governance proposal would do if it is adopted.
#![allow(clippy::as_conversions, reason = "the SCALE derive writes a variant's index with `as`")]

use parity_scale_codec::{Decode, Encode};

use crate::{AccountId, TrackId};

/// A change of the rules. The order of the variants is part of the encoding: append only.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[non_exhaustive]
pub enum Action {
    /// Sets one parameter of the ledger.
    SetParameter {
        /// Its name, as docs/spec/ledger.md lists it.
        name: String,
        /// Its value as in a genesis document, amounts as digits without quotes: `360`, `true`, `1000000000`.
        value: String,
    },
    /// Opens a track.
    CreateTrack {
        /// Its name.
        name: String,
        /// Coldkey that receives the owner's cut.
        owner: AccountId,
        /// Part of emission, relative to the other tracks'.
        emission_share: u16,
    },
    /// Changes a track's part of emission.
    SetTrackShare {
        /// The track.
        track: TrackId,
        /// Part of emission, relative to the other tracks'; 0 pays nothing.
        emission_share: u16,
    },
}
