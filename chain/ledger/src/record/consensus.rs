//! What the ledger knows about a consensus key.

use acumen_protocol::{AccountId, Height};
use parity_scale_codec::{Decode, Encode};

/// A consensus key that stood in genesis or was bound by a hotkey. The record stays when the hotkey takes another key,
/// so that an offence of the old one still finds its stake.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Encode, Decode)]
pub struct KeyRecord {
    /// Who bound it; `None` for a key of genesis that nobody has bound.
    pub hotkey: Option<AccountId>,
    /// Set once it was proven to have equivocated: it never votes again.
    pub offence: Option<Offence>,
}

/// A proven equivocation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Offence {
    /// The height of the two messages.
    pub height: Height,
    /// Their round.
    pub round: u32,
    /// The block that holds the proof.
    pub reported_at: Height,
}
