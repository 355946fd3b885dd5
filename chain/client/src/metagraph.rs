//! A track's metagraph: every neuron with its stake, endpoint and shares, all at one verified block.

use acumen_chain_ledger::{Hotkey, Neuron, StateKey, Track};
use acumen_protocol::{AccountId, Endpoint, Epoch, Height, Nacu, TrackId, Uid};

use crate::read::decode;
use crate::{ChainClient, ClientError, Verified};

/// A track and its neurons, in order of uid.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Metagraph {
    /// The track's number.
    pub track: TrackId,
    /// The track's record.
    pub info: Track,
    /// The epoch that is running: the next block belongs to it or to the one after.
    pub epoch: Epoch,
    /// Neurons; the one with uid `i` is at index `i`.
    pub neurons: Vec<MetagraphNeuron>,
}

/// One neuron. Proportions are of 65,535 and, like `emission`, those of the last epoch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MetagraphNeuron {
    /// Its slot.
    pub uid: Uid,
    /// Its hotkey.
    pub hotkey: AccountId,
    /// The hotkey's owner.
    pub coldkey: AccountId,
    /// Stake behind it.
    pub stake: Nacu,
    /// Share of its delegators' dividends that it keeps.
    pub take: u16,
    /// Where it serves, if it does.
    pub endpoint: Option<Endpoint>,
    /// May its weights count?
    pub permit: bool,
    /// Block of its registration.
    pub registered_at: Height,
    /// Block of its last reveal of weights.
    pub last_update: Height,
    /// Largest weight that a majority of stake backs.
    pub consensus: u16,
    /// Its share as a miner.
    pub incentive: u16,
    /// Its share as a validator.
    pub dividend: u16,
    /// How much of its weights lies within consensus.
    pub validator_trust: u16,
    /// What it was paid.
    pub emission: Nacu,
}

impl MetagraphNeuron {
    fn new(neuron: Neuron, hotkey: &Hotkey, epoch: Epoch) -> Self {
        Self {
            uid: neuron.uid,
            hotkey: neuron.hotkey,
            coldkey: hotkey.owner,
            stake: hotkey.total_stake,
            take: hotkey.take_in(epoch),
            endpoint: neuron.endpoint,
            permit: neuron.permit,
            registered_at: neuron.registered_at,
            last_update: neuron.last_update,
            consensus: neuron.consensus,
            incentive: neuron.incentive,
            dividend: neuron.dividend,
            validator_trust: neuron.validator_trust,
            emission: neuron.emission,
        }
    }
}

impl Metagraph {
    /// The neuron of a hotkey.
    #[must_use]
    pub fn by_hotkey(&self, hotkey: &AccountId) -> Option<&MetagraphNeuron> {
        self.neurons.iter().find(|neuron| neuron.hotkey == *hotkey)
    }
}

impl ChainClient {
    /// The metagraph of a track at the newest block.
    pub async fn metagraph(&self, track: TrackId) -> Result<Verified<Metagraph>, ClientError> {
        let keys = [StateKey::Track(track), StateKey::Params];
        let head = self.values(&keys, None).await?;
        let height = head.at.height;
        let info: Track = one(head.value.first(), || format!("track {track}"))?;
        let params: acumen_chain_ledger::Params = one(head.value.get(1), || "the parameters".to_owned())?;
        let slots: Vec<StateKey> =
            (0..info.neurons).map(|uid| StateKey::Neuron { track, uid: Uid::new(uid) }).collect();
        let neurons = self.all::<Neuron>(&slots, height).await?;
        let owners: Vec<StateKey> = neurons.iter().map(|neuron| StateKey::Hotkey(neuron.hotkey)).collect();
        let hotkeys = self.all::<Hotkey>(&owners, height).await?;
        let neurons = neurons
            .into_iter()
            .zip(&hotkeys)
            .map(|(neuron, hotkey)| MetagraphNeuron::new(neuron, hotkey, params.epoch_of(height)));
        let metagraph = Metagraph { track, epoch: params.epoch_of(height), info, neurons: neurons.collect() };
        Ok(Verified { value: metagraph, at: head.at })
    }

    async fn all<T: acumen_protocol::codec::Decode>(
        &self,
        keys: &[StateKey],
        height: Height,
    ) -> Result<Vec<T>, ClientError> {
        let found = self.values(keys, Some(height)).await?;
        let pairs = keys.iter().zip(&found.value);
        pairs.map(|(key, value)| one(Some(value), || format!("{key:?}"))).collect()
    }
}

fn one<T: acumen_protocol::codec::Decode>(
    value: Option<&Option<Vec<u8>>>,
    what: impl FnOnce() -> String,
) -> Result<T, ClientError> {
    let decoded = value.map(decode).transpose()?.flatten();
    decoded.ok_or_else(|| ClientError::NotFound { what: what() })
}
