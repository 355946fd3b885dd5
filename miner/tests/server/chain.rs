//! A chain that a test writes.

use std::sync::{Arc, Mutex};

use acumen_miner::chain::{ChainError, ChainView, Neuron};
use acumen_protocol::call::Endpoint;
use acumen_protocol::miner_record::MinerRecord;
use acumen_protocol::{AccountId, Nacu};

#[derive(Default)]
struct State {
    neurons: Vec<Neuron>,
    others: Vec<(AccountId, Nacu)>,
    down: bool,
    published: Vec<Endpoint>,
    records: Vec<MinerRecord>,
    refused_records: u64,
    reads: u64,
    /// Look-ups that were begun while they were held.
    look_ups: Vec<AccountId>,
}

#[derive(Clone, Default)]
pub(crate) struct FakeChain(Arc<Mutex<State>>, Arc<tokio::sync::watch::Sender<bool>>);

impl FakeChain {
    pub(crate) fn register(&self, hotkey: AccountId, acu: u64) {
        let stake = Nacu::from_acu(acu).unwrap();
        self.0.lock().unwrap().neurons.push(Neuron { hotkey, stake, endpoint: None });
    }

    pub(crate) fn delegate(&self, hotkey: AccountId, acu: u64) {
        self.0.lock().unwrap().others.push((hotkey, Nacu::from_acu(acu).unwrap()));
    }

    /// Keeps the look-ups of single stakes waiting.
    pub(crate) fn hold_look_ups(&self, held: bool) {
        self.1.send_replace(held);
    }

    /// Those that waited so.
    pub(crate) fn look_ups(&self) -> Vec<AccountId> {
        self.0.lock().unwrap().look_ups.clone()
    }

    pub(crate) fn set_down(&self, down: bool) {
        self.0.lock().unwrap().down = down;
    }

    pub(crate) fn published(&self) -> Vec<Endpoint> {
        self.0.lock().unwrap().published.clone()
    }

    /// Records that the nodes took.
    pub(crate) fn records(&self) -> Vec<MinerRecord> {
        self.0.lock().unwrap().records.clone()
    }

    /// How often the nodes, which were down, did not.
    pub(crate) fn refused_records(&self) -> u64 {
        self.0.lock().unwrap().refused_records
    }

    /// Reads of the metagraph so far, answered or not.
    pub(crate) fn reads(&self) -> u64 {
        self.0.lock().unwrap().reads
    }
}

fn up(state: &State) -> Result<(), ChainError> {
    if state.down { Err(ChainError("the node is down".to_owned())) } else { Ok(()) }
}

impl ChainView for FakeChain {
    async fn neurons(&self) -> Result<Vec<Neuron>, ChainError> {
        let mut state = self.0.lock().unwrap();
        state.reads += 1;
        up(&state).map(|()| state.neurons.clone())
    }

    async fn stake_of(&self, hotkey: AccountId) -> Result<Nacu, ChainError> {
        let mut held = self.1.subscribe();
        if *held.borrow() {
            self.0.lock().unwrap().look_ups.push(hotkey);
        }
        held.wait_for(|held| !held).await.map_err(|error| ChainError(error.to_string()))?;
        let state = self.0.lock().unwrap();
        up(&state)?;
        let found = state.others.iter().find(|(other, _)| *other == hotkey);
        Ok(found.map_or(Nacu::ZERO, |(_, stake)| *stake))
    }

    async fn publish(&self, endpoint: Endpoint) -> Result<(), ChainError> {
        let mut state = self.0.lock().unwrap();
        up(&state)?;
        state.published.push(endpoint.clone());
        for neuron in &mut state.neurons {
            neuron.endpoint = Some(endpoint.clone());
        }
        Ok(())
    }

    async fn publish_record(&self, record: MinerRecord) -> Result<(), ChainError> {
        let mut state = self.0.lock().unwrap();
        let taken = up(&state);
        match taken {
            Ok(()) => state.records.push(record),
            Err(_) => state.refused_records += 1,
        }
        taken
    }
}
