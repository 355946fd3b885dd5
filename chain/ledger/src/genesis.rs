//! The genesis document: everything that a chain begins with. As JSON for people (amounts as strings of digits), as
//! SCALE on the wire. The id of the header made from it is the *genesis hash*, which every signature covers.

use acumen_protocol::{
    AccountId, ConsensusPublic, ConsensusValidator, Hash, Header, Height, Nacu, Nonce, TimestampMs, TrackId,
    Uid, ValidatorSet, certificate::ValidatorSetError,
};
use parity_scale_codec::{Decode, Encode};
use serde::{Deserialize, Serialize};

use crate::mint::credit_stake;
use crate::params::{MAX_SUPPLY_LIMIT, ParamsError};
use crate::serde_text::{nacu, text};
use crate::state::{Changes, MemoryState, Overlay, StateError};
use crate::tree;
use crate::{
    Account, ChainInfo, Hotkey, KeyRecord, LedgerError, Neuron, Params, STATE_LAYOUT, StateKey, Supply,
    Terms, Track, View,
};

/// Most tracks of a chain: each costs an epoch's work.
pub const MAX_TRACKS: usize = 64;

/// Longest name of a chain or track, in bytes.
pub const MAX_NAME: usize = 64;

/// What a chain begins with.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Genesis {
    /// The chain's name.
    pub chain: String,
    /// Time of genesis, in milliseconds since the Unix epoch.
    pub time_ms: u64,
    /// The parameters; those left out have their defaults.
    #[serde(default)]
    pub params: Params,
    /// Account that receives the part of the fees that is not burned.
    pub treasury: AccountId,
    /// Who owns what. Each account once.
    pub balances: Vec<GenesisBalance>,
    /// The tracks, numbered from 0 in this order.
    pub tracks: Vec<GenesisTrack>,
    /// Neurons that are registered from the start, without a burn.
    #[serde(default)]
    pub neurons: Vec<GenesisNeuron>,
    /// The nodes that decide blocks.
    pub validators: Vec<GenesisValidator>,
}

/// A balance at genesis.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GenesisBalance {
    /// Whose.
    pub account: AccountId,
    /// Base units.
    #[serde(with = "nacu")]
    pub amount: Nacu,
}

/// A track at genesis.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GenesisTrack {
    /// Its name.
    pub name: String,
    /// Coldkey that receives the owner's cut.
    pub owner: AccountId,
    /// Part of emission, relative to the other tracks'.
    pub emission_share: u16,
}

/// A neuron at genesis.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GenesisNeuron {
    /// Its track.
    pub track: u16,
    /// Its hotkey.
    pub hotkey: AccountId,
    /// The hotkey's owner.
    pub coldkey: AccountId,
    /// The owner's stake on it, in base units, besides its balance.
    #[serde(with = "nacu")]
    pub stake: Nacu,
}

/// A node that decides blocks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GenesisValidator {
    /// Its key: `0x` and 64 hex digits.
    #[serde(with = "text")]
    pub key: ConsensusPublic,
    /// Its voting power.
    pub power: u64,
}

/// Why no chain can begin with a document.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum GenesisError {
    /// Not the JSON of a genesis document.
    #[error("the genesis document does not parse: {reason}")]
    Json {
        /// Where and why.
        reason: String,
    },
    /// A parameter is impossible.
    #[error(transparent)]
    Params(#[from] ParamsError),
    /// The consensus set is impossible.
    #[error(transparent)]
    Validators(#[from] ValidatorSetError),
    /// A part contradicts another.
    #[error("genesis: {reason}")]
    Invalid {
        /// What is wrong.
        reason: String,
    },
    /// Cannot happen with a checked document.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// The state root could not be computed.
    #[error(transparent)]
    State(#[from] StateError),
}

fn invalid(reason: String) -> GenesisError {
    GenesisError::Invalid { reason }
}

impl Genesis {
    /// Reads the JSON document and checks it.
    pub fn from_json(json: &str) -> Result<Self, GenesisError> {
        let genesis = Self::parse(json)?;
        genesis.state()?;
        Ok(genesis)
    }

    /// Reads the JSON document without checking whether a chain can begin with it: for documents that one has begun with.
    /// [`Self::state`] and everything that rests on it check.
    pub fn parse(json: &str) -> Result<Self, GenesisError> {
        serde_json::from_str(json).map_err(|error| GenesisError::Json { reason: error.to_string() })
    }

    /// The JSON document.
    pub fn to_json(&self) -> Result<String, GenesisError> {
        serde_json::to_string_pretty(self).map_err(|error| GenesisError::Json { reason: error.to_string() })
    }

    /// The set that decides the first block.
    pub fn validator_set(&self) -> Result<ValidatorSet, GenesisError> {
        let validators = self.validators.iter();
        let voters = validators.map(|voter| ConsensusValidator { key: voter.key, power: voter.power });
        Ok(ValidatorSet::new(voters.collect())?)
    }

    /// The state at height 0.
    pub fn state(&self) -> Result<Changes, GenesisError> {
        self.params.check()?;
        let base = MemoryState::default();
        let mut state = Overlay::new(&base);
        state.put(&StateKey::Params, &self.params);
        state.put(&StateKey::Validators, &self.validator_set()?);
        check_name(&self.chain)?;
        let name = self.chain.clone();
        let info = ChainInfo { layout: STATE_LAYOUT, name, time: TimestampMs::new(self.time_ms) };
        state.put(&StateKey::Chain, &info);
        state.put(&StateKey::Treasury, &self.treasury);
        for validator in &self.validators {
            state.put(&StateKey::ConsensusKey(validator.key), &KeyRecord::default());
            state.put(&StateKey::Terms(validator.key), &Terms::beginning(Height::new(1)));
        }
        self.put_balances(&mut state)?;
        self.put_tracks(&mut state)?;
        self.put_neurons(&mut state)?;
        let amounts = self.balances.iter().map(|balance| balance.amount);
        let issuance = Nacu::checked_sum(amounts.chain(self.neurons.iter().map(|neuron| neuron.stake)))
            .filter(|sum| *sum <= self.params.max_supply && *sum <= MAX_SUPPLY_LIMIT)
            .ok_or_else(|| invalid(format!("balances and stakes exceed {} nacu", self.params.max_supply)))?;
        state.put(&StateKey::Supply, &Supply { issuance, ..Supply::default() });
        Ok(state.into_raw())
    }

    /// The header at height 0.
    pub fn header(&self) -> Result<Header, GenesisError> {
        let set = self.validator_set()?.hash();
        Ok(Header {
            height: Height::ZERO,
            parent: Hash::ZERO,
            time: TimestampMs::new(self.time_ms),
            proposer: ConsensusPublic([0; 32]),
            transactions_root: Hash::ZERO,
            events_root: Hash::ZERO,
            state_root: tree::root_of(&self.state()?)?,
            validators_hash: set,
            next_validators_hash: set,
        })
    }

    /// The genesis hash.
    pub fn hash(&self) -> Result<Hash, GenesisError> {
        Ok(self.header()?.id())
    }

    fn put_balances(&self, state: &mut Overlay<'_>) -> Result<(), GenesisError> {
        for GenesisBalance { account, amount } in &self.balances {
            let key = StateKey::Account(*account);
            if View::new(state).get::<Account>(&key)?.is_some() {
                return Err(invalid(format!("balance of {account} is given twice")));
            }
            state.put(&key, &Account { free: *amount, nonce: Nonce::ZERO });
        }
        Ok(())
    }

    fn put_tracks(&self, state: &mut Overlay<'_>) -> Result<(), GenesisError> {
        if self.tracks.is_empty() || self.tracks.len() > MAX_TRACKS {
            return Err(invalid(format!(
                "{} tracks: between 1 and {MAX_TRACKS} are possible",
                self.tracks.len()
            )));
        }
        for (index, track) in (0_u16..).zip(&self.tracks) {
            check_name(&track.name)?;
            let (name, owner) = (track.name.clone(), track.owner);
            let record =
                Track::new(name, owner, track.emission_share, self.params.initial_price, Height::ZERO);
            state.put(&StateKey::Track(TrackId::new(index)), &record);
        }
        state.put(&StateKey::Tracks, &u16::try_from(self.tracks.len()).unwrap_or(u16::MAX));
        Ok(())
    }

    fn put_neurons(&self, state: &mut Overlay<'_>) -> Result<(), GenesisError> {
        for neuron in &self.neurons {
            self.put_neuron(state, neuron)?;
        }
        Ok(())
    }

    fn put_neuron(&self, state: &mut Overlay<'_>, neuron: &GenesisNeuron) -> Result<(), GenesisError> {
        let GenesisNeuron { hotkey, coldkey, stake, .. } = *neuron;
        let track = TrackId::new(neuron.track);
        let view = View::new(state);
        let mut record = view
            .track(track)?
            .ok_or_else(|| invalid(format!("neuron {hotkey} is in unknown track {track}")))?;
        if view.uid_of(track, hotkey)?.is_some() || record.neurons >= self.params.max_uids {
            return Err(invalid(format!("neuron {hotkey} is in track {track} twice, or the track is full")));
        }
        let mut info = view.hotkey(hotkey)?.unwrap_or_else(|| Hotkey::new(coldkey, self.params.default_take));
        if info.owner != coldkey {
            return Err(invalid(format!("hotkey {hotkey} has two owners")));
        }
        let uid = Uid::new(record.neurons);
        record.neurons = record.neurons.saturating_add(1);
        credit_stake(state, hotkey, &mut info, coldkey, stake)?;
        state.put(&StateKey::Hotkey(hotkey), &info);
        state.put(&StateKey::Track(track), &record);
        state.put(&StateKey::UidOf { track, hotkey }, &uid);
        state.put(&StateKey::Neuron { track, uid }, &Neuron::new(hotkey, uid, Height::ZERO));
        Ok(())
    }
}

/// True if `name` can name a chain or track.
pub(crate) fn is_name(name: &str) -> bool {
    !name.is_empty() && name.len() <= MAX_NAME && name.chars().all(|c| !c.is_control())
}

fn check_name(name: &str) -> Result<(), GenesisError> {
    if is_name(name) {
        Ok(())
    } else {
        Err(invalid(format!("name {name:?} must have 1 to {MAX_NAME} bytes of text")))
    }
}
