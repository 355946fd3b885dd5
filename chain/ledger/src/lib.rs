//! The ledger: what a block does to the state, and nothing else.
//!
//! Pure. State comes in through [`StateRead`], changes go out as a sorted map ([`Changes`]); time and height are
//! arguments. The same blocks give the same bytes on every machine. Invariants, checked by [`audit()`] and by property
//! tests: the sum of everything that anybody owns is the issuance, and `issuance = genesis + minted - burned`. Amounts
//! are base units (`u64`), proportions `u16` of 65,535, time blocks or milliseconds as the names say. The rules are
//! numbered in `docs/spec/ledger.md`.
#![cfg_attr(
    not(test),
    deny(
        clippy::float_arithmetic,
        clippy::arithmetic_side_effects,
        clippy::indexing_slicing,
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::panic,
        clippy::as_conversions
    )
)]
#![forbid(unsafe_code)]

mod audit;
mod block;
mod call;
mod conservation;
mod epoch;
pub mod error;
pub mod event;
mod fee;
pub mod genesis;
mod governance;
pub mod key;
mod mint;
pub mod params;
mod pool;
mod positions;
pub mod record;
pub mod rejection;
pub mod serde_text;
mod simulate;
pub mod state;
pub mod tree;
mod unbonding;
mod validators;
pub mod view;

pub use audit::{Audit, AuditError, audit};
pub use block::{BlockBuilder, BlockContext, BlockError, BlockOutcome, TxOutcome, execute_block};
pub use conservation::{Breach, Owned, conserved};
pub use error::LedgerError;
pub use event::Event;
pub use fee::{fee_of, fee_with_tip, payer};
pub use genesis::{Genesis, GenesisError};
pub use key::StateKey;
pub use params::Params;
pub use record::{
    Account, ChainInfo, Commit, Commits, EpochRecord, Governance, Hotkey, KeyRecord, Neuron, PendingTake,
    Proposal, ProposalStatus, STATE_LAYOUT, Stake, Supply, Tally, Terms, Track, Unbonding, WeightsRow,
};
pub use rejection::Rejection;
pub use simulate::{Fit, Simulation, check, simulate};
pub use state::{Changes, MemoryState, Overlay, StateError, StateRead};
pub use view::View;
