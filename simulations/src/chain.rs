//! The chain of a simulation: the ledger, its state in memory, and signed transactions. No network, no consensus.

use std::time::{Duration, Instant};

use acumen_chain_ledger::{
    Audit, AuditError, BlockContext, BlockError, Event, Genesis, GenesisError, LedgerError, MemoryState,
    Rejection, View, audit, execute_block,
};
use acumen_protocol::transaction::{TransactionError, VerifiedTransaction};
use acumen_protocol::{AccountId, Call, Hash, Height, Keypair, Nacu, Nonce, TimestampMs, Transaction};

use crate::seeded::bytes;

/// Time between blocks, as upstream.
const BLOCK_MS: u64 = 12_000;

/// A fault of the ledger or of the simulation, never of a scenario.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ChainError {
    /// The scenario's genesis is impossible.
    #[error(transparent)]
    Genesis(#[from] GenesisError),
    /// A block was refused.
    #[error(transparent)]
    Block(#[from] BlockError),
    /// The state is damaged.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// A signature did not verify.
    #[error(transparent)]
    Transaction(#[from] TransactionError),
    /// The books do not balance.
    #[error("at height {height} the books do not balance: {source}")]
    Audit {
        /// Where.
        height: Height,
        /// How.
        source: AuditError,
    },
    /// Issuance moved by something else than minting and burning.
    #[error("at height {height} issuance is {found} nacu; genesis, minted and burned make it {expected}")]
    Supply {
        /// Where.
        height: Height,
        /// The ledger's count.
        found: u64,
        /// genesis + minted - burned.
        expected: i128,
    },
}

/// A key that sends transactions.
#[derive(Debug)]
pub(crate) struct Sender {
    key: Keypair,
    /// Its account.
    pub(crate) account: AccountId,
    nonce: Nonce,
}

impl Sender {
    /// The key of a role and number.
    pub(crate) fn new(seed: u64, role: &str, number: usize) -> Self {
        let key = Keypair::from_seed(&bytes(seed, role, [number as u64, 0, 0]));
        Self { account: key.account(), key, nonce: Nonce::ZERO }
    }
}

/// The chain at one height.
#[derive(Debug)]
pub(crate) struct Chain {
    genesis: Hash,
    genesis_issuance: u64,
    time_ms: u64,
    height: Height,
    state: MemoryState,
    /// Time spent in signing and verifying.
    pub(crate) signing: Duration,
    /// Time spent in the ledger, audits included.
    pub(crate) ledger: Duration,
}

impl Chain {
    /// At genesis.
    pub(crate) fn new(genesis: &Genesis) -> Result<Self, ChainError> {
        let state = MemoryState::from(genesis.state()?);
        let genesis_issuance = View::new(&state).supply()?.issuance.get();
        Ok(Self {
            genesis: genesis.hash()?,
            genesis_issuance,
            time_ms: genesis.time_ms,
            height: Height::ZERO,
            state,
            signing: Duration::ZERO,
            ledger: Duration::ZERO,
        })
    }

    /// Typed reads of the newest state.
    pub(crate) fn view(&self) -> View<'_> {
        View::new(&self.state)
    }

    /// Signs and verifies a transaction for the next blocks.
    pub(crate) fn sign(
        &mut self,
        sender: &mut Sender,
        call: Call,
    ) -> Result<VerifiedTransaction, ChainError> {
        let begin = Instant::now();
        let transaction = Transaction {
            genesis: self.genesis,
            sender: sender.account,
            nonce: sender.nonce,
            valid_until: Height::new(u64::MAX),
            tip: Nacu::ZERO,
            call,
        };
        sender.nonce = Nonce::new(sender.nonce.get() + 1);
        let verified = transaction.sign(&sender.key).verify(&self.genesis)?;
        self.signing += begin.elapsed();
        Ok(verified)
    }

    /// Executes the next block; the calls that failed in it.
    pub(crate) fn advance(
        &mut self,
        transactions: &[VerifiedTransaction],
    ) -> Result<Vec<Rejection>, ChainError> {
        let begin = Instant::now();
        let height = Height::new(self.height.get() + 1);
        let time = TimestampMs::new(self.time_ms + height.get() * BLOCK_MS);
        let context = BlockContext { genesis: self.genesis, height, time };
        let outcome = execute_block(&self.state, context, transactions)?;
        self.state.apply(outcome.changes);
        self.height = height;
        self.ledger += begin.elapsed();
        let failed = |event| if let Event::Failed { reason, .. } = event { Some(reason) } else { None };
        Ok(outcome.events.into_iter().filter_map(failed).collect())
    }

    /// Adds everything up afresh.
    pub(crate) fn audit(&mut self) -> Result<Audit, ChainError> {
        let begin = Instant::now();
        let height = self.height;
        let audit = audit(&self.state).map_err(|source| ChainError::Audit { height, source })?;
        let (minted, burned) = (i128::from(audit.minted.get()), i128::from(audit.burned.get()));
        let expected = i128::from(self.genesis_issuance) + minted - burned;
        let found = audit.issuance.get();
        self.ledger += begin.elapsed();
        if i128::from(found) == expected {
            Ok(audit)
        } else {
            Err(ChainError::Supply { height, found, expected })
        }
    }
}
