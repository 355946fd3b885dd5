//! What the client hands out.

use acumen_protocol::{Hash, Header, Height, Nacu, TimestampMs};

use crate::light::VerifiedBlock;

/// The block against whose state root something was verified.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct VerifiedAt {
    /// Its height.
    pub height: Height,
    /// Its id.
    pub block: Hash,
    /// Its time: how old the answer is.
    pub time: TimestampMs,
}

impl From<&Header> for VerifiedAt {
    fn from(header: &Header) -> Self {
        Self { height: header.height, block: header.id(), time: header.time }
    }
}

/// A value with the block that proves it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verified<T> {
    /// The value.
    pub value: T,
    /// The block.
    pub at: VerifiedAt,
}

#[cfg(feature = "grpc")]
impl<T> Verified<T> {
    /// The same block, another value.
    pub(crate) fn map<U>(self, f: impl FnOnce(T) -> U) -> Verified<U> {
        Verified { value: f(self.value), at: self.at }
    }
}

/// Where the chain stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Status {
    /// The chain's name.
    pub chain: String,
    /// The genesis hash.
    pub genesis: Hash,
    /// The newest block, verified.
    pub tip: VerifiedAt,
    /// Address of the node that answered.
    pub node: String,
    /// Version of its software, as it says.
    pub version: String,
    /// The first height after genesis whose block it keeps, as it says; nodes of older versions do not.
    pub first_block: Option<Height>,
}

/// Issuance and balances as a node has added them up. **Not verified**: a sum over the whole state has no proof. The
/// issuance alone is, in [`crate::ChainClient::issuance`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SupplyReport {
    /// The height that it belongs to.
    pub height: Height,
    /// Base units in existence.
    pub issuance: Nacu,
    /// Minted since genesis.
    pub minted: Nacu,
    /// Burned since genesis.
    pub burned: Nacu,
    /// Sum over every account and stake.
    pub balances_total: Nacu,
}

/// A submitted transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TxId {
    /// blake2b-256 of its bytes.
    pub id: Hash,
    /// Last height at which it can be included.
    pub valid_until: Height,
}

impl std::fmt::Display for TxId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.id.fmt(f)
    }
}

/// A transaction that was applied.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Included {
    /// The block that holds it.
    pub at: VerifiedAt,
    /// What it has paid.
    pub fee: Nacu,
}

impl VerifiedBlock {
    /// Height, id and time.
    #[must_use]
    pub const fn at(&self) -> VerifiedAt {
        VerifiedAt { height: self.header.height, block: self.id, time: self.header.time }
    }
}
