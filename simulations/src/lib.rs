//! Simulations: the chain's own ledger and the validators' own scoring, for thousands of epochs, without a network.
//!
//! A [`Scenario`] says who takes part and how they behave; [`run()`] plays it block by block with signed transactions
//! through `acumen-chain-ledger`, while simulated validators judge simulated miners with the core of `acumen-validator`;
//! [`write()`] leaves tables, a summary and plots behind. Only the miners' knowledge and the documents are made up.
//!
//! Invariants: the same scenario gives the same tables, byte for byte, for any number of threads; the books are added up
//! afresh after each epoch and a run whose books do not balance is an error. Amounts are base units, scores are nats per
//! token.
#![forbid(unsafe_code)]

mod answer;
mod ballot;
mod cast;
mod chain;
mod judge;
mod library;
mod output;
mod plot;
mod result;
mod run;
mod scenario;
mod seeded;
mod tally;
mod world;

pub use chain::ChainError;
pub use judge::JudgeError;
pub use library::{Listed, list, shipped};
pub use output::{OutputError, write};
pub use plot::{PlotError, plot};
pub use result::{NeuronSummary, Role, Row, RunResult, Summary, SupplyRow, Timing};
pub use run::{RunError, run};
pub use scenario::{
    MAX_EPOCHS, MAX_NEURONS, Miner, MinerBehaviour, Scenario, ScenarioError, Swing, Validator,
    ValidatorBehaviour, World,
};
