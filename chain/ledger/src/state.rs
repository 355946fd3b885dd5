//! Reading state and collecting changes: the one door between the ledger and whatever stores it.

use std::collections::BTreeMap;
use std::ops::Bound;

use parity_scale_codec::Encode;

use crate::conservation::{Sums, conserved};
use crate::{LedgerError, StateKey};

/// What a block writes, in order of key; `None` deletes.
pub type Changes = BTreeMap<Vec<u8>, Option<Vec<u8>>>;

/// The storage behind a state failed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the state cannot be read: {reason}")]
pub struct StateError {
    /// The storage's own words.
    pub reason: String,
}

/// A visitor of keys and values; `Err` ends the walk.
pub type Visit<'a> = dyn FnMut(&[u8], &[u8]) -> Result<(), StateError> + 'a;

/// A state at one height.
pub trait StateRead {
    /// The value of `key`, if it has one.
    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, StateError>;

    /// Visits all keys that begin with `prefix`, in order.
    fn walk(&self, prefix: &[u8], visit: &mut Visit<'_>) -> Result<(), StateError>;
}

/// A state in memory: for tests and simulations.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MemoryState(BTreeMap<Vec<u8>, Vec<u8>>);

impl MemoryState {
    /// Applies a block's changes.
    pub fn apply(&mut self, changes: Changes) {
        for (key, value) in changes {
            match value {
                Some(value) => self.0.insert(key, value),
                None => self.0.remove(&key),
            };
        }
    }

    /// All keys and values, in order.
    pub fn iter(&self) -> impl Iterator<Item = (&[u8], &[u8])> {
        self.0.iter().map(|(key, value)| (key.as_slice(), value.as_slice()))
    }
}

impl From<Changes> for MemoryState {
    fn from(changes: Changes) -> Self {
        let mut state = Self::default();
        state.apply(changes);
        state
    }
}

impl StateRead for MemoryState {
    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, StateError> {
        Ok(self.0.get(key).cloned())
    }

    fn walk(&self, prefix: &[u8], visit: &mut Visit<'_>) -> Result<(), StateError> {
        let from = (Bound::Included(prefix), Bound::Unbounded);
        let mut neighbours = self.0.range::<[u8], _>(from).take_while(|(key, _)| key.starts_with(prefix));
        neighbours.try_for_each(|(key, value)| visit(key, value))
    }
}

/// Changes on top of a state that they have not reached yet.
pub struct Overlay<'a> {
    base: &'a dyn StateRead,
    changes: Changes,
}

impl std::fmt::Debug for Overlay<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Overlay").field("changes", &self.changes.len()).finish_non_exhaustive()
    }
}

impl<'a> Overlay<'a> {
    /// Nothing changed yet.
    #[must_use]
    pub const fn new(base: &'a dyn StateRead) -> Self {
        Self { base, changes: Changes::new() }
    }

    /// Writes a value.
    pub fn put<T: Encode>(&mut self, key: &StateKey, value: &T) {
        self.changes.insert(key.to_bytes(), Some(value.encode()));
    }

    /// Deletes a value.
    pub fn delete(&mut self, key: &StateKey) {
        self.changes.insert(key.to_bytes(), None);
    }

    /// Takes over the changes of an overlay that stood on this one.
    pub fn merge(&mut self, changes: Changes) {
        self.changes.extend(changes);
    }

    /// The changes, without those that change nothing, after checking that they conserve the supply.
    pub(crate) fn into_changes(self) -> Result<Changes, LedgerError> {
        let Self { base, mut changes } = self;
        let mut sums = Sums::default();
        let mut failure = None;
        changes.retain(|key, value| {
            let added = base.get(key).map_err(LedgerError::from).and_then(|before| {
                sums.add(StateKey::from_bytes(key)?, before.as_deref(), value.as_deref())?;
                Ok(before != *value)
            });
            added.unwrap_or_else(|error| {
                failure = Some(error);
                true
            })
        });
        match failure {
            Some(error) => Err(error),
            None => sums.check().map(|()| changes),
        }
    }

    /// Fails if the changes so far make or lose something.
    pub(crate) fn check_conserved(&self) -> Result<(), LedgerError> {
        conserved(self.base, &self.changes)
    }

    /// The changes as they are, for merging into the overlay below.
    #[must_use]
    pub fn into_raw(self) -> Changes {
        self.changes
    }
}

impl StateRead for Overlay<'_> {
    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, StateError> {
        match self.changes.get(key) {
            Some(value) => Ok(value.clone()),
            None => self.base.get(key),
        }
    }

    fn walk(&self, prefix: &[u8], visit: &mut Visit<'_>) -> Result<(), StateError> {
        let mut merged = BTreeMap::new();
        self.base.walk(prefix, &mut |key, value| {
            merged.insert(key.to_vec(), value.to_vec());
            Ok(())
        })?;
        let from = (Bound::Included(prefix), Bound::Unbounded);
        for (key, value) in self.changes.range::<[u8], _>(from).take_while(|(key, _)| key.starts_with(prefix))
        {
            match value {
                Some(value) => merged.insert(key.clone(), value.clone()),
                None => merged.remove(key),
            };
        }
        merged.iter().try_for_each(|(key, value)| visit(key, value))
    }
}
