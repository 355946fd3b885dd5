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

/// A stretch of blocks that a key helped to decide.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Term {
    /// The first of them.
    pub from: Height,
    /// The last of them; `None` while the key is in the set.
    pub until: Option<Height>,
}

/// When a consensus key was in the set, oldest first: what it signed for other heights decides nothing. Terms that ended
/// before evidence of them could count are forgotten with the next one, so there are no more than epochs in that time.
#[derive(Clone, Debug, Default, PartialEq, Eq, Encode, Decode)]
pub struct Terms(pub Vec<Term>);

impl Terms {
    /// A term that begins with the block at `from`.
    #[must_use]
    pub fn beginning(from: Height) -> Self {
        Self(vec![Term { from, until: None }])
    }

    /// True if the key was in the set that decided the block at `height`.
    #[must_use]
    pub fn cover(&self, height: Height) -> bool {
        self.0.iter().any(|term| term.from <= height && term.until.is_none_or(|until| height <= until))
    }

    /// The key is in the set from `from` on.
    pub(crate) fn begin(&mut self, from: Height) {
        self.0.push(Term { from, until: None });
    }

    /// The block at `until` is the last one for which the key is in the set.
    pub(crate) fn end(&mut self, until: Height) {
        if let Some(term) = self.0.last_mut().filter(|term| term.until.is_none()) {
            term.until = Some(until);
        }
    }

    /// Forgets what ended before `oldest`.
    pub(crate) fn forget(&mut self, oldest: Height) {
        self.0.retain(|term| term.until.is_none_or(|until| until >= oldest));
    }
}
