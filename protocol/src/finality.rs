//! A header with the proof that it was decided, and a block with its events, as nodes hand them out. Nothing here is
//! verified yet: a light client does that.

use parity_scale_codec::{Decode, Encode};

use crate::{Certificate, Header, SignedTransaction, ValidatorSet};

/// A header with the proof that it was decided; not yet verified.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct SignedHeader {
    /// The header.
    pub header: Header,
    /// `None` at genesis only.
    pub certificate: Option<Certificate>,
    /// The next set, if it differs from the deciding one.
    pub next_validators: Option<ValidatorSet>,
}

/// A block as a node hands it out; not yet verified.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct FinalizedBlock {
    /// Header and certificate.
    pub signed: SignedHeader,
    /// Transactions in order.
    pub transactions: Vec<SignedTransaction>,
    /// SCALE of each event, in order: the ledger's types, opaque here.
    pub events: Vec<Vec<u8>>,
}
