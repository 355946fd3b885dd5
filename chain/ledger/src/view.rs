//! Typed reads of a state.

use acumen_protocol::codec::{DecodeError, decode_all};
use acumen_protocol::{AccountId, TrackId, Uid, ValidatorSet};
use parity_scale_codec::Decode;

use crate::{
    Account, Hotkey, LedgerError, Neuron, Params, Stake, StateError, StateKey, StateRead, Supply, Track,
    Unbonding,
};

/// A state, read by type. Cheap to make; holds nothing.
#[derive(Clone, Copy)]
pub struct View<'a>(&'a dyn StateRead);

impl std::fmt::Debug for View<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("View")
    }
}

impl<'a> View<'a> {
    /// Reads from `state`.
    #[must_use]
    pub const fn new(state: &'a dyn StateRead) -> Self {
        Self(state)
    }

    /// Any record.
    pub fn get<T: Decode>(&self, key: &StateKey) -> Result<Option<T>, LedgerError> {
        let bytes = self.0.get(&key.to_bytes())?;
        Ok(bytes.map(|bytes| decode_all("state value", &bytes)).transpose()?)
    }

    /// A record that every state has.
    pub fn need<T: Decode>(&self, key: &StateKey) -> Result<T, LedgerError> {
        self.get(key)?.ok_or_else(|| LedgerError::Missing { what: format!("{key:?}") })
    }

    /// Visits all records whose keys begin with `prefix`, in order.
    pub(crate) fn each<T: Decode>(
        &self,
        prefix: &[u8],
        mut visit: impl FnMut(StateKey, T),
    ) -> Result<(), LedgerError> {
        self.0.walk(prefix, &mut |key, value| {
            let damaged = |error: DecodeError| StateError { reason: error.to_string() };
            let key = StateKey::from_bytes(key).map_err(damaged)?;
            visit(key, decode_all("state value", value).map_err(damaged)?);
            Ok(())
        })?;
        Ok(())
    }

    /// The parameters.
    pub fn params(&self) -> Result<Params, LedgerError> {
        self.need(&StateKey::Params)
    }

    /// The supply.
    pub fn supply(&self) -> Result<Supply, LedgerError> {
        self.need(&StateKey::Supply)
    }

    /// The set that decides the next block.
    pub fn validators(&self) -> Result<ValidatorSet, LedgerError> {
        self.need(&StateKey::Validators)
    }

    /// An account; one that the state does not hold is empty.
    pub fn account(&self, id: AccountId) -> Result<Account, LedgerError> {
        Ok(self.get(&StateKey::Account(id))?.unwrap_or_default())
    }

    /// A hotkey.
    pub fn hotkey(&self, id: AccountId) -> Result<Option<Hotkey>, LedgerError> {
        self.get(&StateKey::Hotkey(id))
    }

    /// A coldkey's shares on a hotkey.
    pub fn stake(&self, hotkey: AccountId, coldkey: AccountId) -> Result<Stake, LedgerError> {
        Ok(self.get(&StateKey::Stake { hotkey, coldkey })?.unwrap_or_default())
    }

    /// What a coldkey has taken off a hotkey and not received yet.
    pub fn unbonding(&self, hotkey: AccountId, coldkey: AccountId) -> Result<Unbonding, LedgerError> {
        Ok(self.get(&StateKey::Unbonding { hotkey, coldkey })?.unwrap_or_default())
    }

    /// A track.
    pub fn track(&self, track: TrackId) -> Result<Option<Track>, LedgerError> {
        self.get(&StateKey::Track(track))
    }

    /// The slot of a hotkey.
    pub fn uid_of(&self, track: TrackId, hotkey: AccountId) -> Result<Option<Uid>, LedgerError> {
        self.get(&StateKey::UidOf { track, hotkey })
    }

    /// The holder of a slot below the track's count.
    pub fn neuron(&self, track: TrackId, uid: Uid) -> Result<Neuron, LedgerError> {
        self.need(&StateKey::Neuron { track, uid })
    }
}
