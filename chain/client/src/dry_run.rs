//! What a transaction would do, computed here from verified state: no node has to be believed, and none is asked to run
//! anything.
//!
//! The ledger's own code runs on the few values that it touches. Which these are shows as it runs: a value that is not
//! here yet is fetched with its proof, and the ledger runs again.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};

use acumen_chain_ledger::state::{StateError, Visit};
use acumen_chain_ledger::{BlockContext, Rejection, Simulation, StateKey, StateRead, simulate};
use acumen_protocol::{Height, SignedTransaction, Uid};

use crate::{ChainClient, ClientError, Verified};

/// Most rounds of fetching: a call needs a handful.
const MAX_ROUNDS: usize = 64;

/// Slots fetched beyond the one asked for.
const MANY: u16 = 255;

/// The effect of a transaction on the newest block's state, or why it would be refused.
pub type DryRun = Result<Simulation, Rejection>;

/// Part of a state, and what was asked for beyond it.
#[derive(Debug, Default)]
struct Partial {
    known: BTreeMap<Vec<u8>, Option<Vec<u8>>>,
    missing: RefCell<BTreeSet<Vec<u8>>>,
}

impl StateRead for Partial {
    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, StateError> {
        // Going on as if there were no value shows more of what will be needed; the result is thrown away then.
        Ok(self.known.get(key).cloned().unwrap_or_else(|| {
            self.missing.borrow_mut().insert(key.to_vec());
            None
        }))
    }

    fn walk(&self, _: &[u8], _: &mut Visit<'_>) -> Result<(), StateError> {
        Err(StateError { reason: "a transaction that reads a whole range cannot be tried here".to_owned() })
    }
}

impl ChainClient {
    /// What `signed` would do in the next block, by the state of the newest one.
    pub async fn dry_run(&self, signed: &SignedTransaction) -> Result<Verified<DryRun>, ClientError> {
        let verified = signed.clone().verify(&self.genesis_hash())?;
        let at = self.status().await?.tip;
        let height = at.height.next().unwrap_or(at.height);
        let time = at.time.next().unwrap_or(at.time);
        let context = BlockContext { genesis: self.genesis_hash(), height, time };
        let sender = verified.get().sender;
        let mut known = BTreeMap::new();
        let first = [
            StateKey::Params,
            StateKey::Supply,
            StateKey::Treasury,
            StateKey::Account(sender),
            StateKey::Hotkey(sender),
        ];
        self.fetch(&mut known, first.to_vec(), at.height).await?;
        for _ in 0..MAX_ROUNDS {
            let state = Partial { known, ..Partial::default() };
            let result = simulate(&state, &context, &verified);
            let Partial { known: seen, missing } = state;
            let missing = missing.into_inner();
            known = seen;
            if missing.is_empty() {
                let value =
                    result.map_err(|error| ClientError::Incompatible { reason: error.to_string() })?;
                return Ok(Verified { value, at });
            }
            let keys = missing.iter().map(|key| StateKey::from_bytes(key)).collect::<Result<Vec<_>, _>>();
            let keys = keys.map_err(|error| ClientError::Incompatible { reason: error.to_string() })?;
            self.fetch(&mut known, keys.into_iter().flat_map(with_neighbours).collect(), at.height).await?;
        }
        Err(ClientError::Incompatible {
            reason: format!("a transaction that reads more than {MAX_ROUNDS} times"),
        })
    }

    async fn fetch(
        &self,
        known: &mut BTreeMap<Vec<u8>, Option<Vec<u8>>>,
        keys: Vec<StateKey>,
        height: Height,
    ) -> Result<(), ClientError> {
        let found = self.values(&keys, Some(height)).await?;
        known.extend(keys.iter().map(StateKey::to_bytes).zip(found.value));
        Ok(())
    }
}

/// A full track is read slot by slot when one has to go: fetch many at once.
fn with_neighbours(key: StateKey) -> Vec<StateKey> {
    match key {
        StateKey::Neuron { track, uid } => (uid.get()..=uid.get().saturating_add(MANY))
            .map(|uid| StateKey::Neuron { track, uid: Uid::new(uid) })
            .collect(),
        key => vec![key],
    }
}
