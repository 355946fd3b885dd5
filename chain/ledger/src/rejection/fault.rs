//! What is wrong with evidence or with a proposal. Like refusals, part of the chain: append only.

use acumen_protocol::TrackId;
use parity_scale_codec::{Decode, Encode};

/// Why evidence proves nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode, thiserror::Error)]
#[non_exhaustive]
pub enum EvidenceFault {
    /// The two messages may stand beside each other, or are in the wrong order.
    #[error(
        "two messages of one signer, kind, height and round are needed, for different blocks, the smaller one first"
    )]
    NoConflict,
    /// A signature is not the signer's on this chain.
    #[error("a signature does not verify on this chain")]
    Signature,
}

/// Why a proposal is impossible.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, thiserror::Error)]
#[non_exhaustive]
pub enum ProposalFault {
    /// No such parameter.
    #[error("there is no parameter `{name}`")]
    Unknown {
        /// The name given.
        name: String,
    },
    /// A parameter that never changes.
    #[error("parameter `{name}` is fixed at genesis")]
    Fixed {
        /// The parameter.
        name: String,
    },
    /// Not a value for this parameter.
    #[error(
        "the value is none for parameter `{name}`: write it as in a genesis document, amounts in base units"
    )]
    Value {
        /// The parameter.
        name: String,
    },
    /// The parameters would contradict each other or leave their bounds.
    #[error("no chain can run with this value of parameter `{name}`: docs/spec/ledger.md has the bounds")]
    Bounds {
        /// The parameter.
        name: String,
    },
    /// Not a name.
    #[error("a track's name has 1 to 64 bytes of text")]
    TrackName,
    /// No room.
    #[error("there are {tracks} tracks, the limit")]
    TooManyTracks {
        /// How many.
        tracks: u16,
    },
    /// No such track.
    #[error("there is no track {track}")]
    UnknownTrack {
        /// The track.
        track: TrackId,
    },
}
